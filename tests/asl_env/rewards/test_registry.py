"""Finding a reward model."""

import pytest

from asl_env.errors import AslError
from asl_env.rewards import (
    AgreementReward,
    GeneratorReward,
    GRMReward,
    RuleReward,
    make_reward,
    reward_names,
)


def test_names(script, library):
    partners = {"solver": script({}), "judge": script({}), "tool": library}
    assert isinstance(make_reward("f1", format_reward=True), RuleReward)
    assert isinstance(make_reward("agreement"), AgreementReward)
    assert isinstance(make_reward("grm", judge=script({}), tool=library, votes=3), GRMReward)
    model = make_reward("dr-zero", **partners, solves=4)
    assert isinstance(model, GeneratorReward)
    assert (model.name, model.solves) == ("dr-zero", 4)


def test_objects_are_taken_as_they_are():
    mine = RuleReward()
    assert make_reward(mine) is mine
    for thing in (7, RuleReward):
        with pytest.raises(AslError, match="not a reward model"):
            make_reward(thing)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(AslError, match=r"'agrement'; did you mean 'agreement'\?"):
        make_reward("agrement")
    assert {"em", "cover-em", "f1", "grm", "agreement", "asl", "r-zero"} <= set(reward_names())


def test_options_a_reward_does_not_take_are_one_line():
    with pytest.raises(AslError, match=r"reward 'em': .*'solves'"):
        make_reward("em", solves=3)
    with pytest.raises(AslError, match=r"reward 'grm': .*'judge'"):
        make_reward("grm")
