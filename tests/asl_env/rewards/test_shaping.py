"""The format reward: think first, and really search."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.dialects import make_dialect
from asl_env.episode import Role, Task, Trajectory
from asl_env.rewards.shaping import format_reward

TASK = Task("t", "What is the capital of Peru?", ("Lima",))
THINK = "<think>hm</think>"
ANSWER = "<answer>Lima</answer>"
SEARCH = make_dialect("asl").write_search("capital of Peru")


@pytest.mark.parametrize(
    ("turns", "strict", "released"),
    [
        ([THINK + ANSWER], 0.25, 0.25),
        ([ANSWER], 0.0, 0.0),
        ([THINK + SEARCH, THINK + ANSWER], 0.5, 0.5),
        ([THINK + SEARCH, ANSWER], 0.375, 0.375),
        ([SEARCH, ANSWER], 0.25, 0.25),
        (["Well. " + THINK + ANSWER], 0.0, 0.0),
        ([" \n" + THINK + ANSWER], 0.25, 0.25),
        (["<think>hm" + SEARCH, THINK + ANSWER], 0.375, 0.5),
        ([THINK + "<tool_response>I found Lima</tool_response>" + ANSWER], 0.25, 0.5),
    ],
)
def test_published_cases_with_the_holes_closed(episode, turns, strict, released):
    played = episode(TASK, turns)
    assert format_reward(played) == strict
    assert format_reward(played, compat=True) == released


def test_a_malformed_call_is_no_search(episode):
    assert format_reward(episode(TASK, [THINK + "<tool_call>{", THINK + ANSWER])) == 0.25


@given(st.floats(0, 1), st.integers(0, 9))
def test_it_is_at_most_one_half(share, calls):
    record = Trajectory(Role.POLICY, TASK, (), (), None, tool_calls=calls, think_share=share)
    assert 0.0 <= format_reward(record) <= 0.5
    assert format_reward(record, compat=True) == 0.0
