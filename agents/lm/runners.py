"""Two ways to go on with a batch of sequences: with keys and values kept, or anew each time."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Protocol

import numpy as np
import torch

from asl_env.agents.lm.forward import Forward, block, visible
from asl_env.agents.lm.sessions import Ids, Session, SessionStore, shared
from asl_env.agents.lm.static_cache import StaticKV

#: A beginning that new chats have in common is computed on its own if it saves this many tokens.
MIN_STEM = 48


class Runner(Protocol):
    """Runs a batch of sequences, one token at a time.

    Attributes:
        computed: Tokens that went through the model so far, without padding.
    """

    computed: int

    def start(
        self, sequences: list[Ids], keys: Sequence[Hashable | None], columns: int
    ) -> tuple[torch.Tensor, list[int]]:
        """Begins a batch.

        Args:
            sequences: Token ids, one or more each.
            keys: Names of the episodes.
            columns: Length of the longest when all is sampled.

        Returns:
            Logits after each row's sequence, and which of the sequences each row is.
        """
        ...

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends one token to each row and returns the logits after it."""
        ...

    def keep(self, row: int, ids: Ids, key: Hashable) -> None:
        """Keeps what was computed of a row's sequence ``ids`` under a key."""
        ...

    def select(self, rows: list[int]) -> None:
        """Goes on with these rows only, in this order; none moves to a higher place."""
        ...


