"""A language model that is trained: its weights, its optimiser, the seats that it plays."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_env.agents.lm.loading import LanguageModel, load_language_model
from asl_env.agents.lm.settings import GRPOSettings
from asl_env.episode import Role
from asl_env.errors import LanguageModelError, did_you_mean

if TYPE_CHECKING:
    import torch

#: A model, or how to load it.
ModelSpec = str | Path | LanguageModel


class Brain:
    """One trained model.

    Args:
        language_model: The model; it is trained in place. Without a LoRA setting all weights are
            trained, or the adapter if it has one.
        roles: The seats it plays.
        settings: Hyper-parameters.

    Attributes:
        language_model: The model as it is trained, with its new adapter if there is one.
        roles: The same.
        reference: A frozen copy to stay close to, or ``None``.
    """

    def __init__(
        self, language_model: LanguageModel, roles: tuple[Role, ...], settings: GRPOSettings
    ) -> None:
        fresh = settings.lora is not None and language_model.kind == "full"
        if fresh:
            language_model = _with_adapter(language_model, settings)
        elif language_model.kind == "full":
            language_model.model.requires_grad_(True)
        self.language_model = language_model
        self.roles = roles
        self.reference: Any = None
        if settings.beta and not fresh:
            self.reference = copy.deepcopy(language_model.model).requires_grad_(False).eval()
        self._optimizer: torch.optim.Optimizer | None = None

    @property
    def name(self) -> str:
        """Name of its folder in a checkpoint."""
        if len(self.roles) == len(Role):
            return "model"
        return "+".join(role.value for role in self.roles)

    def optimizer(self, settings: GRPOSettings) -> torch.optim.Optimizer:
        """Returns the optimiser with the settings' step size."""
        from asl_env.agents.lm.checkpoint import make_optimizer, set_rates

        rates = _rates(settings)
        if self._optimizer is None:
            self._optimizer = make_optimizer(self.language_model.model, rates)
        set_rates(self._optimizer, rates)
        return self._optimizer

    def save(self, folder: Path, settings: GRPOSettings) -> None:
        """Writes model, optimiser and, where there is one, the reference."""
        from asl_env.agents.lm.checkpoint import OPTIMIZER, save_model, save_optimizer

        model = self.language_model
        save_model(model.model, model.tokenizer, folder)
        save_optimizer(self.optimizer(settings), model.model, folder / OPTIMIZER)
        if self.reference is not None:
            save_model(self.reference, model.tokenizer, folder / "reference")

    def load(self, folder: Path, settings: GRPOSettings) -> None:
        """Restores what ``save`` wrote.

        Raises:
            RunError: If it is damaged or belongs to another model.
        """
        from asl_env.agents.lm.checkpoint import OPTIMIZER, load_optimizer, load_weights

        model = self.language_model.model
        load_weights(model, folder)
        load_optimizer(self.optimizer(settings), model, folder / OPTIMIZER)
        if self.reference is not None:
            load_weights(self.reference, folder / "reference")

    def __deepcopy__(self, memo: dict[int, Any]) -> Brain:
        """Copies weights and optimiser; the tokenizer, which never changes, is shared."""
        old = self.language_model
        new = object.__new__(Brain)
        new.__dict__.update(self.__dict__)
        new.language_model = dataclasses.replace(old, model=copy.deepcopy(old.model, memo))
        new.reference = copy.deepcopy(self.reference, memo)
        new._optimizer = None
        if self._optimizer is not None:
            from asl_env.agents.lm.checkpoint import make_optimizer

            new._optimizer = make_optimizer(
                new.language_model.model, {"learning_rate": 0.0, "weight_decay": 0.0}
            )
            new._optimizer.load_state_dict(copy.deepcopy(self._optimizer.state_dict()))
        return new


def make_brains(
    model: ModelSpec | Mapping[Any, ModelSpec], settings: GRPOSettings
) -> dict[Role, Brain]:
    """Makes one brain for all seats, or one per seat.

    Args:
        model: A model or how to load it, for all seats, or a mapping with one per seat; seats that
            are given the same object share it.
        settings: Hyper-parameters.

    Raises:
        LanguageModelError: If a seat is unknown or missing, or a model cannot be loaded.
    """
    if not isinstance(model, Mapping):
        brain = Brain(_loaded(model, settings), tuple(Role), settings)
        return dict.fromkeys(Role, brain)
    seats = [role.value for role in Role]
    given = {str(seat): spec for seat, spec in model.items()}
    for seat in given:
        if seat not in seats:
            raise LanguageModelError(f"no seat is called {seat!r}{did_you_mean(seat, seats)}")
    for seat in seats:
        if seat not in given:
            raise LanguageModelError(f"the {seat} seat has no model; give one, or one for all")
    shared: dict[int, list[Role]] = {}
    for role in Role:
        spec = given[role.value]
        key = id(spec) if isinstance(spec, LanguageModel) else -1 - list(Role).index(role)
        shared.setdefault(key, []).append(role)
    brains: dict[Role, Brain] = {}
    for roles in shared.values():
        loaded = _loaded(given[roles[0].value], settings)
        brain = Brain(loaded, tuple(roles), settings)
        brains.update(dict.fromkeys(roles, brain))
    return brains


def _loaded(spec: ModelSpec, settings: GRPOSettings) -> LanguageModel:
    if isinstance(spec, LanguageModel):
        return spec
    # Steps of AdamW are smaller than what bfloat16 resolves; adapters are float32 on any base.
    return load_language_model(spec, dtype="float32" if settings.lora is None else "auto")


def _with_adapter(language_model: LanguageModel, settings: GRPOSettings) -> LanguageModel:
    from asl_env.agents.lm.libraries import quiet, require

    require("peft")
    from peft import LoraConfig, get_peft_model

    lora = settings.lora
    assert lora is not None
    targets = lora.targets if isinstance(lora.targets, str) else list(lora.targets)
    config = LoraConfig(
        r=lora.rank, lora_alpha=lora.alpha, target_modules=targets, task_type="CAUSAL_LM"
    )
    try:
        with quiet():
            model = get_peft_model(language_model.model, config)
    except ValueError as error:
        line = " ".join(str(error).split())[:200]
        raise LanguageModelError(
            f"lora: cannot be put on {language_model.name} ({line})"
        ) from error
    return dataclasses.replace(language_model, model=model.eval(), kind="adapter")


def _rates(settings: GRPOSettings) -> dict[str, float]:
    return {"learning_rate": settings.learning_rate, "weight_decay": settings.weight_decay}
