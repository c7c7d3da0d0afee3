"""The wrappers of the single-seat environments."""

import warnings

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

import asl_env  # noqa: F401 - registers
from asl_env.dialects import make_dialect
from asl_env.episode import Task, Turn
from asl_env.wrappers import StopStrings, TranscriptObservation

ASL = make_dialect("asl")
TASKS = [Task("t", "What is the capital of Peru?", ("Lima",))]


def make(**options):
    return gym.make("ASLSearch-v0", assignments=TASKS, tool="null", **options)


def test_the_transcript_is_the_whole_chat():
    env = TranscriptObservation(make())
    observation, _ = env.reset(seed=0)
    assert observation.startswith("[system]\n")
    assert observation.endswith("[user]\nWhat is the capital of Peru?\n")
    longer, *_ = env.step(ASL.write_search("Peru"))
    assert longer.startswith(observation) and "[tool]\n" in longer
    last, reward, *_ = env.step(ASL.write_final("Lima"))
    assert last.endswith(f"[assistant]\n{ASL.write_final('Lima')}\n") and reward == 1.0
    assert last in env.observation_space


def test_a_long_transcript_loses_its_beginning():
    env = TranscriptObservation(make(), max_length=40)
    observation, _ = env.reset(seed=0)
    assert len(observation) == 40 and observation.endswith("capital of Peru?\n")
    assert observation in env.observation_space


def test_gymnasiums_checker_has_nothing_to_say_but_that_it_is_a_wrapper():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*different from the unwrapped version.*")
        check_env(TranscriptObservation(make()), skip_render_check=True)


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("<answer>Lima</answer> and more", "<answer>Lima</answer>"),
        ("<tool_call>a</tool_call><tool_response>x</tool_response>", "<tool_call>a</tool_call>"),
        ("<answer>a</answer><tool_call>b</tool_call>", "<answer>a</answer>"),
        ("no tag", "no tag"),
    ],
)
def test_turns_are_cut_after_the_first_stop_string(said, kept):
    for action in (said, Turn(said)):
        env = StopStrings(make(max_turns=1))
        env.reset(seed=0)
        *_, info = env.step(action)
        assert info["messages"][-1]["content"] == kept


def test_turns_with_tokens_are_not_cut():
    env = StopStrings(make())
    env.reset(seed=0)
    turn = Turn("<answer>Lima</answer> more", (1, 2), (-0.5, -0.5))
    *_, info = env.step(turn)
    assert info["trajectory"].turns == (turn,)
