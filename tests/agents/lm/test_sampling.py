"""Drawing tokens: right frequencies, right log-probabilities, the same alone or in a batch."""

import math

import numpy as np
import pytest
import torch

from asl_env.agents.lm.sampling import Sampling, choose, uniforms
from asl_env.errors import LanguageModelError

PROBABILITIES = [0.1, 0.4, 0.2, 0.0, 0.3]
LOGITS = torch.tensor([[math.log(p) if p else -math.inf for p in PROBABILITIES]])


def grid(count):
    """Evenly spread numbers: drawing with them hits each token exactly as often as it should."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count


def shares(sampling, logits=LOGITS, count=1000):
    tokens, _ = choose(logits.expand(count, -1), grid(count), False, sampling)
    return (torch.bincount(tokens, minlength=logits.shape[1]) / count).tolist()


def test_tokens_are_drawn_as_often_as_they_are_likely():
    assert shares(Sampling()) == pytest.approx(PROBABILITIES, abs=0.002)


def test_temperature_sharpens():
    expected = np.array(PROBABILITIES) ** 2
    found = shares(Sampling(temperature=0.5))
    assert found == pytest.approx(list(expected / expected.sum()), abs=0.002)


def test_top_k_keeps_the_likeliest():
    assert shares(Sampling(top_k=2)) == pytest.approx([0, 4 / 7, 0, 0, 3 / 7], abs=0.002)
    assert shares(Sampling(top_k=99)) == pytest.approx(PROBABILITIES, abs=0.002)


def test_top_p_keeps_the_smallest_set_that_holds_the_share():
    assert shares(Sampling(top_p=0.69)) == pytest.approx([0, 4 / 7, 0, 0, 3 / 7], abs=0.002)
    assert shares(Sampling(top_p=0.71)) == pytest.approx([0, 4 / 9, 2 / 9, 0, 3 / 9], abs=0.002)
    assert shares(Sampling(top_p=1e-9)) == [0, 1, 0, 0, 0]


def test_of_equally_likely_tokens_the_first_is_kept():
    assert shares(Sampling(top_k=1), torch.zeros(1, 5)) == [1, 0, 0, 0, 0]


@pytest.mark.parametrize("uniform", [0.0, 1 - 2**-53])
def test_tokens_that_cannot_be_are_never_drawn(uniform):
    logits = torch.tensor([[-math.inf, 0.3, 0.1, -math.inf]])
    token, logprob = choose(logits, torch.tensor([uniform], dtype=torch.float64), False, Sampling())
    assert token.item() in (1, 2)
    assert math.isfinite(logprob.item())


def test_log_probabilities_are_those_at_the_temperature_before_the_cuts():
    sampling = Sampling(temperature=0.7, top_k=2, top_p=0.9)
    logits = torch.randn(16, 9, generator=torch.Generator().manual_seed(0))
    tokens, logprobs = choose(logits, grid(16), False, sampling)
    expected = (logits / 0.7).log_softmax(-1).gather(-1, tokens[:, None])[:, 0]
    torch.testing.assert_close(logprobs, expected)


def test_greedy_takes_the_likeliest_and_records_temperature_one():
    token, logprob = choose(LOGITS, grid(1), True, Sampling(temperature=9.0))
    assert token.item() == 1
    assert logprob.item() == pytest.approx(math.log(0.4))


def test_rows_may_be_greedy_or_not():
    logits = LOGITS.expand(2, -1)
    low = torch.full((2,), 0.01, dtype=torch.float64)
    tokens, logprobs = choose(logits, low, torch.tensor([True, False]), Sampling())
    assert tokens.tolist() == [1, 0]
    assert logprobs.tolist() == pytest.approx([math.log(0.4), math.log(0.1)])


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("greedy", [True, False])
def test_logits_that_are_not_numbers_show_in_the_log_probability(bad, greedy):
    logits = torch.tensor([[0.0, bad, 1.0]])
    _, logprob = choose(logits, grid(1), greedy, Sampling())
    assert not math.isfinite(logprob.item())


def test_the_numbers_of_a_turn_depend_on_its_seed_alone():
    assert uniforms((3, 1), 5).tolist() == np.random.default_rng([3, 1]).random(5).tolist()
    assert uniforms((3, 1), 9)[:5].tolist() == uniforms((3, 1), 5).tolist()
    assert uniforms((3, 2), 5).tolist() != uniforms((3, 1), 5).tolist()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("temperature", 0.0),
        ("temperature", math.nan),
        ("top_p", 0.0),
        ("top_p", 1.1),
        ("top_k", -1),
        ("max_new_tokens", 0),
    ],
)
def test_impossible_values_are_refused(field, value):
    with pytest.raises(LanguageModelError, match=field):
        Sampling(**{field: value})
