"""Batched rollouts: one agent call and one tool call per step, and honest failures."""

import threading

import pytest

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Claim, Request, Role, Task, Turn
from asl_env.errors import AgentError, SearchUnavailableError
from asl_env.play import as_turn, play
from asl_env.protocols import Hit, ToolResult

ASL = make_dialect("asl")
TASKS = [Task(str(n), f"What is the capital of country {n}?", (f"City {n}",)) for n in range(4)]


class Library:
    """Finds one passage; fails in the given runs."""

    def __init__(self, broken=()):
        self.batches = []
        self.broken = broken

    def run(self, calls):
        self.batches.append(len(calls))
        if len(self.batches) - 1 in self.broken:
            raise SearchUnavailableError("the server at x:1 is gone;\nstart it")
        hits = (Hit(Passage("p", "T", "text"), 1.0),)
        return [ToolResult(call, () if call.error else hits, call.error) for call in calls]


class Searcher:
    """Searches as often as the number in the question, then answers."""

    def __init__(self):
        self.batches = []
        self.greedy = []

    def act(self, chats, *, greedy=False):
        self.batches.append(len(chats))
        self.greedy.append(greedy)
        return [self.say(chat) for chat in chats]

    def say(self, chat):
        number = int(chat.messages[1]["content"].split()[-1].rstrip("?"))
        if chat.turn < number:
            return ASL.write_search(f"query {chat.seed}")
        return Turn(ASL.write_final(f"City {number}"))


def test_all_conversations_advance_together():
    agent, tool = Searcher(), Library()
    episodes = play(agent, TASKS, tool=tool, dialect="asl", greedy=True)
    assert [episode.answer for episode in episodes] == [f"City {n}" for n in range(4)]
    assert [episode.tool_calls for episode in episodes] == [0, 1, 2, 3]
    assert agent.batches == [4, 3, 2, 1]
    assert tool.batches == [3, 2, 1]
    assert all(agent.greedy)


def test_seeds_reach_the_chats_and_do_not_depend_on_the_batch():
    together = play(Searcher(), TASKS, tool=Library(), seeds=[7, 8, 9, 10])
    alone = play(Searcher(), TASKS[2:3], tool=Library(), seeds=[9])
    assert [episode.seed for episode in together] == [7, 8, 9, 10]
    assert alone[0] == together[2]


def test_no_assignments_no_episodes():
    assert play(Searcher(), [], tool=Library()) == []


def test_seats_may_be_mixed():
    class Anyone:
        def act(self, chats, *, greedy=False):
            return [Turn(ASL.write_final(str(chat.role))) for chat in chats]

    mixed = [TASKS[0], Request("r", "seed", "Peru"), Claim("c", "Who?", "Me", "wrong")]
    episodes = play(Anyone(), mixed, tool=Library())
    assert [episode.answer for episode in episodes] == ["policy", "generator", "grm"]
    assert [episode.role for episode in episodes] == [Role.POLICY, Role.GENERATOR, Role.GRM]


def test_a_broken_tool_invalidates_those_who_waited_for_it_and_no_one_else():
    episodes = play(Searcher(), TASKS, tool=Library(broken=[1]))
    assert [episode.invalid is not None for episode in episodes] == [False, False, True, True]
    assert [episode.truncated for episode in episodes] == [False, False, True, True]
    assert episodes[3].invalid == "search: the server at x:1 is gone; start it"
    assert episodes[1].answer == "City 1"


def test_a_bug_in_a_tool_is_not_taken_for_an_outage():
    class Buggy:
        def run(self, calls):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        play(Searcher(), TASKS, tool=Buggy())


def test_turns_are_limited():
    episodes = play(Searcher(), TASKS, tool=Library(), max_turns=2)
    assert [episode.truncated for episode in episodes] == [False, False, True, True]
    assert all(episode.invalid is None for episode in episodes)


class Odd:
    """Returns what it was made with, or raises it."""

    def __init__(self, said):
        self.said = said

    def act(self, chats, *, greedy=False):
        if isinstance(self.said, BaseException):
            raise self.said
        return self.said


@pytest.mark.parametrize(
    ("said", "message"),
    [
        (RuntimeError("out of\nmemory"), "Odd.act raised RuntimeError: out of memory"),
        ([], "Odd.act returned 0 turns for 1 chats"),
        (["a", "b"], "Odd.act returned 2 turns for 1 chats"),
        (None, "Odd.act returned NoneType"),
        ("a", "Odd.act returned str"),
        ([7], "Odd said int; a turn is a str or a Turn"),
        ([None], "Odd said NoneType"),
        ([Turn(b"x")], "Odd said a turn whose text is bytes"),
    ],
)
def test_what_an_agent_does_wrong_is_one_line_that_names_it(said, message):
    with pytest.raises(AgentError) as caught:
        play(Odd(said), TASKS[:1], tool=Library())
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_an_interrupt_is_not_an_agent_error():
    with pytest.raises(KeyboardInterrupt):
        play(Odd(KeyboardInterrupt()), TASKS[:1], tool=Library())


class Sleeper(Searcher):
    def __init__(self):
        super().__init__()
        self.morning = threading.Event()
        self.woke = False

    def act(self, chats, *, greedy=False):
        self.morning.wait(60)
        self.woke = True
        return super().act(chats)


def test_an_agent_that_hangs_runs_into_its_time_limit():
    sleeper = Sleeper()
    with pytest.raises(AgentError, match=r"Sleeper.act gave no turns within 0.05 s"):
        play(sleeper, TASKS, tool=Library(), timeout=0.05)
    assert not sleeper.woke, "nobody waited for it"
    sleeper.morning.set()


def test_a_time_limit_changes_nothing_for_a_quick_agent():
    assert play(Searcher(), TASKS, tool=Library(), timeout=30) == play(
        Searcher(), TASKS, tool=Library()
    )
    with pytest.raises(AgentError, match="raised RuntimeError: no"):
        play(Odd(RuntimeError("no")), TASKS, tool=Library(), timeout=30)


def test_strings_are_turns():
    assert as_turn("hello") == Turn("hello")
    kept = Turn("hello", (1,), (-0.1,))
    assert as_turn(kept) is kept
