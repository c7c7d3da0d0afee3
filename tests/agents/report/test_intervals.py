"""Intervals from the counts that a run keeps."""

import pytest

from asl_env.agents.report.intervals import false_accepts, gap, judged_accuracy, wilson


def test_wilson_agrees_with_a_textbook_value():
    found = wilson(0.5, 10)  # (0.237, 0.763): Brown, Cai & DasGupta 2001, formula (4)
    assert (found.low, found.high) == pytest.approx((0.2366, 0.7634), abs=1e-4)


def test_nothing_right_is_still_uncertain():
    found = wilson(0.0, 20)
    assert found.low == 0.0 and 0.1 < found.high < 0.2


@pytest.mark.parametrize(("share", "n"), [(None, 5), (0.5, 0), (float("nan"), 5), (0.5, None)])
def test_nothing_to_estimate(share, n):
    assert wilson(share, n) is None


MATRIX = {"true_accept": 40, "false_accept": 20, "true_reject": 35, "false_reject": 5, "invalid": 2}
METRICS = {
    "policy": {"n": 102, "judged": 0.6, "true": 0.45},
    "grm_on_policy": {"matrix": {**MATRIX, "invalid_right": 1}, "false_accept": 20 / 56},
}


def test_the_gap_varies_by_where_judge_and_truth_differ():
    found = gap(METRICS)
    assert found.mean == pytest.approx(0.15) and found.low < 0.15 < found.high
    assert found.high - found.low < 0.25


def test_denominators_leave_out_missing_verdicts():
    assert judged_accuracy(METRICS).n == 100
    assert false_accepts(METRICS, "grm_on_policy").n == 20 + 35 + 2 - 1
