"""TRL's ``GRPOTrainer``, fed with episodes that were played elsewhere."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar

import torch
import trl.trainer.utils as trl_utils
from datasets import Dataset
from transformers import PrinterCallback, TrainerCallback
from trl import GRPOConfig, GRPOTrainer

from asl_env.agents.lm.lending import compact_head, lent, silent
from asl_env.agents.lm.progress import Batch
from asl_env.agents.lm.settings import GRPOSettings
from asl_env.errors import LanguageModelError

if TYPE_CHECKING:
    from torch import Tensor

Tensors = dict[str, Any]

#: More optimiser steps than anybody makes in a call: the budget ends it, not TRL's own count.
_ENDLESS = 1_000_000_000
#: Rows of TRL's placeholder data set, in batches; it starts over at its end.
_BATCHES = 256


class EpisodeTrainer(GRPOTrainer):  # type: ignore[misc]
    """TRL's trainer with three seams of its own; see docs/decisions.md.

    * Advantages come with the episodes, so that invalid ones count nowhere.
    * An update is split into micro-batches by tokens, not by rows. TRL's ``bnpo`` loss is a mean
      over the tokens of a micro-batch, divided by the number of micro-batches; told the inverse of
      the micro-batch's share of all tokens in place of that number, it sums up to the mean over
      all tokens of the update. So does its entropy bonus.
    * Sequences are padded on the right only, and the vocabulary is scored only where a token is
      trained on.

    Args:
        model: The model that is trained.
        tokenizer: Its tokenizer.
        config: TRL's settings; ``make_config`` makes them.
        settings: Ours.
        source: Plays the next batch.
        optimizer: Keeps its state from call to call.
        reference: A frozen model to stay close to; ``None`` with ``beta`` takes the model with its
            adapter switched off.
    """

    _tag_names: ClassVar[list[str]] = []

    def __init__(
        self,
        model: Any,
        tokenizer: Any,
        config: GRPOConfig,
        settings: GRPOSettings,
        source: Callable[[], Batch],
        optimizer: torch.optim.Optimizer,
        reference: Any = None,
    ) -> None:
        self.settings = settings
        self.left = 0
        self._source = source
        self._reference = reference
        self._batches: list[Tensors] = []
        self._counts: list[float] = []
        self._weights: list[float] = []
        self._gaps: list[float] = []
        self._norm = self._loss = self._tokens = 0.0
        rows = config.per_device_train_batch_size // config.num_generations
        super().__init__(
            model=model,
            reward_funcs=_reward,
            args=config,
            train_dataset=Dataset.from_dict({"prompt": [""] * (rows * _BATCHES)}),
            processing_class=tokenizer,
            rollout_func=_rollout,
            optimizers=(optimizer, None),
        )
        self.remove_callback(PrinterCallback)
        if reference is not None:
            trl_utils.add_fused_lm_head(reference, temperature=self.temperature)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Tensor:
        """Plays a batch where the last one is used up, and accumulates the gradient of it all."""
        if self.left == 0:
            self._batches, self._tokens = self._cut(self._generate_and_score_completions(inputs))
            self.left = self.settings.iterations
        self.left -= 1
        self._metrics["train"].clear()
        self._gaps.clear()
        counts = self._counts = [float(batch["tool_mask"].sum()) for batch in self._batches]
        trained = math.fsum(counts)
        self._weights = [count / trained for count in counts]
        loss = torch.zeros((), device=self.accelerator.device)
        for number, (batch, count) in enumerate(zip(self._batches, counts, strict=True)):
            self.current_gradient_accumulation_steps = self._tokens / count
            last = number == len(counts) - 1
            with nullcontext() if last else self.accelerator.no_sync(model):
                loss += super().training_step(model, batch, num_items_in_batch)
        self._loss = float(loss)
        if not math.isfinite(self._loss):
            raise LanguageModelError(_NOT_FINITE.format("loss", self._loss))
        return loss

    def _prepare_inputs(self, generation_batch: Any) -> Any:
        return generation_batch

    def _generate_and_score_completions(self, inputs: Any) -> Tensors:
        self.model.eval()  # in training mode some models keep no cache
        batch = self._played = self._source()
        self.model.train()
        # TRL would score the reference on the whole batch at once; it is done by micro-batch here.
        self.beta = 0.0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # TRL's own use of what transformers has renamed
            output: Tensors = super()._generate_and_score_completions(inputs)
        self.beta = self.settings.beta
        output["advantages"] = torch.tensor(
            batch.advantages, dtype=torch.float32, device=self.accelerator.device
        )
        return output

    def _cut(self, output: Tensors) -> tuple[list[Tensors], float]:
        """Splits a batch into micro-batches of sequences of like length, the longest first.

        Sequences that cannot move anything are left out, but counted.

        Returns:
            The micro-batches, and the number of trained tokens of the whole batch.
        """
        counts = (output["completion_mask"] * output["tool_mask"]).sum(1)
        lengths = (output["completion_mask"].sum(1) + 1).tolist()
        matters = counts > 0
        if not self.settings.entropy and not self.settings.beta:
            matters = matters & (output["advantages"] != 0)
        rows = [int(row) for row in matters.nonzero()[:, 0]]
        rows.sort(key=lambda row: -lengths[row])
        batches = []
        while rows:
            width = lengths[rows[0]]
            size = max(1, self.settings.micro_batch_tokens // width)
            batches.append(_micro_batch(output, rows[:size], width - 1, self.settings.iterations))
            rows = rows[size:]
        return batches, float(counts.sum())

    def _compute_loss(self, model: Any, inputs: Tensors) -> Tensor:
        self._trained = torch.cat([inputs["prompt_mask"] * 0, inputs["tool_mask"]], 1).bool()
        self._sampled = inputs["sampling_per_token_logps"]
        if self.settings.beta:
            inputs["ref_per_token_logps"] = self._reference_logprobs(model, inputs)
        loss: Tensor = super()._compute_loss(model, inputs)
        return loss

    def _reference_logprobs(self, model: Any, inputs: Tensors) -> Tensor:
        ids = torch.cat([inputs["prompt_ids"], inputs["completion_ids"]], 1)
        given = {"input_ids": ids, "labels": ids.masked_fill(~self._trained, -100)}
        with torch.no_grad(), self.accelerator.autocast():
            if self._reference is not None:
                output = self._reference(**given, fused_lm_head=True)
            else:
                with trl_utils.use_adapter(self.accelerator.unwrap_model(model), None):
                    output = model(**given, fused_lm_head=True)
        found: Tensor = output.log_probs
        return found

    def _get_per_token_logps_and_entropies(
        self,
        model: Any,
        input_ids: Tensor,
        attention_mask: Tensor,
        logits_to_keep: int,
        compute_aux_loss: bool = False,
        **_: Any,
    ) -> tuple[Tensor, Tensor, Tensor | None]:
        """Scores trained tokens only. Padding is on the right, where causal models do not look."""
        inputs: dict[str, Any] = {"input_ids": input_ids, "fused_lm_head": True}
        if compute_aux_loss:
            inputs |= {"output_router_logits": True, "attention_mask": attention_mask}
        labels = input_ids.masked_fill(~self._trained, -100)
        with self.accelerator.autocast():
            outputs = model(**inputs, labels=labels)
        logprobs = outputs.log_probs[:, -logits_to_keep:]
        gap = (logprobs.detach() - self._sampled)[self._trained[:, -logits_to_keep:]]
        self._gaps.append(float(gap.abs().mean()))
        return logprobs, outputs.entropy[:, -logits_to_keep:], outputs.aux_loss

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        """Stops before the optimiser sees a gradient that is not finite."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)
        self._norm = float(norm)
        if not math.isfinite(self._norm):
            model.zero_grad()
            raise LanguageModelError(_NOT_FINITE.format("gradient", self._norm))
        return norm

    def last_update(self) -> dict[str, float]:
        """Metrics of the last optimiser step: means over its trained tokens."""
        found = self._metrics["train"]
        out = {"loss": self._loss, "grad_norm": self._norm}
        names = {"entropy": "entropy", "kl": "kl", "clip_ratio/region_mean": "clip_share"}
        for name, ours in names.items():
            if found.get(name):
                out[ours] = self._mean(found[name])
        if math.fsum(self._counts) < self._tokens:
            out.pop("entropy", None)  # of some episodes only
        if self._gaps:
            out["logprob_gap"] = self._mean(self._gaps)
        return out

    def _mean(self, values: list[float]) -> float:
        return math.fsum(v * w for v, w in zip(values, self._weights, strict=True))

    def _send_telemetry(self) -> None:
        """Sends nothing."""


