"""An index of one-slot patterns: all that match a string are found by a few dictionary look-ups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from asl_env.corpora.miniwiki.reading import canonical

SLOT = "{x}"

T = TypeVar("T")


class _Tails(Generic[T]):
    """The tails that may follow one head, and what they stand for."""

    def __init__(self) -> None:
        self.rules: dict[str, list[T]] = {}
        self.lengths: list[int] = []

    def add(self, tail: str, rule: T) -> None:
        rules = self.rules.setdefault(tail, [])
        if rule not in rules:
            rules.append(rule)
        if len(tail) not in self.lengths:
            self.lengths.append(len(tail))


class PatternIndex(Generic[T]):
    """Patterns ``head {x} tail`` with a rule each.

    Matching slices the string at the lengths of known heads and tails and looks the slices up, so
    it costs the same whatever the string says: there is no backtracking to attack.
    """

    def __init__(self) -> None:
        self._heads: dict[str, _Tails[T]] = {}
        self._lengths: list[int] = []

    def add(self, text: str, rule: T) -> None:
        """Adds a pattern.

        Args:
            text: The pattern, with one ``{x}``; it is canonicalised here.
            rule: What a match means.
        """
        head, tail = canonical(text).split(SLOT)
        self._heads.setdefault(head, _Tails()).add(tail, rule)
        if len(head) not in self._lengths:
            self._lengths.append(len(head))

    def match(self, text: str) -> Iterator[tuple[T, str]]:
        """Finds every pattern that fits a canonical string.

        Args:
            text: A canonical string.

        Yields:
            The rule and what stands in the slot (never empty).
        """
        for length in self._lengths:
            tails = self._heads.get(text[:length])
            if tails is None or length >= len(text):
                continue
            for tail_length in tails.lengths:
                end = len(text) - tail_length
                if end <= length:
                    continue
                for rule in tails.rules.get(text[end:], ()):
                    yield rule, text[length:end]
