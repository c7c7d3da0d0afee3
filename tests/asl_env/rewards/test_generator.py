"""The table of generator rewards."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.errors import AslError
from asl_env.rewards.generator import GENERATOR_REWARDS, Evidence, entropy

TOP = dict.fromkeys(GENERATOR_REWARDS, 1.0) | {"asl": math.log(2), "entropy": math.log(2)}


def solved(right, n=10, **more):
    return Evidence((1.0,) * right + (0.0,) * (n - right), **more)


def reward(name, right, n=10, **more):
    return GENERATOR_REWARDS[name](solved(right, n, **more))


def test_entropy_of_ten_solves():
    values = [0, 0.325083, 0.500402, 0.610864, 0.673012, 0.693147]
    values += values[-2::-1]
    for name in ("asl", "entropy"):
        assert [reward(name, k) for k in range(11)] == pytest.approx(values, abs=1e-6)


def test_entropy_of_three_verdicts():
    assert entropy(Evidence((1.0,) * 4 + (0.5,) * 3 + (0.0,) * 3)) == pytest.approx(
        1.0889, abs=1e-6
    )


def test_entropy_with_a_bonus_for_a_found_answer():
    assert reward("entropy+tool", 5, tool_hit=True) == pytest.approx(1.0)
    assert reward("entropy+tool", 5) == pytest.approx(0.693147, abs=1e-6)
    assert reward("entropy+tool", 2, tool_hit=True) == pytest.approx(0.807255, abs=1e-6)
    assert reward("entropy+tool", 2) == pytest.approx(0.500402, abs=1e-6)


def test_three_wishes():
    assert reward("tool-gt", 5, tool_hit=True) == 1.0
    assert reward("tool-gt", 5) == pytest.approx(2 / 3)
    known = {"source_in_answer": True, "source_in_question": True}
    assert reward("tool-gt", 5, **known) == 0.0


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("absolute-zero", {0: 0, 1: 0.9, 5: 0.5, 9: 0.1, 10: 0}),
        ("r-zero", {0: 0, 1: 0.2, 3: 0.6, 5: 1, 8: 0.4, 10: 0}),
        ("dr-zero", {0: 0, 1: 1, 4: 6 / 9, 9: 1 / 9, 10: 0}),
        ("learnability", {0: 0, 1: 0.36, 5: 1, 10: 0}),
    ],
)
def test_other_rows(name, values):
    assert {k: reward(name, k) for k in values} == pytest.approx(values)


def test_r_zero_pays_less_for_what_others_ask_too():
    assert reward("r-zero", 5, cluster_share=0.25) == pytest.approx(0.75)
    assert reward("r-zero", 5, cluster_share=0.25, penalty=2.0) == pytest.approx(0.5)
    assert reward("r-zero", 1, cluster_share=1.0) == 0.0


@given(st.integers(1, 40), st.data())
def test_rewards_are_finite_and_bounded(n, data):
    right = data.draw(st.integers(0, n))
    evidence = solved(
        right,
        n,
        tool_hit=data.draw(st.booleans()),
        cluster_share=data.draw(st.floats(0, 1)),
        penalty=data.draw(st.floats(0, 2)),
    )
    for name, rule in GENERATOR_REWARDS.items():
        assert 0.0 <= rule(evidence) <= TOP[name] + 1e-12, name


@pytest.mark.parametrize("name", sorted(set(GENERATOR_REWARDS) - {"tool-gt"}))
def test_unanimous_solves_earn_nothing(name):
    for n in range(1, 41):
        assert reward(name, 0, n) == 0.0
        assert reward(name, n, n) == 0.0


@pytest.mark.parametrize("name", ["asl", "entropy", "entropy+tool", "r-zero", "learnability"])
def test_symmetric_rewards_do_not_care_which_verdict_is_the_rarer(name):
    for n in range(2, 41):
        values = [reward(name, right, n) for right in range(n + 1)]
        assert values == pytest.approx(values[::-1])


@pytest.mark.parametrize("name", ["absolute-zero", "dr-zero"])
def test_difficulty_rewards_fall_with_every_right_solve(name):
    for n in range(3, 41):
        values = [reward(name, k, n) for k in range(1, n)]
        assert values == sorted(values, reverse=True)


@given(st.lists(st.sampled_from([0.0, 1.0]), min_size=1, max_size=20), st.randoms())
def test_the_order_of_solves_does_not_matter(scores, random):
    mixed = list(scores)
    random.shuffle(mixed)
    for name, rule in GENERATOR_REWARDS.items():
        assert rule(Evidence(tuple(scores))) == rule(Evidence(tuple(mixed))), name


def test_no_solves_no_reward():
    with pytest.raises(AslError, match="at least one solve"):
        Evidence(())
