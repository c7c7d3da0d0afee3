"""What becomes a task, and what becomes a claim."""

import pytest
import tiny

from asl_env.agents.coevolution.filters import TaskFilter
from asl_env.agents.coevolution.harvest import Harvester, solve_rate
from asl_env.agents.coevolution.state import RunState
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Request, RewardParts, Role, Trajectory
from asl_env.protocols import Hit, ToolResult

ASL = make_dialect("asl")
QUESTION = "In which town does Asha live today?"
REQUEST = Request("q", "harder", "towns", provenance={"parent": "r1-t7", "accuracy": 0.75})


def solves(text):
    """Reads solves such as "Lima+ Oslo- Rome?": an answer and the verdict on it."""
    verdicts = {"+": "correct", "-": "wrong", "?": None}
    return [
        {"answer": word[:-1] or None, "verdict": verdicts[word[-1]], "seed": i}
        for i, word in enumerate(text.split())
    ]


def take(found, *overrides, question=QUESTION, answer="Lima", total=0.9, reason=None,
         state=None, invalid=None, read=()):  # fmt: skip
    recipe = tiny.make_recipe(*overrides)
    state = state or RunState(round=2)
    episode = Trajectory(Role.GENERATOR, REQUEST, tuple(read), (), answer, question)
    extras = {"solves": solves(found), "reason": reason, "verification": 1.0}
    parts = RewardParts(total, {"format": 0.25}, invalid, extras)
    harvester = Harvester(recipe.generate, recipe.verify, TaskFilter(recipe.filters), 0, ASL)
    harvester.take(state, episode, parts)
    return state


def labels(state):
    return sorted((claim.answer, claim.label) for claim in state.claims)


def test_a_rewarded_question_becomes_a_task_with_its_lineage():
    state = take("Lima+ Oslo-")
    task = state.tasks[0]
    assert (task.id, task.question, task.answers) == ("r2-t0", QUESTION, ("Lima",))
    assert task.provenance["parent"] == "r1-t7"
    assert task.provenance["topic"] == "towns"
    assert state.solve_rates == {"r2-t0": 0.5}


def test_the_format_reward_alone_makes_no_task():
    state = take("Lima+ Lima+", total=0.25)
    assert state.tasks == []
    assert state.rejected == {"unanimous": 1}
    assert len(take("Lima+ Lima+", "generate.accept=gate", total=0.25).tasks) == 1


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"reason": "verification"}, "verification"),
        ({"reason": "no question mark at the end"}, "invalid"),
        ({"reason": "never read: Asha"}, "made up"),
        ({"question": "Where is Asha?"}, "short"),
        ({"question": "Tell me the town in which Asha lives"}, "form"),
        ({"answer": "the"}, "answer"),
    ],
)
def test_what_makes_no_task_is_counted_by_reason(change, reason):
    state = take("Lima+ Oslo-", **change)
    assert (state.tasks, state.claims, state.rejected) == ([], [], {reason: 1})


def test_a_repeated_question_is_one_task_and_still_gives_claims():
    state = take("Lima+ Oslo-")
    take("Lima+ Oslo-", state=state, question=QUESTION.upper())
    assert len(state.tasks) == 1
    assert state.rejected == {"duplicate": 1}
    assert len(state.claims) == 4
    assert len({claim.id for claim in state.claims}) == 4


def test_a_failed_episode_leaves_no_trace():
    assert take("Lima+ Oslo-", invalid="search: gone") == RunState(round=2)


def test_labels_come_from_the_source_that_the_recipe_names():
    found = "Lima- Lima- Oslo+ Oslo+ Lima+"
    assert labels(take(found, "verify.balance=false", "verify.labels=reference")) == [
        ("Lima", "correct"), ("Lima", "correct"), ("Lima", "correct"),
        ("Oslo", "wrong"), ("Oslo", "wrong"),
    ]  # fmt: skip
    assert labels(take(found, "verify.balance=false", "verify.labels=self")) == [
        ("Lima", "correct"), ("Lima", "wrong"), ("Lima", "wrong"),
        ("Oslo", "correct"), ("Oslo", "correct"),
    ]  # fmt: skip
    assert labels(take(found, "verify.balance=false", "verify.labels=majority")) == [
        ("Lima", "wrong"), ("Lima", "wrong"), ("Lima", "wrong"),
        ("Oslo", "correct"), ("Oslo", "correct"),
    ]  # fmt: skip


