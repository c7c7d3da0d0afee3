"""Muon for the matrices inside the blocks, AdamW for the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asl_env.errors import LanguageModelError

if TYPE_CHECKING:
    from asl_env.agents.lm.nano.settings import WarmupSettings


class Optimisers:
    """The optimisers of a warm-up as one; their state goes to and comes from plain tensors.

    Muon (Jordan et al., 2024) makes the step of a matrix orthogonal.

    Args:
        model: What is trained.
        settings: Learning rate and weight decay.
        whole: Whether all weights are trained; an adapter gets AdamW alone.

    Raises:
        LanguageModelError: If this version of torch has no Muon and needs it.
    """

    def __init__(self, model: Any, settings: WarmupSettings, *, whole: bool) -> None:
        import torch

        rate = settings.stages[0].learning_rate
        if not whole:
            learning = [one for one in model.parameters() if one.requires_grad]
            adam = torch.optim.AdamW(learning, lr=rate, weight_decay=settings.weight_decay)
            self._all: list[Any] = [adam]
            return
        if not hasattr(torch.optim, "Muon"):
            raise LanguageModelError(
                f"torch {torch.__version__} has no Muon; install torch 2.9 or newer"
            )
        matrices: list[Any] = []
        rest: list[Any] = []
        for name, parameter in model.named_parameters():
            inside = parameter.ndim == 2 and "layers" in name
            (matrices if inside else rest).append(parameter)
        self._all = [
            torch.optim.Muon(
                matrices,
                lr=rate,
                weight_decay=settings.weight_decay,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(rest, lr=rate, betas=(0.9, 0.98), weight_decay=0.0),
        ]

    def set_rate(self, rate: float) -> None:
        """Sets the learning rate of both."""
        for optimiser in self._all:
            for group in optimiser.param_groups:
                group["lr"] = rate

    def step(self) -> None:
        """Makes a step and clears the gradients."""
        for optimiser in self._all:
            optimiser.step()
            optimiser.zero_grad()

    def tensors(self) -> dict[str, Any]:
        """The state by name."""
        import torch

        return {
            f"optimiser/{number}/{index}/{name}": torch.as_tensor(value)
            for number, optimiser in enumerate(self._all)
            for index, state in optimiser.state_dict()["state"].items()
            for name, value in state.items()
        }

    def restore(self, tensors: dict[str, Any]) -> None:
        """Takes back what ``tensors`` gave."""
        for number, optimiser in enumerate(self._all):
            record = optimiser.state_dict()
            record["state"] = {}
            for key, value in tensors.items():
                kind, _, rest = key.partition("/")
                if kind != "optimiser" or not rest.startswith(f"{number}/"):
                    continue
                _, index, name = rest.split("/")
                record["state"].setdefault(int(index), {})[name] = value
            optimiser.load_state_dict(record)
