"""Intervals and paired comparisons for means over questions; seeded, so that reports repeat.

A bootstrap sample of n values is a draw of counts for the distinct values, with multinomial
probabilities (Efron & Tibshirani 1993, chapter 13: the percentile interval). Drawing counts in
place of values gives the same distribution and is fast, since scores take few distinct values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import NDArray

RESAMPLES = 10_000
LEVEL = 0.95
#: So many different sums of sign patterns are listed for an exact p-value.
EXACT_SUMS = 100_000

#: Equal sums may differ in the last bits, as they are added up in another order.
_TINY = 1e-9

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A mean with its bootstrap percentile interval.

    Attributes:
        mean: Mean over the questions; NaN never occurs, an empty sample has no estimate.
        low: Lower end of the 95 % interval.
        high: Upper end.
        n: Number of questions.
    """

    mean: float
    low: float
    high: float
    n: int

    def to_json(self) -> dict[str, float]:
        """Returns the four numbers by name."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


@dataclass(frozen=True)
class Difference(Estimate):
    """Mean of paired differences (second minus first) with its interval and a p-value.

    Attributes:
        p_value: Two-sided sign-flip permutation test of "no difference": exact where the sums of
            all sign patterns can be listed (for scores of 0 and 1 always: it is then the exact
            test of McNemar), otherwise from random flips.
    """

    p_value: float


def bootstrap_mean(
    values: Sequence[float] | Floats,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Estimate:
    """Estimates the mean of independent values with a bootstrap percentile interval.

    Args:
        values: One number per question, shape ``[n]``; n must be at least 1.
        seed: Of the resampling.
        resamples: Number of bootstrap samples.
        level: Coverage of the interval.

    Raises:
        ValueError: If there are no values.
    """
    sample = _sample(values)
    means = _bootstrap_means(sample, np.random.default_rng(seed), resamples)
    low, high = _percentiles(means, level)
    return Estimate(float(sample.mean()), low, high, len(sample))


def paired_difference(
    first: Sequence[float] | Floats,
    second: Sequence[float] | Floats,
    *,
    seed: int = 0,
    resamples: int = RESAMPLES,
    level: float = LEVEL,
) -> Difference:
    """Compares two runs on the same questions.

    Args:
        first: Scores of the first run, shape ``[n]``.
        second: Scores of the second run on the same questions in the same order.
        seed: Of the resampling.
        resamples: Number of bootstrap samples, and of permutations.
        level: Coverage of the interval.

    Returns:
        The mean of ``second - first``. The p-value is the share of sign patterns whose mean is at
        least as far from 0; where there are too many different sums to list (``EXACT_SUMS``), it
        is (1 + number of such among random flips) / (1 + resamples).

    Raises:
        ValueError: If there are no values, or not equally many.
    """
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} values are not pairs")
    differences = _sample(second) - _sample(first)
    rng = np.random.default_rng(seed)
    low, high = _percentiles(_bootstrap_means(differences, rng, resamples), level)
    p_value = _sign_flip_p(differences, rng, resamples)
    return Difference(float(differences.mean()), low, high, len(differences), p_value)


def _sample(values: Sequence[float] | Floats) -> Floats:
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or not len(sample):
        raise ValueError("at least one value is needed")
    return sample


def _bootstrap_means(sample: Floats, rng: np.random.Generator, resamples: int) -> Floats:
    distinct, counts = np.unique(sample, return_counts=True)
    drawn = rng.multinomial(len(sample), counts / len(sample), size=resamples)
    means: Floats = drawn @ distinct / len(sample)
    return means


def _sign_flip_p(differences: Floats, rng: np.random.Generator, resamples: int) -> float:
    moved = np.abs(differences[differences != 0])
    sizes, counts = np.unique(moved, return_counts=True)
    if np.prod(counts + 1.0) <= EXACT_SUMS:
        return _exact_p(sizes, counts, abs(float(differences.sum())))
    positive = rng.binomial(counts, 0.5, size=(resamples, len(counts)))
    sums = np.abs((2 * positive - counts) @ sizes)
    observed = abs(differences.sum()) - _TINY
    return float((1 + np.count_nonzero(sums >= observed)) / (1 + resamples))


def _exact_p(sizes: Floats, counts: NDArray[np.int64], observed: float) -> float:
    """Share of all sign patterns whose sum is as far from 0: sums with their probabilities."""
    sums, chances = np.zeros(1), np.ones(1)
    for size, count in zip(sizes, counts, strict=True):
        steps = (2 * np.arange(count + 1) - count) * size
        sums = (sums[:, None] + steps).ravel()
        chances = (chances[:, None] * _half_binomial(int(count))).ravel()
    p_value = float(chances[np.abs(sums) >= observed - _TINY].sum())
    # A probability below the smallest float is still none of 0.
    return min(1.0, max(p_value, float(np.finfo(np.float64).tiny)))


def _half_binomial(count: int) -> Floats:
    """Probabilities of 0 to ``count`` heads; by logarithms, which do not overflow."""
    logs = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    chances: Floats = np.exp(logs[-1] - logs - logs[::-1] - count * np.log(2.0))
    return chances


def _percentiles(means: Floats, level: float) -> tuple[float, float]:
    tail = 50 * (1 - level)
    low, high = np.percentile(means, [tail, 100 - tail])
    return float(low), float(high)
