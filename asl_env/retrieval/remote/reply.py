"""Reads what a search server sends back. Whatever is not exactly right is a failure."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

from asl_env.corpora.passages import Passage
from asl_env.protocols import Hit
from asl_env.retrieval.remote.failure import PeerError


def read_reply(body: bytes, queries: int, k: int) -> list[list[Hit]]:
    """Reads the reply to a Search-R1 request with scores.

    Args:
        body: The whole body.
        queries: How many queries were sent.
        k: How many passages each asked for.

    Returns:
        Hits per query, best first.

    Raises:
        PeerError: If anything about it is wrong: no JSON, another number of lists, too many
            passages, a field that is missing or of another kind, scores that rise.
    """
    try:
        message = json.loads(body)
    except (ValueError, RecursionError):
        raise _bad("no JSON") from None
    result = message.get("result") if isinstance(message, dict) else None
    if not isinstance(result, list):
        raise _bad("no list 'result'")
    if len(result) != queries:
        raise _bad(f"{len(result)} results for {queries} queries")
    return [_hits(found, where, k) for where, found in enumerate(result)]


def split_contents(contents: str) -> tuple[str, str]:
    r"""Splits ``"Title"\ntext`` exactly; without a quoted first line there is no title."""
    first, newline, rest = contents.partition("\n")
    if newline and len(first) >= 2 and first[0] == first[-1] == '"':
        return first[1:-1], rest
    return "", contents


def _hits(found: Any, where: int, k: int) -> list[Hit]:
    if not isinstance(found, list):
        raise _bad(f"result {where} is no list")
    if len(found) > k:
        raise _bad(f"result {where} has {len(found)} passages, {k} were asked for")
    hits = [_hit(entry, where) for entry in found]
    if any(before.score < after.score for before, after in pairwise(hits)):
        raise _bad(f"result {where} is not sorted by score")
    return hits


def _hit(entry: Any, where: int) -> Hit:
    document = entry.get("document") if isinstance(entry, dict) else None
    if not isinstance(document, dict):
        raise _bad(f"result {where} holds something without a 'document'")
    identity, contents, score = document.get("id"), document.get("contents"), entry.get("score")
    if isinstance(identity, int) and not isinstance(identity, bool):
        identity = str(identity)  # corpora whose ids are row numbers
    if not isinstance(identity, str) or not identity:
        raise _bad(f"result {where} holds a document without an 'id'")
    if not isinstance(contents, str):
        raise _bad(f"result {where} holds a document without 'contents'")
    if not isinstance(score, (int, float)) or isinstance(score, bool) or not _finite(score):
        raise _bad(f"result {where} holds a score that is no number")
    return Hit(Passage(identity, *split_contents(contents)), float(score))


def _finite(score: float) -> bool:
    try:
        return math.isfinite(score)
    except OverflowError:  # a whole number beyond every float
        return False


def _bad(what: str) -> PeerError:
    return PeerError(f"the reply is malformed: {what}")
