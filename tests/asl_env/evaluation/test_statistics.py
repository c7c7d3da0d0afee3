"""Intervals and tests agree with theory, repeat with their seed, and refuse empty samples."""

from itertools import product
from math import erfc, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.evaluation.statistics import bootstrap_mean, paired_difference

SCORES = st.lists(st.floats(0, 1), min_size=1, max_size=60)


@given(SCORES, st.integers(0, 5))
def test_an_interval_encloses_the_mean_and_stays_among_the_values(values, seed):
    estimate = bootstrap_mean(values, seed=seed, resamples=200)
    assert min(values) - 1e-9 <= estimate.low <= estimate.high <= max(values) + 1e-9
    assert estimate.mean == pytest.approx(np.mean(values))
    assert estimate.n == len(values)
    assert estimate == bootstrap_mean(values, seed=seed, resamples=200)


def test_the_interval_of_a_share_matches_the_normal_approximation():
    values = [1.0] * 300 + [0.0] * 700
    estimate = bootstrap_mean(values)
    half = 1.96 * (0.3 * 0.7 / 1000) ** 0.5
    assert estimate.low == pytest.approx(0.3 - half, abs=0.003)
    assert estimate.high == pytest.approx(0.3 + half, abs=0.003)


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        estimate = bootstrap_mean(rng.random(50), resamples=400, seed=1)
        hits += estimate.low <= 0.5 <= estimate.high
    assert 0.90 <= hits / 300 <= 0.98


def test_equal_runs_do_not_differ():
    scores = [0.0, 1.0, 0.5, 1.0]
    difference = paired_difference(scores, scores)
    assert (difference.mean, difference.low, difference.high) == (0.0, 0.0, 0.0)
    assert difference.p_value == 1.0


def test_a_clear_gain_excludes_zero():
    first = [0.0] * 60 + [1.0] * 40
    second = [1.0] * 30 + [0.0] * 30 + [1.0] * 40
    difference = paired_difference(first, second)
    assert difference.mean == pytest.approx(0.3)
    assert difference.low > 0.2
    assert difference.p_value < 0.001


def test_the_p_value_of_a_small_sample_is_the_exact_one():
    # Of the 2^5 sign patterns two are as extreme as five equal gains.
    assert paired_difference([0.0] * 5, [1.0] * 5).p_value == pytest.approx(2 / 32)


@pytest.mark.parametrize(("wins", "losses", "p_value"), [(1, 0, 1.0), (9, 2, 0.06543), (3, 3, 1)])
def test_scores_of_0_and_1_get_the_exact_test_of_mcnemar(wins, losses, p_value):
    """Ties do not matter; the p-values are those of the two-sided binomial test."""
    first = [0.0] * wins + [1.0] * losses + [1.0] * 50
    second = [1.0] * wins + [0.0] * losses + [1.0] * 50
    assert paired_difference(first, second).p_value == pytest.approx(p_value, abs=1e-4)


@given(st.lists(st.sampled_from([-1.0, -0.5, -0.25, 0.0, 0.25, 0.5, 1.0]), min_size=1, max_size=9))
def test_the_exact_p_value_is_the_share_of_all_sign_patterns(differences):
    sums = [
        abs(sum(sign * value for sign, value in zip(signs, differences, strict=True)))
        for signs in product((-1, 1), repeat=len(differences))
    ]
    share = np.mean(np.array(sums) >= abs(sum(differences)) - 1e-9)
    found = paired_difference([0.0] * len(differences), differences, resamples=50)
    assert found.p_value == pytest.approx(share)


def test_random_flips_come_close_where_there_are_too_many_sums():
    rng = np.random.default_rng(3)
    differences = rng.normal(0.3, 1.0, size=60)
    assert len(np.unique(np.abs(differences))) == 60, "2 ** 60 sums"
    found = paired_difference(np.zeros(60), differences).p_value
    z = abs(differences.sum()) / np.sqrt(np.sum(differences**2))
    assert found == pytest.approx(erfc(z / sqrt(2)), abs=0.01)


def test_the_p_value_of_overwhelming_evidence_is_small_and_not_0():
    assert 0 < paired_difference([0.0] * 5_000, [1.0] * 5_000, resamples=50).p_value < 1e-100


@given(SCORES, st.data())
def test_swapping_the_runs_changes_the_sign(first, data):
    second = data.draw(st.lists(st.floats(0, 1), min_size=len(first), max_size=len(first)))
    forth = paired_difference(first, second, resamples=50)
    back = paired_difference(second, first, resamples=50)
    assert forth.mean == pytest.approx(-back.mean)
    assert 0 < forth.p_value <= 1


def test_nothing_has_no_mean():
    with pytest.raises(ValueError, match="at least one"):
        bootstrap_mean([])


def test_pairs_must_be_pairs():
    with pytest.raises(ValueError, match="not pairs"):
        paired_difference([1.0], [1.0, 0.0])
