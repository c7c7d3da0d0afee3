"""What a language-model agent asks of the program that runs the model."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, NamedTuple, Protocol, runtime_checkable

from asl_env.agents.lm.sampling import Sampling


class Prompt(NamedTuple):
    """One turn to be sampled.

    Attributes:
        ids: The whole sequence so far, generation prompt included.
        seed: Seed of the chat and number of the turn.
        greedy: Take the likeliest tokens.
        limit: Tokens to sample at most.
        key: Names the episode: what was computed for its earlier turns may be kept under it.
            ``None`` keeps nothing.
    """

    ids: tuple[int, ...]
    seed: tuple[int, int] = (0, 0)
    greedy: bool = False
    limit: int = 256
    key: Hashable | None = None


class Sampled(NamedTuple):
    """One sampled turn.

    Attributes:
        ids: The tokens, with the one that completed a stop string or ended the turn.
        logprobs: Their log-probabilities; see ``Sampling``.
        reason: ``stop`` (a stop string), ``end`` (an end-of-turn token) or ``length`` (the limit
            or the context; with no ids if the prompt alone fills the context).
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    reason: Literal["stop", "end", "length"]


@runtime_checkable
class Backend(Protocol):
    """Runs a language model."""

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, stop: tuple[str, ...]
    ) -> list[Sampled]:
        """Samples one turn per prompt.

        What is sampled depends on a prompt's ids and seed, not on the other prompts, up to the
        rounding of the model's own arithmetic.

        Args:
            prompts: Sequences to continue; any cached prefix of theirs may be used.
            sampling: How to draw.
            stop: A turn ends with the token that completes one of these.

        Returns:
            One sample per prompt, in order.
        """
        ...

    def forget(self) -> None:
        """Drops everything computed with the weights so far, because they have changed."""
        ...
