"""Estimates: the right order of magnitude, and advice that helps."""

from dataclasses import replace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from asl_env.agents.lm import estimate as module
from asl_env.agents.lm import memory
from asl_env.agents.lm.estimate import Plan, duration, estimate
from asl_env.agents.lm.loading import LanguageModel
from asl_env.agents.lm.speed import Speed, measure

#: The shape of SmolLM2-135M, whose peak memory was measured (GB, sequences of 512 tokens).
SMOLLM2 = {
    "vocab_size": 49152,
    "hidden_size": 576,
    "intermediate_size": 1536,
    "num_hidden_layers": 30,
    "num_attention_heads": 9,
    "num_key_value_heads": 3,
    "tie_word_embeddings": True,
}


@pytest.fixture(scope="module")
def smollm2():
    """A model of SmolLM2's shape without memory behind its weights."""
    with torch.device("meta"):
        model = LlamaForCausalLM(LlamaConfig(**SMOLLM2))
    return LanguageModel(model, None, "smollm2", 8192)


@pytest.mark.parametrize(
    ("dtype", "batch", "peak"),
    [("float32", 1, 3.3), ("float32", 4, 7.0), ("bfloat16", 1, 1.9), ("bfloat16", 4, 5.1)],
)
def test_training_memory_is_close_to_what_was_measured(dtype, batch, peak, smollm2):
    loaded = replace(smollm2, model=smollm2.model.to(getattr(torch, dtype)))
    found = estimate(loaded, Plan("train", batch, 512), probe=False)
    assert found.parameters == found.trainable == 134_515_008
    total = found.total + module._RUNTIME["cpu"]  # weights without memory count for no device
    assert total / 1e9 == pytest.approx(peak, rel=0.3)


def test_lora_checkpointing_and_smaller_plans_need_less(smollm2):
    loaded = replace(smollm2, model=smollm2.model.to(torch.float32))
    plan = Plan("train", 8, 1024)
    full = estimate(loaded, plan, probe=False)
    lora = estimate(loaded, replace(plan, lora_rank=16), probe=False)
    saving = estimate(loaded, replace(plan, checkpointing=True), probe=False)
    half = estimate(loaded, replace(plan, batch=4), probe=False)
    assert lora.trainable == 4_884_480  # counted by peft over all linear layers
    assert lora.learning < full.learning / 20
    assert lora.activations == full.activations
    assert saving.activations < full.activations / 3
    assert half.activations == full.activations / 2
    assert "lora rank 16" in str(lora).lower()


def test_sampling_needs_a_cache_and_no_gradients(smollm2):
    found = estimate(smollm2, Plan("eval", 8, 1024), probe=False)
    width = next(smollm2.model.parameters()).element_size()
    assert found.cache == 2 * 30 * 3 * 64 * width * 8 * 1024
    assert found.learning == found.trainable == 0


def test_what_fits_is_said_in_three_lines(tiny):
    found = estimate(tiny, Plan("train", 2, 64, count=100))
    assert found.fits and found.advice == ()
    lines = found.lines()
    assert len(lines) == 3 and all("\n" not in line for line in lines)
    assert "float32 on cpu, full weights" in lines[0]
    assert "for 2 x 64 tokens" in lines[1] and "free" in lines[1]
    assert lines[2].endswith("for 100 steps")


def test_what_does_not_fit_comes_with_what_to_change(smollm2, monkeypatch):
    monkeypatch.setattr(module, "available", lambda device: 6_000_000_000)
    loaded = replace(smollm2, model=smollm2.model.to(torch.float32))
    found = estimate(loaded, Plan("train", 4, 512), probe=False)
    assert not found.fits
    assert any(line.startswith("gradient checkpointing: about") for line in found.advice)
    assert any(line.startswith("batches of 2") for line in found.advice)
    assert str(found).splitlines()[-1].startswith("this does not fit; ")
    huge = estimate(loaded, Plan("train", 64, 4096), probe=False)
    (together,) = huge.advice
    assert together.startswith("together LoRA, gradient checkpointing, batches of")
    monkeypatch.setattr(module, "available", lambda device: 1000)
    hopeless = estimate(loaded, Plan("play", 1, 512), probe=False)
    assert "take a smaller model" in str(hopeless)


def test_unknown_memory_stops_nobody(tiny, monkeypatch):
    monkeypatch.setattr(module, "available", lambda device: None)
    found = estimate(tiny, Plan("play", 1, 128), probe=False)
    assert found.fits and found.seconds is None and "free" not in str(found)


def test_the_probe_measures(tiny):
    speed = measure(tiny, batch=3, length=40)
    assert speed.prefill > 0 and speed.step > 0
    assert estimate(tiny, Plan("eval", 4, 128, count=4)).seconds > 0


@pytest.mark.parametrize("purpose", ["train", "eval", "play"])
def test_at_one_speed_a_thousand_times_as_much_takes_a_thousand_times_as_long(purpose):
    few, many = (
        module._seconds(Plan(purpose, 4, 128, count=count), Speed(prefill=5000.0, step=0.01))
        for count in (4, 4000)
    )
    assert few > 0
    assert many == pytest.approx(1000 * few)


def test_memory_is_known_here():
    free = memory.available("cpu")
    assert free is None or 10**7 < free < 10**14
    assert memory.readable(7_040_000_000) == "7.0 GB"
    assert memory.readable(12_300_000) == "12 MB"


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "1 s"), (20, "20 s"), (2100, "35 min"), (12_000, "3 h 20 min")]
)
def test_durations_are_readable(seconds, said):
    assert duration(seconds) == said
