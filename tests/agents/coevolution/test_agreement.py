"""How good a judge is."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.coevolution.agreement import (
    Confusion,
    brier,
    calibration_error,
    reliability,
)

judgements = st.lists(
    st.tuples(st.sampled_from(["correct", "wrong", None]), st.booleans()), min_size=1
)
votes = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1)


def count(text):
    """Reads pairs such as "c+": verdict correct on a right answer."""
    words = {"c": "correct", "w": "wrong", "?": None}
    pairs = text.split()
    return Confusion.count([words[pair[0]] for pair in pairs], [pair[1] == "+" for pair in pairs])


def test_a_textbook_kappa():
    confusion = Confusion(true_accept=20, false_accept=5, true_reject=15, false_reject=10)
    assert confusion.accuracy == 0.7
    assert confusion.kappa == pytest.approx(0.4)
    assert confusion.false_accept_rate == 0.25
    assert confusion.false_reject_rate == pytest.approx(1 / 3)


def test_a_perfect_and_a_constant_judge():
    assert count("c+ c+ w- w-").kappa == 1.0
    assert count("c+ c+ c- c-").kappa == 0.0
    assert count("c+ c+ c- c-").false_accept_rate == 1.0


def test_an_invalid_verdict_is_neither_an_accept_nor_right():
    confusion = count("c+ ?+ ?- w-")
    assert confusion.invalid == 2
    assert confusion.accuracy == 0.5
    assert confusion.false_accept_rate == 0.0
    assert confusion.false_reject_rate == 0.0
    assert confusion.kappa == 1.0


def test_what_cannot_be_known_is_nan():
    assert math.isnan(count("c+ c+").false_accept_rate)
    assert math.isnan(count("c+ c+").kappa)
    assert math.isnan(count("?+").kappa)
    assert math.isnan(Confusion.count([], []).accuracy)
    assert math.isnan(brier([], []))
    assert math.isnan(calibration_error([], []))


def test_brier_and_calibration_of_known_forecasts():
    assert brier([1.0, 0.0], [True, False]) == 0.0
    assert brier([0.5, 0.5], [True, False]) == 0.25
    assert calibration_error([0.8] * 5, [True] * 4 + [False]) == pytest.approx(0.0)
    assert calibration_error([1.0] * 4, [True, True, False, False]) == pytest.approx(0.5)


@given(judgements)
def test_the_cells_add_up(pairs):
    confusion = Confusion.count(*zip(*pairs, strict=True))
    assert confusion.judged + confusion.invalid == len(pairs)
    assert 0.0 <= confusion.accuracy <= 1.0
    assert math.isnan(confusion.kappa) or -1.0 <= confusion.kappa <= 1.0


@given(votes)
def test_scores_stay_in_their_bounds(pairs):
    probabilities, truths = zip(*pairs, strict=True)
    assert 0.0 <= brier(probabilities, truths) <= 1.0
    error = calibration_error(probabilities, truths)
    assert 0.0 <= error <= 1.0 + 1e-12


def test_reliability_counts_answers_by_votes():
    assert reliability([1.0, 0.9, 0.0], [True, False, False]) == [
        {"votes": 0.0, "right": 0.0, "n": 1},
        {"votes": 0.95, "right": 0.5, "n": 2},
    ]
    assert reliability([], []) == []


@given(votes)
def test_the_bins_make_up_the_calibration_error(pairs):
    probabilities, truths = zip(*pairs, strict=True)
    bins = reliability(probabilities, truths)
    error = sum(one["n"] * abs(one["right"] - one["votes"]) for one in bins) / len(pairs)
    assert error == pytest.approx(calibration_error(probabilities, truths), abs=1e-9)
