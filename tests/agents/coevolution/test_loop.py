"""The loop: what each phase consumes and produces, and what it does when something is missing."""

import json
import time
from itertools import pairwise

import numpy as np
import pytest
import tiny

from asl_env.agents.coevolution.callbacks import LoopCallback, TensorBoardLog
from asl_env.agents.coevolution.loop import CoEvolution
from asl_env.episode import Role
from asl_env.errors import AgentError, AslError, RecipeError, RunError
from asl_env.evaluation.records import read
from asl_env.text import normalize


def run(folder, *overrides, agents=None, world=None, rounds=None, **options):
    agents = tiny.TinyLearner(seed=1) if agents is None else agents
    world = world or tiny.make_world()
    loop = CoEvolution(tiny.make_recipe(*overrides), folder, agents, world, **options)
    loop.run(rounds)
    return loop


def events(folder, kind=None, **where):
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [
        event
        for event in lines
        if kind in (None, event["event"])
        and all(event.get(name) == value for name, value in where.items())
    ]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run of three rounds, for everything that only looks."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    loop = run(folder, "rounds=3")
    return loop, folder


def test_a_round_is_generate_verify_solve_and_then_a_measurement(whole):
    _, folder = whole
    order = [(event["round"], event["phase"]) for event in events(folder, "phase-begun")]
    assert order == [(r, p) for r in (1, 2, 3) for p in ("generate", "verify", "solve")]
    assert [event["round"] for event in events(folder, "measured")] == [0, 1, 2, 3]


def test_round_one_asks_about_seeds_and_later_rounds_for_variants_first_in_width_then_depth(whole):
    _, folder = whole
    first, second, third = events(folder, "phase-begun", phase="generate")
    assert (first["requests"], first["seeds"]) == (16, 16)
    for begun, ended in zip((second, third), events(folder, "phase-ended", phase="solve")[:2],
                            strict=True):  # fmt: skip
        assert begun["harder"] == ended["harder"]
        assert begun["easier"] == ended["easier"]
        assert begun["harder"] + begun["easier"] > 0
    assert (second["style"], third["style"]) == ("width", "depth")


def test_each_phase_hands_its_harvest_to_the_next(whole):
    _, folder = whole
    for number in (1, 2, 3):
        made = events(folder, "phase-ended", round=number, phase="generate")[0]
        judged = events(folder, "phase-begun", round=number, phase="verify")[0]
        solved = events(folder, "phase-begun", round=number, phase="solve")[0]
        assert judged["claims"] == made["claims"]
        assert solved["tasks"] == made["tasks"]


def test_the_grm_trains_on_as_many_correct_as_wrong_claims(whole):
    _, folder = whole
    for event in events(folder, "phase-ended", phase="verify"):
        assert event["correct"] == event["wrong"] > 0


def test_tasks_are_new_well_formed_and_not_held_out(whole):
    loop, folder = whole
    tasks = [
        json.loads(line)
        for path in sorted((folder / "tasks").iterdir())
        for line in path.read_text().splitlines()
    ]
    questions = [normalize(task["question"]) for task in tasks]
    assert len(tasks) == len(loop.state.pool) > 5
    assert len(set(questions)) == len(questions)
    held_out = {normalize(t.question) for group in loop.world.held_out.values() for t in group}
    assert not held_out & set(questions)
    assert all(len(task["question"]) > 20 and task["question"].endswith("?") for task in tasks)


def test_few_tasks_are_topped_up_from_earlier_rounds(whole):
    _, folder = whole
    for event in events(folder, "topped-up"):
        assert event["round"] > 1
        assert event["tasks"] + event["topped_up"] <= 12
    assert events(folder, "topped-up")


def test_the_team_learns(whole):
    loop, _ = whole
    first, last = loop.state.history[0], loop.state.history[-1]
    assert first["policy"]["true"] < 0.5 < last["policy"]["true"]
    assert first["grm"]["kappa"] == 0.0
    assert last["grm"]["kappa"] == 1.0
    assert first["hacks"]["mean"] == 1.0
    assert last["hacks"]["mean"] == 0.0


def test_the_gap_between_judged_and_true_accuracy_raises_an_alarm(whole):
    _, folder = whole
    measured = events(folder, "measured", round=0)[0]["metrics"]["policy"]
    alarm = events(folder, "alarm", round=0)[0]
    assert alarm["why"] == "gap"
    assert alarm["value"] == pytest.approx(measured["judged"] - measured["true"])
    assert not events(folder, "alarm", round=3)


def test_rewards_and_learner_metrics_are_in_the_events_and_times_are_not(whole):
    _, folder = whole
    chunk = events(folder, "chunk", phase="solve")[0]["metrics"]
    assert chunk["reward"] == pytest.approx(chunk["verdict"] + chunk["format"])
    assert set(chunk["learner"]) == {"mean"}
    times = [json.loads(line) for line in (folder / "timing.jsonl").read_text().splitlines()]
    assert len(times) == len(events(folder, "chunk")) + len(events(folder, "measured"))
    assert all(time["seconds"] >= 0 and time["cpu"] >= 0 for time in times)