def test_balanced_claims_keep_the_minority_whole():
    found = "Lima+ " * 3 + "Oslo- " * 7
    kept = [label for _, label in labels(take(found))]
    assert (kept.count("correct"), kept.count("wrong")) == (3, 3)
    assert take("Lima+ Lima+ Lima+").claims == []


def test_the_generators_own_answer_is_a_correct_claim_where_the_recipe_says_so():
    own = ["verify.own_answers=true", "verify.balance=false"]
    assert labels(take("Oslo- Rome-", *own)) == [
        ("Lima", "correct"), ("Oslo", "wrong"), ("Rome", "wrong"),
    ]  # fmt: skip
    state = take("- -", *own)  # nothing was solved: the GRM has something to learn all the same
    assert labels(state) == [("Lima", "correct")]
    balanced = labels(take("Oslo- Rome-", "verify.own_answers=true"))
    assert sorted(label for _, label in balanced) == ["correct", "wrong"]


@pytest.mark.parametrize(
    ("found", "kept"),
    [
        ("Lima+ Lima- Oslo-", True),
        ("LIMA- Oslo+", True),
        ("Lima- - -", True),
        ("Oslo+ Oslo+ Lima+", False),
        ("Oslo- Lima+", False),
        ("- -", False),
    ],
)
def test_claims_of_agreed_questions_only_where_the_recipe_says_so(found, kept):
    own = ["verify.own_answers=true", "verify.balance=false"]
    assert bool(take(found, *own, "verify.agreed=true").claims) is kept
    assert take(found, *own).claims
    assert len(take(found, *own, "verify.agreed=true", "generate.accept=gate").tasks) == 1


def test_what_the_writer_read_makes_wrong_claims_where_all_solves_are_right():
    lives = Passage("1", "Asha", "She lives in Lima, and was born in Oslo.")
    read = ASL.render_results([ToolResult("q", (Hit(lives, 1.0),))])

    def claims(*changes):
        questions = [f"In which town did Asha live in {year}?" for year in range(1900, 1930)]
        states = [take("Lima+ Lima+", *changes, question=one, read=read) for one in questions]
        return [labels(state) for state in states]

    made = claims("verify.near_misses=true")
    assert {len(pair) for pair in made} == {2}
    assert {one for pair in made for one in pair} == {
        ("Lima", "correct"), ("Oslo", "wrong"), ("Asha", "wrong"),
    }  # fmt: skip
    assert made == claims("verify.near_misses=true")
    assert claims() == [[]] * 30


def test_own_answers_do_not_count_as_solves():
    state = take("Lima+ Oslo-", "verify.own_answers=true")
    assert state.solve_rates == {"r2-t0": 0.5}


def test_without_a_verify_phase_there_are_no_claims():
    assert take("Lima+ Oslo-", "verify.enabled=false").claims == []


def test_solves_without_an_answer_give_no_claim_and_without_a_verdict_no_rate():
    state = take("Lima+ - Oslo-", "verify.balance=false")
    assert labels(state) == [("Lima", "correct"), ("Oslo", "wrong")]
    assert solve_rate(solves("Lima+ Lima? Oslo- -")) == pytest.approx(1 / 3)


def test_only_questions_of_the_wanted_difficulty():
    assert take("Lima+ Oslo- Oslo- Oslo-", "generate.accuracy=[0.3, 0.8]").rejected == {
        "accuracy": 1
    }
    assert len(take("Lima+ Oslo-", "generate.accuracy=[0.3, 0.8]").tasks) == 1


def test_the_majority_can_give_the_answer():
    found = "Oslo+ OSLO+ The- Lima+ Oslo-"
    assert take(found, "generate.answer=majority").tasks[0].answers == ("Oslo",)
