"""Keys and values of earlier turns, kept so that only new tokens are computed."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

Ids = NDArray[np.int64]

#: Beginnings that are kept for chats not seen before (system prompts, in practice).
MAX_STEMS = 32


class Session(NamedTuple):
    """A computed sequence: its ids, and keys and values ``[layers, 2, heads, tokens, width]``."""

    ids: Ids
    kv: torch.Tensor

    @property
    def size(self) -> int:
        """Bytes of keys and values."""
        return self.kv.numel() * self.kv.element_size()


class SessionStore:
    """Sessions by episode, and common beginnings; the longest unused goes when memory is short.

    Args:
        budget: Bytes of keys and values at most.

    Attributes:
        budget: The same.
        used: Bytes now held.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._sessions: OrderedDict[Hashable, Session] = OrderedDict()
        self._stems: OrderedDict[Hashable, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def find(self, key: Hashable | None, ids: Ids) -> tuple[Session | None, int]:
        """Finds the longest known beginning of a sequence.

        Args:
            key: The episode's.
            ids: The whole sequence.

        Returns:
            A session, and how many of its first tokens are those of ``ids``.
        """
        best: Session | None = None
        longest = 0
        session = None if key is None else self._sessions.get(key)
        if session is not None:
            self._sessions.move_to_end(key)
            best, longest = session, shared(session.ids, ids)
        if longest and session is not None and longest == len(session.ids):
            return best, longest
        found: Hashable = None
        for name, stem in self._stems.items():
            length = shared(stem.ids, ids)
            if length > longest:
                best, longest, found = stem, length, name
        if found is not None:
            self._stems.move_to_end(found)
        return best, longest

    def put(self, key: Hashable, session: Session) -> None:
        """Keeps the session of an episode in place of its earlier one."""
        self._drop(self._sessions, key)
        self._make_room(session.size)
        if session.size <= self.budget:
            self._sessions[key] = session
            self.used += session.size

    def put_stem(self, session: Session) -> None:
        """Keeps a beginning that several chats have in common."""
        key = session.ids.tobytes()
        self._drop(self._stems, key)
        if len(self._stems) >= MAX_STEMS:
            self._drop(self._stems, next(iter(self._stems)))
        self._make_room(session.size)
        if session.size <= self.budget:
            self._stems[key] = session
            self.used += session.size

    def clear(self) -> None:
        """Drops everything."""
        self._sessions.clear()
        self._stems.clear()
        self.used = 0

    def _make_room(self, size: int) -> None:
        for kept in (self._sessions, self._stems):
            while kept and self.used + size > self.budget:
                self._drop(kept, next(iter(kept)))

    def _drop(self, kept: OrderedDict[Hashable, Session], key: Hashable) -> None:
        session = kept.pop(key, None)
        if session is not None:
            self.used -= session.size


def shared(one: Ids, other: Ids) -> int:
    """Returns the length of the common beginning of two sequences."""
    length = min(len(one), len(other))
    different = one[:length] != other[:length]
    first = int(different.argmax()) if length else 0
    return first if length and different[first] else length
