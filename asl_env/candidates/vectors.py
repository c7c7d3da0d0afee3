"""Sense vectors: what a sentence or question says, apart from whom it says it about."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asl_env.candidates.reading import content_words
from asl_env.protocols import Encoder

#: Leading dimensions kept: the static table is trained so that a prefix is an embedding itself.
DIMENSIONS = 48


class SenseVectors:
    """Means of the vectors of lower-case content words, remembered per word and per text.

    Names are left out: two sentences that state the same relation of different things should be
    near each other, and what they are about is compared by other features.

    Every distinct word is encoded once, which with a static table costs nothing in quality.

    Args:
        encoder: Source of word vectors; the offline static table by default, loaded at first use.
        size: Number of texts remembered; the memory is emptied when it is full.
    """

    def __init__(self, encoder: Encoder | None = None, size: int = 200_000) -> None:
        self._encoder = encoder
        self._size = size
        self._words: dict[str, NDArray[np.float32]] = {}
        self._texts: dict[str, NDArray[np.float32]] = {}

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Returns unit rows ``[len(texts), DIMENSIONS]``; zero for a text without content."""
        missing = [t for t in dict.fromkeys(texts) if t not in self._texts]
        if len(self._texts) + len(missing) > self._size:
            self._texts.clear()
            missing = list(dict.fromkeys(texts))
        if missing:
            split = [[w for w in content_words(text) if w[0].islower()] for text in missing]
            self._learn({word for row in split for word in row})
            for text, row in zip(missing, split, strict=True):
                self._texts[text] = self._mean(row)
        if not texts:
            return np.zeros((0, DIMENSIONS), np.float32)
        return np.stack([self._texts[t] for t in texts])

    def _mean(self, row: Sequence[str]) -> NDArray[np.float32]:
        total = np.zeros(DIMENSIONS, np.float32)
        for word in row:
            total += self._words[word]
        norm = float(np.sqrt(total @ total))
        return total / norm if norm > 0 else total

    def _learn(self, wanted: set[str]) -> None:
        new = sorted(wanted - self._words.keys())
        if not new:
            return
        if self._encoder is None:
            from asl_env.retrieval.encoders import StaticEncoder

            self._encoder = StaticEncoder()
        encoded = np.asarray(self._encoder.encode(new, "passage"), np.float32)[:, :DIMENSIONS]
        vectors = np.zeros((len(new), DIMENSIONS), np.float32)
        vectors[:, : encoded.shape[1]] = encoded  # an encoder may have fewer dimensions
        self._words.update(zip(new, vectors, strict=True))
