"""Policy weights and Adam's state as one safetensors file; nothing is pickled."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from asl_env.errors import RunError

if TYPE_CHECKING:
    from asl_env.agents.candidates.network import CandidatePolicy

_WEIGHT = "weight/"
_ADAM = "adam/"


def save_policy(policy: CandidatePolicy, path: Path) -> None:
    """Writes weights and optimiser state."""
    from safetensors.torch import save_file

    tensors = {f"{_WEIGHT}{k}": v.contiguous() for k, v in policy.state_dict().items()}
    for index, state in policy.optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"{_ADAM}{index}/{name}"] = torch.as_tensor(value).contiguous()
    save_file(tensors, str(path))


def load_policy(policy: CandidatePolicy, path: Path) -> None:
    """Restores what ``save_policy`` wrote into a policy of the same shape.

    Raises:
        RunError: If the file is missing, damaged, or of another shape.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(str(path))
        weights = {k.removeprefix(_WEIGHT): v for k, v in tensors.items() if k.startswith(_WEIGHT)}
        policy.load_state_dict(weights)
    except (OSError, SafetensorError, RuntimeError) as error:
        line = str(error).splitlines()[0]
        raise RunError(f"{path}: not a usable checkpoint file ({line})") from error
    record = policy.optimizer.state_dict()
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in tensors.items():
        if key.startswith(_ADAM):
            index, _, name = key.removeprefix(_ADAM).partition("/")
            state.setdefault(int(index), {})[name] = value
    record["state"] = state
    policy.optimizer.load_state_dict(record)
