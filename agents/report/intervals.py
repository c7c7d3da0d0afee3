"""Intervals of what a run measures, from the counts that its metrics keep."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from asl_env.agents.report.logs import get
from asl_env.evaluation.statistics import Estimate, bootstrap_mean

_Z = 1.959963984540054  # the 97.5 % quantile of the normal distribution


def wilson(share: float | None, n: float | None) -> Estimate | None:
    """The 95 % score interval of a share (Wilson 1927).

    Unlike a bootstrap it has a width at 0 and at 1, where untrained agents and strict judges are.

    Args:
        share: Observed share, in [0, 1].
        n: Number of questions.

    Returns:
        ``None`` where there is nothing to estimate.
    """
    if not isinstance(share, int | float) or not math.isfinite(share) or not n or n < 0:
        return None
    spread = 1.0 + _Z**2 / n
    middle = (share + _Z**2 / (2 * n)) / spread
    half = _Z * math.sqrt(max(0.0, share * (1 - share)) / n + _Z**2 / (4 * n**2)) / spread
    return Estimate(float(share), max(0.0, middle - half), min(1.0, middle + half), int(n))


def true_accuracy(metrics: Mapping[str, Any]) -> Estimate | None:
    """Share of held-out questions that the policy answers right."""
    return wilson(get(metrics, "policy.true"), get(metrics, "policy.n"))


def judged_accuracy(metrics: Mapping[str, Any]) -> Estimate | None:
    """Share that the judge calls right, of the questions with a verdict or without an answer."""
    n = get(metrics, "policy.n")
    invalid = get(metrics, "grm_on_policy.matrix.invalid") or 0
    return wilson(get(metrics, "policy.judged"), None if n is None else n - invalid)


def gap(metrics: Mapping[str, Any]) -> Estimate | None:
    """Judged minus true accuracy, with the bootstrap interval of the paired difference.

    The judge and the truth differ on false accepts (+1) and false rejects (-1), which the metrics
    count; on all other questions the difference is 0.
    """
    judged, true = get(metrics, "policy.judged"), get(metrics, "policy.true")
    if judged is None or true is None:
        return None
    value, n = float(judged) - float(true), get(metrics, "policy.n") or 0
    matrix = get(metrics, "grm_on_policy.matrix")
    over, under = (int(get(matrix or {}, name) or 0) for name in ("false_accept", "false_reject"))
    if not matrix or over + under > n:
        return Estimate(value, value, value, int(n))
    found = bootstrap_mean([1.0] * over + [-1.0] * under + [0.0] * (int(n) - over - under))
    return Estimate(value, value + found.low - found.mean, value + found.high - found.mean, int(n))


def grm_accuracy(metrics: Mapping[str, Any], seat: str) -> Estimate | None:
    """Share of right verdicts; ``seat`` is ``grm`` or ``grm_on_policy``."""
    return wilson(get(metrics, f"{seat}.accuracy"), _cells(metrics, seat, *CELLS))


def false_accepts(metrics: Mapping[str, Any], seat: str) -> Estimate | None:
    """Share of wrong answers that are called correct; ``seat`` as in ``grm_accuracy``."""
    wrong = _cells(metrics, seat, "false_accept", "true_reject", "invalid")
    right = _cells(metrics, seat, "invalid_right")
    return wilson(get(metrics, f"{seat}.false_accept"), wrong - right)


def of_oracle(metrics: Mapping[str, Any], name: str) -> Estimate | None:
    """A share of the self-made tasks that the oracle was asked about."""
    return wilson(get(metrics, f"tasks.oracle.{name}"), get(metrics, "tasks.oracle.asked"))


#: Cells of the matrix of a GRM's verdicts.
CELLS = ("true_accept", "false_accept", "true_reject", "false_reject", "invalid")


def _cells(metrics: Mapping[str, Any], seat: str, *names: str) -> float:
    return math.fsum(get(metrics, f"{seat}.matrix.{name}") or 0 for name in names)
