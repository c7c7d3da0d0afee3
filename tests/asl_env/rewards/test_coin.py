"""A reward by chance: fair, repeatable, and blind."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.episode import Claim, Request, Role, Task, Trajectory, Turn
from asl_env.rewards.coin import CoinReward

TASK = Task("t", "Which town is the capital of Peru?", ("Lima",))


def episode(seed, answer="Lima", invalid=None):
    return Trajectory(Role.POLICY, TASK, (), (), answer, seed=seed, invalid=invalid)


def totals(episodes):
    return [parts.total for parts in CoinReward().score(episodes)]


@given(st.lists(st.integers(0, 2**31 - 1), max_size=20))
def test_the_coin_belongs_to_the_episode_and_not_to_its_batch_or_answer(seeds):
    together = totals([episode(seed) for seed in seeds])
    assert together == [totals([episode(seed, answer=None)])[0] for seed in seeds]
    assert set(together) <= {0.0, 1.0}


def test_the_coin_is_fair_and_neighbouring_seeds_are_independent():
    tossed = totals([episode(seed) for seed in range(4000)])
    assert sum(tossed) / 4000 == pytest.approx(0.5, abs=0.03)
    changes = sum(one != two for one, two in pairwise(tossed))
    assert changes / 3999 == pytest.approx(0.5, abs=0.03)


@pytest.mark.parametrize(
    ("role", "assignment"),
    [(Role.GENERATOR, Request("r", "seed", "towns")), (Role.GRM, Claim("c", "Who?", "I"))],
)
def test_any_seat_can_be_paid_by_chance(role, assignment):
    (parts,) = CoinReward().score([Trajectory(role, assignment, (), (), "x", seed=3)])
    assert parts.total in (0.0, 1.0)


def test_an_invalid_episode_stays_invalid_and_the_format_is_not_left_to_chance():
    (parts,) = CoinReward().score([episode(1, invalid="search: gone")])
    assert (parts.total, parts.invalid) == (0.0, "search: gone")
    turn = Turn("<think>so</think><answer>Lima</answer>")
    played = Trajectory(Role.POLICY, TASK, (), (turn,), "Lima", seed=5)
    (parts,) = CoinReward(format_reward=True).score([played])
    assert parts.total == parts.parts["coin"] + parts.parts["format"]
