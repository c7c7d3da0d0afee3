"""Settings of the learner: what is refused, and how it is said."""

import math

import pytest

from asl_env.agents.lm.settings import GRPOSettings
from asl_env.episode import Role
from asl_env.errors import LanguageModelError


def test_a_seat_is_sampled_at_its_own_temperature_or_at_that_of_all():
    settings = GRPOSettings.of({"temperature": 0.4, "temperatures": {"policy": 0.7}})
    assert {role.value: settings.of_seat(role).temperature for role in Role} == {
        "generator": 0.4, "policy": 0.7, "grm": 0.4,
    }  # fmt: skip
    assert GRPOSettings.of(settings.as_dict()) == settings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learningrate": 1}, "called 'learningrate'; did you mean 'learning_rate'"),
        ({"temperature": 0}, "temperature=0 must be above 0"),
        ({"scale": "groups"}, "'groups' is none of group, batch, none"),
        ({"lora": {"ranks": 3}}, "lora: no setting of the learner is called 'ranks'"),
        ({"reward_scale": {"judge": 1.0}}, "reward_scale: no seat is called 'judge'"),
        (
            {"temperatures": {"gmr": 1.0}},
            "temperatures: no seat is called 'gmr'; did you mean 'grm'",
        ),
        ({"temperatures": {"grm": 0}}, "temperature=0 must be above 0"),
        ({"temperatures": []}, "temperatures=.*: write a number per seat"),
        ({"temperatures": {"grm": "hot"}}, "temperatures: grm='hot' is no number"),
        ({"reward_scale": {"grm": math.inf}}, "reward_scale: grm=inf must be finite"),
        ({"clip": math.nan}, "clip=nan must be"),
    ],
)
def test_wrong_settings_are_one_line(settings, message):
    with pytest.raises(LanguageModelError, match=message) as error:
        GRPOSettings.of(settings)
    assert "\n" not in str(error.value)


def test_a_number_may_be_spelt_as_yaml_leaves_it():
    assert GRPOSettings.of({"temperatures": {"grm": "4e-1"}}).temperatures == {"grm": 0.4}
    assert GRPOSettings.of({"learning_rate": "3e-4"}).learning_rate == 0.0003


@pytest.mark.parametrize(
    "settings", [{"learning_rate": "fast"}, {"lora": {"rank": "big"}}, {"groups": [1]}]
)
def test_a_value_of_the_wrong_kind_is_one_line(settings):
    with pytest.raises(LanguageModelError, match="a value of the wrong kind") as caught:
        GRPOSettings.of(settings)
    assert "\n" not in str(caught.value)
