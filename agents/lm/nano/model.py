"""The nano model's shape, and a model of it with random weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class NanoShape:
    """A Llama of a few million parameters.

    Attributes:
        width: Size of the residual stream.
        layers: Transformer blocks.
        heads: Attention heads.
        kv_heads: Heads of keys and values.
        inner: Width of the feed-forward layers.
        vocabulary: Tokens.
        context: Longest sequence in tokens.
    """

    width: int = 192
    layers: int = 5
    heads: int = 6
    kv_heads: int = 3
    inner: int = 512
    vocabulary: int = 4096
    context: int = 4096


def new_model(shape: NanoShape, tokenizer: Any, seed: int) -> Any:
    """A model with random weights.

    Args:
        shape: Its sizes.
        tokenizer: Whose end and padding tokens it uses.
        seed: Of the weights.

    Returns:
        A ``transformers.LlamaForCausalLM`` in float32.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocabulary,
        hidden_size=shape.width,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        max_position_embeddings=shape.context,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = LlamaForCausalLM(config)
        return model.float()
