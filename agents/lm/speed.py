"""How fast a model runs here: a few forward passes on the clock."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from asl_env.agents.lm.loading import LanguageModel

#: Tokens of the measured forward pass at most, and single steps that are averaged.
_TOKENS, _STEPS = 512, 3


class Speed(NamedTuple):
    """What was measured.

    Attributes:
        prefill: Tokens per second of a forward pass over whole sequences.
        step: Seconds to sample one token for every sequence of the batch.
    """

    prefill: float
    step: float


def measure(loaded: LanguageModel, *, batch: int = 1, length: int = 128) -> Speed:
    """Measures a model with made-up tokens.

    Args:
        loaded: The model.
        batch: Sequences at once.
        length: Tokens of each, at most the context; together at most some hundred are run.
    """
    import torch

    length = max(8, min(length, loaded.context - _STEPS - 1))
    rows = max(1, min(batch, _TOKENS // length))
    device = next(loaded.model.parameters()).device
    size = loaded.model.config.get_text_config().vocab_size
    ids = (torch.arange(rows * length, device=device) % size).view(rows, length)
    with torch.inference_mode():
        loaded.model(input_ids=ids[:, :8])  # the first call sets things up
        prefill, _ = _timed(loaded.model, input_ids=ids, use_cache=True)
        row = ids[:1].expand(batch, -1)[:, :32]
        _, past = _timed(loaded.model, input_ids=row, use_cache=True)
        steps = []
        for _ in range(_STEPS):
            seconds, past = _timed(
                loaded.model, input_ids=row[:, :1], past_key_values=past, use_cache=True
            )
            steps.append(seconds)
    return Speed(ids.numel() / prefill, sorted(steps)[_STEPS // 2])


def _timed(model: Any, **inputs: Any) -> tuple[float, Any]:
    import torch

    started = perf_counter()
    output = model(**inputs)
    if output.logits.is_cuda:
        torch.cuda.synchronize()
    # Models that keep another kind of state are measured without it: slower, as they are run.
    return perf_counter() - started, getattr(output, "past_key_values", None)
