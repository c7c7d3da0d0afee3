"""Verdicts: the interquartile mean of an effect, its interval, and the rule fixed beforehand."""

import numpy as np
import pytest
from scipy import stats

from asl_env.agents.reproduce.verdict import Finding, decide, find, interquartile_means, together

COUNTS = 0.02


@pytest.mark.parametrize(
    ("effect", "low", "high", "verdict"),
    [
        (0.05, 0.01, 0.09, "reproduced"),
        (0.02, 0.001, 0.03, "reproduced"),
        (0.05, -0.01, 0.09, "undecided"),  # large, but perhaps nothing
        (0.01, 0.005, 0.03, "undecided"),  # there, but perhaps too small
        (0.01, 0.005, 0.015, "not reproduced"),  # there, and too small
        (-0.05, -0.09, -0.01, "not reproduced"),
        (0.0, -0.03, 0.03, "undecided"),
    ],
)
def test_an_effect_must_count_and_stand_clear_of_nothing(effect, low, high, verdict):
    assert decide(effect, low, high, COUNTS) == verdict


def test_the_middle_half_of_the_seeds_decides():
    found = find([0.03, 0.04, 0.05, 0.04, 0.9], COUNTS)
    assert found.effect == pytest.approx((0.04 + 0.04 + 0.05) / 3)
    assert found.low <= found.effect <= found.high
    assert (found.seeds, found.positive, found.verdict) == (5, 5, "reproduced")
    assert find([0.03, 0.04, 0.05, 0.04, 0.9], COUNTS) == found


@pytest.mark.parametrize(
    ("runs", "means", "low", "high"),
    [
        ([[0.03], [0.04], [0.05], [0.04], [0.09]], [0.04333], [0.03333], [0.07667]),
        (
            [[0.10, 0.5], [0.20, 0.1], [0.15, 0.3], [0.40, 0.2],
             [0.25, 0.9], [0.05, 0.7], [0.30, 0.4], [0.35, 0.6]],
            [0.225, 0.45], [0.125, 0.25], [0.325, 0.675],
        ),
    ],
)  # fmt: skip
def test_means_and_intervals_are_rliables(runs, means, low, high):
    """The values are those of rliable 1.2.0 with 50,000 samples, for two seeds of its own."""
    found = interquartile_means(runs)
    for ours, theirs in zip(found, (means, low, high), strict=True):
        assert ours == pytest.approx(np.array(theirs), abs=1e-5)
    assert found[0] == pytest.approx(stats.trim_mean(np.array(runs), 0.25, axis=0))


def test_two_seeds_decide_nothing():
    assert find([0.5, 0.6], COUNTS).verdict == "undecided"
    assert find([], COUNTS).verdict == "no data"
    assert str(find([], COUNTS)) == "–"


@pytest.mark.parametrize(
    ("verdicts", "claim"),
    [
        (["reproduced", "reproduced"], "reproduced"),
        (["reproduced", "undecided"], "undecided"),
        (["not reproduced", "undecided"], "not reproduced"),
        (["not reproduced", "no data"], "no data"),
    ],
)
def test_a_claim_is_as_good_as_its_worst_comparison(verdicts, claim):
    findings = [Finding(0.0, 0.0, 0.0, 5, 0, verdict) for verdict in verdicts]
    assert together(findings) == claim
