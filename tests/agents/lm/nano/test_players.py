"""Scripted players follow the rules of play; careful ones are right, careless ones often not."""

import numpy as np
import pytest

from asl_env.agents.lm.nano.episodes import episodes, perform
from asl_env.agents.lm.nano.habits import CAREFUL, Habits
from asl_env.agents.lm.nano.players import Players
from asl_env.dialects.asl import AslDialect
from asl_env.episode import Role
from asl_env.rewards.matching import em
from asl_env.rewards.verdict import parse_verdict


def right(world, habits, count=60):
    players = Players(world, np.random.default_rng(1), habits)
    solved = [perform(players.solve(1 + at % 3), world.tool) for at in range(count)]
    judged = [perform(players.judge(1 + at % 2), world.tool) for at in range(count)]
    return (
        np.mean([em(one.answer, one.assignment.answers) for one in solved]),
        np.mean([parse_verdict(one.answer) == one.assignment.label for one in judged]),
    )


def test_care_pays(world):
    careful, careless = right(world, CAREFUL), right(world, Habits())
    assert careful[0] > 0.65
    assert careful[1] > 0.8
    assert 0.3 < careless[0] < careful[0] - 0.15
    assert 0.5 < careless[1] < careful[1] - 0.1


def test_careful_generators_ask_what_their_world_answers(world):
    players = Players(world, np.random.default_rng(2), CAREFUL)
    asked = [perform(players.ask(), world.tool) for _ in range(60)]
    formed = [one for one in asked if one.question and one.question.endswith("?")]
    assert len(formed) == 60
    seen = [
        one
        for one in formed
        if one.answer != "unknown"
        and any(one.answer in m["content"] for m in one.messages if m["role"] == "tool")
    ]
    assert len(seen) > 45


def test_every_turn_can_be_parsed_and_every_seat_plays(played):
    dialect = AslDialect()
    assert {episode.role for episode in played} == set(Role)
    for episode in played:
        kinds = [dialect.parse(turn.text, episode.role).kind for turn in episode.turns]
        assert kinds == ["search"] * (len(kinds) - 1) + ["final"]
        assert episode.tool_calls == len(kinds) - 1
        assert not episode.truncated


def test_the_same_chance_gives_the_same_play():
    one, two = (list(episodes(np.random.default_rng(9), 20)) for _ in range(2))
    assert [e.messages for e in one] == [e.messages for e in two]


def test_an_impossible_habit_is_refused():
    with pytest.raises(ValueError, match=r"habit stops_early=1\.5 is no share"):
        Habits(stops_early=1.5)
