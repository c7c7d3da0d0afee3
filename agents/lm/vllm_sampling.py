"""What both ways to reach vLLM share: seeds, stops and log-probabilities in its terms.

Written against vLLM 0.22 to 0.31, the range that TRL 1.16 supports: ``SamplingParams`` and
``/v1/completions`` take the same fields. Relied on: a prompt as token ids; ``logprobs=0`` gives the
sampled token's log-probability alone; ``finish_reason`` is ``stop`` or ``length``, and
``stop_reason`` is then the stop string, the stop token's id, or ``None`` for the end-of-sequence
token; sampled ids hold the token that ended the turn; ``logprobs_mode`` is ``raw_logprobs`` (before
temperature and cuts, the default) or ``processed_logprobs`` (after all of them).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Literal

import numpy as np

from asl_env.agents.lm.backend import Prompt, Sampled
from asl_env.agents.lm.sampling import Sampling
from asl_env.errors import LanguageModelError

#: vLLM's names for where in its pipeline log-probabilities are taken.
LogprobsMode = Literal["raw_logprobs", "processed_logprobs"]


def mode_for(sampling: Sampling) -> LogprobsMode:
    """Returns the mode whose log-probabilities are those that ``Sampling`` promises.

    Raises:
        LanguageModelError: If there is none: at a temperature other than 1 the processed ones are
            needed, and these are taken after the cuts.
    """
    if sampling.temperature == 1.0:
        return "raw_logprobs"
    if sampling.top_p < 1.0 or sampling.top_k:
        raise LanguageModelError(
            "vLLM cannot record log-probs before the cut at a temperature other than 1; set "
            "temperature=1, or top_p=1 and top_k=0, or use backend='transformers'"
        )
    return "processed_logprobs"


def check_mode(mode: LogprobsMode, sampling: Sampling) -> None:
    """Refuses sampling whose log-probabilities would be recorded wrongly.

    Args:
        mode: What the engine was started with.
        sampling: What is asked of it.

    Raises:
        LanguageModelError: One line that says what to change.
    """
    wanted = mode_for(sampling)
    same = sampling.temperature == 1.0 and sampling.top_p == 1.0 and not sampling.top_k
    if mode != wanted and not same:
        raise LanguageModelError(
            f"vLLM was started with logprobs mode {mode}, and this sampling needs {wanted}; start "
            f"it with --logprobs-mode {wanted}, or sample at temperature 1"
        )


def seed_of(prompt: Prompt) -> int:
    """Returns one seed of 63 bits for a chat's seed and turn."""
    state = np.random.SeedSequence(list(prompt.seed)).generate_state(1, np.uint64)
    return int(state[0]) >> 1


def parameters(
    prompt: Prompt, sampling: Sampling, stop: Sequence[str], ends: Collection[int], limit: int
) -> dict[str, Any]:
    """Returns the fields of ``SamplingParams``, which ``/v1/completions`` takes as well.

    Args:
        prompt: What is continued.
        sampling: How to draw.
        stop: Stop strings; they stay in the output.
        ends: Tokens that end a turn.
        limit: Tokens at most.
    """
    return {
        "temperature": 0.0 if prompt.greedy else sampling.temperature,
        "top_p": 1.0 if prompt.greedy else sampling.top_p,
        "top_k": 0 if prompt.greedy else sampling.top_k,
        "max_tokens": limit,
        "seed": seed_of(prompt),
        "stop": list(stop),
        "stop_token_ids": sorted(ends),
        "include_stop_str_in_output": True,
        # A tag may be a token of its own, and must then be seen by the search for stop strings.
        "skip_special_tokens": False,
        "spaces_between_special_tokens": False,
        "logprobs": 0,
        # Said because a server would otherwise take the defaults of the model's maker.
        "repetition_penalty": 1.0,
        "presence_penalty": 0.0,
        "frequency_penalty": 0.0,
        "min_p": 0.0,
    }


def room(prompt: Prompt, context: int) -> int:
    """Returns how many tokens may be sampled; 0 or less if the prompt fills the context."""
    return min(prompt.limit, context - len(prompt.ids)) if prompt.ids else 0


def sampled(
    ids: Sequence[int],
    logprobs: Sequence[float | None],
    finish: str | None,
    stopped_by: int | str | None,
) -> Sampled:
    """Turns one of vLLM's completions into a sampled turn.

    Args:
        ids: Sampled token ids.
        logprobs: One per token.
        finish: ``finish_reason``.
        stopped_by: ``stop_reason``.

    Raises:
        LanguageModelError: If a log-probability is missing or no number, or vLLM broke off.
    """
    if finish not in ("stop", "length"):
        raise LanguageModelError(f"vLLM broke a turn off (finish_reason {finish!r}); see its log")
    numbers = [float("nan") if one is None else float(one) for one in logprobs]
    if len(numbers) != len(ids) or not np.isfinite(numbers).all():
        raise LanguageModelError(
            f"vLLM gave {len(numbers)} log-probs for {len(ids)} tokens, or NaN among them; check "
            "the model's weights and that the server allows logprobs"
        )
    if finish == "length":
        return Sampled(tuple(ids), tuple(numbers), "length")
    return Sampled(tuple(ids), tuple(numbers), "stop" if isinstance(stopped_by, str) else "end")
