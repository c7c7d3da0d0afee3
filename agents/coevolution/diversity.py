"""How different and how hard self-made questions are. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from asl_env.agents.coevolution.filters import ngrams
from asl_env.text import normalize


def distinct_ngrams(texts: Sequence[str], size: int = 2) -> float:
    """Distinct-n (Li et al. 2016): different n-grams per n-gram over all texts.

    Returns:
        A share in (0, 1]; NaN if no text has ``size`` words.
    """
    grams = []
    for text in texts:
        words = normalize(text).split()
        grams += list(zip(*(words[i:] for i in range(size)), strict=False))
    return len(set(grams)) / len(grams) if grams else math.nan


def mean_distance(texts: Sequence[str], limit: int = 60) -> float:
    """Mean Jaccard distance of the word sets of all pairs among the first ``limit`` texts.

    Returns:
        0 for equal texts, 1 for texts without a common word; NaN for fewer than two texts.
    """
    bags = [set(ngrams(normalize(text), 1)) for text in texts[:limit]]
    distances = [
        1.0 - len(one & other) / len(one | other) if one | other else 0.0
        for one, other in combinations(bags, 2)
    ]
    return math.fsum(distances) / len(distances) if distances else math.nan
