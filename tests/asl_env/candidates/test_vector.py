"""The vector environment as Stable-Baselines3 sees it: blind episodes and failed ones."""

import gymnasium as gym
import numpy as np
import pytest
from sb3_contrib import MaskablePPO

import asl_env  # noqa: F401 - registers the environments
from asl_env.candidates.builder import MenuBuilder
from asl_env.candidates.menu import FEATURES, MAX_CANDIDATES, PRIOR
from asl_env.candidates.search_seat import COLUMNS, OVERLAP
from asl_env.candidates.vector import CandidateVecEnv
from asl_env.corpora.passages import Passage
from asl_env.episode import Claim, Task
from asl_env.errors import SearchUnavailableError
from asl_env.protocols import Hit

TASK = Task("t", 'What fills the blank in "Warsaw lies on the ____."?', ("Vistula",))
CLAIM = Claim("c", TASK.question, "Vistula", "correct")
PASSAGE = Passage("1", "Warsaw", "Warsaw lies on the Vistula. It was founded in 1300.")


class Constant:
    """An encoder to which all words are alike."""

    def encode(self, texts, kind):
        return np.ones((len(texts), 4), np.float32)


class Shelf:
    def search(self, queries, k):
        return [[Hit(PASSAGE, 1.0)] for _ in queries]


class Broken:
    def search(self, queries, k):
        raise SearchUnavailableError("the index is gone")


def make(blind=0.0, tool=None, num_envs=4, id="ASLSearch-v0", assignments=(TASK,), seed=0):
    env = gym.make_vec(
        id,
        num_envs=num_envs,
        vectorization_mode="vector_entry_point",
        assignments=assignments,
        tool=tool or Shelf(),
        max_turns=3,
    )
    env = CandidateVecEnv(env, MenuBuilder("asl", Constant()), blind)
    env.seed(seed)
    return env


def rows(observation):
    return observation.reshape(-1, MAX_CANDIDATES, FEATURES)


def play(env, actions):
    """Observations of the resets and steps; an action is on every menu it is played on."""
    seen = [rows(env.reset())]
    for action in actions:
        assert env.action_masks()[:, action].all()
        seen.append(rows(env.step(np.full(env.num_envs, action))[0]))
    return seen


def test_a_blind_episode_hides_the_overlap_columns_and_no_others():
    assert {COLUMNS[i] for i in OVERLAP} == {
        "prior", "coverage", "own", "focus", "gap", "behind_best",
    }  # fmt: skip
    others = np.setdiff1d(np.arange(FEATURES), OVERLAP)
    sighted, hidden = play(make(0.0), [0, 0]), play(make(1.0), [0, 0])
    for one, other in zip(sighted, hidden, strict=True):
        assert not other[:, :, OVERLAP].any()
        np.testing.assert_array_equal(one[:, :, others], other[:, :, others])
    assert all(sighted[1][:, :, column].any() for column in OVERLAP)


def test_the_share_of_blind_episodes_follows_the_seed():
    def blind(seed):
        return ~rows(make(0.3, num_envs=200, seed=seed).reset())[:, :, PRIOR].any(axis=1)

    assert 0.2 < blind(1).mean() < 0.4
    assert (blind(1) == blind(1)).all()
    assert (blind(1) != blind(2)).any()


def test_an_episode_is_blind_from_its_first_turn_to_its_last_observation():
    env = make(0.5, num_envs=32)
    before = rows(env.reset())
    for _ in range(6):
        last = [len(menu.candidates) - 1 for menu in env._menus]
        answering = np.array(last) if before[0, :, COLUMNS.index("searches")].any() else 0
        after, _, dones, infos = env.step(np.broadcast_to(answering, 32))
        for index, info in enumerate(infos):
            if dones[index]:
                kept = rows(info["terminal_observation"])[0]
                np.testing.assert_array_equal(kept, before[index])
            else:
                assert rows(after)[index, :, PRIOR].any() == before[index, :, PRIOR].any()
        before = rows(after)
    assert dones.any()


def test_only_the_policy_is_ever_blind():
    env = make(1.0, id="ASLVerify-v0", assignments=(CLAIM,))
    assert rows(env.reset())[:, :, PRIOR].any()


def test_a_failed_episode_is_bootstrapped_with_its_own_last_state():
    env = make(tool=Broken())
    before = env.reset()
    _, rewards, dones, infos = env.step(np.zeros(env.num_envs, int))
    assert dones.all()
    assert not rewards.any()
    for observation, info in zip(before, infos, strict=True):
        assert "the index is gone" in info["invalid"]
        assert info["TimeLimit.truncated"]
        np.testing.assert_array_equal(info["terminal_observation"], observation)


def test_a_failed_episode_has_no_advantage():
    model = MaskablePPO(
        "MlpPolicy", make(tool=Broken()), n_steps=8, batch_size=32, n_epochs=1, gamma=1.0,
        gae_lambda=1.0, seed=0, device="cpu",
    )  # fmt: skip
    model.learn(32)
    assert np.abs(model.rollout_buffer.values).max() > 0.0
    assert np.abs(model.rollout_buffer.advantages).max() == pytest.approx(0.0, abs=1e-6)


def test_an_episode_without_an_answer_earns_its_zero():
    env = make()
    env.reset()
    for _ in range(3):
        _, _, dones, infos = env.step(np.zeros(env.num_envs, int))
    assert dones.all()
    assert [info["TimeLimit.truncated"] for info in infos] == [False] * env.num_envs
    assert [info["invalid"] for info in infos] == [None] * env.num_envs
