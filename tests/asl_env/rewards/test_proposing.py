"""The generator's reward model: gates, partners, and what it hands on."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Claim, Request, Role, Task, Trajectory, Turn
from asl_env.errors import AslError, SearchUnavailableError
from asl_env.prompts import user_message
from asl_env.protocols import Hit, ToolResult
from asl_env.rewards.generator import GENERATOR_REWARDS
from asl_env.rewards.labels import claims_from_solves
from asl_env.rewards.proposing import GeneratorReward, check_question

ASL = make_dialect("asl")
THINK = "<think>hm</think>"
RIGHT, WRONG = ["<answer>conclusion: correct</answer>"], ["<answer>conclusion: wrong</answer>"]
ROUND = [(5, 5), (3, 4), (0, 5), (10, 5), (7, 3), (5, 5)]
SEED = Request("r", "seed", "cities")


def draft(question="What is city number 1?", answer="Lima", request=SEED, seed=0, messages=()):
    said = THINK + ASL.write_final(answer, question)
    action = ASL.parse(said, Role.GENERATOR)
    return Trajectory(
        Role.GENERATOR, request, tuple(messages), (Turn(said),), action.answer, action.question,
        think_share=1.0, seed=seed,
    )  # fmt: skip


def partners(script, cases, solves=10, votes=5):
    """A solver that is right k times of ten, and a judge that knows, and confirms v times of 5."""
    played, judged = {}, {}
    for number, (right, confirmed) in enumerate(cases):
        question = f"What is city number {number}?"
        played[user_message(Task("", question, ("x",)))] = [
            [f"<answer>{'right' if n < right else 'wrong'} {n}</answer>"] for n in range(solves)
        ]
        judged[user_message(Claim("", question, "Lima"))] = [
            RIGHT if n < confirmed else WRONG for n in range(votes)
        ]
        for n in range(solves):
            for word, verdict in (("right", RIGHT), ("wrong", WRONG)):
                judged[user_message(Claim("", question, f"{word} {n}"))] = [verdict]
    return script(played), script(judged)


def score(script, library, cases, drafts=None, **options):
    solver, judge = partners(script, cases)
    if drafts is None:
        drafts = [draft(f"What is city number {n}?", seed=n) for n in range(len(cases))]
    model = GeneratorReward(solver, judge, library, **options)
    return model.score(drafts), solver, judge


def round_of_eight():
    drafts = [draft(f"What is city number {n}?", seed=n) for n in range(len(ROUND))]
    return [*drafts, draft(question=None, seed=6), draft(question="Bad", seed=7)]


class TestTheWholeClass:
    SCORES = (0.9431, 0.8609, 0.25, 0.25, 0.25, 0.9431, 0.25, 0.25)

    @pytest.mark.parametrize(("compat", "rows"), [(True, 32), (False, 26)])
    def test_a_published_step(self, script, library, compat, rows):
        scored, *_ = score(
            script, library, ROUND, round_of_eight(), format_reward=True, compat=compat
        )
        assert [parts.total for parts in scored] == pytest.approx(self.SCORES, abs=1e-4)
        assert np.mean([p.total - p.parts["format"] for p in scored]) == pytest.approx(
            0.249645, abs=1e-6
        )
        assert all(parts.parts["format"] == 0.25 for parts in scored)
        rng = np.random.default_rng(0)
        claims = [
            claim
            for parts in scored
            for claim in claims_from_solves(
                parts.extras["question"] or "", "Lima", parts.extras["solves"], "self",
                id="c", rng=rng,
            )
        ]  # fmt: skip
        assert len(claims) == rows
        assert sum(claim.label == "correct" for claim in claims) == rows // 2
        assert [n for n, parts in enumerate(scored) if parts.parts["asl"] > 0] == [0, 1, 5]

    def test_gates_run_cheapest_first_and_in_batches(self, script, library):
        _, solver, judge = score(script, library, ROUND, round_of_eight())
        assert solver.batches == [50], "only what passed the gates is solved"
        assert judge.batches == [30, 50], "six questions are verified, five are judged"

    @pytest.mark.parametrize(
        ("case", "shaped", "total"),
        [
            ((5, 5), True, 0.943147),
            ((5, 4), True, 0.943147),
            ((5, 3), True, 0.25),
            ((10, 5), True, 0.25),
            ((3, 5), False, 0.610864),
        ],
    )
    def test_gate_and_format(self, script, library, case, shaped, total):
        (parts,), *_ = score(script, library, [case], [draft("What is city number 0?")],
                             format_reward=shaped)  # fmt: skip
        assert parts.total == pytest.approx(total, abs=1e-6)

    def test_unanimous_and_invalid_batches_are_scored_like_any_other(self, script, library):
        scored, *_ = score(script, library, [(0, 5), (10, 5)])
        assert [parts.total for parts in scored] == [0.0, 0.0]
        scored, solver, judge = score(script, library, [], [draft(question="Bad")] * 3)
        assert [parts.total for parts in scored] == [0.0] * 3
        assert solver.batches == judge.batches == []
        assert GeneratorReward(solver, judge, library).score([]) == []


class TestWhatIsHandedOn:
    def test_extras_say_everything_and_are_json(self, script, library):
        scored, *_ = score(script, library, [(1, 5), (5, 2)])
        good, unverified = (parts.extras for parts in scored)
        assert good["question"] == "What is city number 0?"
        assert (good["answer"], good["valid"], good["reason"]) == ("Lima", True, None)
        assert good["verification"] == 1.0
        assert [solve["verdict"] for solve in good["solves"]] == ["correct"] + ["wrong"] * 9
        assert good["solves"][0]["answer"] == "right 0"
        assert len({solve["seed"] for solve in good["solves"]}) == 10
        assert (unverified["valid"], unverified["reason"]) == (True, "verification")
        assert (unverified["verification"], unverified["solves"]) == (0.4, [])
        assert json.loads(json.dumps([good, unverified])) == [good, unverified]

    def test_parts_name_what_was_measured(self, script, library):
        (parts,), *_ = score(script, library, [(3, 4)])
        assert parts.parts == pytest.approx(
            {"valid": 1, "asl": 0.610864, "verification": 0.8, "solve_rate": 0.3,
             "entropy": 0.610864}, abs=1e-6)  # fmt: skip

    def test_the_same_episode_is_scored_the_same_way_in_any_batch(self, script, library):
        scored, solver, judge = score(script, library, [(3, 5), (5, 5)])
        again, solver_alone, judge_alone = score(
            script, library, [(3, 5), (5, 5)], [draft("What is city number 1?", seed=1)]
        )
        assert again[0] == scored[1]
        assert set(solver_alone.seeds) <= set(solver.seeds)
        assert set(judge_alone.seeds) <= set(judge.seeds)


class TestValidity:
    @pytest.mark.parametrize(
        ("question", "answer", "reason"),
        [
            ("Is it ten?", "x", None),
            ("Is it 10?", "x", "question too short"),
            ("What is the capital of Peru", "x", "no question mark at the end"),
            ("What is the capital of Peru?!)  ", "x", None),
            ("What is the capital of Peru? Tell", "x", "no question mark at the end"),
            (None, "x", "no question"),
            ("What is the capital of Peru?", None, "no answer"),
            ("What is the capital of Peru?", "The", "answer normalises to nothing"),
        ],
    )
    def test_form(self, question, answer, reason):
        assert check_question(question, answer) == reason

    @given(st.one_of(st.none(), st.text()), st.one_of(st.none(), st.text()))
    def test_a_valid_question_makes_a_task(self, question, answer):
        if check_question(question, answer) is None:
            assert Task("t", question, (answer,)).answers == (answer,)


class TestGrounding:
    def test_made_up_names_stop_a_question_before_anybody_is_asked(self, script, library):
        result = ToolResult("q", (Hit(Passage("1", "Peru", "Lima is city number 0."), 1.0),))
        read = ASL.render_results([result])
        drafts = [draft("What is city number 0?", messages=read), draft("What is Perrru 0?"),
                  draft("What is city number 0?", "Limo", messages=read)]  # fmt: skip
        scored, solver, judge = score(script, library, [(5, 5)], drafts, grounded=True)
        assert [parts.extras["reason"] for parts in scored] == [
            None, "never read: Perrru 0", "never read: Limo",
        ]  # fmt: skip
        assert [parts.total > 0 for parts in scored] == [True, False, False]
        assert [parts.parts["valid"] for parts in scored] == [1.0, 0.0, 0.0]
        assert (solver.batches, judge.batches) == ([10], [5, 10])


class TestOtherRows:
    @pytest.mark.parametrize("name", sorted(set(GENERATOR_REWARDS) - {"asl"}))
    def test_rows_without_verification_ask_for_none(self, script, library, name):
        (parts,), _, judge = score(script, library, [(4, 0)], name=name)
        assert judge.batches == [10]
        assert parts.extras["verification"] is None
        expected = {
            "entropy": 0.673012, "entropy+tool": 0.673012, "absolute-zero": 0.6, "r-zero": 0.8,
            "dr-zero": 6 / 9, "learnability": 0.96, "tool-gt": 2 / 3,
        }  # fmt: skip
        assert parts.total == pytest.approx(expected[name], abs=1e-6)

    def test_by_rule_a_solve_is_right_if_it_covers_the_answer(self, script, library):
        said = ["It is Lima", "Lima", "lima.", "Lima, Peru", *["Quito"] * 4, "", "climatic"]
        task = user_message(Task("", "What is city number 1?", ("x",)))
        solver = script({task: [[f"<answer>{text}</answer>"] for text in said]})
        (parts,) = GeneratorReward(solver, None, library, name="entropy").score([draft()])
        assert parts.total == pytest.approx(0.673012, abs=1e-6)

    def test_by_exact_match_covering_is_not_enough(self, script, library):
        said = ["It is Lima", "Lima", "lima.", "Lima, Peru", *["Quito"] * 6]
        task = user_message(Task("", "What is city number 1?", ("x",)))
        solver = script({task: [[f"<answer>{text}</answer>"] for text in said]})
        model = GeneratorReward(solver, None, library, name="absolute-zero", match="em")
        (parts,) = model.score([draft()])
        assert parts.total == pytest.approx(0.8)
        assert parts.extras["rollouts"] == {"policy": 10, "grm": 0}

    def test_by_majority_a_solve_is_right_if_most_say_the_same(self, script, library):
        said = ["Oslo", "oslo.", "Oslo", "Lima", *["Quito"] * 2, "Rome", "", "Bonn", "Lima"]
        task = user_message(Task("", "What is city number 1?", ("x",)))
        solver = script({task: [[f"<answer>{text}</answer>"] for text in said]})
        model = GeneratorReward(solver, None, library, name="r-zero", majority=True)
        (parts,) = model.score([draft()])
        assert parts.parts["solve_rate"] == pytest.approx(0.3)
        assert parts.total == pytest.approx(0.6)

    def test_rollouts_count_votes_solves_and_judgements(self, script, library):
        (parts,), *_ = score(script, library, [(5, 5)])
        assert parts.extras["rollouts"] == {"policy": 10, "grm": 5 + 10}
        (unverified,), *_ = score(script, library, [(5, 0)])
        assert unverified.extras["rollouts"] == {"policy": 0, "grm": 5}

    def test_r_zero_looks_at_the_whole_batch(self, script, library):
        drafts = [draft(f"What is city number {n}?", seed=n) for n in (0, 0, 1)]
        drafts.append(draft("Bad"))
        cases = [(5, 0), (5, 0)]
        scored, *_ = score(script, library, cases, drafts, name="r-zero")
        assert [parts.total for parts in scored] == pytest.approx([1 / 3, 1 / 3, 2 / 3, 0.0])
        scored, *_ = score(script, library, cases, drafts, name="r-zero", penalty=0.3)
        assert [parts.total for parts in scored] == pytest.approx([0.8, 0.8, 0.9, 0.0])

    def test_an_answer_from_the_last_tool_response_earns_a_bonus(self, script, library):
        def seen(text):
            hits = [Hit(Passage("p", "Peru", text), 1.0)]
            return ASL.render_results([ToolResult(None, hits)])

        def bonus(*messages):
            drafts = [draft("What is city number 0?", messages=messages)]
            (parts,), *_ = score(script, library, [(5, 0)], drafts, name="entropy+tool")
            return parts.total - parts.parts["entropy"]

        assert bonus(*seen("The capital is Lima.")) == pytest.approx(0.306853, abs=1e-6)
        assert bonus(*seen("Lima"), *seen("Quito")) == 0.0
        assert bonus(*seen("A climatic event")) == 0.0
        assert bonus() == 0.0

    def test_the_source_answer_should_be_neither_asked_for_nor_given(self, script, library):
        request = Request("r", "harder", "", "width", "Which number?", "number 0")
        drafts = [draft("What is city number 0?", request=request)]
        (parts,), *_ = score(script, library, [(5, 0)], drafts, name="tool-gt")
        assert parts.total == pytest.approx(1 / 3)


class TestFailures:
    def test_garbled_verdicts_are_left_out(self, script, library):
        solver, judge = partners(script, [(5, 5)])
        question = "What is city number 0?"
        for n in range(4):
            judge.lines[user_message(Claim("", question, f"right {n}"))] = [["well"]]
        judge.lines[user_message(Claim("", question, "Lima"))] = [
            RIGHT,
            RIGHT,
            RIGHT,
            ["hm"],
            ["hm"],
        ]
        (parts,) = GeneratorReward(solver, judge, library).score([draft(question)])
        assert parts.invalid is None
        assert parts.parts["verification"] == 1.0
        assert parts.parts["solve_rate"] == pytest.approx(1 / 6)
        assert [solve["verdict"] for solve in parts.extras["solves"]][:5] == [None] * 4 + [
            "correct"
        ]

    def test_mostly_garbled_verdicts_are_no_reward(self, script, library):
        question = "What is city number 0?"
        solver, judge = partners(script, [(5, 5)])
        judge.lines[user_message(Claim("", question, "Lima"))] = [RIGHT, RIGHT, ["a"], ["b"], ["c"]]
        (parts,) = GeneratorReward(solver, judge, library).score([draft(question)])
        assert (parts.total, parts.invalid) == (0.0, "verification: verdict")
        assert solver.batches == []
        solver, judge = partners(script, [(5, 5)])
        for n in range(6):
            for word in ("right", "wrong"):
                judge.lines[user_message(Claim("", question, f"{word} {n}"))] = [["well"]]
        (parts,) = GeneratorReward(solver, judge, library).score([draft(question)])
        assert parts.invalid == "solves: verdict"

    def test_a_solve_without_an_answer_is_wrong_without_asking(self, script, library):
        solver, judge = partners(script, [(5, 5)])
        task = user_message(Task("", "What is city number 0?", ("x",)))
        solver.lines[task] = [["no idea"], ["<answer>right 1</answer>"]]
        (parts,) = GeneratorReward(solver, judge, library).score([draft("What is city number 0?")])
        assert parts.parts["solve_rate"] == 0.5
        assert judge.batches == [5, 5]

    def test_a_broken_tool_of_the_solver_is_no_reward(self, script):
        class Broken:
            def run(self, calls):
                raise SearchUnavailableError("down")

        solver, judge = partners(script, [(5, 5)])
        task = user_message(Task("", "What is city number 0?", ("x",)))
        solver.lines[task] = [["<tool_call></tool_call>"]]
        model = GeneratorReward(solver, judge, Broken())
        (parts,) = model.score([draft("What is city number 0?")])
        assert parts.invalid == "solves: search: down"

    def test_an_invalid_episode_stays_invalid(self, script, library):
        broken = Trajectory(Role.GENERATOR, SEED, (), (), None, invalid="search: down")
        (parts,), *_ = score(script, library, [], [broken])
        assert parts.invalid == "search: down"


class TestBadOptions:
    def test_names_and_numbers_are_checked(self, script, library):
        agent = script({})
        with pytest.raises(AslError, match="did you mean 'r-zero'"):
            GeneratorReward(agent, agent, library, name="r_zero")
        with pytest.raises(AslError, match="solves=0"):
            GeneratorReward(agent, agent, library, solves=0)
        with pytest.raises(AslError, match="give it a judge"):
            GeneratorReward(agent, None, library)
        assert GeneratorReward(agent, None, library, verifications=0).verifies is False

    def test_other_seats_are_refused(self, script, library):
        other = Trajectory(Role.POLICY, Task("t", "Q?", ("x",)), (), (), "x")
        with pytest.raises(AslError, match="generator seat, not policy"):
            GeneratorReward(script({}), script({}), library).score([other])