def test_sampled_trajectories_can_be_read_back(whole):
    _, folder = whole
    records = list(read(folder / "trajectories.jsonl"))
    assert len(records) == len(events(folder, "chunk"))
    assert {record.trajectory.role for record in records} == set(Role)


def test_tensorboard_gets_the_scalars_of_what_was_saved(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    class Interrupt(LoopCallback):
        def on_save(self, state):
            if state.commits == 4:
                raise KeyboardInterrupt

    board = tmp_path / "run" / "tensorboard"
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", "rounds=1", callbacks=[TensorBoardLog(board), Interrupt()])
    run(tmp_path / "run", "rounds=1", callbacks=[TensorBoardLog(board)])
    found = EventAccumulator(str(board)).Reload()
    assert [event.step for event in found.Scalars("solve/reward")] == [208, 256]
    assert [event.step for event in found.Scalars("measure/policy/true")] == [0, 256]


def test_old_checkpoints_go_and_those_of_rounds_stay(whole):
    _, folder = whole
    names = sorted(path.name for path in (folder / "checkpoints").iterdir())
    assert names == ["round-00", "round-01", "round-02", "round-03", "round-03-solve-001"]


def test_more_rounds_go_on_as_if_they_had_been_asked_for_at_once(whole, tmp_path):
    loop, folder = whole
    run(tmp_path / "run", "rounds=1")
    resumed = run(tmp_path / "run", "rounds=1", rounds=3)
    assert resumed.state == loop.state
    assert (tmp_path / "run" / "events.jsonl").read_bytes() == (
        folder / "events.jsonl"
    ).read_bytes()


def test_other_seeds_give_other_runs(whole, tmp_path):
    run(tmp_path / "run", "rounds=1", seed=2)
    assert events(tmp_path / "run", "chunk")[0] != events(whole[1], "chunk")[0]


class Played:
    """Wraps a learner into an agent that only plays."""

    def __init__(self):
        self._learner = tiny.TinyLearner(seed=1)

    def act(self, chats, *, greedy=False):
        return self._learner.act(chats, greedy=greedy)


def test_agents_that_only_play_are_not_trained_and_the_loop_still_runs(tmp_path):
    run(tmp_path / "run", "rounds=1", agents=Played())
    assert events(tmp_path / "run", "phase-skipped")[0]["reason"] == "the seat does not learn"
    solved = events(tmp_path / "run", "phase-ended", phase="solve")[0]
    made = events(tmp_path / "run", "phase-ended", phase="generate")[0]
    assert solved["played"] == made["tasks"] > 0
    assert solved["harder"] + solved["easier"] == made["tasks"]


def test_seats_may_have_their_own_agents_and_only_learners_are_saved(tmp_path):
    policy = tiny.TinyLearner(seed=4)
    run(
        tmp_path / "run", "rounds=1", agents={"generator": Played(), "policy": policy,
                                              "grm": Played()},
    )  # fmt: skip
    assert policy.calls == 2
    manifest = json.loads((tmp_path / "run/checkpoints/round-01/agents.json").read_text())
    assert {name: entry["saved"] for name, entry in manifest.items()} == {
        "generator": False, "policy": True, "grm": False,
    }  # fmt: skip


def test_a_seat_without_an_agent_is_named(tmp_path):
    with pytest.raises(AgentError, match="the grm seat needs an agent"):
        run(tmp_path, agents={"generator": Played(), "policy": Played()})
    with pytest.raises(AgentError, match="did you mean 'policy'"):
        run(tmp_path, agents={"policies": Played()})


def test_the_frozen_control_skips_the_verify_phase_and_leaves_the_grm_as_it_was(tmp_path):
    loop = run(tmp_path / "run", "verify.enabled=false", "rounds=1")
    assert events(tmp_path / "run", "phase-skipped", phase="verify")[0]["reason"] == "disabled"
    fresh = tiny.TinyLearner(seed=1)
    assert np.array_equal(loop.team[Role.GRM].weights[Role.GRM], fresh.weights[Role.GRM])


def test_an_initial_judge_keeps_its_weights_while_the_seat_learns(tmp_path):
    loop = run(tmp_path / "run", "judge=initial", "rounds=1")
    learner = loop.team[Role.GRM]
    assert learner.weights[Role.GRM][0] > learner.weights[Role.GRM][1]
    assert loop.state.history[-1]["grm"]["kappa"] == 0.0, "the judge is still the first one"
    again = run(tmp_path / "run", "judge=initial", "rounds=1", rounds=2)
    assert again.state.history[-1]["grm"]["kappa"] == 0.0


def test_a_rule_can_judge(tmp_path):
    loop = run(tmp_path / "run", "judge=rule", "generate.reward=absolute-zero", "rounds=1",
               "generate.verifications=0")  # fmt: skip
    assert "em" in events(tmp_path / "run", "chunk", phase="solve")[0]["metrics"]
    assert loop.state.round == 2


def test_labelled_tasks_need_no_generator(tmp_path):
    run(tmp_path / "run", "generate.enabled=false", "verify.enabled=false", "solve.reward=em",
        "solve.tasks=real", "rounds=1")  # fmt: skip
    assert events(tmp_path / "run", "phase-ended", phase="solve")[0]["played"] > 12


def test_a_task_set_that_the_world_does_not_have_is_named(tmp_path):
    with pytest.raises(RecipeError, match="did you mean 'real'"):
        run(tmp_path / "run", "generate.enabled=false", "solve.tasks=reel", "rounds=1")


def test_real_claims_come_late_and_in_their_share(tmp_path):
    run(tmp_path / "run", "verify.real={path: real, share: 0.5, start_round: 2}", "rounds=2")
    first, second = events(tmp_path / "run", "phase-begun", phase="verify")
    assert first["real"] == 0
    assert second["real"] == pytest.approx(second["claims"], abs=1)


def test_a_generator_that_makes_nothing_is_survived(tmp_path):
    learner = tiny.TinyLearner(seed=1)
    learner.weights[Role.GENERATOR][:] = [-50.0, -50.0, 50.0]
    loop = run(tmp_path / "run", "rounds=2", agents=learner)
    skipped = [(e["phase"], e["reason"]) for e in events(tmp_path / "run", "phase-skipped")]
    assert skipped == [("verify", "nothing to play"), ("solve", "nothing to play")] * 2
    assert loop.state.rejected == {}
    assert events(tmp_path / "run", "phase-ended", phase="generate")[0]["rejected"]["invalid"] > 0


def test_unanimous_questions_make_neither_tasks_nor_claims_and_are_survived(tmp_path):
    learner = tiny.TinyLearner(seed=1)
    learner.weights[Role.POLICY][:] = [50.0, -50.0]
    learner.weights[Role.GRM][:] = [50.0, -50.0]
    learner.weights[Role.GENERATOR][:] = [50.0, -50.0, -50.0]
    run(tmp_path / "run", "rounds=1", agents=learner)
    ended = events(tmp_path / "run", "phase-ended", phase="generate")[0]
    assert (ended["tasks"], ended["claims"]) == (0, 0)
    assert ended["rejected"]["unanimous"] > 0
    run(tmp_path / "gate", "rounds=1", "generate.accept=gate", agents=learner)
    assert events(tmp_path / "gate", "phase-ended", phase="generate")[0]["tasks"] > 0


@pytest.mark.parametrize(("limit", "reason"), [(3, "enough"), (500, "budget")])
def test_the_generate_phase_ends_when_there_are_more_tasks_than_enough(tmp_path, limit, reason):
    run(tmp_path / "run", f"generate.enough={{first_round: {limit}, later: 9}}", "rounds=1")
    ended = events(tmp_path / "run", "phase-ended", phase="generate")[0]
    assert ended["reason"] == reason
    assert (ended["tasks"] > limit) == (reason == "enough")


def test_enough_is_more_than_2000_tasks_in_round_one_and_more_than_5000_later():
    enough = tiny.make_recipe("generate.enough={first_round: 2000, later: 5000}").generate.enough
    assert [enough.limit(number) for number in (1, 2, 3)] == [2000, 5000, 5000]


def test_a_plateau_ends_a_phase_inside_a_chunk(tmp_path):
    run(tmp_path / "run", "rounds=1", "solve.steps=960", "solve.chunk_steps=960",
        "solve.plateau={window: 4, ratio: 100.0}")  # fmt: skip
    ended = events(tmp_path / "run", "phase-ended", phase="solve")[0]
    assert (ended["reason"], ended["chunks"]) == ("plateau", 1)
    assert events(tmp_path / "run", "chunk", phase="solve")[0]["metrics"]["episodes"] < 60


def test_a_search_that_is_gone_stops_the_run_and_leaves_it_resumable(tmp_path):
    class Broken(tiny.WordRetriever):
        working = True

        def search(self, queries, k):
            if not self.working:
                raise ConnectionError("refused")
            return super().search(queries, k)

    retriever = Broken()

    class Cut(LoopCallback):
        def on_save(self, state):
            retriever.working = state.round < 1 or state.phase == "generate"

    world = tiny.make_world(retriever)
    with pytest.raises(RunError, match=r"episodes failed .*refused.*then resume"):
        run(tmp_path / "run", "rounds=1", world=world, callbacks=[Cut()])
    retriever.working = True
    again = run(tmp_path / "run", "rounds=1", world=world)
    assert again.state == run(tmp_path / "whole", "rounds=1").state


def test_a_learner_that_raises_is_one_line_and_the_run_can_be_resumed(tmp_path):
    class Broken(tiny.TinyLearner):
        def learn(self, role, vector_env, budget, callbacks=()):
            if role is Role.POLICY:
                raise ValueError("loss is\nnan")
            return super().learn(role, vector_env, budget, callbacks)

    with pytest.raises(AgentError, match=r"^Broken.learn raised ValueError: loss is nan$"):
        run(tmp_path / "run", "rounds=1", agents=Broken(seed=1))
    state = json.loads((tmp_path / "run" / "state.json").read_text())
    assert (state["phase"], state["progress"]["chunk"]) == ("solve", 0)


def test_a_learner_that_collapses_is_noted_with_its_warning(tmp_path):
    class Collapsing(tiny.TinyLearner):
        def learn(self, role, vector_env, budget, callbacks=()):
            def warn(metrics):
                warning = {"collapse/entropy": "entropy is 0.01"} if role is Role.POLICY else {}
                return all(callback({**metrics, **warning}) for callback in callbacks)

            return super().learn(role, vector_env, budget, [warn])

    run(tmp_path / "run", "rounds=1", agents=Collapsing(seed=1))
    noted = events(tmp_path / "run", "collapse")
    assert noted and {event["phase"] for event in noted} == {"solve"}
    first = {"round": 1, "phase": "solve", "chunk": 0, "detector": "entropy"}
    assert noted[0] == {"event": "collapse", **first, "warning": "entropy is 0.01"}


def test_a_partner_that_breaks_stops_the_run_with_its_name(tmp_path):
    class Judge(Played):
        broken = False

        def act(self, chats, *, greedy=False):
            if self.broken:
                raise OSError("no such model")
            return super().act(chats, greedy=greedy)

    class Break(LoopCallback):
        def on_save(self, state):
            Judge.broken = True

    agents = {"generator": tiny.TinyLearner(), "policy": Played(), "grm": Judge()}
    with pytest.raises(RunError, match=r"episodes failed .*Judge.act raised OSError: no such"):
        run(tmp_path / "run", "rounds=1", agents=agents, callbacks=[Break()])


def test_an_agent_that_hangs_is_named(tmp_path):
    class Sleeper(Played):
        def act(self, chats, *, greedy=False):
            time.sleep(0.4 if chats[0].role is Role.GRM else 0.0)
            return super().act(chats, greedy=greedy)

    with pytest.raises(AgentError, match=r"Sleeper.act gave no turns within 0.2 s"):
        run(tmp_path / "run", "rounds=1", agents=Sleeper(), timeout=0.2)


def test_an_impossible_reward_is_refused_before_anything_runs(tmp_path):
    with pytest.raises(AslError, match="no reward is named 'entropi'"):
        run(tmp_path / "run", "generate.reward=entropi")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"overrides": ["solve.steps=97"]}, "'recipe.solve.steps' was 96 and is now 97"),
        ({"seed": 9}, "'seed' was 0 and is now 9"),
        ({"setup": {"agent": "other"}}, "'setup.agent' was None and is now 'other'"),
        ({"agents": Played()}, "field 'agents.all' was"),
    ],
)
def test_a_run_resumes_only_with_what_it_was_begun_with(tmp_path, change, expected):
    run(tmp_path / "run", "rounds=1", rounds=0)
    with pytest.raises(RunError, match=expected):
        run(tmp_path / "run", "rounds=1", *change.pop("overrides", []), **change)
    assert run(tmp_path / "run", "rounds=1").state.round == 2


def test_an_interrupted_run_keeps_its_last_save_and_goes_on_exactly(tmp_path):
    class Interrupt(LoopCallback):
        def __init__(self, after):
            self.after = after
            self.ended = False

        def on_update(self, state, metrics):
            self.after -= 1
            if self.after == 0:
                raise KeyboardInterrupt

        def on_end(self):
            self.ended = True

    stopper = Interrupt(after=12)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "run", "rounds=1", callbacks=[stopper])
    assert stopper.ended
    again = run(tmp_path / "run", "rounds=1")
    assert again.state == run(tmp_path / "whole", "rounds=1").state
    for name in ("events.jsonl", "trajectories.jsonl"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_callbacks_see_saves_in_order(tmp_path):
    class Steps(LoopCallback):
        def __init__(self):
            self.steps = []

        def on_save(self, state):
            self.steps.append((state.round, state.steps))

    seen = Steps()
    run(tmp_path / "run", "rounds=1", callbacks=[seen])
    assert all(one <= two for one, two in pairwise(seen.steps))
    assert seen.steps[-1] == (2, 96 + 64 + 96)
