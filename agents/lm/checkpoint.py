"""A trained model on disk: weights in Hugging Face's form, AdamW's state beside them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from asl_env.agents.lm.libraries import quiet
from asl_env.errors import RunError

#: AdamW's state, by the names of the parameters.
OPTIMIZER = "optimizer.safetensors"


def trained_parameters(model: Any) -> dict[str, torch.nn.Parameter]:
    """Returns the parameters that are trained, by name."""
    return {name: value for name, value in model.named_parameters() if value.requires_grad}


def save_model(model: Any, tokenizer: Any, folder: Path) -> None:
    """Writes a folder that ``from_pretrained`` opens; of a PEFT model only the adapter."""
    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        model.save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))


def load_weights(model: Any, folder: Path) -> None:
    """Puts saved weights into a model of the same shape; its parameters stay the same objects.

    Raises:
        RunError: If the folder is damaged, or holds another model.
    """
    try:
        if hasattr(model, "peft_config"):
            _load_adapter(model, folder)
        else:
            _load_full(model, folder)
    except RunError:
        raise
    except Exception as error:  # transformers, peft and safetensors have errors of their own
        line = " ".join(str(error).split())[:200]
        raise RunError(f"{folder}: not a usable checkpoint of this model ({line})") from error


def _load_full(model: Any, folder: Path) -> None:
    with quiet(), torch.random.fork_rng(devices=[]):
        saved, about = type(model).from_pretrained(
            str(folder),
            dtype=next(model.parameters()).dtype,
            use_safetensors=True,
            local_files_only=True,
            output_loading_info=True,
        )
    if about["missing_keys"]:
        raise RunError(f"{folder}: weight {min(about['missing_keys'])} is missing")
    model.load_state_dict(saved.state_dict())


def _load_adapter(model: Any, folder: Path) -> None:
    from peft import set_peft_model_state_dict
    from peft.utils import load_peft_weights

    result: Any = set_peft_model_state_dict(model, load_peft_weights(str(folder), device="cpu"))
    wrong = [*result.unexpected_keys, *(k for k in result.missing_keys if "lora_" in k)]
    if wrong:
        raise RunError(f"{folder}: its adapter does not fit this model (the first is {wrong[0]})")


def save_optimizer(optimizer: torch.optim.Optimizer, model: Any, path: Path) -> None:
    """Writes AdamW's state."""
    from safetensors.torch import save_file

    tensors = {}
    for name, parameter in trained_parameters(model).items():
        for key, value in optimizer.state.get(parameter, {}).items():
            tensors[f"{name}/{key}"] = torch.as_tensor(value).contiguous()
    save_file(tensors, str(path))


def load_optimizer(optimizer: torch.optim.Optimizer, model: Any, path: Path) -> None:
    """Restores what ``save_optimizer`` wrote.

    Raises:
        RunError: If the file is missing, damaged, or belongs to another model.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(str(path))
    except (OSError, SafetensorError) as error:
        line = str(error).splitlines()[0]
        raise RunError(f"{path}: not a usable checkpoint file ({line})") from error
    parameters = trained_parameters(model)
    state: dict[torch.nn.Parameter, dict[str, torch.Tensor]] = {}
    for full, value in tensors.items():
        name, _, key = full.rpartition("/")
        parameter = parameters.get(name)
        if parameter is None or (value.ndim and value.shape != parameter.shape):
            raise RunError(f"{path}: {full} belongs to another model")
        state.setdefault(parameter, {})[key] = value.to(parameter.device if value.ndim else "cpu")
    optimizer.state.clear()
    for parameter, values in state.items():
        optimizer.state[parameter] = values


def make_optimizer(model: Any, settings: Mapping[str, float]) -> torch.optim.AdamW:
    """AdamW over the trained parameters; only matrices decay, not norms and biases.

    Args:
        model: The model.
        settings: ``learning_rate`` and ``weight_decay``.
    """
    parameters = list(trained_parameters(model).values())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "decays": True},
        {"params": [p for p in parameters if p.ndim < 2], "decays": False},
    ]
    optimizer = torch.optim.AdamW([group for group in groups if group["params"]])
    set_rates(optimizer, settings)
    return optimizer


def set_rates(optimizer: torch.optim.Optimizer, settings: Mapping[str, float]) -> None:
    """Sets step size and decay; a scheduler of an earlier call is forgotten."""
    for group in optimizer.param_groups:
        group.pop("initial_lr", None)
        group["lr"] = settings["learning_rate"]
        group["weight_decay"] = settings["weight_decay"] if group["decays"] else 0.0
