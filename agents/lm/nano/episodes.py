"""Episodes to imitate: scripted players at the real tool, in freshly named worlds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from asl_env.agents.lm.nano.habits import Habits
from asl_env.agents.lm.nano.player import Part
from asl_env.agents.lm.nano.players import Players
from asl_env.agents.lm.nano.thinning import ThinTool
from asl_env.agents.lm.nano.worlds import make_world
from asl_env.conversation import Conversation
from asl_env.dialects.asl import AslDialect
from asl_env.episode import Message, Role, Trajectory, Turn
from asl_env.play import Tool, advance

if TYPE_CHECKING:
    import numpy as np

#: What the search tool shows a nano model: its recipes and evaluations use the same.
TOP_K, MAX_CHARS = 3, 600
#: Share of each seat among the episodes.
SEATS = {Role.POLICY: 0.45, Role.GRM: 0.33, Role.GENERATOR: 0.22}
#: Share of questions of one, two and three hops.
HOPS = (0.45, 0.43, 0.12)
_MAX_TURNS = 9
_READERS = (Role.POLICY.value, Role.GRM.value)


def episodes(
    rng: np.random.Generator,
    count: int,
    per_world: int = 400,
    habits: Habits | None = None,
    thin: float = 0.0,
    openings: float = 0.0,
    every_wording: bool = False,
    comparisons: float = 0.0,
) -> Iterator[Trajectory]:
    """Plays scripted episodes, so many in each world.

    Args:
        rng: All chance; the same generator gives the same episodes.
        count: How many.
        per_world: Episodes before the world is named anew.
        habits: How careless the players are.
        thin: Share of episodes in which searches show a few sentences only (``ThinTool``).
        openings: First turns of further episodes, per episode: few tokens that teach to read
            questions.
        every_wording: Whether questions come in rare wordings too.
        comparisons: Verdicts without the searches before them, per episode: few tokens that teach
            to compare.

    Yields:
        Finished episodes of all seats, openings of the policy's and the GRM's, and comparisons.
    """
    players: Players | None = None
    for number in range(count):
        if players is None or number % per_world == 0:
            world = make_world(rng, top_k=TOP_K, max_chars=MAX_CHARS)
            players = Players(world, rng, habits or Habits(), every_wording=every_wording)
        part = _draw(players, rng)
        tool: Tool = players.world.tool
        if rng.random() < thin:
            tool = ThinTool(players.world, part.facts, rng)
        yield perform(part, tool)
        for _ in range(int(openings) + (rng.random() < openings % 1.0)):
            yield _opening(_question(players, Role(rng.choice(_READERS)), rng))
        for _ in range(int(comparisons) + (comparisons > 0 and rng.random() < comparisons % 1.0)):
            yield perform(players.compare(_hops(rng)), tool)


def _draw(players: Players, rng: np.random.Generator) -> Part:
    role = list(SEATS)[int(rng.choice(len(SEATS), p=list(SEATS.values())))]
    return players.ask() if role is Role.GENERATOR else _question(players, role, rng)


def _question(players: Players, role: Role, rng: np.random.Generator) -> Part:
    """A question to answer, or a claim about one to judge."""
    hops = _hops(rng)
    return players.solve(hops) if role is Role.POLICY else players.judge(hops)


def _hops(rng: np.random.Generator) -> int:
    return 1 + int(rng.choice(len(HOPS), p=HOPS))


def _opening(part: Part) -> Trajectory:
    """The first turn of an episode, which needs no search tool."""
    conversation = Conversation(part.assignment, AslDialect(), _MAX_TURNS)
    before = tuple(conversation.messages)
    turn = Turn(next(part.script))
    whole = conversation.trajectory()
    said: Message = {"role": "assistant", "content": turn.text}
    return replace(whole, turns=(turn,), messages=(*before, said))


def perform(part: Part, tool: Tool) -> Trajectory:
    """Plays a script against a search tool."""
    conversation = Conversation(part.assignment, AslDialect(), _MAX_TURNS)
    script = part.script
    text = next(script)
    while True:
        advance([conversation], [Turn(text)], tool)
        if conversation.done:
            return conversation.trajectory()
        shown = conversation.dialect.read_results(conversation.messages[-1])
        text = script.send(shown or [])
