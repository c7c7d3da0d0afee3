"""The stop rules of the phases, against the values of the published schedule."""

import math

import pytest

from asl_env.agents.coevolution.plateau import PlateauRule

GRM = PlateauRule(window=200)
POLICY = PlateauRule(window=400)


def first_stop(rule, score, limit=1000):
    return next(n for n in range(1, limit) if rule.reached([score] * n))


def test_constant_score_ends_the_grm_phase_at_update_201_and_the_policy_phase_at_401():
    assert first_stop(GRM, 0.5) == 201
    assert first_stop(POLICY, 0.5) == 401


def test_a_score_rising_from_half_to_seven_tenths_goes_on():
    rising = [0.5 + 0.2 * i / 249 for i in range(250)]
    rho_long, rho_short = GRM.ratios(rising)
    assert rho_long == pytest.approx(0.1385, abs=1e-4)
    assert rho_short == pytest.approx(0.0627, abs=1e-4)
    assert not GRM.reached(rising)


def test_a_falling_score_stops():
    assert GRM.reached([0.7 - 0.2 * i / 249 for i in range(250)])


def test_all_zeros_have_no_ratio_and_go_on():
    assert all(math.isnan(ratio) for ratio in GRM.ratios([0.0] * 500))
    assert not GRM.reached([0.0] * 500)


def test_a_rise_from_zero_is_infinite_and_goes_on():
    scores = [0.0] * 150 + [0.5] * 100
    assert GRM.ratios(scores)[0] == math.inf
    assert not GRM.reached(scores)


def test_a_plateau_with_a_rise_in_the_last_fifty_goes_on():
    scores = [0.5] * 200 + [0.525] * 50
    assert GRM.ratios(scores) == pytest.approx((0.025, 0.05))
    assert not GRM.reached(scores)


@pytest.mark.parametrize("window", [200, 400])
def test_exactly_the_window_is_not_enough(window):
    assert PlateauRule(window).ratios([0.5] * window) is None


def test_the_cap_ends_a_phase_of_zeros():
    rule = PlateauRule(window=4, max_updates=10)
    assert not rule.reached([0.0] * 9)
    assert rule.reached([0.0] * 10)


def test_scores_that_are_not_numbers_carry_no_information():
    rule = PlateauRule(window=4)
    assert not rule.reached([math.nan] * 50)
    assert not rule.reached([0.5, 0.5, math.nan, 0.5, 0.5])
    assert rule.reached([0.5, math.nan, 0.5, 0.5, math.inf, 0.5, 0.5])
