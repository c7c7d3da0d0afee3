"""What a run will need: memory by formula, time by a short measurement, and what to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from asl_env.agents.lm.memory import available, readable
from asl_env.agents.lm.speed import Speed, measure

if TYPE_CHECKING:
    from asl_env.agents.lm.loading import LanguageModel

Purpose = Literal["train", "eval", "play"]

#: Numbers that a layer keeps per token for its backward pass, in units of the hidden width and of
#: the width inside the feed-forward block; and of the hidden width in float32, for the two norms.
#: Counted from the Llama layer; within 20 % of measured peaks of SmolLM2 and Qwen2.5.
_HIDDEN, _INNER, _NORMS = 16, 4, 4
#: Float32 copies of the logits while the loss is computed: logits, their softmax, the gradient.
_LOGITS = 3
#: What torch and Python hold before the first tensor.
_RUNTIME = {"cpu": 400_000_000, "cuda": 700_000_000}
#: Sequences shorter than this are not advised.
_SHORT = 512
#: Share of the free memory that a run may plan with.
_SHARE = 0.95


@dataclass(frozen=True)
class Plan:
    """What is about to be done.

    Attributes:
        purpose: ``train``, ``eval`` or ``play``.
        batch: Sequences at once.
        length: Tokens per sequence.
        new_tokens: Sampled tokens per turn.
        turns: Turns per episode.
        count: Training steps; for ``eval`` and ``play`` episodes.
        lora_rank: Rank of LoRA, or ``None`` for full weights.
        checkpointing: Compute activations twice and keep few of them.
    """

    purpose: Purpose
    batch: int
    length: int
    new_tokens: int = 64
    turns: int = 3
    count: int = 1
    lora_rank: int | None = None
    checkpointing: bool = False


@dataclass(frozen=True)
class Estimate:
    """Memory in bytes and time in seconds.

    Attributes:
        name: The model.
        plan: What is about to be done.
        device: Where.
        dtype: Of the weights.
        parameters: Numbers in the model.
        trainable: Numbers that learn.
        weights: Memory of the weights.
        learning: Memory of gradients and optimiser.
        activations: Memory of a forward pass (and what the backward pass needs), logits included.
        cache: Memory of the key-value cache.
        free: Memory that is free now, the weights being loaded already; ``None`` if unknown.
        seconds: Time of the whole plan; ``None`` if it was not measured.
        advice: What to change, each with the memory it would then take; empty if it fits.
    """

    name: str
    plan: Plan
    device: str
    dtype: str
    parameters: int
    trainable: int
    weights: int
    learning: int
    activations: int
    cache: int
    free: int | None
    seconds: float | None = None
    advice: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """Peak memory of the process (on a GPU: of the device), in bytes."""
        return _RUNTIME.get(self.device, 0) + self.weights + self.more

    @property
    def more(self) -> int:
        """What is needed beyond the loaded weights, in bytes."""
        return self.learning + self.activations + self.cache

    @property
    def fits(self) -> bool:
        """Whether it is likely to fit; true where free memory is unknown."""
        return self.free is None or self.more <= _SHARE * self.free

    def lines(self) -> list[str]:
        """Returns the summary for a person: two lines, and one per advice."""
        plan = self.plan
        what = "full weights" if plan.lora_rank is None else f"LoRA rank {plan.lora_rank}"
        how = f", {what} ({self.trainable:,} learn)" if plan.purpose == "train" else ""
        parts = [f"weights {readable(self.weights)}"]
        if plan.purpose == "train":
            parts.append(f"gradients and optimiser {readable(self.learning)}")
        parts.append(f"activations {readable(self.activations)}")
        if self.cache:
            parts.append(f"cache {readable(self.cache)}")
        free = "" if self.free is None else f"; {readable(self.free)} free"
        lines = [
            f"{self.name}: {self.parameters:,} parameters, {self.dtype} on {self.device}{how}",
            f"memory: about {readable(self.total)} for {plan.batch} x {plan.length} tokens "
            f"({', '.join(parts)}){free}",
        ]
        if self.seconds is not None:
            lines.append(f"time: about {duration(self.seconds)} for {self._count()}")
        if not self.fits:
            lines.append("this does not fit; " + ("; ".join(self.advice) or "take a smaller model"))
        return lines

    def __str__(self) -> str:
        return "\n".join(self.lines())

    def _count(self) -> str:
        one, many = ("step", "steps") if self.plan.purpose == "train" else ("episode", "episodes")
        return f"{self.plan.count:,} {one if self.plan.count == 1 else many}"


def estimate(loaded: LanguageModel, plan: Plan, *, probe: bool = True) -> Estimate:
    """Estimates memory and time of a plan.

    Args:
        loaded: The model, on its device already.
        plan: What is about to be done.
        probe: Measure the speed with a few forward passes (a second or two).
    """
    found = _memory(loaded, plan)
    if not found.fits:
        found = replace(found, advice=tuple(_advice(loaded, found)))
    if not probe:
        return found
    speed = measure(loaded, batch=plan.batch, length=min(plan.length, 256))
    return replace(found, seconds=_seconds(plan, speed))


def duration(seconds: float) -> str:
    """Writes a time as a person would: ``20 s``, ``35 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02d} min"


