"""Lending a model to TRL: what TRL changes on it, and in its own ways, is put back afterwards."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import trl.trainer.utils as trl_utils
from transformers.utils import logging as remarks


@contextmanager
def lent(*models: Any) -> Iterator[None]:
    """Takes back what TRL and accelerate put on a model: forwards, training mode, padding token."""
    parts = [part for model in models if model is not None for part in (model, _base(model))]
    before = [(part, part.__dict__.get("forward")) for part in parts]
    pads = [
        (config, config.pad_token_id)
        for part in parts
        for config in (part.config.get_text_config(), getattr(part, "generation_config", None))
        if config is not None
    ]
    try:
        yield
    finally:
        for config, pad in pads:  # TRL writes the tokenizer's, which need not be in the vocabulary
            config.pad_token_id = pad
        for part, forward in before:
            for name in ("forward", "_original_forward", "_is_accelerate_prepared"):
                part.__dict__.pop(name, None)
            if forward is not None:
                part.__dict__["forward"] = forward
        for model in models:
            if model is None:
                continue
            model.zero_grad()
            model.eval()
            if _base(model).is_activation_checkpointing:
                _base(model).activation_checkpointing_disable()
                if model is not _base(model):  # TRL lets adapters' inputs ask for gradients then
                    model.disable_input_require_grads()


def _base(model: Any) -> Any:
    return model.get_base_model() if hasattr(model, "get_base_model") else model


@contextmanager
def silent() -> Iterator[None]:
    """Lets transformers speak of errors only."""
    level = remarks.get_verbosity()
    remarks.set_verbosity(logging.ERROR)
    try:
        yield
    finally:
        remarks.set_verbosity(level)


@contextmanager
def compact_head() -> Iterator[None]:
    """Lets TRL's fused head score only the positions that have a label on every device.

    Off the GPU it scores all and masks afterwards, to please devices that compile by shape. Small
    models spend most of their time in the vocabulary, most of it on tokens of prompts and tools.
    """
    name = "_use_triton"
    before = getattr(trl_utils, name, None)
    if before is None:
        yield
        return
    setattr(trl_utils, name, lambda device: True)
    try:
        yield
    finally:
        setattr(trl_utils, name, before)
