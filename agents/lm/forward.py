"""Calls a Hugging Face causal model, and finds out what it can do."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch

from asl_env.agents.lm.sessions import Ids
from asl_env.agents.lm.static_cache import Shape, StaticKV

#: Tokens of the check that keeps a model from being run through a cache that it reads otherwise.
_PROBE = 7


class Forward:
    """A causal model as a function from tokens to the logits of the next one.

    Args:
        model: The model.

    Attributes:
        model: The model.
        device: Where its inputs go.
        shape: What a token costs in keys and values, or ``None`` if the model must be run over
            the whole sequence at every token: it has no such cache, layers of different kinds,
            layers on several devices, or gives other logits with the cache than without.
        window: Longest sequence for which that cache is right (sliding windows), or ``None``.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        base = model.get_base_model() if hasattr(model, "get_base_model") else model
        known = inspect.signature(base.forward).parameters
        free = any(one.kind is inspect.Parameter.VAR_KEYWORD for one in known.values())
        self._keeps = "logits_to_keep" in known
        self._placed = "position_ids" in known or free
        self.window = _window(model.config.get_text_config())
        with self.ready():
            self.shape = self._find_shape()

    @contextmanager
    def ready(self) -> Iterator[None]:
        """Runs a block without gradients and dropout; a model in training goes back to it."""
        training = self.model.training
        if training:
            self.model.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            if training:
                self.model.train()

    def cached(
        self, ids: torch.Tensor, positions: torch.Tensor, mask: torch.Tensor, cache: StaticKV
    ) -> torch.Tensor:
        """Runs new tokens against a cache.

        Args:
            ids: ``[rows, tokens]``.
            positions: ``[rows, tokens]``.
            mask: What is added to attention scores, ``[rows, 1, tokens, columns]``.
            cache: Aimed at these rows.

        Returns:
            Logits after the last token, ``[rows, vocabulary]``.
        """
        extra = {"logits_to_keep": 1} if self._keeps else {}
        out = self.model(
            input_ids=ids,
            position_ids=positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            **extra,
        )
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def whole(self, sequences: list[Ids]) -> torch.Tensor:
        """Runs whole sequences, padded on the left; returns ``[rows, vocabulary]``."""
        longest = max(len(ids) for ids in sequences)
        ids = np.zeros((len(sequences), longest), np.int64)
        mask = np.zeros((len(sequences), longest), np.int64)
        for row, sequence in enumerate(sequences):
            ids[row, longest - len(sequence) :] = sequence
            mask[row, longest - len(sequence) :] = 1
        extra: dict[str, Any] = {"logits_to_keep": 1} if self._keeps else {}
        if self._placed:
            positions = (mask.cumsum(-1) - 1).clip(0)
            extra["position_ids"] = torch.from_numpy(positions).to(self.device)
        out = self.model(
            input_ids=torch.from_numpy(ids).to(self.device),
            attention_mask=torch.from_numpy(mask).to(self.device),
            use_cache=False,
            **extra,
        )
        logits: torch.Tensor = out.logits[:, -1]
        return logits

    def _find_shape(self) -> Shape | None:
        """Tries the cache on a few tokens, in two parts, against a plain pass."""
        try:
            shape = self._read_shape()
            if shape is None or (self.window is not None and self.window <= _PROBE):
                return None
            vocabulary = int(self.model.get_input_embeddings().num_embeddings)
            ids = np.arange(1, _PROBE + 1, dtype=np.int64) % vocabulary
            plain = self.whole([ids])
            cache = StaticKV(shape)
            cache.open(2, _PROBE + 1)
            for start, stop in ((0, 3), (3, _PROBE)):
                logits = block(self, cache, 1, [ids[start:stop]], [start])
            step = logits
        except Exception:  # whatever a model of other people does with a cache it does not know
            return None
        if not bool(torch.isfinite(plain).all()):
            return shape  # damaged weights: reported when sampled from
        close = 1e-3 if shape.dtype == torch.float32 else 0.1
        scale = float(plain.abs().max().clamp(min=1.0))
        return shape if float((step - plain).abs().max()) <= close * scale else None

    def _read_shape(self) -> Shape | None:
        ids = torch.zeros((1, 3), dtype=torch.long, device=self.device)
        out = self.model(input_ids=ids, use_cache=True)
        layers = getattr(out.past_key_values, "layers", None)
        if not layers:
            return None
        sizes = {(tensor.shape, tensor.dtype, tensor.device) for tensor in _tensors(layers)}
        if len(sizes) != 1:
            return None
        size, dtype, device = sizes.pop()
        if len(size) != 4 or size[2] != 3:
            return None
        return Shape(len(layers), size[1], size[3], dtype, device)


def block(
    forward: Forward, cache: StaticKV, first: int, pieces: list[Ids], starts: list[int]
) -> torch.Tensor:
    """Computes new tokens of neighbouring rows at once, padded on the left.

    Args:
        forward: The model.
        cache: Holds the tokens before.
        first: The first row.
        pieces: The new tokens of each row.
        starts: Position of the first new token of each row.

    Returns:
        Logits after each row's last token, ``[rows, vocabulary]``.
    """
    rows, longest = len(pieces), max(map(len, pieces))
    ids = np.zeros((rows, longest), np.int64)
    positions = np.zeros((rows, longest), np.int64)
    real = np.zeros((rows, longest), np.bool_)
    for row, (piece, start) in enumerate(zip(pieces, starts, strict=True)):
        pad = longest - len(piece)
        ids[row, pad:] = piece
        positions[row, pad:] = np.arange(start, start + len(piece))
        real[row, pad:] = True
    width = int(positions.max()) + 1
    row_of, place_of = real.nonzero()
    numbers = (row_of, place_of, positions[real])
    rows_at, places, columns = (torch.from_numpy(one).to(forward.device) for one in numbers)
    cache.aim_block(first, first + rows, (rows_at, places, columns), width)
    where = torch.from_numpy(positions).to(forward.device)
    mask = visible(where, width, cache.shape.dtype)
    return forward.cached(torch.from_numpy(ids).to(forward.device), where, mask, cache)


def visible(positions: torch.Tensor, width: int, dtype: torch.dtype) -> torch.Tensor:
    """Returns the attention mask of tokens at some positions: each sees itself and what is before.

    Args:
        positions: ``[rows, tokens]``.
        width: Number of columns.
        dtype: Of the model.

    Returns:
        ``[rows, 1, tokens, width]``: 0 where visible, else the least finite number.
    """
    hidden = torch.arange(width, device=positions.device) > positions[..., None]
    mask = torch.zeros(hidden.shape, dtype=dtype, device=positions.device)
    return mask.masked_fill_(hidden, torch.finfo(dtype).min)[:, None]


def _tensors(layers: Any) -> Iterator[torch.Tensor]:
    for layer in layers:
        yield layer.keys
        yield layer.values


def _window(config: Any) -> int | None:
    """Length up to which all layers see everything; ``None`` if at any length."""
    kinds = set(getattr(config, "layer_types", None) or ())
    if kinds and kinds <= {"full_attention"}:
        return None
    sizes = [getattr(config, name, None) for name in ("sliding_window", "attention_chunk_size")]
    known = [int(size) for size in sizes if size]
    if not getattr(config, "use_sliding_window", True) and not kinds:
        return None
    return min(known) if known else None
