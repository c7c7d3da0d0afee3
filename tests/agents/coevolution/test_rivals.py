"""The rivals of the loop, as recipes: what each plays, what each pays for, and at what cost."""

import json

import pytest
import tiny
from test_kill import contents

from asl_env.agents.coevolution.callbacks import LoopCallback
from asl_env.agents.coevolution.loop import CoEvolution
from asl_env.agents.coevolution.recipefile import load_recipe, recipe_names
from asl_env.agents.coevolution.rollouts import total
from asl_env.agents.coevolution.variants import rebase
from asl_env.episode import Role
from asl_env.evaluation.records import read
from asl_env.rewards.voting import majority_answer
from asl_env.text import normalize

#: Every recipe that is a variant of ``asl``; ``asl-nano`` is another base.
RIVALS = sorted({*recipe_names()} - {"asl-nano"})
#: Those whose rewards or phases are their own.
KINDS = ("absolute-zero", "asl-real-data", "r-zero", "random-reward", "search-r1")
REAL = {"search-r1": ["solve.tasks=real"], "asl-real-data": ["verify.real.path=real"]}


def small(name, *overrides):
    """A shipped recipe on the tests' tiny base."""
    rival = load_recipe(name, REAL.get(name, []))
    return load_recipe(rebase(rival, tiny.make_recipe()), overrides)


def run(folder, name, *overrides, callbacks=(), learner=None):
    learner = learner or tiny.TinyLearner(seed=1)
    recipe = small(name, *overrides)
    loop = CoEvolution(recipe, folder, learner, tiny.make_world(), callbacks=callbacks)
    loop.run()
    return loop


def events(folder, kind, **where):
    lines = [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]
    return [
        event
        for event in lines
        if event["event"] == kind and all(event.get(name) == value for name, value in where.items())
    ]


def played(folder):
    return sorted({event["phase"] for event in events(folder, "phase-begun")})


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Each rival's run and folder, made when first asked for."""
    made = {}

    def one(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name) / "run"
            made[name] = run(folder, name), folder
        return made[name]

    return one


@pytest.mark.parametrize("name", RIVALS)
def test_a_rival_differs_from_asl_in_what_it_is_about_and_never_in_the_policys_budget(name):
    asl, rival = load_recipe("asl"), load_recipe(name)
    assert rival.about != asl.about or name == "asl"
    assert (rival.rounds, rival.max_turns, rival.search) == (asl.rounds, asl.max_turns, asl.search)
    for field in ("steps", "chunk_steps", "num_envs", "group_size", "plateau", "episodes"):
        assert getattr(rival.solve, field) == getattr(asl.solve, field), field
    if rival.generate.enabled:
        for field in ("steps", "chunk_steps", "num_envs", "group_size", "solves", "enough"):
            assert getattr(rival.generate, field) == getattr(asl.generate, field), field


@pytest.mark.parametrize("name", RIVALS)
def test_on_the_base_of_language_models_the_policys_budget_is_that_of_the_base(name):
    base, rival = load_recipe("asl-nano"), rebase(load_recipe(name), "asl-nano")
    assert (rival.rounds, rival.max_turns, rival.search) == (
        base.rounds, base.max_turns, base.search,
    )  # fmt: skip
    for field in ("steps", "chunk_steps", "num_envs", "group_size", "plateau", "episodes"):
        assert getattr(rival.solve, field) == getattr(base.solve, field), field
    assert rival.learner == base.learner


@pytest.mark.parametrize("name", RIVALS)
def test_policies_take_as_many_turns_and_the_counts_say_how_many_rollouts_those_were(runs, name):
    loop, folder = runs(name)
    ended = events(folder, "phase-ended", phase="solve")
    assert [event["steps"] for event in ended] == [96, 96]
    finished = sum(event["metrics"]["episodes"] for event in events(folder, "chunk", phase="solve"))
    assert loop.state.rollouts["played"]["policy"] == finished > 0


@pytest.mark.parametrize("name", RIVALS)
def test_with_a_limit_of_episodes_policies_play_the_same_rollouts_up_to_an_update(tmp_path, name):
    run(tmp_path / "run", name, "rounds=1", "solve.steps=960", "solve.chunk_steps=96",
        "solve.episodes=50")  # fmt: skip
    (ended,) = events(tmp_path / "run", "phase-ended", phase="solve")
    chunks = events(tmp_path / "run", "chunk", phase="solve")
    assert ended["reason"] == "episodes"
    assert 50 <= sum(chunk["metrics"]["episodes"] for chunk in chunks) < 50 + 8


@pytest.mark.parametrize(
    ("name", "phases"),
    [
        ("search-r1", ["solve"]),
        ("absolute-zero", ["generate", "solve"]),
        ("r-zero", ["generate", "solve"]),
        ("rule-reward", ["generate", "solve", "verify"]),
        ("random-reward", ["generate", "solve", "verify"]),
        ("asl-no-grm-phase", ["generate", "solve"]),
        ("asl-real-data", ["generate", "solve", "verify"]),
    ],
)
def test_the_phases_of_a_rival(runs, name, phases):
    assert played(runs(name)[1]) == phases


