"""LoRA adapters: put on the base they were made for, and on no other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from asl_env.agents.lm.libraries import quiet, require
from asl_env.agents.lm.sources import ADAPTER_WEIGHTS, Source, base_name, portable
from asl_env.errors import LanguageModelError


def attach(model: Any, adapter: Source, base: Source) -> Any:
    """Puts an adapter on a model; it stays trainable, the base is frozen.

    Args:
        model: A transformers model.
        adapter: A PEFT folder.
        base: Where the model came from.

    Raises:
        LanguageModelError: If the adapter was made for another base: another name, other layers
            or other shapes.
    """
    require("peft")
    from peft import PeftModel

    _check_name(adapter, base)
    _check_shapes(model, adapter, base)
    try:
        with quiet():
            return PeftModel.from_pretrained(model, adapter.path, is_trainable=True)
    except (ValueError, RuntimeError, KeyError) as error:
        raise LanguageModelError(_another(adapter, base, " ".join(str(error).split()))) from error


def _check_name(adapter: Source, base: Source) -> None:
    """Compares the last parts of the names, which survive a move to another folder or machine."""
    written = base_name(adapter)
    wanted = {Path(written).name.lower(), Path(portable(written)).name.lower()}
    names = {Path(base.name).name.lower(), base.path.name.lower(), base.path.stem.lower()}
    if not wanted & names:
        raise LanguageModelError(
            f"adapter {adapter.name}: was made for base {written!r}, not for {base.name!r}; load "
            "it on its own base, or correct base_model_name_or_path in its adapter_config.json"
        )


def _check_shapes(model: Any, adapter: Source, base: Source) -> None:
    """Compares every LoRA matrix with the layer that it belongs to, from the file's header."""
    from safetensors import safe_open

    with safe_open(adapter.path / ADAPTER_WEIGHTS, framework="pt") as file:
        for key in file.keys():  # noqa: SIM118 - this is no mapping
            found = re.fullmatch(r"base_model\.model\.(.+)\.lora_([AB])\.weight", key)
            if found is None:
                continue
            layer, side = found[1], found[2]
            try:
                weight = model.get_submodule(layer).weight
            except AttributeError as error:
                raise LanguageModelError(
                    _another(adapter, base, f"the base has no layer {layer}")
                ) from error
            shape = file.get_slice(key).get_shape()
            size, at = (weight.shape[1], 1) if side == "A" else (weight.shape[0], 0)
            if shape[at] != size and len(weight.shape) == 2:
                raise LanguageModelError(
                    _another(adapter, base, f"{layer} has width {size}, the adapter {shape[at]}")
                )


def _another(adapter: Source, base: Source, why: str) -> str:
    return f"adapter {adapter.name}: does not fit the base {base.name} ({why[:200]}); load its own"
