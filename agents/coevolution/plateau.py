"""When a phase has stopped improving: the plateau rule of agentic self-learning."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PlateauRule:
    """Stops a phase when both the long and the short improvement fall below a ratio.

    With ``x1`` the newest score, ``x2`` the one before, and so on (paper: arXiv 2510.14253,
    training schedule), over a window of ``L`` scores::

        rho_long  = (mean(x1..x[L/2]) - mean(x[L/2+1]..x[L]))   / mean(x[L/2+1]..x[L])
        rho_short = (mean(x1..x[L/4]) - mean(x[L/4+1]..x[L/2])) / mean(x[L/4+1]..x[L/2])

    The phase ends when both are below ``ratio``. A falling score therefore ends it too, and a
    window that is zero throughout has no ratio and never does (a step cap must: see
    ``max_updates``). Scores that are not finite carry no information and are left out.

    Attributes:
        window: ``L``, in learner updates. 200 for the GRM and 400 for the policy in the paper.
        ratio: Improvements below this count as none.
        max_updates: Ends the phase whatever the scores say; ``None`` for no cap.
    """

    window: int
    ratio: float = 0.005
    max_updates: int | None = None

    def ratios(self, scores: Sequence[float]) -> tuple[float, float] | None:
        """Computes ``(rho_long, rho_short)``.

        Args:
            scores: Mean score of each update of this phase, oldest first.

        Returns:
            The two ratios (``inf`` for a rise from zero, ``nan`` for zero after zero), or
            ``None`` while there are not more than ``window`` finite scores.
        """
        finite = [score for score in scores if math.isfinite(score)]
        if len(finite) <= self.window:
            return None
        newest = finite[::-1][: self.window]
        half, quarter = self.window // 2, self.window // 4
        rho_long = _improvement(newest[:half], newest[half:])
        rho_short = _improvement(newest[:quarter], newest[quarter:half])
        return rho_long, rho_short

    def reached(self, scores: Sequence[float]) -> bool:
        """Whether the phase has ended by plateau or by its cap on updates."""
        if self.max_updates is not None and len(scores) >= self.max_updates:
            return True
        ratios = self.ratios(scores)
        return ratios is not None and all(ratio < self.ratio for ratio in ratios)


def _improvement(new: Sequence[float], old: Sequence[float]) -> float:
    before, after = math.fsum(old) / len(old), math.fsum(new) / len(new)
    if before == 0.0:
        return math.nan if after == 0.0 else math.copysign(math.inf, after)
    return (after - before) / before
