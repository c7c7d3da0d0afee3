"""From one effect per seed to a verdict: reproduced, not reproduced or undecided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Verdict = Literal["reproduced", "not reproduced", "undecided", "no data"]

#: Bootstrap samples, and the coverage of the interval. Five seeds have only 126 different samples.
RESAMPLES, LEVEL = 10_000, 0.95
#: An interval over fewer seeds than this says nothing.
FEWEST = 3
_SEED = 20_251


@dataclass(frozen=True)
class Finding:
    """What the seeds say about an effect.

    Attributes:
        effect: Interquartile mean over seeds.
        low: Lower end of the 95 % stratified bootstrap interval.
        high: Upper end.
        seeds: Number of seeds.
        positive: Seeds on which the effect is above 0.
        verdict: See ``decide``.
    """

    effect: float
    low: float
    high: float
    seeds: int
    positive: int
    verdict: Verdict

    def __str__(self) -> str:
        if not self.seeds:
            return "–"
        return f"{self.effect:+.3f} [{self.low:+.3f}, {self.high:+.3f}]"


def decide(effect: float, low: float, high: float, smallest: float) -> Verdict:
    """The rule that was fixed before anything was run.

    Args:
        effect: Interquartile mean of the effect.
        low: Lower end of its interval.
        high: Upper end.
        smallest: The smallest effect that counts.

    Returns:
        ``reproduced`` if the effect counts and the interval is above 0; ``not reproduced`` if the
        whole interval is below the smallest effect that counts; else ``undecided``.
    """
    if effect >= smallest and low > 0.0:
        return "reproduced"
    return "not reproduced" if high < smallest else "undecided"


def find(values: Sequence[float], smallest: float) -> Finding:
    """Judges an effect.

    The interquartile mean (the mean of the middle half) and its stratified bootstrap interval are
    those of Agarwal et al. 2021 (arXiv:2108.13264). Values are differences within a seed, and the
    evaluation sets of a seed come from one run, so there is one stratum: only seeds are drawn.

    Args:
        values: The effect on each seed.
        smallest: The smallest effect that counts.

    Returns:
        The finding; undecided for fewer than three seeds.
    """
    sample = np.asarray(values, dtype=np.float64)
    if not len(sample):
        return Finding(np.nan, np.nan, np.nan, 0, 0, "no data")
    point, low, high = (float(ends[0]) for ends in interquartile_means(sample[:, None]))
    seeds = len(sample)
    verdict = decide(point, low, high, smallest) if seeds >= FEWEST else "undecided"
    return Finding(point, low, high, seeds, int((sample > 0).sum()), verdict)


def interquartile_means(scores: Any) -> tuple[Floats, Floats, Floats]:
    """Interquartile means over runs with their stratified bootstrap percentile intervals.

    Args:
        scores: Array ``[runs, n]``: n numbers of each run, which are drawn together.

    Returns:
        The n means, and the lower and upper ends of their 95 % intervals.
    """
    runs = np.asarray(scores, dtype=np.float64)
    drawn = np.random.default_rng(_SEED).integers(len(runs), size=(RESAMPLES, len(runs)))
    low, high = np.percentile(_middle(runs[drawn], 1), [50 - 50 * LEVEL, 50 + 50 * LEVEL], axis=0)
    return _middle(runs, 0), low, high


def _middle(values: Floats, axis: int) -> Floats:
    """Mean without the lowest and the highest quarter, each rounded down (rliable's IQM)."""
    count = values.shape[axis]
    kept = range(count // 4, count - count // 4)
    mean: Floats = np.sort(values, axis=axis).take(kept, axis=axis).mean(axis=axis)
    return mean


def together(findings: Sequence[Finding]) -> Verdict:
    """The verdict on a claim from those of the comparisons that decide it.

    Returns:
        ``reproduced`` if all are; ``not reproduced`` if one is not; ``no data`` if one has none;
        else ``undecided``.
    """
    worst_first: tuple[Verdict, ...] = ("no data", "not reproduced", "undecided")
    found = {finding.verdict for finding in findings}
    return next((verdict for verdict in worst_first if verdict in found), "reproduced")
