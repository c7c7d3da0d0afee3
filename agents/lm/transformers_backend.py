"""Runs a Hugging Face model token by token, with keys and values kept across turns."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch

from asl_env.agents.lm.backend import Prompt, Sampled
from asl_env.agents.lm.forward import Forward
from asl_env.agents.lm.memory import available
from asl_env.agents.lm.runners import CachedRunner, Runner, WholeRunner
from asl_env.agents.lm.sampling import Sampling, choose, uniforms
from asl_env.agents.lm.sessions import Ids, SessionStore
from asl_env.agents.lm.static_cache import StaticKV
from asl_env.agents.lm.stops import StopCheck
from asl_env.errors import LanguageModelError

_Reason = Literal["stop", "end", "length"]

#: Memory for earlier turns: bytes, and share of the GPU's memory.
_CPU_SESSIONS, _GPU_SESSIONS = 2 * 10**9, 0.1
#: Share of the free memory that one batch's keys and values may take.
_CPU_BATCH, _GPU_BATCH = 0.25, 0.5
#: Where nobody can tell what is free.
_UNKNOWN_MEMORY = 8 * 10**9
_CPU_BLOCK, _GPU_BLOCK = 4096, 16384


@dataclass
class _Row:
    """A turn that is being sampled."""

    index: int
    prompt: Prompt
    limit: int
    ids: list[int] = field(default_factory=list)
    logprobs: list[float] = field(default_factory=list)

    def sampled(self, reason: _Reason) -> Sampled:
        return Sampled(tuple(self.ids), tuple(self.logprobs), reason)


class TransformersBackend:
    """Samples turns from any Hugging Face causal model, on CPU or GPU.

    Only new tokens are computed: keys and values of earlier turns are kept per episode, equal
    prompts of a batch are computed once, and what new chats have in common too. Models whose
    cache works otherwise are run over the whole sequence at every token (slow, and right).

    Args:
        model: The model, on its device, in the number format to run it in.
        tokenizer: Its tokenizer.
        end_ids: Tokens that end a turn.
        context: Longest sequence, in tokens.
        name: For error messages.
        session_bytes: Memory for earlier turns; by default 2 GB, on a GPU a tenth of its memory.
        batch_bytes: Memory for the keys and values of a running batch; a larger batch is run in
            parts. By default a quarter of what is free, on a GPU half of it.
        block_tokens: Prompt tokens computed at once; by default 4096, on a GPU 16384.

    Attributes:
        store: Keys and values of earlier turns.
        cached: Whether only new tokens are computed.
        computed: Tokens that went through the model so far, without padding.
        sampled: Tokens that were sampled so far.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        *,
        end_ids: Collection[int],
        context: int,
        name: str = "the model",
        session_bytes: int | None = None,
        batch_bytes: int | None = None,
        block_tokens: int | None = None,
    ) -> None:
        self._forward = Forward(model)
        self._ends = frozenset(end_ids)
        self._context = context
        self._name = name
        self._stops = StopCheck(tokenizer)
        device = self._forward.device
        self._batch_bytes = batch_bytes
        self._block_tokens = block_tokens or (_CPU_BLOCK if device.type == "cpu" else _GPU_BLOCK)
        self.store = SessionStore(
            _session_bytes(device) if session_bytes is None else session_bytes
        )
        self.computed = self.sampled = 0
        shape = self._forward.shape
        self.cached = shape is not None
        self._cache = None if shape is None else StaticKV(shape)
        if shape is None:
            warnings.warn(
                f"{name}: its cache works otherwise than expected, so whole sequences are computed "
                "at every token, which is slow (attn_implementation='sdpa' or 'eager' may help)",
                stacklevel=2,
            )

    def generate(
        self, prompts: Sequence[Prompt], sampling: Sampling, stop: tuple[str, ...]
    ) -> list[Sampled]:
        """Samples one turn per prompt; see ``Backend``.

        Raises:
            LanguageModelError: If the model gives something other than numbers, or memory is out.
        """
        results = [Sampled((), (), "length")] * len(prompts)
        rows = []
        for index, prompt in enumerate(prompts):
            limit = min(prompt.limit, self._context - len(prompt.ids))
            if limit > 0 and prompt.ids:
                rows.append(_Row(index, prompt, limit))
        with self._forward.ready():
            for part in self._parts(rows):
                self._run_within_memory(part, sampling, stop, results)
        if self._cache is not None and self._forward.device.type != "cpu":
            self._cache.close()  # a learner may need the memory now
        self.sampled += sum(len(one.ids) for one in results)
        return results

    def forget(self) -> None:
        """Drops all keys and values, because the weights have changed."""
        self.store.clear()

    def _parts(self, rows: list[_Row]) -> list[list[_Row]]:
        """Splits a batch whose keys and values would take too much memory."""
        if self._cache is None or not rows:
            return [rows] if rows else []
        most = self._batch_bytes or _batch_bytes(self._forward.device)
        token = self._cache.shape.token_bytes
        rows = sorted(rows, key=lambda row: len(row.prompt.ids) + row.limit)
        parts: list[list[_Row]] = [[]]
        for row in rows:
            columns = len(row.prompt.ids) + row.limit  # the longest so far
            if parts[-1] and (len(parts[-1]) + 1) * columns * token > most:
                parts.append([])
            parts[-1].append(row)
        return parts

    def _run_within_memory(
        self, rows: list[_Row], sampling: Sampling, stop: tuple[str, ...], results: list[Sampled]
    ) -> None:
        """Runs a batch; when memory runs out, without kept sessions and in halves."""
        try:
            self._run(rows, sampling, stop, results)
            return
        except (RuntimeError, MemoryError) as error:
            if not _is_out_of_memory(error):
                raise
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        if len(rows) == 1:
            tokens = len(rows[0].prompt.ids) + rows[0].limit
            raise LanguageModelError(
                f"out of memory: {self._name} cannot hold one chat of {tokens} tokens on "
                f"{self._forward.device}; lower max_new_tokens or max_turns, or take a smaller "
                "model or dtype"
            )
        for row in rows:
            row.ids.clear()
            row.logprobs.clear()
        half = len(rows) // 2
        self._run_within_memory(rows[:half], sampling, stop, results)
        self._run_within_memory(rows[half:], sampling, stop, results)

    def _runner(self, rows: list[_Row]) -> Runner:
        longest = max(len(row.prompt.ids) + row.limit for row in rows)
        window = self._forward.window
        if self._cache is None or (window is not None and longest > window):
            return WholeRunner(self._forward, self._block_tokens)
        return CachedRunner(self._forward, self._cache, self.store, self._block_tokens)

    def _run(
        self, rows: list[_Row], sampling: Sampling, stop: tuple[str, ...], results: list[Sampled]
    ) -> None:
        runner = self._runner(rows)
        try:
            self._sample(runner, rows, sampling, stop, results)
        except Exception:
            # Memory may be short, or hold what is no number and would spread from there.
            self.store.clear()
            if self._cache is not None:
                self._cache.close()
            raise
        finally:
            self.computed += runner.computed

    def _sample(
        self,
        runner: Runner,
        rows: list[_Row],
        sampling: Sampling,
        stop: tuple[str, ...],
        results: list[Sampled],
    ) -> None:
        limit = max(row.limit for row in rows)
        logits, order = runner.start(
            [np.array(row.prompt.ids, np.int64) for row in rows],
            [row.prompt.key for row in rows],
            max(len(row.prompt.ids) + row.limit for row in rows),
        )
        rows = [rows[index] for index in order]
        device = self._forward.device
        numbers = torch.from_numpy(np.stack([uniforms(row.prompt.seed, limit) for row in rows])).to(
            device
        )
        greedy = _greedy(rows, device)
        closing = self._stops.closing(stop)
        for place in range(limit):
            tokens, logprobs = choose(logits, numbers[:, place], greedy, sampling)
            said = torch.stack([tokens.double(), logprobs.double()]).cpu().tolist()
            over = self._append(rows, said, closing, stop, results)
            if over:
                for row in over:
                    if rows[row].prompt.key is not None:
                        runner.keep(row, _ids(rows[row]), rows[row].prompt.key)
                kept = _fill(len(rows), over)
                if not kept:
                    return
                rows = [rows[row] for row in kept]
                runner.select(kept)
                where = torch.tensor(kept, device=device)
                tokens, numbers = tokens[where], numbers[where]
                greedy = greedy if isinstance(greedy, bool) else greedy[where]
            logits = runner.step(tokens)

    def _append(
        self,
        rows: list[_Row],
        said: list[list[float]],
        closing: frozenset[int],
        stop: tuple[str, ...],
        results: list[Sampled],
    ) -> list[int]:
        """Appends one token per row; returns the rows that are over, with their results set."""
        over: list[int] = []
        for number, (row, token, logprob) in enumerate(zip(rows, *said, strict=True)):
            if not math.isfinite(logprob):
                raise LanguageModelError(
                    f"{self._name} gave logits that are not numbers (NaN); its weights are "
                    "damaged or training diverged: load an earlier checkpoint"
                )
            newest = int(token)
            row.ids.append(newest)
            row.logprobs.append(logprob)
            reason: _Reason | None = None
            if newest in self._ends:
                reason = "end"
            elif newest in closing and self._stops.complete(row.ids, stop):
                reason = "stop"
            elif len(row.ids) == row.limit:
                reason = "length"
            if reason is not None:
                results[row.index] = row.sampled(reason)
                over.append(number)
        return over


def _ids(row: _Row) -> Ids:
    return np.array((*row.prompt.ids, *row.ids), np.int64)


def _greedy(rows: list[_Row], device: torch.device) -> torch.Tensor | bool:
    flags = [row.prompt.greedy for row in rows]
    if len(set(flags)) == 1:
        return flags[0]
    return torch.tensor(flags, device=device)


def _fill(count: int, over: list[int]) -> list[int]:
    """Returns which rows go on, in which order: those at the end fill the gaps."""
    kept = list(range(count))
    for row in reversed(over):
        last = kept.pop()
        if row < len(kept):
            kept[row] = last
    return kept


def _is_out_of_memory(error: Exception) -> bool:
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    signs = ("out of memory", "not enough memory", "allocate memory", "alloc_failed")
    return any(sign in text for sign in signs)


def _session_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return int(_GPU_SESSIONS * torch.cuda.get_device_properties(device).total_memory)
    return _CPU_SESSIONS


def _batch_bytes(device: torch.device) -> int:
    """Memory for a batch as things stand: on a GPU a learner takes and gives back a lot."""
    free = available(str(device)) or _UNKNOWN_MEMORY
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return int(_GPU_BATCH * (free + held))
    return int(_CPU_BATCH * free)