_NOT_FINITE = (
    "the {} is {}, the weights are kept as they were before this update; lower learning_rate, or "
    "go back to an earlier checkpoint if the weights themselves are broken"
)


class Report(TrainerCallback):
    """Tells the caller of every optimiser step.

    Args:
        tell: Returns whether to go on.
    """

    def __init__(self, tell: Callable[[], bool]) -> None:
        self._tell = tell

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ends the training where the caller says so."""
        control.should_training_stop = not self._tell()


def make_config(settings: GRPOSettings, rows: int, group_size: int, **more: Any) -> GRPOConfig:
    """TRL's settings: nothing is logged, evaluated or saved by it."""
    return GRPOConfig(
        per_device_train_batch_size=rows,
        gradient_accumulation_steps=1,
        num_generations=group_size,
        max_steps=_ENDLESS,
        learning_rate=settings.learning_rate,
        lr_scheduler_type="constant",
        max_grad_norm=settings.max_grad_norm,
        epsilon=settings.clip,
        epsilon_high=settings.clip_high,
        beta=0.0,
        entropy_coef=settings.entropy,
        temperature=settings.temperature,
        loss_type="bnpo",
        scale_rewards="none",
        bf16=settings.bf16,
        gradient_checkpointing=settings.gradient_checkpointing,
        disable_dropout=True,
        shuffle_dataset=False,
        report_to="none",
        disable_tqdm=True,
        save_strategy="no",
        logging_strategy="no",
        eval_strategy="no",
        dataloader_pin_memory=False,
        **more,
    )


