"""vLLM inside this process: its batching and prefix cache behind our ``Backend``.

Written against the interface of vLLM 0.22 to 0.31 (see ``vllm_sampling``); its tests run against a
stand-in with that interface, not against vLLM itself, which needs a GPU.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_env.agents.lm.backend import Prompt, Sampled
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.lm.vllm_sampling import (
    LogprobsMode,
    check_mode,
    mode_for,
    parameters,
    room,
    sampled,
)
from asl_env.errors import LanguageModelError

if TYPE_CHECKING:
    from asl_env.agents.lm.loading import LanguageModel
    from asl_env.agents.lm.template import ChatTemplate


class VllmBackend:
    """Samples turns with ``vllm.LLM``.

    The engine starts with the first turn, because the place in its pipeline at which it records
    log-probabilities is chosen when it starts, and depends on the sampling. Earlier turns are found
    by vLLM's prefix cache.

    Args:
        model: Folder or hub name of the whole model.
        end_ids: Tokens that end a turn.
        context: Tokens that a sequence may have.
        options: Passed to ``vllm.LLM``: ``gpu_memory_utilization``, ``tensor_parallel_size`` ...
    """

    def __init__(
        self, model: str | Path, *, end_ids: Collection[int], context: int, **options: Any
    ) -> None:
        self._model = str(model)
        self._ends = frozenset(end_ids)
        self._context = context
        self._options = options
        self._engine: Any = None
        self._mode: LogprobsMode = "raw_logprobs"

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, stop: tuple[str, ...]
    ) -> list[Sampled]:
        """Samples one turn per prompt; see ``Backend``.

        Raises:
            LanguageModelError: If vLLM is missing, cannot start, or breaks a turn off.
        """
        engine = self._started(sampling)
        results = [Sampled((), (), "length")] * len(prompts)
        fits = [at for at, one in enumerate(prompts) if room(one, self._context) > 0]
        if not fits:
            return results
        chosen = [prompts[at] for at in fits]
        asked = [self._parameters(one, sampling, stop, room(one, self._context)) for one in chosen]
        tokens = [{"prompt_token_ids": list(one.ids)} for one in chosen]
        try:
            replies = engine.generate(tokens, sampling_params=asked, use_tqdm=False)
        except Exception as error:  # vLLM raises whatever its workers raised
            reason = " ".join(str(error).split())[:200]
            raise LanguageModelError(f"vLLM failed ({type(error).__name__}: {reason})") from error
        for at, reply in zip(fits, replies, strict=True):
            results[at] = _read(reply.outputs[0])
        return results

    def forget(self) -> None:
        """Drops the prefix cache, because the weights have changed."""
        if self._engine is not None:
            self._engine.reset_prefix_cache()

    def _parameters(
        self, prompt: Prompt, sampling: Sampling, stop: tuple[str, ...], limit: int
    ) -> Any:
        vllm: Any = import_module("vllm")
        return vllm.SamplingParams(**parameters(prompt, sampling, stop, self._ends, limit))

    def _started(self, sampling: Sampling) -> Any:
        if self._engine is not None:
            check_mode(self._mode, sampling)
            return self._engine
        self._mode = mode_for(sampling)
        try:
            vllm: Any = import_module("vllm")
        except ImportError as error:
            raise LanguageModelError(
                f"vLLM is not installed ({error}): pip install vllm (it needs a GPU), or use "
                "backend='transformers'"
            ) from error
        try:
            self._engine = vllm.LLM(
                model=self._model,
                max_model_len=self._context,
                logprobs_mode=self._mode,
                enable_prefix_caching=True,
                # Only what is asked for here: no sampling defaults of the model's maker.
                generation_config="vllm",
                **self._options,
            )
        except Exception as error:  # vLLM raises whatever its workers raised
            reason = " ".join(str(error).split())[:200]
            raise LanguageModelError(
                f"vLLM cannot start with {self._model} ({type(error).__name__}: {reason})"
            ) from error
        return self._engine


def make_vllm(loaded: LanguageModel, template: ChatTemplate, **options: Any) -> VllmBackend:
    """Makes the backend for a loaded model.

    vLLM loads the model a second time, from the same files. So weights that are learnt do not reach
    it: it is for measuring, and for seats that do not learn.

    Args:
        loaded: The model.
        template: Its chat template.
        options: Passed to ``vllm.LLM``.

    Raises:
        LanguageModelError: If the model is an adapter, which would have to be merged first.
    """
    if loaded.kind == "adapter" or loaded.path is None:
        raise LanguageModelError(
            f"{loaded.name}: vLLM wants whole models; merge the adapter first (peft's "
            "merge_and_unload, then save_pretrained), or use backend='transformers'"
        )
    return VllmBackend(loaded.path, end_ids=template.end_ids, context=loaded.context, **options)


def _read(output: Any) -> Sampled:
    ids = list(output.token_ids)
    steps = output.logprobs or []
    numbers = [step[one].logprob for one, step in zip(ids, steps, strict=False)]
    return sampled(ids, numbers, output.finish_reason, output.stop_reason)
