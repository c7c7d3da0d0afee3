"""Episodes as rows of tokens with weights, in batches of like length."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from asl_env.agents.lm.record import TokenRecord, record_of
from asl_env.episode import Trajectory, Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asl_env.agents.lm.template import ChatTemplate

#: Rows that are sorted by length together.
_SHELF = 1024
#: Share of the tokens read that predictions are learned from; they weigh the more for it.
_SAMPLED = 0.25


#: Makes tokens and weights of one batch.
Batch = Callable[[], "tuple[NDArray[np.int64], NDArray[np.float32]]"]


@dataclass(frozen=True)
class Corpus:
    """Token rows, one after the other.

    Attributes:
        ids: All tokens (int32).
        said: 1 where the model speaks (uint8).
        starts: Where each row begins, and the end of the last.
    """

    ids: NDArray[np.int32]
    said: NDArray[np.uint8]
    starts: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.starts) - 1

    def row(self, number: int) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
        """Tokens of a row, and where the model speaks."""
        part = slice(self.starts[number], self.starts[number + 1])
        return self.ids[part], self.said[part]


def encode(episodes: Iterable[Trajectory], template: ChatTemplate) -> Corpus:
    """Turns episodes into rows of tokens, exactly as a model that plays them sees and says them."""
    records = [_record(episode, template) for episode in episodes]
    lengths = [len(record.ids) for record in records]
    return Corpus(
        np.concatenate([np.asarray(record.ids, np.int32) for record in records]),
        np.concatenate([np.asarray(record.mask, np.uint8) for record in records]),
        np.cumsum([0, *lengths]),
    )


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
        reading: Weight of predicting what the model reads; what it says weighs 1.
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
        weights[at, 1 : len(row)] = np.where(said[1:], 1.0, kept)
    return ids, weights