def _rollout(prompts: list[str], trainer: EpisodeTrainer) -> dict[str, Any]:
    """TRL's rollout hook. All but the first token is "completion": so nothing is padded left."""
    batch = trainer._played
    pad = trainer._tokenizer.pad_token_id
    return {
        "prompt_ids": [ids[:1] for ids in batch.ids],
        "completion_ids": [ids[1:] or [pad] for ids in batch.ids],
        "logprobs": [values[1:] or [0.0] for values in batch.logprobs],
        "env_mask": [mask[1:] or [0] for mask in batch.mask],
    }


def _reward(prompts: list[str], **_: Any) -> list[float]:
    """TRL wants a reward function; the advantages that it computes from it are replaced."""
    return [0.0] * len(prompts)


def _micro_batch(output: Tensors, rows: list[int], width: int, iterations: int) -> Tensors:
    index = torch.tensor(rows, device=output["prompt_ids"].device)
    batch: Tensors = {
        name: output[name][index] for name in ("prompt_ids", "prompt_mask", "advantages")
    }
    for name in ("completion_ids", "completion_mask", "tool_mask", "sampling_per_token_logps"):
        batch[name] = output[name][index, :width]
    batch["tool_mask"] = batch["tool_mask"] * batch["completion_mask"]
    if iterations > 1:  # what was sampled is what the first step begins with
        sampled = batch["sampling_per_token_logps"]
        batch["old_per_token_logps"] = sampled.masked_fill(batch["tool_mask"] == 0, 0.0)
    return batch


@contextmanager
def trainer_of(
    model: Any,
    tokenizer: Any,
    settings: GRPOSettings,
    phase: Mapping[str, int],
    source: Callable[[], Batch],
    optimizer: torch.optim.Optimizer,
    reference: Any = None,
) -> Iterator[EpisodeTrainer]:
    """Makes a trainer and takes its traces off the model afterwards.

    Args:
        model: The model.
        tokenizer: Its tokenizer.
        settings: Hyper-parameters.
        phase: ``rows`` per batch, ``group_size`` and ``seed``.
        source: Plays the next batch.
        optimizer: Keeps its state from call to call.
        reference: See ``EpisodeTrainer``.
    """
    cpu = next(model.parameters()).device.type == "cpu"
    with TemporaryDirectory() as folder, silent(), compact_head(), lent(model, reference):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the hook is "experimental", and the like
            config = make_config(settings, **phase, output_dir=folder, use_cpu=cpu)
            trainer = EpisodeTrainer(
                model, tokenizer, config, settings, source, optimizer, reference
            )
        yield trainer
