"""Partners that say what they are told, and episodes made by playing."""

from collections import defaultdict

import pytest

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Turn
from asl_env.play import play
from asl_env.protocols import Hit, ToolResult

ASL = make_dialect("asl")


class Library:
    """A tool that finds one passage, and counts how often it is run."""

    def __init__(self, text="Lima is the capital of Peru."):
        self.passage = Passage("p1", "Lima", text)
        self.runs = 0

    def run(self, calls):
        self.runs += 1
        hits = (Hit(self.passage, 1.0),)
        return [ToolResult(call, () if call.error else hits, call.error) for call in calls]


class Script:
    """An agent that reads its lines: a list of turns per user message, round robin.

    ``lines[user text]`` is a list of plays; the n-th conversation about that text gets the n-th
    play, which is a list of turns.
    """

    def __init__(self, lines):
        self.lines = lines
        self.batches = []
        self.seeds = []
        self._given = defaultdict(int)
        self._parts = {}

    def act(self, chats, *, greedy=False):
        self.batches.append(len(chats))
        return [Turn(self._say(chat)) for chat in chats]

    def _say(self, chat):
        user = chat.messages[1]["content"]
        key = (user, chat.seed)
        if chat.turn == 0:
            self.seeds.append(chat.seed)
            plays = self.lines(user) if callable(self.lines) else self.lines[user]
            self._parts[key] = plays[self._given[user] % len(plays)]
            self._given[user] += 1
        return self._parts[key][chat.turn]


def act_out(assignment, turns, tool=None, seed=0):
    """Plays one episode with the given turns."""
    agent = Script(lambda user: [turns])
    (episode,) = play(agent, [assignment], tool=tool or Library(), dialect=ASL, seeds=[seed])
    return episode


@pytest.fixture
def script():
    return Script


@pytest.fixture
def episode():
    return act_out


@pytest.fixture
def library():
    return Library()
