"""Counting rollouts: what a run costs, whatever its recipe calls them.

Two recipes are compared at equal ``played`` rollouts of the policy. What else they play differs
much (R-Zero judges nothing, ASL verifies, solves and judges every question), so all of it is
counted, by purpose and seat:

| purpose | rollouts |
| --- | --- |
| ``played`` | episodes of the seat whose phase it is |
| ``partners`` | solves, verifications and judgements that its reward asked for |
| ``measured`` | held-out questions and claims, which teach nobody |
"""

from __future__ import annotations

from collections.abc import Mapping

from asl_env.episode import RewardParts

Counts = dict[str, dict[str, int]]


def partner_rollouts(parts: RewardParts) -> Mapping[str, int]:
    """Rollouts of other seats that an episode's reward was made of, by seat."""
    counted: Mapping[str, int] = parts.extras.get("rollouts") or {}
    return counted


def add(counts: Counts, purpose: str, seats: Mapping[str, int]) -> None:
    """Adds rollouts by seat to the counts of a purpose; seats without any stay out."""
    for seat, number in seats.items():
        if number:
            own = counts.setdefault(purpose, {})
            own[seat] = own.get(seat, 0) + number


def total(counts: Mapping[str, Mapping[str, int]]) -> int:
    """All rollouts, of every purpose and seat."""
    return sum(sum(seats.values()) for seats in counts.values())
