"""Agents without learning: one that knows nothing and one that knows everything.

Between them stands ``asl_env.lexical.LexicalAgent``, the baseline that learning has to beat.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Role, Turn
from asl_env.prompts import read_claim, read_request
from asl_env.protocols import Dialect
from asl_env.rewards.verdict import write_verdict

if TYPE_CHECKING:
    from asl_env.corpora.miniwiki.oracle import Oracle
    from asl_env.corpora.miniwiki.questions import QuestionRecord

#: Questions of each length that the oracle agent, as a generator, draws from.
_POOL = 200
_MOST_HOPS = 3


class RandomAgent:
    """Searches for words of the question, then answers with a title it was shown.

    As a judge it tosses a coin; as a generator it asks about a title it was shown. Draws depend on
    the chat's seed alone; ``greedy`` changes nothing.

    Args:
        dialect: The dialect of the chats.
    """

    def __init__(self, dialect: str | Dialect = "asl") -> None:
        self._dialect = make_dialect(dialect)

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Returns one turn per chat."""
        return [Turn(self._text(chat)) for chat in chats]

    def _text(self, chat: Chat) -> str:
        rng = np.random.default_rng([chat.seed, chat.turn])
        asked = chat.messages[1]["content"]
        if chat.turn == 0:
            words = asked.split() or ["anything"]
            return self._dialect.write_search(" ".join(rng.choice(words, size=3)))
        titles = [passage.title for passage in seen(chat, self._dialect)] or ["unknown"]
        title = titles[int(rng.integers(len(titles)))]
        if chat.role is Role.GRM:
            return self._dialect.write_final(
                write_verdict("correct" if rng.integers(2) else "wrong")
            )
        if chat.role is Role.GENERATOR:
            return self._dialect.write_final(title, f"Which article is called {title}?")
        return self._dialect.write_final(title)


class OracleAgent:
    """Plays every seat with MiniWiki's oracle: what could be reached at best.

    As a policy it searches once for the question and gives the oracle's answer (none, if the
    question is outside MiniWiki's language). As a judge it knows the truth. As a generator it asks
    questions with one right answer, one hop longer or shorter than the source question; they need
    not be about the topic. Deterministic but for the generator, which draws from the chat's seed.

    Args:
        dialect: The dialect of the chats.
    """

    def __init__(self, dialect: str | Dialect = "asl") -> None:
        self._dialect = make_dialect(dialect)

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Returns one turn per chat."""
        return [Turn(self._text(chat)) for chat in chats]

    def _text(self, chat: Chat) -> str:
        asked = chat.messages[1]["content"]
        if chat.role is Role.GENERATOR:
            return self._ask(chat)
        claim = read_claim(asked) if chat.role is Role.GRM else None
        question = claim[0] if claim else asked
        if chat.turn == 0:
            return self._dialect.write_search(question)
        reply = _oracle().ask(question)
        if claim is not None:
            right = reply.status == "answered" and reply.accepts(claim[1])
            return self._dialect.write_final(write_verdict("correct" if right else "wrong"))
        return self._dialect.write_final(min(reply.answers, default=""))

    def _ask(self, chat: Chat) -> str:
        request = read_request(chat.messages[1]["content"])
        hops = 1
        if request is not None and request.kind != "seed":
            step = 1 if request.kind == "harder" else -1
            hops = _oracle().ask(request.source_question).hops + step
        pool = _questions(min(max(hops, 1), _MOST_HOPS))
        drawn = pool[int(np.random.default_rng([chat.seed]).integers(len(pool)))]
        if chat.turn == 0:
            return self._dialect.write_search(drawn.question)
        return self._dialect.write_final(drawn.golden_answers[0], drawn.question)


def seen(chat: Chat, dialect: Dialect) -> list[Passage]:
    """Returns the passages that searches have shown in a chat, oldest first."""
    found: list[Passage] = []
    for message in chat.messages[2:]:
        if message["role"] != "assistant":
            found.extend(dialect.read_results(message) or ())
    return found


def _oracle() -> Oracle:
    from asl_env.corpora.miniwiki.world import load

    return load().oracle


@cache
def _questions(hops: int) -> list[QuestionRecord]:
    from asl_env.corpora.miniwiki.questions import training_tasks

    return training_tasks(np.random.default_rng(hops), _POOL, hops)
