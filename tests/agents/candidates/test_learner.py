"""The candidates learner: equivariant, seeded, saved and resumed exactly."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from stable_baselines3 import PPO
from stable_baselines3.common.env_checker import check_env

import asl_env  # noqa: F401 - registers the environments
from asl_env.agents.candidates.learner import CandidatesLearner
from asl_env.agents.candidates.network import CandidateNet
from asl_env.candidates import CandidateActions
from asl_env.candidates.menu import FEATURES, MAX_CANDIDATES
from asl_env.corpora.passages import Passage
from asl_env.episode import Role, Task
from asl_env.errors import AslError, SearchUnavailableError
from asl_env.protocols import Hit

TASKS = [
    Task("a", "On which river does Warsaw lie?", ("Vistula",)),
    Task("b", "On which river does Vienna lie?", ("Danube",)),
]
PASSAGES = [
    Passage("1", "Warsaw", "Warsaw lies on the Vistula. It was founded in 1300."),
    Passage("2", "Vienna", "Vienna lies on the Danube. It was founded in 1137."),
]


class Shelf:
    """Finds the passages whose title stands in the query."""

    def search(self, queries, k):
        return [
            [Hit(p, 1.0) for p in PASSAGES if p.title in query or p.title in str(query)][:k]
            for query in queries
        ]


class Broken:
    def search(self, queries, k):
        raise SearchUnavailableError("the index is gone")


def vector(tool=None, num_envs=8):
    return gym.make_vec(
        "ASLSearch-v0",
        num_envs=num_envs,
        vectorization_mode="vector_entry_point",
        assignments=TASKS,
        tool=tool or Shelf(),
        max_turns=5,
    )


def weights(learner, role=Role.POLICY):
    return {k: v.clone() for k, v in learner._policy(role).state_dict().items()}


def same(one, other):
    return all(torch.equal(one[key], other[key]) for key in one)


def test_logits_move_with_the_rows():
    net = CandidateNet(width=16)
    rows = torch.randn(1, MAX_CANDIDATES, FEATURES)
    order = torch.randperm(MAX_CANDIDATES)
    logits, value = net(rows.flatten(1))
    moved, other = net(rows[:, order].flatten(1))
    assert torch.allclose(logits[:, order], moved, atol=1e-5)
    assert torch.allclose(value, other, atol=1e-5)


def test_the_policy_learns_to_answer():
    learner = CandidatesLearner(seed=0)
    first = learner.learn(Role.POLICY, vector(), 512)
    for _ in range(4):
        last = learner.learn(Role.POLICY, vector(), 512)
    assert last["reward"] > first["reward"] + 0.3


def test_learning_is_a_function_of_the_seed_and_leaves_the_global_generators_alone():
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one, two = CandidatesLearner(seed=3), CandidatesLearner(seed=3)
    for learner in (one, two):
        learner.learn(Role.POLICY, vector(), 128)
    assert same(weights(one), weights(two))
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002
    assert not same(weights(one), weights(CandidatesLearner(seed=4)))


def test_a_saved_and_loaded_learner_goes_on_bit_for_bit(tmp_path):
    straight, broken = CandidatesLearner(seed=1), CandidatesLearner(seed=1)
    for learner in (straight, broken):
        learner.learn(Role.POLICY, vector(), 128)
    broken.save(tmp_path)
    resumed = CandidatesLearner(seed=99)
    resumed.load(tmp_path)
    for learner in (straight, resumed):
        learner.learn(Role.POLICY, vector(), 128)
    assert same(weights(straight), weights(resumed))


def test_a_failed_search_teaches_nothing():
    learner = CandidatesLearner(seed=0)
    metrics = learner.learn(Role.POLICY, vector(Broken()), 128)
    assert metrics["invalid_share"] > 0.0
    assert metrics["reward"] == pytest.approx(
        0.0
    )  # answers given without a search are still counted


def test_a_callback_ends_the_call():
    seen = []

    def stop(metrics):
        seen.append(metrics["steps"])
        return False

    CandidatesLearner(seed=0).learn(Role.POLICY, vector(), 10_000, callbacks=[stop])
    assert len(seen) == 1


@pytest.mark.parametrize("damage", ["missing", "text", "cut"])
def test_a_damaged_checkpoint_is_one_clear_line(tmp_path, damage):
    learner = CandidatesLearner(seed=0)
    learner.save(tmp_path)
    if damage == "missing":
        (tmp_path / "candidates.json").unlink()
    elif damage == "text":
        (tmp_path / "candidates.json").write_text("{")
    else:
        path = tmp_path / "policy.safetensors"
        path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(AslError) as caught:
        CandidatesLearner(seed=0).load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["ASLSearch-v0", "ASLGenerate-v0", "ASLVerify-v0"])
@pytest.mark.filterwarnings("error")
def test_sb3s_checker_has_nothing_to_say(name):
    check_env(CandidateActions(gym.make(name, tool="null")), skip_render_check=True)


@pytest.mark.slow
def test_plain_sb3_ppo_trains_on_the_wrapper():
    env = CandidateActions(gym.make("ASLSearch-v0", assignments=TASKS, tool=Shelf()))
    model = PPO("MlpPolicy", env, n_steps=256, seed=0, device="cpu")
    model.learn(2_000)
    assert model.num_timesteps >= 2_000
