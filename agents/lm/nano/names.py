"""Words that look like names: what freshly named worlds call their things."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from numpy.random import Generator

_ORDER = 3
_LONGEST = 12
_END = "\n"


class NameMaker:
    """A character model of order 3 over real words; it writes words like them.

    Args:
        words: Real words; their capitals are learned too.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self._words = sorted(set(words))
        followers: defaultdict[str, list[str]] = defaultdict(list)
        for word in self._words:
            padded = " " * _ORDER + word + _END
            for at in range(_ORDER, len(padded)):
                followers[padded[at - _ORDER : at]].append(padded[at])
        self._followers = {key: "".join(letters) for key, letters in followers.items()}

    def invented(self, rng: Generator) -> str:
        """A word that need not exist."""
        while True:
            text = " " * _ORDER
            while len(text) < _ORDER + _LONGEST:
                letters = self._followers[text[-_ORDER:]]
                letter = letters[int(rng.random() * len(letters))]
                if letter == _END:
                    break
                text += letter
            if len(text) > _ORDER + 2:
                return text[_ORDER:]

    def borrowed(self, rng: Generator) -> str:
        """A real word."""
        return self._words[int(rng.random() * len(self._words))]
