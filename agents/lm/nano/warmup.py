"""The warm-up: a model imitates scripted play in freshly named worlds.

    warmup(WarmupSettings(seed=0), "runs/nano")                       # from random weights
    warmup(GIVEN_MODEL, "runs/warm", load_language_model("smollm2-135m"))  # a given model

The folder then holds a model that ``load_language_model`` and transformers open, its tokenizer,
and ``warmup.json`` with settings and losses. A warm-up that was killed goes on from its last save.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asl_env.agents.lm.nano.attention import NAME as ATTENTION
from asl_env.agents.lm.nano.attention import train_in_blocks
from asl_env.agents.lm.nano.gathering import VALIDATION, Progress, gather, texts
from asl_env.agents.lm.nano.imitation import Corpus, batches
from asl_env.agents.lm.nano.optimisers import Optimisers
from asl_env.agents.lm.nano.settings import Stage, WarmupSettings
from asl_env.episode import Role
from asl_env.errors import RunError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asl_env.agents.lm.loading import LanguageModel

#: File with settings and progress.
RECORD = "warmup.json"
#: Folder of what a killed warm-up goes on from.
UNFINISHED = "unfinished"
#: What the loss is measured on at the end: worlds of their own, whole results.
_CHECK = Stage(2, 240, 0.0, 0.0, 0.0, 0.0)


@dataclass
class Looks:
    """What looks on; every function may be replaced.

    Attributes:
        gathering: Told how many worlds are done.
        training: Told step, steps and the running loss of what the model says.
    """

    gathering: Progress = lambda done, total: None
    training: Any = lambda step, steps, loss: None


def warmup(
    settings: WarmupSettings,
    folder: Path | str,
    given: LanguageModel | None = None,
    *,
    device: str = "auto",
    processes: int | None = None,
    looks: Looks | None = None,
) -> dict[str, Any]:
    """Trains a nano model.

    Args:
        settings: All that decides what comes out.
        folder: Where the model goes; if it holds a warm-up of the same settings, that goes on.
        given: A model to warm up, where it is, in place of a nano model with random weights.
        device: ``cpu``, ``cuda`` or ``auto``, for a nano model.
        processes: Processes that gather episodes; one per core by default.
        looks: What looks on.

    Returns:
        The record: settings, steps, tokens, losses.

    Raises:
        RunError: If the folder holds something else.
    """
    folder, looks = Path(folder), looks or Looks()
    folder.mkdir(parents=True, exist_ok=True)
    _claim(folder, settings, None if given is None else given.name)
    tokenizer = _tokenizer(settings, folder, given)
    count = processes or os.cpu_count() or 1
    trainer = _Trainer(settings, _model(settings, tokenizer, given, device), given is None)
    trainer.load(folder / UNFINISHED)
    for number in range(trainer.stage, len(settings.stages)):
        stage = settings.stages[number]
        corpus = gather(settings, stage, number, folder, count, looks.gathering)
        trainer.run(number, corpus, folder / UNFINISHED, looks)
    check = gather(settings, _check(settings), VALIDATION, folder, count, looks.gathering)
    record = {
        "settings": settings.record(),
        "model": None if given is None else given.name,
        "finished": True,
        "steps": trainer.steps,
        "tokens": trainer.tokens,
        "loss": trainer.losses,
        "validation_loss": trainer.measure(check),
    }
    _finish(folder, trainer.model, tokenizer, record)
    return record


def _check(settings: WarmupSettings) -> Stage:
    """The episodes that the loss is measured on: a tenth of those learned from, or fewer.

    A large model takes minutes for what a nano model takes seconds for.
    """
    learned = sum(stage.worlds * stage.episodes for stage in settings.stages)
    tenth = max(12, learned // (10 * _CHECK.worlds))
    return replace(_CHECK, episodes=min(_CHECK.episodes, tenth))


def _model(
    settings: WarmupSettings, tokenizer: Any, given: LanguageModel | None, device: str
) -> Any:
    """The model that is trained: a new one, or the given one."""
    if given is not None:
        return _learning(given, settings)
    from asl_env.agents.lm.nano.model import new_model

    return new_model(settings.shape, tokenizer, settings.seed).to(_device(device))


def _learning(given: LanguageModel, settings: WarmupSettings) -> Any:
    """The model that is trained: with a new adapter, its own adapter, or all weights."""
    from asl_env.agents.lm.brain import Brain
    from asl_env.agents.lm.settings import GRPOSettings, LoraSettings

    rank = settings.lora_rank
    lora = LoraSettings(rank, 2 * rank) if rank else None
    return Brain(given, tuple(Role), GRPOSettings(lora=lora)).language_model.model


def _claim(folder: Path, settings: WarmupSettings, model: str | None) -> None:
    """Makes the folder that of a warm-up of this model with these settings."""
    path = folder / RECORD
    wanted = {"settings": json.loads(json.dumps(settings.record())), "model": model}
    if not path.exists():
        path.write_text(json.dumps({**wanted, "finished": False}, indent=1), encoding="utf-8")
        return
    try:
        saved = json.loads(path.read_text(encoding="utf-8"))
        same = {name: saved[name] for name in wanted} == wanted
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: damaged ({error}); choose another --out") from error
    if saved.get("finished"):
        raise RunError(f"{folder}: holds a finished warm-up; choose another --out")
    if not same:
        raise RunError(f"{folder}: holds a warm-up with other settings; choose another --out")


def _tokenizer(settings: WarmupSettings, folder: Path, given: LanguageModel | None) -> Any:
    from transformers import AutoTokenizer

    from asl_env.agents.lm.nano.tokens import train_tokenizer

    if given is not None:
        given.tokenizer.save_pretrained(folder)
        return given.tokenizer
    if not (folder / "tokenizer.json").is_file():
        train_tokenizer(texts(settings), settings.shape.vocabulary).save_pretrained(folder)
    return AutoTokenizer.from_pretrained(folder)


def _device(wanted: str) -> str:
    import torch

    if wanted != "auto":
        return wanted
    return "cuda" if torch.cuda.is_available() else "cpu"


#: What a save notes besides tensors.
_NOTED = ("stage", "step", "steps", "tokens", "losses")


class _Trainer:
    """Weights, optimisers, and how far they are."""

    def __init__(self, settings: WarmupSettings, model: Any, nano: bool) -> None:
        self.settings = settings
        self.device = str(next(model.parameters()).device)
        self.model = model.train()
        self.nano = nano
        if nano and self.device == "cpu" and _has_bfloat16("cpu"):
            train_in_blocks(model)
        self.optimisers = self._new_optimisers()
        self.stage = 0
        self.step = 0  # within the stage
        self.steps = 0
        self.tokens = 0
        self.losses: list[float] = []

    def _new_optimisers(self) -> Optimisers:
        return Optimisers(self.model, self.settings, whole=self.settings.lora_rank == 0)

    def run(self, number: int, corpus: Corpus, saves: Path, looks: Looks) -> None:
        """Goes through all batches of a stage that are left; notes the mean loss at each save."""
        stage = self.settings.stages[number]
        if number != self.stage:
            self.stage, self.step = number, 0
            self.optimisers = self._new_optimisers()
        plan = list(self._plan(number, corpus))
        fresh: list[float] = []
        for at in range(self.step, len(plan)):
            ids, weights = plan[at]()
            self.optimisers.set_rate(self.settings.rate(stage, at / len(plan)))
            fresh.append(self._update(ids, weights))
            self.step, self.steps, self.tokens = at + 1, self.steps + 1, self.tokens + ids.size
            looks.training(self.step, len(plan), fresh[-1])
            if self.step % self.settings.save_every == 0 or self.step == len(plan):
                self.losses.append(float(np.mean(fresh)))
                fresh.clear()
                self.save(saves)

    def _plan(self, number: int, corpus: Corpus) -> Iterator[Any]:
        """Every batch of every pass, made when it is needed."""
        stage = self.settings.stages[number]
        for turn in range(stage.passes):
            rng = np.random.default_rng([self.settings.seed, 3, number, turn])
            yield from batches(corpus, self.settings.batch_tokens, stage.reading, rng)

    def _update(self, ids: NDArray[np.int64], weights: NDArray[np.float32]) -> float:
        import torch

        loss, said = self._loss(ids, weights)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.settings.clip)
        self.optimisers.step()
        return said

    def _loss(self, ids: NDArray[np.int64], weights: NDArray[np.float32]) -> tuple[Any, float]:
        """The weighted loss, and the mean over what the model says."""
        import torch

        tokens = torch.from_numpy(ids).to(self.device)
        share = torch.from_numpy(weights[:, 1:]).to(self.device).flatten()
        wanted = share.nonzero()[:, 0]
        share = share[wanted]
        kind = torch.device(self.device).type
        with torch.autocast(kind, torch.bfloat16, enabled=_has_bfloat16(kind)):
            logits = self._logits(tokens, wanted)
        each = torch.nn.functional.cross_entropy(
            logits.float(), tokens[:, 1:].flatten()[wanted], reduction="none"
        )
        said = share >= 1.0
        return (each * share).sum() / share.sum(), float(each.detach()[said].mean())

    def _logits(self, tokens: Any, wanted: Any) -> Any:
        """The predictions at some places of the flattened rows, the last of each row left out."""
        if not self.nano:
            return (
                self.model(input_ids=tokens, use_cache=False).logits[:, :-1].flatten(0, 1)[wanted]
            )
        states = self.model.model(input_ids=tokens, use_cache=False).last_hidden_state
        return self.model.lm_head(states[:, :-1].flatten(0, 1)[wanted])

    def measure(self, corpus: Corpus) -> float:
        """Mean loss of what the model says, on episodes it has not seen."""
        import torch

        total = count = 0.0
        with torch.no_grad():
            rng = np.random.default_rng(0)
            for make in batches(corpus, self.settings.batch_tokens, 0.0, rng):
                ids, weights = make()
                said = float((weights >= 1.0).sum())
                total += self._loss(ids, weights)[1] * said
                count += said
        return total / count

    def save(self, folder: Path) -> None:
        """Writes everything needed to go on, all or nothing."""
        from safetensors.torch import save_file

        folder.mkdir(exist_ok=True)
        tensors = {
            f"weight/{name}": value.detach()
            for name, value in self.model.named_parameters()
            if value.requires_grad
        }
        tensors |= self.optimisers.tensors()
        note = {name: getattr(self, name) for name in _NOTED}
        part = folder / "state.part"
        copies = {name: value.contiguous().clone() for name, value in tensors.items()}
        save_file(copies, str(part), metadata={"note": json.dumps(note)})
        part.replace(folder / "state.safetensors")

    def load(self, folder: Path) -> None:
        """Restores what ``save`` wrote, if it did."""
        from safetensors import SafetensorError, safe_open

        path = folder / "state.safetensors"
        if not path.is_file():
            return
        try:
            with safe_open(str(path), "pt", device=self.device) as file:
                note = json.loads(file.metadata()["note"])
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (SafetensorError, OSError, ValueError, KeyError) as error:
            raise RunError(f"{path}: damaged ({error}); choose another --out") from error
        weights = {k[7:]: v for k, v in tensors.items() if k.startswith("weight/")}
        self.model.load_state_dict(weights, strict=False)
        self.optimisers.restore(tensors)
        for name in _NOTED:
            setattr(self, name, note[name])


def _has_bfloat16(device: str) -> bool:
    """Whether half precision is a gain: on GPUs, and on processors that compute in it."""
    import torch

    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported())
    return bool(torch.cpu._is_avx512_bf16_supported())


def _finish(folder: Path, model: Any, tokenizer: Any, record: dict[str, Any]) -> None:
    """Writes the model (full weights in bfloat16) and the record, and removes the saves."""
    import shutil

    import torch

    from asl_env.agents.lm.checkpoint import save_model

    if model.config._attn_implementation == ATTENTION:
        model.set_attn_implementation("sdpa")
    if all(one.requires_grad for one in model.parameters()):
        model = model.to("cpu", torch.bfloat16)
    save_model(model.eval(), tokenizer, folder)
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    shutil.rmtree(folder / UNFINISHED, ignore_errors=True)
