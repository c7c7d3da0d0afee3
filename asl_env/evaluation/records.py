"""Trajectories on disk: one JSON object per line, versioned, and exact both ways.

    with path.open("ab") as file:
        file.write(encode(to_record(trajectory, reward)))
    for record in read(path):
        record.trajectory, record.reward

Every trajectory that the project writes (runs, evaluations, played sessions) has this form, so
that whatever reads one reads all of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from asl_env.episode import (
    SCHEMA_VERSION,
    Assignment,
    Claim,
    Message,
    Request,
    RewardParts,
    Role,
    Task,
    Trajectory,
    Turn,
)
from asl_env.errors import AslError, RecordError


class Record(NamedTuple):
    """A saved episode: what happened, and what it earned if that was known."""

    trajectory: Trajectory
    reward: RewardParts | None = None


def to_record(trajectory: Trajectory, reward: RewardParts | None = None) -> dict[str, Any]:
    """Writes an episode as a JSON object.

    Args:
        trajectory: A finished episode.
        reward: What a reward model said about it.

    Returns:
        Plain dicts, lists, strings and numbers; the field ``schema`` holds the version.
    """
    record: dict[str, Any] = {
        "schema": SCHEMA_VERSION,
        "role": trajectory.role.value,
        "assignment": _from_assignment(trajectory.assignment),
        "messages": [dict(message) for message in trajectory.messages],
        "turns": [_from_turn(turn) for turn in trajectory.turns],
        "answer": trajectory.answer,
        "question": trajectory.question,
        "tool_calls": trajectory.tool_calls,
        "think_share": trajectory.think_share,
        "truncated": trajectory.truncated,
        "invalid": trajectory.invalid,
        "seed": trajectory.seed,
    }
    if reward is not None:
        record["reward"] = {
            "total": reward.total,
            "parts": dict(reward.parts),
            "invalid": reward.invalid,
            "extras": dict(reward.extras),
        }
    return record


def from_record(record: Mapping[str, Any], where: str = "record") -> Record:
    """Reads back what ``to_record`` wrote.

    Args:
        record: The JSON object.
        where: Named in the error, usually ``file:line``.

    Raises:
        RecordError: If the version is another one, or a field is missing or of the wrong kind.
    """
    version = record.get("schema")
    if version != SCHEMA_VERSION:
        raise RecordError(
            f"{where}: field 'schema' is {version!r}, this version of asl-env reads "
            f"{SCHEMA_VERSION}; read the file with the version that wrote it"
        )
    try:
        return Record(_trajectory(record), _reward(record.get("reward")))
    except KeyError as error:
        raise RecordError(f"{where}: field {error} is missing; write the file again") from error
    except (TypeError, ValueError, AttributeError, AslError) as error:
        raise RecordError(f"{where}: not a trajectory record ({error})") from error


def encode(record: Mapping[str, Any]) -> bytes:
    """Writes one JSON object as one line of UTF-8, newline included.

    Text that UTF-8 cannot hold (lone surrogates, which a model may well say) is escaped.

    Raises:
        RecordError: If a value has no JSON form (NaN, an object).
    """
    try:
        line = json.dumps(record, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return line.encode() + b"\n"
    except UnicodeEncodeError:
        return json.dumps(record, allow_nan=False, separators=(",", ":")).encode() + b"\n"
    except (TypeError, ValueError) as error:
        raise RecordError(f"cannot write a record as JSON: {error}") from error


def read_objects(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yields ``(file:line, object)`` for each line of a JSONL file; blank lines are passed over.

    Raises:
        RecordError: If the file cannot be read, or a line is not a JSON object.
    """
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield f"{path}:{number}", _decode(line, f"{path}:{number}")
    except OSError as error:
        raise RecordError(f"{path}: cannot be read ({error.strerror or error})") from error


def read(path: Path) -> Iterator[Record]:
    """Yields the episodes of a JSONL file of records.

    Raises:
        RecordError: If the file or a line cannot be read.
    """
    for where, record in read_objects(path):
        yield from_record(record, where)


def recover(path: Path) -> int:
    """Cuts off the line that a killed writer left unfinished, so that appending can go on.

    Args:
        path: A JSONL file; it need not exist.

    Returns:
        Number of bytes that were cut.
    """
    if not path.exists():
        return 0
    with path.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        file.truncate(whole)
    return len(content) - whole


def _decode(line: bytes, where: str) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise RecordError(f"{where}: not JSON ({error}); delete or repair the line") from error
    if not isinstance(value, dict):
        raise RecordError(f"{where}: a JSON object was expected, not {type(value).__name__}")
    return value


def _from_assignment(assignment: Assignment) -> dict[str, Any]:
    common: dict[str, Any] = {"id": assignment.id, "provenance": dict(assignment.provenance)}
    if isinstance(assignment, Task):
        answers = list(assignment.answers)
        return common | {"type": "task", "question": assignment.question, "answers": answers}
    if isinstance(assignment, Claim):
        return common | {
            "type": "claim",
            "question": assignment.question,
            "answer": assignment.answer,
            "label": assignment.label,
        }
    return common | {
        "type": "request",
        "kind": assignment.kind,
        "topic": assignment.topic,
        "style": assignment.style,
        "source_question": assignment.source_question,
        "source_answer": assignment.source_answer,
    }


def _to_assignment(record: Mapping[str, Any]) -> Assignment:
    fields = {key: value for key, value in record.items() if key != "type"}
    kind = record["type"]
    if kind == "task":
        return Task(**fields | {"answers": tuple(fields["answers"])})
    if kind == "claim":
        return Claim(**fields)
    if kind == "request":
        return Request(**fields)
    raise ValueError(f"assignment type {kind!r} is none of task, claim, request")


def _from_turn(turn: Turn) -> dict[str, Any]:
    record: dict[str, Any] = {"text": turn.text}
    if turn.token_ids is not None:
        record["token_ids"] = list(turn.token_ids)
    if turn.logprobs is not None:
        record["logprobs"] = list(turn.logprobs)
    return record


def _to_turn(record: Mapping[str, Any]) -> Turn:
    ids, logprobs = record.get("token_ids"), record.get("logprobs")
    return Turn(
        record["text"],
        None if ids is None else tuple(ids),
        None if logprobs is None else tuple(logprobs),
    )


def _trajectory(record: Mapping[str, Any]) -> Trajectory:
    return Trajectory(
        role=Role(record["role"]),
        assignment=_to_assignment(record["assignment"]),
        messages=tuple(
            Message(role=message["role"], content=message["content"])
            for message in record["messages"]
        ),
        turns=tuple(_to_turn(turn) for turn in record["turns"]),
        answer=record["answer"],
        question=record["question"],
        tool_calls=record["tool_calls"],
        think_share=record["think_share"],
        truncated=record["truncated"],
        invalid=record["invalid"],
        seed=record["seed"],
    )


def _reward(record: Mapping[str, Any] | None) -> RewardParts | None:
    if record is None:
        return None
    return RewardParts(record["total"], record["parts"], record["invalid"], record["extras"])
