"""Effects: numbers of one seed, from points of its runs."""

import pytest

from asl_env.agents.reproduce.claim import LAST, Difference, Point, Slope, gain, lead


class Numbers:
    """Arm a is worth twice its round, arm b once; the last round is the tenth."""

    def value(self, point):
        when = 10 if point.round == LAST else point.round
        return {"a": 2.0, "b": 1.0}[point.arm] * when

    def given(self, arm):
        return {"a": 1000, "b": 10}[arm]


def test_a_lead_is_after_the_last_round_and_a_gain_between_two():
    assert lead("a", "b").of(Numbers()) == 10.0
    assert gain("a").of(Numbers()) == 18.0
    assert gain("a", since=0).of(Numbers()) == 20.0


def test_differences_of_differences():
    effect = Difference((Point("a"), Point("b", round=1)), (Point("b"),))
    assert effect.of(Numbers()) == 11.0
    assert effect.arms == ("a", "b")


def test_a_slope_is_per_tenfold_tasks():
    assert Slope((Point("b"), Point("a"))).of(Numbers()) == pytest.approx(10.0 / 2)


def test_effects_say_what_they_are():
    assert str(gain("a", "gap")) == "gap(a, last round) − gap(a, round 1)"
    assert str(lead("a", "b")) == "true(a, last round) − true(b, last round)"
