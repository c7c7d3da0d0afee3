"""Advantages of episodes that were played in groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Added to standard deviations, as in TRL.
EPSILON = 1e-4


def group_advantages(
    rewards: Sequence[float],
    groups: Sequence[int],
    valid: Sequence[bool],
    scale: Literal["group", "batch", "none"] = "group",
) -> NDArray[np.float64]:
    """Returns each episode's reward minus its group's mean, divided as ``scale`` says.

    GRPO (arXiv:2402.03300, section 4.1.2): ``A_i = (r_i - mean(r)) / std(r)``, with the unbiased
    standard deviation. Invalid episodes count in no mean and no deviation and get 0; so do all
    members of a group with fewer than two valid ones, or whose rewards are all the same.

    Args:
        rewards: One per episode; those of invalid ones are not read.
        groups: The group of each.
        valid: Whether each may be learnt from.
        scale: Divide by the deviation of the group, of the batch, or not at all.
    """
    reward = np.asarray(rewards, np.float64)
    group = np.asarray(groups)
    good = np.asarray(valid, np.bool_)
    out = np.zeros(len(reward), np.float64)
    spread = _deviation(reward[good]) if scale == "batch" else 0.0
    for one in np.unique(group):
        members = (group == one) & good
        values = reward[members]
        if len(values) < 2 or np.all(values == values[0]):
            continue
        out[members] = values - values.mean()
        if scale != "none":
            out[members] /= (spread if scale == "batch" else _deviation(values)) + EPSILON
    return out


def _deviation(values: NDArray[np.float64]) -> float:
    return float(values.std(ddof=1)) if len(values) > 1 else 0.0
