"""How tokens are drawn: one uniform number per token, the same alone or in a batch."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asl_env.errors import LanguageModelError

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray


@dataclass(frozen=True)
class Sampling:
    """How turns are sampled.

    The log-probabilities that are recorded are those of the model at this temperature,
    ``log softmax(logits / temperature)``, before ``top_k`` and ``top_p`` cut; greedy turns are
    recorded at temperature 1.

    Attributes:
        temperature: Divides the logits; above 0 (for the likeliest turn ask for a greedy one).
        top_p: Draw from the likeliest tokens that hold this share of the probability; 1 is all.
        top_k: Draw from this many likeliest tokens; 0 is all.
        max_new_tokens: Tokens per turn at most.

    Raises:
        LanguageModelError: If a value is impossible.
    """

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    max_new_tokens: int = 256

    def __post_init__(self) -> None:
        if not (math.isfinite(self.temperature) and self.temperature > 0):
            raise LanguageModelError(
                f"temperature={self.temperature} must be above 0; "
                "for the likeliest turn act with greedy=True"
            )
        if not 0 < self.top_p <= 1:
            raise LanguageModelError(f"top_p={self.top_p} must be above 0 and at most 1")
        if self.top_k < 0:
            raise LanguageModelError(f"top_k={self.top_k} must be 0 (all tokens) or more")
        if self.max_new_tokens < 1:
            raise LanguageModelError(f"max_new_tokens={self.max_new_tokens} must be at least 1")


def uniforms(seed: tuple[int, int], count: int) -> NDArray[np.float64]:
    """Returns the numbers in [0, 1) that decide a turn, one per token.

    Args:
        seed: Seed of the chat and number of the turn.
        count: How many.
    """
    return np.random.default_rng(list(seed)).random(count)


def choose(
    logits: torch.Tensor, uniform: torch.Tensor, greedy: torch.Tensor | bool, sampling: Sampling
) -> tuple[torch.Tensor, torch.Tensor]:
    """Draws one token per row by the inverse of the cumulative distribution, in float64.

    Args:
        logits: Of shape ``[rows, vocabulary]``.
        uniform: One number in [0, 1) per row, float64.
        greedy: Which rows take the likeliest token instead, or one answer for all.
        sampling: Temperature and cuts.

    Returns:
        Token ids, and their log-probabilities in float32 (not finite where the logits are not),
        both of shape ``[rows]``.
    """
    import torch

    logits = logits.float()
    if greedy is True:
        return _with_logprobs(logits, logits.argmax(-1))
    scaled = logits if sampling.temperature == 1.0 else logits / sampling.temperature
    logprobs = scaled.log_softmax(-1)
    weights = _cut(logprobs.exp(), sampling)
    cumulative = weights.cumsum(-1, dtype=torch.float64)
    total = cumulative[:, -1:]
    # Rounding must not lift the mark to the total, beyond which there is no token.
    mark = torch.minimum(uniform[:, None] * total, torch.nextafter(total, torch.zeros_like(total)))
    tokens = torch.searchsorted(cumulative, mark, right=True)[:, 0]
    tokens = tokens.clamp_(max=logits.shape[-1] - 1)  # only where the logits are not numbers
    chosen = logprobs.gather(-1, tokens[:, None])[:, 0]
    if greedy is False:
        return tokens, chosen
    best, best_logprobs = _with_logprobs(logits, logits.argmax(-1))
    return torch.where(greedy, best, tokens), torch.where(greedy, best_logprobs, chosen)


def _with_logprobs(logits: torch.Tensor, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    chosen = logits.gather(-1, tokens[:, None])[:, 0]
    return tokens, chosen - logits.logsumexp(-1)


def _cut(weights: torch.Tensor, sampling: Sampling) -> torch.Tensor:
    """Sets to zero what ``top_k`` and ``top_p`` leave out; of equal ones the lower id stays."""
    if not sampling.top_k and sampling.top_p == 1.0:
        return weights
    ordered, order = weights.sort(dim=-1, descending=True, stable=True)
    if 0 < sampling.top_k < weights.shape[-1]:
        ordered[:, sampling.top_k :] = 0.0
    if sampling.top_p < 1.0:
        before = ordered.cumsum(-1) - ordered
        ordered[before >= sampling.top_p * ordered.sum(-1, keepdim=True)] = 0.0
    return weights.new_zeros(weights.shape).scatter(-1, order, ordered)
