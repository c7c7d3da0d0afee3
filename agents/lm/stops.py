"""Finds the token that completes a stop string, without decoding at every token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asl_env.agents.lm.template import decode


class StopCheck:
    """Tells whether the newest token of a turn completes a stop string.

    Every vocabulary entry is decoded once; only a token that holds the last character of a stop
    string can complete it, and only then the end of the turn is decoded.

    Args:
        tokenizer: A Hugging Face tokenizer.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._pieces: list[str] | None = None
        self._closing: dict[tuple[str, ...], frozenset[int]] = {}

    def closing(self, stop: tuple[str, ...]) -> frozenset[int]:
        """Returns the tokens that may complete one of the stop strings."""
        known = self._closing.get(stop)
        if known is None:
            last = {one[-1] for one in stop if one}
            # A character may be spread over tokens, and blanks may vanish from a token alone.
            hidden = any(not mark.isascii() or mark.isspace() for mark in last)
            known = frozenset(
                token
                for token, piece in enumerate(self._vocabulary())
                if hidden or any(mark in piece for mark in last)
            )
            self._closing[stop] = known
        return known

    def complete(self, ids: Sequence[int], stop: tuple[str, ...]) -> bool:
        """Whether the last tokens of a turn spell one of the stop strings."""
        longest = max((len(one.encode()) for one in stop), default=0)
        tail = decode(self._tokenizer, ids[-longest - 1 :])
        return any(one in tail for one in stop if one)

    def _vocabulary(self) -> list[str]:
        if self._pieces is None:
            ids = [[token] for token in range(len(self._tokenizer))]
            backend = getattr(self._tokenizer, "backend_tokenizer", None)
            if backend is not None:
                self._pieces = backend.decode_batch(ids, skip_special_tokens=False)
            else:
                self._pieces = [decode(self._tokenizer, one) for one in ids]
        return self._pieces