@pytest.mark.parametrize("name", ["search-r1", "absolute-zero", "r-zero"])
def test_without_a_grm_nobody_asks_one_and_none_is_measured(runs, name):
    loop, folder = runs(name)
    assert all("grm" not in seats for seats in loop.state.rollouts.values())
    assert all("grm" not in metrics and "hacks" not in metrics for metrics in loop.state.history)
    assert not events(folder, "alarm")


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("asl", "verdict"),
        ("asl-no-grm-phase", "verdict"),
        ("search-r1", "em"),
        ("absolute-zero", "em"),
        ("r-zero", "em"),
        ("rule-reward", "em"),
        ("random-reward", "coin"),
    ],
)
def test_what_the_policy_is_paid_for(runs, name, part):
    chunk = events(runs(name)[1], "chunk", phase="solve")[0]["metrics"]
    assert chunk["score"] == pytest.approx(chunk[part])


def test_search_r1_trains_on_the_labelled_tasks_alone(runs):
    _, folder = runs("search-r1")
    begun = events(folder, "phase-begun", phase="solve")
    assert [event["tasks"] for event in begun] == [24, 24]
    assert not (folder / "tasks").exists()
    assert "format" not in events(folder, "chunk", phase="solve")[0]["metrics"]


@pytest.mark.parametrize("name", ["absolute-zero", "r-zero"])
def test_a_rival_without_rewrites_asks_for_seeds_in_every_round(runs, name):
    begun = events(runs(name)[1], "phase-begun", phase="generate")
    assert [(event["requests"], event["seeds"]) for event in begun] == [(16, 16)] * 2


def generated(folder):
    """Rewarded generator episodes among the saved ones."""
    for record in read(folder / "trajectories.jsonl"):
        if record.trajectory.role is Role.GENERATOR and record.reward.extras["solves"]:
            yield record.trajectory, record.reward


def test_absolute_zeros_proposer_earns_what_its_solver_fails(tmp_path):
    run(tmp_path / "run", "absolute-zero", "rounds=1", "log.trajectories=99")
    seen = set()
    for episode, reward in generated(tmp_path / "run"):
        right = [normalize(s["answer"] or "") == normalize(episode.answer)
                 for s in reward.extras["solves"]]  # fmt: skip
        mean = sum(right) / len(right)
        assert reward.parts["absolute-zero"] == (1 - mean if 0 < mean < 1 else 0.0)
        seen.add(mean)
    assert len(seen) > 1


def test_r_zeros_challenger_earns_a_split_solver_less_what_was_asked_before(tmp_path):
    run(tmp_path / "run", "r-zero", "rounds=1", "log.trajectories=99")
    penalised = 0
    for _, reward in generated(tmp_path / "run"):
        answers = [s["answer"] for s in reward.extras["solves"]]
        most = normalize(majority_answer(answers) or "")
        agree = sum(normalize(answer or "") == most for answer in answers) / len(answers)
        uncertainty = 1 - 2 * abs(agree - 0.5)
        paid = reward.parts["r-zero"]
        assert 0 <= paid <= max(0.0, uncertainty - 1 / 64) + 1e-9
        penalised += paid < uncertainty - 1.5 / 64
    assert penalised > 0


def test_r_zeros_tasks_bear_the_majoritys_answer_and_are_neither_easy_nor_hopeless(runs):
    loop, _ = runs("r-zero")
    assert loop.state.pool
    for task in loop.state.pool:
        assert 0.3 <= loop.state.solve_rates.get(task.id, 0.5) <= 0.8
        assert normalize(task.answers[0])


def test_r_zeros_window_of_questions_outlives_a_chunk(runs):
    loop, _ = runs("r-zero")
    assert 8 < len(loop.state.asked) <= 64
    assert not runs("absolute-zero")[0].state.asked


def test_real_labels_come_late_and_in_their_share(runs):
    first, second = events(runs("asl-real-data")[1], "phase-begun", phase="verify")
    assert first["real"] == 0
    share = load_recipe("asl-real-data").verify.real.share
    wanted = second["claims"] * share / (1 - share)
    assert wanted - 1 <= second["real"] <= max(2, wanted + 1)


def test_the_cost_of_a_round_counts_partners_and_measurements(runs):
    _, folder = runs("asl")
    rounds = events(folder, "round-ended")
    assert set(rounds[0]["rollouts"]) == {"measured"}
    last = rounds[-1]["rollouts"]
    assert set(last) == {"played", "partners", "measured"}
    assert set(last["played"]) == {"generator", "policy", "grm"}
    solved = sum(
        chunk["metrics"]["rollouts"]["partners"]["policy"]
        for chunk in events(folder, "chunk", phase="generate")
    )
    assert last["partners"]["policy"] == solved > 0
    assert total(last) > total(rounds[1]["rollouts"]) > total(rounds[0]["rollouts"])


class Interrupt(LoopCallback):
    def __init__(self, after):
        self.after = after

    def on_update(self, state, metrics):
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("name", KINDS)
def test_an_interrupted_rival_goes_on_to_the_same_folder_byte_for_byte(runs, tmp_path, name):
    _, whole = runs(name)
    updates, folder = 13, tmp_path / "run"
    stops = 0
    while True:
        try:
            run(folder, name, callbacks=[Interrupt(updates)])
            break
        except KeyboardInterrupt:
            stops += 1
            updates += 1
    assert stops > 0
    assert contents(folder) == contents(whole)