class WholeRunner:
    """Computes whole sequences at every token, for models whose cache cannot be used.

    Args:
        forward: The model.
        block_tokens: Tokens that are computed at once, padding included.
    """

    def __init__(self, forward: Forward, block_tokens: int) -> None:
        self.computed = 0
        self._forward = forward
        self._block_tokens = block_tokens
        self._sequences: list[Ids] = []

    def start(
        self, sequences: list[Ids], keys: Sequence[Hashable | None], columns: int
    ) -> tuple[torch.Tensor, list[int]]:
        """Begins a batch."""
        self._sequences = list(sequences)
        return self._compute(), list(range(len(sequences)))

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends one token to each row."""
        new = tokens.cpu().numpy()
        self._sequences = [
            np.append(ids, token) for ids, token in zip(self._sequences, new, strict=True)
        ]
        return self._compute()

    def keep(self, row: int, ids: Ids, key: Hashable) -> None:
        """Keeps nothing."""

    def select(self, rows: list[int]) -> None:
        """Goes on with these rows only."""
        self._sequences = [self._sequences[row] for row in rows]

    def _compute(self) -> torch.Tensor:
        self.computed += sum(map(len, self._sequences))
        count = max(1, self._block_tokens // max(map(len, self._sequences)))
        starts = range(0, len(self._sequences), count)
        parts = [self._forward.whole(self._sequences[at : at + count]) for at in starts]
        return torch.cat(parts)


class CachedRunner:
    """Computes only new tokens; keeps keys and values of finished turns in a store.

    Args:
        forward: The model, with a shape.
        cache: Memory for the batch.
        store: Sessions of earlier turns.
        block_tokens: Prompt tokens that are computed at once, padding included.
    """

    def __init__(
        self, forward: Forward, cache: StaticKV, store: SessionStore, block_tokens: int
    ) -> None:
        self.computed = 0
        self._forward = forward
        self._cache = cache
        self._store = store
        self._block_tokens = block_tokens
        self._lengths: list[int] = []
        self._columns = torch.zeros(0, dtype=torch.long)

    def start(
        self, sequences: list[Ids], keys: Sequence[Hashable | None], columns: int
    ) -> tuple[torch.Tensor, list[int]]:
        """Begins a batch: loads what is known, computes the rest, equal sequences only once."""
        self._plant_stem(sequences, keys)
        found = [self._store.find(key, ids) for key, ids in zip(keys, sequences, strict=True)]
        # Without logits there is nothing to go on with, so the last token is always computed.
        known = [min(n, len(ids) - 1) for (_, n), ids in zip(found, sequences, strict=True)]
        leaders, followers = _leaders(sequences, known)
        self._cache.open(len(sequences), columns)
        for row, index in enumerate(leaders):
            session = found[index][0]
            if session is not None:
                self._cache.load(row, session.kv, known[index])
        logits = self._compute(
            [sequences[index] for index in leaders], [known[index] for index in leaders]
        )
        if followers:
            row_of = {sequences[index].tobytes(): row for row, index in enumerate(leaders)}
            sources = [row_of[sequences[index].tobytes()] for index in followers]
            for row, source in enumerate(sources, len(leaders)):
                self._cache.move(source, row, len(sequences[leaders[source]]))
            logits = logits[[*range(len(leaders)), *sources]]
        order = leaders + followers
        self._lengths = [len(sequences[index]) for index in order]
        self._columns = torch.tensor(self._lengths, device=self._forward.device)
        return logits, order

    def step(self, tokens: torch.Tensor) -> torch.Tensor:
        """Appends one token to each row."""
        self.computed += len(self._lengths)
        width = max(self._lengths) + 1
        columns = self._columns[:, None]
        self._cache.aim_step(len(self._lengths), self._columns, width)
        mask = visible(columns, width, self._cache.shape.dtype)
        logits = self._forward.cached(tokens[:, None], columns, mask, self._cache)
        self._columns = self._columns + 1
        self._lengths = [length + 1 for length in self._lengths]
        return logits

    def keep(self, row: int, ids: Ids, key: Hashable) -> None:
        """Keeps keys and values; the newest token's are not computed yet."""
        length = self._lengths[row]
        self._store.put(key, Session(ids[:length], self._cache.save(row, length)))

    def select(self, rows: list[int]) -> None:
        """Goes on with these rows only: those from the end fill the gaps."""
        for target, source in enumerate(rows):
            if target != source:
                self._cache.move(source, target, self._lengths[source])
        self._lengths = [self._lengths[row] for row in rows]
        self._columns = self._columns[torch.tensor(rows, device=self._columns.device)]

    def _compute(self, sequences: list[Ids], known: list[int]) -> torch.Tensor:
        """Computes what is not known of the first rows, which are sorted by how much that is."""
        parts: list[torch.Tensor] = []
        new = [ids[n:] for ids, n in zip(sequences, known, strict=True)]
        self.computed += sum(map(len, new))
        first = 0
        while first < len(new):
            last = first + 1
            while last < len(new) and (last + 1 - first) * len(new[last]) <= self._block_tokens:
                last += 1
            starts = known[first:last]
            if last == first + 1:  # one long row is computed piece by piece
                ids = new[first]
                while len(ids) > self._block_tokens:
                    piece, ids = ids[: self._block_tokens], ids[self._block_tokens :]
                    block(self._forward, self._cache, first, [piece], starts)
                    starts = [starts[0] + len(piece)]
                parts.append(block(self._forward, self._cache, first, [ids], starts))
            else:
                parts.append(block(self._forward, self._cache, first, new[first:last], starts))
            first = last
        return torch.cat(parts)

    def _plant_stem(self, sequences: list[Ids], keys: Sequence[Hashable | None]) -> None:
        """Computes once what new chats have in common (a system prompt), if nobody knows it."""
        distinct = {ids.tobytes(): (key, ids) for key, ids in zip(keys, sequences, strict=True)}
        groups: dict[bytes, list[Ids]] = {}
        for key, ids in distinct.values():
            known = self._store.find(key, ids)[1]
            if len(ids) - known >= MIN_STEM:
                groups.setdefault(ids[: known + MIN_STEM].tobytes(), []).append(ids)
        for group in groups.values():
            if len(group) < 2:
                continue
            stem = group[0]
            for ids in group[1:]:
                stem = stem[: shared(stem, ids)]
            if len(stem) * self._cache.shape.token_bytes > self._store.budget:
                continue  # it could not be kept
            session, known = self._store.find(None, stem)
            known = min(known, len(stem) - 1)
            self._cache.open(1, len(stem))
            if session is not None:
                self._cache.load(0, session.kv, known)
            self._compute([stem], [known])
            self._store.put_stem(Session(stem, self._cache.save(0, len(stem))))


def _leaders(sequences: list[Ids], known: list[int]) -> tuple[list[int], list[int]]:
    """Picks one of each set of equal sequences, the one of which most is known.

    Returns:
        Their indices, by the number of tokens not known; and the indices of all others.
    """
    leaders: dict[bytes, int] = {}
    for index, ids in enumerate(sequences):
        best = leaders.setdefault(ids.tobytes(), index)
        if known[index] > known[best]:
            leaders[ids.tobytes()] = index
    order = sorted(leaders.values(), key=lambda index: len(sequences[index]) - known[index])
    return order, sorted(set(range(len(sequences))) - set(order))
