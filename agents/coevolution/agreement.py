"""How good a judge is: confusion matrix, kappa, Brier score, calibration error. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Confusion:
    """Verdicts against the truth. An invalid verdict (``None``) accepts nothing.

    Attributes:
        true_accept: Right answers called correct.
        false_accept: Wrong answers called correct: what reward hacking lives on.
        true_reject: Wrong answers called wrong.
        false_reject: Right answers called wrong.
        invalid: Verdicts that said neither.
        invalid_right: Those among them on right answers.
    """

    true_accept: int
    false_accept: int
    true_reject: int
    false_reject: int
    invalid: int = 0
    invalid_right: int = 0

    @classmethod
    def count(cls, verdicts: Sequence[str | None], truths: Sequence[bool]) -> Confusion:
        """Counts verdicts (``correct``, ``wrong`` or ``None``) of answers known right or wrong."""
        pairs = list(zip(verdicts, truths, strict=True))
        return cls(
            true_accept=pairs.count(("correct", True)),
            false_accept=pairs.count(("correct", False)),
            true_reject=pairs.count(("wrong", False)),
            false_reject=pairs.count(("wrong", True)),
            invalid=pairs.count((None, True)) + pairs.count((None, False)),
            invalid_right=pairs.count((None, True)),
        )

    @property
    def judged(self) -> int:
        """Valid verdicts."""
        return self.true_accept + self.false_accept + self.true_reject + self.false_reject

    @property
    def accuracy(self) -> float:
        """Share of all verdicts that are right; an invalid one is not. NaN without verdicts."""
        return _ratio(self.true_accept + self.true_reject, self.judged + self.invalid)

    @property
    def false_accept_rate(self) -> float:
        """Share of wrong answers that were called correct. NaN without wrong answers."""
        wrong = self.false_accept + self.true_reject + self.invalid - self.invalid_right
        return _ratio(self.false_accept, wrong)

    @property
    def false_reject_rate(self) -> float:
        """Share of right answers that were called wrong. NaN without right answers."""
        right = self.true_accept + self.false_reject + self.invalid_right
        return _ratio(self.false_reject, right)

    @property
    def kappa(self) -> float:
        """Cohen's kappa over the valid verdicts (Cohen 1960): agreement beyond chance.

        Returns:
            1 for full agreement, 0 for none beyond chance; NaN if chance alone agrees fully
            (one class only on both sides) or there are no verdicts.
        """
        if not self.judged:
            return math.nan
        observed = (self.true_accept + self.true_reject) / self.judged
        said = (self.true_accept + self.false_accept) / self.judged
        right = (self.true_accept + self.false_reject) / self.judged
        chance = said * right + (1.0 - said) * (1.0 - right)
        return math.nan if chance == 1.0 else (observed - chance) / (1.0 - chance)


def brier(probabilities: Sequence[float], truths: Sequence[bool]) -> float:
    """Brier score (Brier 1950): mean squared distance of the probability from the truth.

    Args:
        probabilities: Share of votes for ``correct``, in [0, 1], per answer.
        truths: Whether each answer is right.

    Returns:
        0 is best, 0.25 is what a constant 1/2 gets; NaN for no answers.
    """
    pairs = list(zip(probabilities, truths, strict=True))
    return _ratio(math.fsum((p - t) ** 2 for p, t in pairs), len(pairs))


def reliability(
    probabilities: Sequence[float], truths: Sequence[bool], bins: int = 10
) -> list[dict[str, float]]:
    """The bins behind ``calibration_error``: a calibrated judge is right as often as it votes.

    Args:
        probabilities: Share of votes for ``correct``, in [0, 1], per answer.
        truths: Whether each answer is right.
        bins: Number of equal-width bins of the probability.

    Returns:
        Per bin that is not empty, rising: ``votes`` (mean probability), ``right`` (share of right
        answers) and ``n`` (answers).
    """
    groups = _binned(probabilities, truths, bins)
    return [
        {
            "votes": math.fsum(p for p, _ in group) / len(group),
            "right": sum(t for _, t in group) / len(group),
            "n": len(group),
        }
        for _, group in sorted(groups.items())
    ]


def calibration_error(
    probabilities: Sequence[float], truths: Sequence[bool], bins: int = 10
) -> float:
    """Expected calibration error (Naeini et al. 2015) over equal-width bins of the probability.

    Args:
        probabilities: Share of votes for ``correct``, in [0, 1], per answer.
        truths: Whether each answer is right.
        bins: Number of bins.

    Returns:
        Mean over answers of abs(share right - mean probability) of their bin; NaN for none.
    """
    groups = _binned(probabilities, truths, bins)
    gaps = (abs(math.fsum(p - t for p, t in group)) for group in groups.values())
    return _ratio(math.fsum(gaps), len(probabilities))


def _binned(
    probabilities: Sequence[float], truths: Sequence[bool], bins: int
) -> dict[int, list[tuple[float, bool]]]:
    groups: dict[int, list[tuple[float, bool]]] = {}
    for probability, truth in zip(probabilities, truths, strict=True):
        groups.setdefault(min(int(probability * bins), bins - 1), []).append((probability, truth))
    return groups


def _ratio(part: float, whole: float) -> float:
    return part / whole if whole else math.nan
