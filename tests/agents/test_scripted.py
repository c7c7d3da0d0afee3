"""The random agent finishes every seat; the oracle agent is right in every seat."""

import numpy as np
import pytest

from asl_env.agents.scripted import OracleAgent, RandomAgent, seen
from asl_env.corpora.miniwiki.world import load
from asl_env.dialects import make_dialect
from asl_env.episode import Claim, Request, Role
from asl_env.evaluation import load_tasks
from asl_env.play import play
from asl_env.retrieval.registry import make_retriever
from asl_env.rewards.verdict import parse_verdict
from asl_env.tool import SearchTool

TASKS = tuple(load_tasks("miniwiki-1hop", limit=8))
REQUESTS = tuple(Request(f"r{n}", "seed", "rivers in Europe") for n in range(4))


@pytest.fixture(scope="module")
def tool():
    return SearchTool(make_retriever("null"))


@pytest.mark.parametrize("dialect", ["asl", "search-r1"])
@pytest.mark.parametrize("agent_class", [RandomAgent, OracleAgent])
def test_every_seat_is_played_to_its_end(agent_class, dialect, tool):
    claims = [Claim(task.id, task.question, task.answers[0]) for task in TASKS[:2]]
    assignments = [*TASKS, *REQUESTS, *claims]
    episodes = play(agent_class(dialect), assignments, tool=tool, dialect=dialect)
    for episode in episodes:
        assert episode.answer and not episode.truncated and episode.invalid is None
        assert episode.tool_calls == 1
        assert (episode.question is not None) == (episode.role is Role.GENERATOR)


def test_the_oracle_answers_every_held_out_question(tool):
    for name in ("miniwiki-1hop", "miniwiki-2hop", "miniwiki-3hop", "miniwiki-compare"):
        tasks = tuple(load_tasks(name, limit=10))
        for task, episode in zip(tasks, play(OracleAgent(), tasks, tool=tool), strict=True):
            assert episode.answer in task.answers


def test_the_oracle_judges_right(tool):
    claims = []
    for task, other in zip(TASKS, TASKS[1:] + TASKS[:1], strict=True):
        wrong = next(answer for answer in ("Atlantis", other.answers[0]))
        claims.append(Claim(task.id, task.question, task.answers[-1], "correct"))
        claims.append(Claim(task.id, task.question, wrong, "wrong"))
    for claim, episode in zip(claims, play(OracleAgent(), claims, tool=tool), strict=True):
        assert parse_verdict(episode.answer) == claim.label


def test_the_oracle_asks_valid_questions_of_the_wanted_length(tool):
    two_hops = tuple(load_tasks("miniwiki-2hop-dev", limit=4))
    requests = [
        Request(f"{kind}{n}", kind, "", "depth", task.question, task.answers[0])
        for kind in ("harder", "easier")
        for n, task in enumerate(two_hops)
    ]
    episodes = play(OracleAgent(), requests, tool=tool, seeds=range(8))
    replies = [load().oracle.ask(episode.question) for episode in episodes]
    assert all(
        reply.unique and reply.accepts(episode.answer)
        for reply, episode in zip(replies, episodes, strict=True)
    )
    assert [reply.hops for reply in replies] == [3, 3, 3, 3, 1, 1, 1, 1]


def test_the_random_agent_depends_on_the_seed_alone(tool):
    once = play(RandomAgent(), TASKS, tool=tool, seeds=range(8))
    again = play(RandomAgent(), TASKS[::-1], tool=tool, seeds=range(7, -1, -1))
    assert once == again[::-1]
    other = play(RandomAgent(), TASKS, tool=tool, seeds=range(8, 16))
    assert [e.messages for e in once] != [e.messages for e in other]


def test_the_random_judge_says_both():
    from asl_env.episode import Chat

    dialect = make_dialect("asl")
    agent = RandomAgent()
    opening = ({"role": "system", "content": ""}, {"role": "user", "content": "q"})
    said = {"role": "assistant", "content": "x"}
    chats = [Chat(Role.GRM, (*opening, said), seed) for seed in range(40)]
    verdicts = [
        parse_verdict(dialect.parse(turn.text, Role.GRM).answer) for turn in agent.act(chats)
    ]
    assert set(verdicts) == {"correct", "wrong"}
    assert 8 < sum(np.array(verdicts) == "correct") < 32
    assert seen(chats[0], dialect) == []
