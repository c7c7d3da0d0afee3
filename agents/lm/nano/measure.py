"""What a warmed-up model can do: held-out questions, claims and requests of the real MiniWiki."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from asl_env.agents.lm.nano.episodes import MAX_CHARS, TOP_K
from asl_env.episode import Assignment, Request, Task, Trajectory
from asl_env.play import play
from asl_env.rewards.labels import real_claims
from asl_env.rewards.proposing import check_question
from asl_env.rewards.verdict import parse_verdict

if TYPE_CHECKING:
    from asl_env.corpora.miniwiki.world import MiniWiki
    from asl_env.protocols import Agent

#: The sets that are measured.
SETS = ("miniwiki-1hop", "miniwiki-2hop", "miniwiki-3hop", "miniwiki-1hop-dev", "miniwiki-2hop-dev")
_MAX_TURNS = 6


def measure(
    agent: Agent,
    count: int,
    *,
    sets: Sequence[str] = SETS,
    greedy: bool = True,
    say: Callable[[str], object] = str,
) -> dict[str, Any]:
    """Measures all seats of an agent.

    Args:
        agent: Who plays.
        count: Questions per set, claims, and requests.
        sets: Evaluation sets.
        greedy: Take the likeliest turns, in place of sampled ones.
        say: Told what is being measured.

    Returns:
        Accuracy per set (``policy``), of verdicts on claims about the first two sets (``grm``),
        the shares of self-made questions that are well-formed, and that have the right answer and
        no other (``generator``), with the turns per episode.
    """
    from asl_env.corpora.miniwiki.world import load
    from asl_env.retrieval.registry import make_retriever
    from asl_env.tool import SearchTool

    wiki = load()
    tool = SearchTool(make_retriever("miniwiki"), top_k=TOP_K, max_chars=MAX_CHARS)

    def run(assignments: Sequence[Assignment]) -> list[Trajectory]:
        return play(agent, assignments, tool=tool, greedy=greedy, max_turns=_MAX_TURNS)

    found: dict[str, Any] = {"questions": count, "policy": {}}
    tasks: list[Task] = []
    for name in sets:
        say(name)
        group = _tasks(name, count)
        tasks += group if name in sets[:2] else []
        found["policy"][name] = _right(run(group), wiki)
    say("claims")
    claims = real_claims(tasks, count, np.random.default_rng(0))
    verdicts = [parse_verdict(episode.answer) for episode in run(claims)]
    agreed = [said == claim.label for said, claim in zip(verdicts, claims, strict=True)]
    found["grm"] = {"accuracy": _mean(agreed), "invalid": _mean([v is None for v in verdicts])}
    say("requests")
    topics = [wiki.topics[int(at)] for at in np.linspace(0, len(wiki.topics) - 1, count)]
    requests = [Request(f"seed-{at}", "seed", topic) for at, topic in enumerate(topics)]
    found["generator"] = _validity(run(requests), wiki)
    return found


def _tasks(name: str, count: int) -> list[Task]:
    from asl_env.evaluation import load_tasks

    return list(load_tasks(name, count).tasks)


def _right(episodes: Sequence[Trajectory], wiki: MiniWiki) -> dict[str, float]:
    from asl_env.rewards.matching import em

    right = []
    for episode in episodes:
        task = episode.assignment
        assert isinstance(task, Task)
        said = episode.answer
        known = said is not None and bool(em(said, task.answers))
        if not known and said is not None:
            reply = wiki.oracle.ask(task.question)
            known = reply.status == "answered" and reply.accepts(said)
        right.append(known)
    return {
        "accuracy": _mean(right),
        "no_answer": _mean([episode.answer is None for episode in episodes]),
        "turns": _mean([len(episode.turns) for episode in episodes]),
    }


def _validity(episodes: Sequence[Trajectory], wiki: MiniWiki) -> dict[str, float]:
    formed = [check_question(one.question, one.answer) is None for one in episodes]
    valid = []
    for episode, well in zip(episodes, formed, strict=True):
        reply = wiki.oracle.ask(episode.question or "") if well else None
        valid.append(
            reply is not None
            and reply.status == "answered"
            and reply.unique
            and reply.accepts(str(episode.answer))
        )
    return {"formed": _mean(formed), "valid": _mean(valid)}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values) if values else math.nan
