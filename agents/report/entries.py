"""What the browser of a report knows of an episode: a light row to search, and the whole of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asl_env.dialects import make_dialect
from asl_env.episode import Claim, Message, Request, RewardParts, Role, Trajectory
from asl_env.errors import AslError
from asl_env.evaluation.records import to_record
from asl_env.protocols import Dialect

#: Letters of a question or answer in a row; the whole text is in the episode.
_LONG = 300


@dataclass(frozen=True)
class Entry:
    """An episode on its way into a report.

    Attributes:
        played: The episode.
        reward: What it earned, if that was known.
        place: ``round``, ``phase`` and ``chunk`` in a training run; empty elsewhere.
        scores: Of an evaluation.
        judgement: The judge's episode about the answer.
    """

    played: Trajectory
    reward: RewardParts | None = None
    place: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, float] = field(default_factory=dict)
    judgement: Trajectory | None = None

    @property
    def asked(self) -> str:
        """The question that the episode is about; for a request without one, its topic."""
        given = self.played.assignment
        if isinstance(given, Request):
            return self.played.question or f"(no question about {given.topic})"
        return given.question

    @property
    def said(self) -> str:
        """What came out of it."""
        answer = self.played.answer or ""
        given = self.played.assignment
        return f"{given.answer} → {answer}" if isinstance(given, Claim) else answer

    @property
    def state(self) -> str:
        """How it ended."""
        if self.played.invalid is not None or (self.reward and self.reward.invalid is not None):
            return "invalid"
        if self.played.truncated:
            return "cut off"
        return "answered" if self.played.answer is not None else "no answer"

    @property
    def kind(self) -> str:
        """Kind of request, label of a claim, kind of request that a task came from."""
        given = self.played.assignment
        if isinstance(given, Request):
            return str(given.kind)
        if isinstance(given, Claim):
            return str(given.label or "")
        kind = given.provenance.get("kind")
        return kind if isinstance(kind, str) else ""

    @property
    def measures(self) -> dict[str, float]:
        """All numbers that one may filter and sort by."""
        played = self.played
        found: dict[str, Any] = {
            "turns": len(played.turns),
            "searches": played.tool_calls,
            **self.scores,
        }
        lengths = [len(turn.token_ids) for turn in played.turns if turn.token_ids is not None]
        if lengths:
            found["tokens"] = sum(lengths)
        if self.reward is not None:
            found |= {"reward": self.reward.total, **self.reward.parts}
        return {
            str(name): round(value, 4) if isinstance(value, float) else value
            for name, value in found.items()
            if isinstance(value, int | float)
        }

    def row(self) -> dict[str, Any]:
        """Returns what is searched and filtered without opening the episode."""
        given = self.played.assignment
        parent = given.provenance.get("parent")
        return {
            "seat": self.played.role.value,
            "round": self.place.get("round"),
            "phase": self.place.get("phase"),
            "kind": self.kind,
            "state": self.state,
            "id": given.id,
            "parent": None if parent is None else str(parent),
            "asked": self.asked[:_LONG],
            "said": self.said[:_LONG],
        }

    def whole(self, reader: Reader) -> dict[str, Any]:
        """Returns all of the episode but sampled token ids and their log-probabilities."""
        record = to_record(self.played, self.reward)
        for name in ("messages", "turns", "schema"):
            del record[name]
        record["chat"] = reader.chat(self.played)
        if self.scores:
            record["scores"] = dict(self.scores)
        if self.judgement is not None:
            record["judgement"] = {
                "chat": reader.chat(self.judgement),
                "invalid": self.judgement.invalid,
            }
        return record


class Reader:
    """Says what each message of a chat does; keeps system messages once.

    Args:
        dialect: Name of the dialect of the episodes; the built-in ones are tried where there is
            no such dialect here.

    Attributes:
        prompts: The system messages, in the order in which they were met.
    """

    _MOST = 256

    def __init__(self, dialect: str | None) -> None:
        self._dialects = _dialects(dialect)
        self.prompts: dict[str, int] = {}

    def chat(self, played: Trajectory) -> list[dict[str, Any]]:
        """Returns the messages, each with what it does in words."""
        turns = iter(played.turns)
        told = []
        for message in played.messages:
            one: dict[str, Any] = {"role": message["role"], "text": message["content"]}
            if message["role"] == "system":
                one = self._system(message)
            elif message["role"] == "assistant":
                one["does"] = self._does(str(message["content"]), played.role)
                ids = next((turn.token_ids for turn in turns), None)
                if ids is not None:
                    one["tokens"] = len(ids)
            elif message["role"] == "tool":
                one |= self._found(message)
            told.append(one)
        return told

    def _system(self, message: Message) -> dict[str, Any]:
        text = message["content"]
        if text not in self.prompts and len(self.prompts) >= self._MOST:
            return {"role": "system", "text": text}
        return {"role": "system", "prompt": self.prompts.setdefault(text, len(self.prompts))}

    def _does(self, text: str, role: Role) -> str:
        action = self._dialects[0].parse(text, role)
        if action.kind == "search":
            queries = [query for call in action.calls for query in call.queries]
            return (
                f"searches for {_list(queries)}" if queries else "makes a call that cannot be read"
            )
        if action.kind == "none":
            return "neither searches nor answers"
        asked = "" if action.question is None else f"asks {_list([action.question])}, "
        return asked + (
            "gives no answer" if action.answer is None else f"answers {_list([action.answer])}"
        )

    def _found(self, message: Message) -> dict[str, Any]:
        for dialect in self._dialects:
            passages = dialect.read_results(message)
            if passages is not None:
                count = len(passages)
                does = (
                    f"{count} search result{'' if count == 1 else 's'}"
                    if count
                    else "nothing found"
                )
                return {"does": does, "titles": [passage.title for passage in passages]}
        return {"does": "a message of the tool"}


def _list(texts: Sequence[str]) -> str:
    shown = " and ".join(f"“{text}”" for text in texts)
    return shown if len(shown) <= _LONG else shown[:_LONG] + "…"


def _dialects(name: str | None) -> list[Dialect]:
    names = dict.fromkeys([name or "asl", "asl", "search-r1"])
    found: list[Dialect] = []
    for one in names:
        try:
            found.append(make_dialect(one))
        except AslError:  # a plug-in of another machine: the episodes are shown all the same
            continue
    return found