def _memory(loaded: LanguageModel, plan: Plan) -> Estimate:
    model = loaded.model
    parameters = list(model.parameters())
    weights = sum(one.numel() * one.element_size() for one in parameters)
    device = parameters[0].device
    learns = _trainable(loaded, plan) if plan.purpose == "train" else 0
    width = parameters[0].element_size()
    config = model.config.get_text_config()
    return Estimate(
        name=loaded.name,
        plan=plan,
        device=device.type,
        dtype=str(parameters[0].dtype).removeprefix("torch."),
        parameters=sum(one.numel() for one in parameters),
        trainable=learns,
        weights=weights,
        # One gradient and AdamW's two moments, all as wide as the weights.
        learning=3 * learns * width,
        activations=_activations(config, plan, width),
        cache=0 if plan.purpose == "train" else _cache(config, plan, width),
        free=available(str(device)),
    )


def _trainable(loaded: LanguageModel, plan: Plan) -> int:
    """Numbers that learn: all of them, those of an adapter, or those that LoRA would add."""
    import torch

    if loaded.kind == "adapter":
        return sum(one.numel() for one in loaded.model.parameters() if one.requires_grad)
    if plan.lora_rank is None:
        return sum(one.numel() for one in loaded.model.parameters())
    head = loaded.model.get_output_embeddings()
    layers = (
        module
        for module in loaded.model.modules()
        if isinstance(module, torch.nn.Linear) and module is not head
    )
    return sum(plan.lora_rank * (one.in_features + one.out_features) for one in layers)


def _activations(config: Any, plan: Plan, width: int) -> int:
    hidden, layers, vocabulary = config.hidden_size, config.num_hidden_layers, config.vocab_size
    inner = getattr(config, "intermediate_size", None) or 4 * hidden
    layer = (_HIDDEN * hidden + _INNER * inner) * width
    if width < 4:
        layer += _NORMS * hidden * 4
    logits = _LOGITS * 4 * vocabulary
    if plan.purpose != "train":  # one layer at a time, and only the last position's logits
        return int(plan.batch * (min(plan.length, 2048) * layer + logits))
    kept = layers * hidden * width + layer if plan.checkpointing else layers * layer
    return int(plan.batch * plan.length * (kept + logits))


def _cache(config: Any, plan: Plan, width: int) -> int:
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return int(2 * config.num_hidden_layers * heads * size * width * plan.batch * plan.length)


def _advice(loaded: LanguageModel, found: Estimate) -> Iterator[str]:
    """Single changes that make it fit; where none does, all of them together, as far as needed."""
    enough = False
    for name, change in _changes(loaded, found.plan):
        then = _memory(loaded, change)
        if then.fits:
            enough = True
            yield f"{name}: about {readable(then.total)}"
    if found.dtype == "float32" and found.free is not None and found.more / 2 < _SHARE * found.free:
        enough = True
        yield f"bfloat16: about {readable(found.total / 2)}"
    if not enough:
        yield from _together(loaded, found)


def _together(loaded: LanguageModel, found: Estimate) -> Iterator[str]:
    """Piles up changes until it fits; halves the batch before the sequences."""
    plan, done = found.plan, dict[str, str]()
    then = found
    while not then.fits:
        changes = _changes(loaded, plan)
        if not changes:
            return
        name, plan = changes[0]
        done[name.split()[0]] = name
        then = _memory(loaded, plan)
    yield f"together {', '.join(done.values())}: about {readable(then.total)}"


def _changes(loaded: LanguageModel, plan: Plan) -> list[tuple[str, Plan]]:
    """What can be changed to save memory, the cheapest first."""
    changes: list[tuple[str, Plan]] = []
    if plan.purpose == "train" and plan.lora_rank is None and loaded.kind == "full":
        changes.append(("LoRA", replace(plan, lora_rank=16)))
    if plan.purpose == "train" and not plan.checkpointing:
        changes.append(("gradient checkpointing", replace(plan, checkpointing=True)))
    if plan.batch > 1:
        half = plan.batch // 2
        changes.append((f"batches of {half} (fewer num_envs)", replace(plan, batch=half)))
    if plan.length > _SHORT:
        shorter = max(_SHORT, plan.length // 2)
        changes.append((f"sequences of {shorter} tokens", replace(plan, length=shorter)))
    return changes


def _seconds(plan: Plan, speed: Speed) -> float:
    """Time of a plan from the time of its parts."""
    if plan.purpose == "train":
        # In measured passes without gradients: SmolLM2 takes 4.0 for a whole step on two cores, of
        # which LoRA, needing no gradients of the weights, saves about one. Checkpointing adds one.
        passes = (4.0 if plan.lora_rank is None else 3.0) + plan.checkpointing
        return plan.count * passes * plan.batch * plan.length / speed.prefill
    rounds = -(-plan.count // plan.batch)
    sampled = plan.turns * plan.new_tokens
    read = max(0, plan.length - sampled) * plan.batch / speed.prefill
    return rounds * (read + sampled * speed.step)
