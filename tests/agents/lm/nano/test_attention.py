"""Attention in blocks is causal attention, forwards and backwards."""

import pytest
import torch
from torch.nn.functional import scaled_dot_product_attention

from asl_env.agents.lm.nano.attention import NAME, attend_in_blocks, train_in_blocks
from asl_env.agents.lm.nano.model import NanoShape, new_model


def tensors(rows, heads, length, size, seed=0):
    generator = torch.Generator().manual_seed(seed)
    made = torch.randn(rows, heads, length, size, generator=generator).bfloat16()
    return made.requires_grad_()


@pytest.mark.parametrize("length", [1, 95, 96, 97, 250])
@pytest.mark.parametrize("key_heads", [1, 2, 4])
def test_it_equals_torchs_own_attention(length, key_heads):
    query = tensors(2, 4, length, 16)
    key, value = (tensors(2, key_heads, length, 16, seed) for seed in (1, 2))
    wide = [one.detach().float().requires_grad_() for one in (query, key, value)]
    wanted = scaled_dot_product_attention(*wide, is_causal=True, enable_gqa=True)
    found, weights = attend_in_blocks(None, query, key, value)
    assert weights is None
    assert found.shape == (2, length, 4, 16)
    torch.testing.assert_close(found.transpose(1, 2).float(), wanted, atol=0.03, rtol=0.03)
    wanted.sum().backward()
    found.float().sum().backward()
    for mine, theirs in zip((query, key, value), wide, strict=True):
        torch.testing.assert_close(mine.grad.float(), theirs.grad, atol=0.15, rtol=0.05)


def test_a_mask_is_refused():
    one = tensors(1, 1, 3, 8)
    with pytest.raises(ValueError, match="takes no mask"):
        attend_in_blocks(None, one, one, one, torch.ones(1, 1, 3, 3))


def test_a_model_that_trains_in_blocks_predicts_the_same():
    class Tokenizer:
        eos_token_id = pad_token_id = 0

    model = new_model(NanoShape(32, 2, 4, 2, 64, 128), Tokenizer(), 0)
    ids = torch.arange(120)[None] % 128
    with torch.no_grad():
        before = model(input_ids=ids).logits
        train_in_blocks(model)
        after = model(input_ids=ids).logits
    assert model.config._attn_implementation == NAME
    torch.testing.assert_close(after.float(), before, atol=0.02, rtol=0.02)
