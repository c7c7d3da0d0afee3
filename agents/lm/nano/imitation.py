"""Episodes as rows of tokens with weights, in batches of like length."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from asl_env.agents.lm.record import TokenRecord, record_of
from asl_env.episode import Role, Trajectory, Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asl_env.agents.lm.template import ChatTemplate

#: Rows that are sorted by length together.
_SHELF = 1024
#: Share of the tokens read that predictions are learned from; they weigh the more for it.
_SAMPLED = 0.25
#: What a turn says that had to be read or compared: a finding, a verdict.
_STRESSED = re.compile(r"(?<= is )[^<]*?(?=\.(?: The answer given is|</think>))|conclusion: \w+")
_VERDICT = re.compile(r"conclusion: \w+")


#: Makes tokens and weights of one batch.
Batch = Callable[[], "tuple[NDArray[np.int64], NDArray[np.float32]]"]


@dataclass(frozen=True)
class Corpus:
    """Token rows, one after the other.

    Attributes:
        ids: All tokens (int32).
        said: 0 where the model does not speak, else how much a token weighs (uint8).
        starts: Where each row begins, and the end of the last.
    """

    ids: NDArray[np.int32]
    said: NDArray[np.uint8]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Tokens of a row, and what they weigh."""
        part = slice(self.starts[number], self.starts[number + 1])
        return self.ids[part], self.said[part]


def encode(episodes: Iterable[Trajectory], template: ChatTemplate, stress: int = 1) -> Corpus:
    """Turns episodes into rows of tokens, exactly as a model that plays them sees and says them.

    Args:
        episodes: Scripted play.
        template: The chat template of the model that will learn.
        stress: Weight of findings and verdicts; other tokens that are said weigh 1.
    """
    ids, said = [], []
    for episode in episodes:
        record = _record(episode, template)
        ids.append(np.asarray(record.ids, np.int32))
        said.append(_weights(episode, record, template, stress))
    return Corpus(
        np.concatenate(ids), np.concatenate(said), np.cumsum([0, *(len(row) for row in ids)])
    )


def is_comparison(episode: Trajectory) -> bool:
    """Whether an episode is a verdict and nothing else."""
    return episode.role is Role.GRM and episode.answer is not None and not episode.tool_calls


def _weights(
    episode: Trajectory, record: TokenRecord, template: ChatTemplate, stress: int
) -> NDArray[np.uint8]:
    weights, stressed = np.asarray(record.mask, np.uint8), _STRESSED
    if is_comparison(episode):
        stressed = _VERDICT
        weights[:] = 0  # the verdict apart: nobody should learn to judge without searching
    elif stress == 1:
        return weights
    spoken = (span for span in record.spans if span.kind == "model")
    for turn, span in zip(episode.turns, spoken, strict=True):
        for match in stressed.finditer(turn.text):
            # A name has the same tokens wherever it stands, so what comes before can be counted.
            first = len(template.encode(turn.text[: match.start()].rstrip(" ")))
            last = len(template.encode(turn.text[: match.end()]))
            weights[span.start + first : span.start + last] = stress
    return weights


def _record(episode: Trajectory, template: ChatTemplate) -> TokenRecord:
    """The record as if a model had sampled the turns; each ends with its stop string."""
    turns = []
    for turn in episode.turns:
        ids = tuple(template.encode(turn.text))
        turns.append(Turn(turn.text, ids, (0.0,) * len(ids)))
    return record_of(replace(episode, turns=tuple(turns)), template)


def batches(corpus: Corpus, tokens: int, reading: float, rng: np.random.Generator) -> list[Batch]:
    """One pass over the rows in random order, rows of like length together.

    Args:
        corpus: The rows.
        tokens: Tokens per batch at most, padding included.
        reading: Weight of predicting what the model reads; what it says weighs at least 1.
        rng: The order.

    Returns:
        Functions that make the batches: tokens ``[rows, length]`` (0 where there are none) and the
        weights of predicting them, 0 for the first of each row and for most of what is read.
    """
    order = rng.permutation(len(corpus))
    lengths = np.diff(corpus.starts)
    found: list[list[int]] = []
    for shelf in range(0, len(order), _SHELF):
        ranked = sorted(order[shelf : shelf + _SHELF].tolist(), key=lambda row: lengths[row])
        batch: list[int] = []
        for row in ranked:
            if batch and (len(batch) + 1) * lengths[row] > tokens:
                found.append(batch)
                batch = []
            batch.append(row)
        found.append(batch)
    return [
        partial(_stack, corpus, found[at], reading, int(rng.integers(2**63)))
        for at in rng.permutation(len(found)).tolist()
    ]


def _stack(
    corpus: Corpus, rows: list[int], reading: float, seed: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    rng = np.random.default_rng(seed)
    parts = [corpus.row(row) for row in rows]
    longest = max(len(ids) for ids, _ in parts)
    ids = np.zeros((len(rows), longest), np.int64)
    weights = np.zeros((len(rows), longest), np.float32)
    for at, (row, said) in enumerate(parts):
        ids[at, : len(row)] = row
        kept = (rng.random(len(row) - 1) < _SAMPLED) * (reading / _SAMPLED)
        weights[at, 1 : len(row)] = np.where(said[1:], said[1:], kept)
    return ids, weights
