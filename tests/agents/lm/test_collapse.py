"""Warnings of collapse: once when it begins, and again only after it was over."""

import json

import pytest

from asl_env.agents.lm.collapse import Ceiling, CollapseLimits, Drift, Floor, make_detectors
from asl_env.errors import LanguageModelError


def run(detector, values):
    return [detector.look({detector.metric: value}) for value in values]


def test_a_ceiling_warns_once_per_crossing():
    detector = Ceiling("wrong", "wrong", 2, 0.5, "do something")
    found = run(detector, [0.9, 0.2, 0.9, 0.9, 0.9, 0.0, 0.0, 0.9, 0.9])
    assert [at for at, one in enumerate(found) if one] == [1, 8]
    assert found[1] == "wrong is 0.55, above 0.5; do something"


def test_a_floor_warns_below():
    detector = Floor("entropy", "entropy", 3, 0.1, "raise entropy")
    found = run(detector, [0.05, 0.05, 0.3, 0.05, 0.05, 0.05])
    assert found[:4] == [None] * 4
    assert found[5] == "entropy is 0.05, below 0.1; raise entropy"


def test_a_drift_is_measured_from_the_first_window():
    detector = Drift("length", "length", 2, 0.5, 2.0)
    assert run(detector, [10, 10, 15, 19]) == [None] * 4
    assert "from 10 to 21.5" in run(detector, [24])[0]
    shrunk = Drift("length", "length", 1, 0.5, 2.0)
    assert run(shrunk, [10, 6]) == [None] * 2
    assert "from 10 to 4" in run(shrunk, [4])[0]


def test_updates_without_the_number_are_passed_over():
    detector = Floor("entropy", "entropy", 1, 0.1, "")
    assert detector.look({}) is None and detector.look({"entropy": float("nan")}) is None


@pytest.mark.parametrize("number", range(4))
def test_a_detector_goes_on_from_its_state(number):
    values = [0.6, 0.01, 0.01, 5.0, 9.0, 0.01, 0.01, 0.01, 0.6, 0.01, 0.01, 0.01]
    limits = CollapseLimits(window=2, spread=0.3)
    whole = make_detectors(limits)[number]
    first = make_detectors(limits)[number]
    expected = run(whole, values)
    begun = run(first, values[:5])
    second = make_detectors(limits)[number]
    second.restore(json.loads(json.dumps(first.state())))
    assert begun + run(second, values[5:]) == expected
    assert any(expected)


def test_there_is_one_for_each_way_to_collapse():
    names = [detector.name for detector in make_detectors(CollapseLimits())]
    assert names == ["invalid_turns", "entropy", "length", "spread"]
    with pytest.raises(LanguageModelError, match="window=0"):
        CollapseLimits(window=0)
