"""Questions that read alike: BLEU distance and DBSCAN, as in R-Zero's repetition penalty."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Sequence

#: Questions at most this far apart (1 − BLEU) read alike (τ in ASL's version of R-Zero).
EPSILON = 0.3

_WORD = re.compile(r"\w+|[^\w\s]")
_MAX_ORDER = 4

_Grams = list[Counter[tuple[str, ...]]]


def bleu(candidate: str, reference: str) -> float:
    """Sentence BLEU (Papineni et al. 2002) over lower-case words, in [0, 1].

    N-grams up to four words, or as long as the candidate is; a precision of zero counts as half
    a match, so that short questions differ gradually; brevity penalty as published.

    Args:
        candidate: A text.
        reference: The text it is compared with.
    """
    return _bleu(_grams(candidate), _grams(reference))


def cluster_shares(questions: Sequence[str], epsilon: float = EPSILON) -> list[float]:
    """Returns for each question the share of the batch that is in its cluster, itself included.

    Clusters are DBSCAN's (eps ``epsilon``, 2 samples, noise as clusters of one) over the distance
    1 − BLEU, the mean of both directions. In a batch of one nothing can be repeated: ``[0.0]``.

    Args:
        questions: The questions of a batch.
        epsilon: Largest distance of neighbours.
    """
    if len(questions) < 2:
        return [0.0] * len(questions)
    return [size / len(questions) for size in cluster_sizes(questions, epsilon)]


def cluster_sizes(questions: Sequence[str], epsilon: float = EPSILON) -> list[int]:
    """Returns for each question how many are in its cluster, itself included.

    Args:
        questions: The questions that are compared.
        epsilon: Largest distance of neighbours.
    """
    grams = [_grams(question) for question in questions]

    def distance(i: int, j: int) -> float:
        if questions[i] == questions[j]:
            return 0.0
        return 1.0 - (_bleu(grams[i], grams[j]) + _bleu(grams[j], grams[i])) / 2.0

    clusters = dbscan(len(questions), distance, epsilon)
    sizes = Counter(clusters)
    return [sizes[cluster] for cluster in clusters]


def dbscan(count: int, distance: Callable[[int, int], float], epsilon: float) -> list[int]:
    """DBSCAN with two samples per core point, noise points as clusters of one.

    With two samples every point that has a neighbour is a core point, so the clusters are the
    connected components of the neighbour graph.

    Args:
        count: Number of points.
        distance: Symmetric distance of two points by index.
        epsilon: Largest distance of neighbours, inclusive.

    Returns:
        For each point the smallest index in its cluster.
    """
    parent = list(range(count))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in range(count):
        for j in range(i + 1, count):
            low, high = sorted((root(i), root(j)))
            if low != high and distance(i, j) <= epsilon:
                parent[high] = low
    return [root(i) for i in range(count)]


def _grams(text: str) -> _Grams:
    words = _WORD.findall(text.lower())
    orders = range(1, min(_MAX_ORDER, max(1, len(words))) + 1)
    return [
        Counter(tuple(words[i : i + order]) for i in range(len(words) - order + 1))
        for order in orders
    ]


def _bleu(candidate: _Grams, reference: _Grams) -> float:
    length, wanted = candidate[0].total(), reference[0].total()
    if not length or not wanted:
        return 0.0
    logs = 0.0
    for order, grams in enumerate(candidate):
        theirs = reference[order] if order < len(reference) else Counter()
        matches = sum(min(count, theirs[gram]) for gram, count in grams.items() if gram in theirs)
        if not matches and order == 0:
            return 0.0
        logs += math.log(max(matches, 0.5) / grams.total())
    brevity = min(0.0, 1.0 - wanted / length)
    return math.exp(brevity + logs / len(candidate))
