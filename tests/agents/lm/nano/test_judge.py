"""Scripted judges: what they say while they check, and which answers they are given."""

from dataclasses import replace

import numpy as np
import pytest

from asl_env.agents.lm.nano.episodes import perform
from asl_env.agents.lm.nano.gathering import play_world
from asl_env.agents.lm.nano.habits import CAREFUL
from asl_env.agents.lm.nano.plans import Planner, near_misses
from asl_env.agents.lm.nano.players import Players
from asl_env.agents.lm.nano.settings import Stage, WarmupSettings, read_settings
from asl_env.errors import LanguageModelError
from asl_env.rewards.verdict import parse_verdict
from asl_env.text import normalize

ALOUD = replace(CAREFUL, checks_aloud=1.0, claims_nearly=1.0)


def test_who_checks_aloud_says_so_before_going_on(world):
    players = Players(world, np.random.default_rng(1), ALOUD)
    for _ in range(15):
        one = perform(players.judge(2), world.tool)
        for turn in one.turns[1:-1]:
            assert turn.text.startswith(("<think>To check: ", "<think>It is not there."))
        assert "To check: " not in one.turns[-1].text


def test_a_comparison_is_one_turn_with_the_right_verdict(world):
    players = Players(world, np.random.default_rng(3), ALOUD)
    for hops in (1, 2) * 10:
        one = perform(players.compare(hops), world.tool)
        assert len(one.turns) == 1
        assert f"The answer given is {one.assignment.answer}." in one.turns[0].text
        assert parse_verdict(one.answer) == one.assignment.label


def test_wrong_claims_are_near_misses_as_often_as_the_habit_says(world):
    players, shown = Players(world, np.random.default_rng(4), ALOUD), 0
    wrong = [
        one
        for one in (perform(players.judge(1), world.tool) for _ in range(60))
        if one.assignment.label == "wrong"
    ]
    for one in wrong:
        text = " ".join(m["content"] for m in one.messages if m["role"] == "tool")
        shown += one.assignment.answer in text
    assert shown > 0.6 * len(wrong) > 12


def test_near_misses_are_wrong_and_mostly_of_the_same_article(world):
    planner, rng = Planner(world.facts), np.random.default_rng(5)
    for _ in range(30):
        plan = planner.draw(1, rng)
        near = near_misses(plan, planner)
        assert all(normalize(name) != normalize(plan.answer) for name in near)
        own = {world.facts.phrase(fact) for fact in world.facts.about(plan.facts[-1].subject)}
        assert {name for name in own if normalize(name) != normalize(plan.answer)} <= set(near)


def test_right_claims_are_as_rare_as_the_habit_says(world):
    for share in (0.0, 1.0):
        players = Players(world, np.random.default_rng(6), replace(CAREFUL, claims_right=share))
        labels = {perform(players.judge(1), world.tool).assignment.label for _ in range(10)}
        assert labels == {"correct" if share else "wrong"}


def test_a_stage_may_have_players_of_its_own():
    said = {}
    for habits in (None, ALOUD):
        stage = Stage(1, 40, 0.0, 0.0, 0.0, 1e-3, habits=habits)
        turns = (t.text for e in play_world(WarmupSettings(), stage, 0, 0) for t in e.turns)
        said[habits] = any("To check: " in text for text in turns)
    assert said == {None: False, ALOUD: True}


def test_habits_that_a_stage_does_not_have_cannot_be_changed():
    with pytest.raises(LanguageModelError, match="nothing is set there"):
        read_settings(["stages.0.habits=0"])
