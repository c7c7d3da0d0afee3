"""The trainer's loss and gradient are those of GRPO, written out by hand in plain torch."""

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from asl_env.agents.lm.advantages import EPSILON, group_advantages
from asl_env.agents.lm.progress import Batch
from asl_env.agents.lm.settings import GRPOSettings
from asl_env.agents.lm.trl_trainer import Report, trainer_of

#: Four episodes, two groups; prompts of different lengths, a tool reply between two turns. The
#: second episode is invalid.
LENGTHS = [(3, 4, 2, 5), (3, 2, 3, 2), (6, 1, 4, 3), (6, 3, 0, 0)]
REWARDS = [1.0, 9.0, 0.25, 0.75]
GROUPS = [0, 0, 1, 1]
VALID = [True, False, True, True]


@pytest.fixture(scope="module")
def tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fast = Tokenizer(models.BPE({char: at for at, char in enumerate(alphabet)}, []))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens(["<|im_end|>", "<pad>"])
    return PreTrainedTokenizerFast(tokenizer_object=fast, eos_token="<|im_end|>", pad_token="<pad>")


def make_model(tokenizer, seed=0):
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        initializer_range=0.5,  # far from uniform, so that errors show
    )
    return LlamaForCausalLM(config).eval()


def make_batch(advantages, weights, lengths=LENGTHS, seed=1):
    rng = np.random.default_rng(seed)
    ids, masks, logprobs = [], [], []
    for parts, valid in zip(lengths, VALID, strict=True):
        ids.append(rng.integers(0, 250, sum(parts)).tolist())
        kinds = [0, int(valid), 0, int(valid)]
        masks.append([kind for kind, n in zip(kinds, parts, strict=True) for _ in range(n)])
        logprobs.append((rng.normal(-5, 0.5, sum(parts)) * masks[-1]).tolist())
    if weights is not None:  # as if they had been sampled a little while ago
        noise = rng.normal(0, 0.3, (len(ids), max(map(len, ids))))
        logprobs = [
            [
                (value + noise[row][at]) * mask
                for at, (value, mask) in enumerate(zip(v, m, strict=True))
            ]
            for row, (v, m) in enumerate(zip(weights, masks, strict=True))
        ]
    return Batch(ids, logprobs, masks, list(advantages))


def scores(model, ids, temperature=1.0):
    """Log-probabilities and entropies of each token given those before it; the first has none."""
    logits = model(torch.tensor([ids])).logits[0, :-1] / temperature
    every = logits.log_softmax(-1)
    entropy = -(every.exp() * every).sum(-1)
    return every.gather(-1, torch.tensor(ids[1:])[:, None])[:, 0], entropy


def loss_by_hand(model, batch, settings, reference=None):
    """GRPO with a mean over tokens: no padding, no batches, one episode at a time."""
    total, tokens = torch.zeros(()), 0
    for ids, old, mask, advantage in zip(*batch, strict=True):
        now, entropy = scores(model, ids, settings.temperature)
        before = torch.tensor(old[1:]) if settings.iterations > 1 else now.detach()
        ratio = (now - before).exp()
        high = settings.clip if settings.clip_high is None else settings.clip_high
        clipped = ratio.clamp(1 - settings.clip, 1 + high)
        gain = torch.minimum(ratio * advantage, clipped * advantage)
        if reference is not None:  # k3 times the ratio, whose gradient is that of the divergence
            with torch.no_grad():  # (arXiv:2512.02556; TRL does so)
                away = scores(reference, ids, settings.temperature)[0]
            gain = gain - settings.beta * ratio * ((away - now).exp() - (away - now) - 1)
        where = torch.tensor(mask[1:])
        total = total - ((gain + settings.entropy * entropy) * where).sum()
        tokens += int(where.sum())
    return total / tokens


def trained_once(tokenizer, batch, settings, reference=None):
    """The trainer's loss, gradient and metrics of one step that moves nothing."""
    model = make_model(tokenizer)
    optimizer = Recording(model.parameters(), lr=0.0)
    size = {"rows": 4, "group_size": 2, "seed": 0}
    found = []
    source = iter([batch]).__next__
    with trainer_of(model, tokenizer, settings, size, source, optimizer, reference) as trainer:
        trainer.add_callback(Report(lambda: found.append(trainer.last_update())))
        trainer.train()
    return found[0], optimizer.seen


class Recording(torch.optim.SGD):
    """Notes the gradient that it is given."""

    def step(self, closure=None):
        self.seen = [p.grad.clone() for group in self.param_groups for p in group["params"]]


def exact(**more):
    return GRPOSettings(**{"max_grad_norm": 0.0, "entropy": 0.05, **more})


ADVANTAGES = group_advantages(REWARDS, GROUPS, VALID).tolist()


@pytest.mark.parametrize(
    "settings",
    [
        exact(),
        exact(entropy=0.0),
        exact(temperature=0.7),
        exact(micro_batch_tokens=1),
        exact(micro_batch_tokens=25),
        exact(iterations=2),
        exact(iterations=2, clip=0.1, clip_high=0.4, micro_batch_tokens=20),
    ],
    ids=["plain", "no entropy", "temperature", "one by one", "two", "clipped", "clip-higher"],
)
def test_loss_and_gradient_are_those_written_by_hand(tokenizer, settings):
    model = make_model(tokenizer)
    plain = make_batch(ADVANTAGES, None)
    with torch.no_grad():
        old = [[0.0, *scores(model, ids, settings.temperature)[0].tolist()] for ids in plain.ids]
    batch = make_batch([0.8, 0.0, -0.6, 0.6], old)
    expected = loss_by_hand(model, batch, settings)
    expected.backward()
    metrics, gradient = trained_once(tokenizer, batch, settings)
    assert metrics["loss"] == pytest.approx(float(expected.detach()), abs=1e-6)
    for parameter, found in zip(model.parameters(), gradient, strict=True):
        torch.testing.assert_close(found, parameter.grad, rtol=1e-4, atol=1e-6)
    if settings.iterations > 1:
        assert 0 < metrics["clip_share"] < 1


def test_staying_close_to_a_reference_is_as_written_by_hand(tokenizer):
    model, reference = make_model(tokenizer), make_model(tokenizer, seed=5)
    batch, settings = make_batch(ADVANTAGES, None), exact(beta=0.3, micro_batch_tokens=20)
    expected = loss_by_hand(model, batch, settings, reference)
    expected.backward()
    metrics, gradient = trained_once(tokenizer, batch, settings, reference)
    assert metrics["loss"] == pytest.approx(float(expected.detach()), rel=1e-5)
    assert metrics["kl"] > 0
    for parameter, found in zip(model.parameters(), gradient, strict=True):
        torch.testing.assert_close(found, parameter.grad, rtol=1e-4, atol=1e-6)


def test_what_teaches_nothing_is_not_computed_and_changes_nothing(tokenizer):
    """Without a bonus, episodes with advantage 0 only count in the number of tokens."""
    batch = make_batch([0.7, 0.0, 0.0, -0.7], None)
    assert sum(batch.mask[2]) > 0
    expected = loss_by_hand(make_model(tokenizer), batch, exact(entropy=0.0))
    metrics, _ = trained_once(tokenizer, batch, exact(entropy=0.0))
    assert metrics["loss"] == pytest.approx(float(expected.detach()), abs=1e-6)


def test_invalid_members_count_in_no_mean_and_no_deviation():
    assert ADVANTAGES[:2] == [0.0, 0.0]  # one valid member is no group
    spread = np.std([0.25, 0.75], ddof=1)
    assert ADVANTAGES[2:] == pytest.approx([-0.25 / (spread + EPSILON), 0.25 / (spread + EPSILON)])
    valid = [True, True, True, False]
    three = group_advantages([0.0, 1.0, 2.0, 77.0], [5] * 4, valid)
    assert three.tolist() == pytest.approx([-1 / (1 + EPSILON), 0, 1 / (1 + EPSILON), 0])
    assert group_advantages([0.0, 1.0, 2.0, np.nan], [5] * 4, valid).tolist() == three.tolist()


def test_groups_without_spread_teach_nothing():
    same = [0.1 + 0.2, 0.1 + 0.2, 0.1 + 0.2]
    assert group_advantages(same, [0] * 3, [True] * 3).tolist() == [0.0] * 3
    assert group_advantages(same, [0] * 3, [True] * 3, "batch").tolist() == [0.0] * 3


def test_advantages_are_divided_as_asked():
    rewards, groups, valid = [0.0, 1.0, 4.0, 8.0], [0, 0, 1, 1], [True] * 4
    plain = [-0.5, 0.5, -2.0, 2.0]
    assert group_advantages(rewards, groups, valid, "none").tolist() == plain
    by_batch = np.array(plain) / (np.std(rewards, ddof=1) + EPSILON)
    assert group_advantages(rewards, groups, valid, "batch").tolist() == pytest.approx(by_batch)


def test_invalid_episodes_are_as_if_they_had_not_been_played(tokenizer):
    metrics, gradient = trained_once(tokenizer, make_batch(ADVANTAGES, None), exact())
    batch = make_batch(ADVANTAGES, None)
    batch.ids[1][:] = batch.ids[1][::-1]
    again, other = trained_once(tokenizer, batch, exact())
    assert metrics == again
    for one, two in zip(gradient, other, strict=True):
        assert torch.equal(one, two)


def test_where_nothing_was_sampled_the_vocabulary_is_not_scored(tokenizer, monkeypatch):
    """Scores of tool tokens cannot move the loss: they are never computed."""
    import trl.trainer.utils as utils

    seen = []
    inner = utils._ChunkedLogProbFunction

    class Spy:
        @staticmethod
        def apply(hidden, *rest):
            seen.append(len(hidden))
            return inner.apply(hidden, *rest)

    monkeypatch.setattr(utils, "_ChunkedLogProbFunction", Spy)
    batch = make_batch(ADVANTAGES, None)
    trained_once(tokenizer, batch, exact())
    assert sum(seen) == sum(map(sum, batch.mask))


def test_scores_of_tool_tokens_do_not_change_the_loss(tokenizer):
    """The same tool reply with other "sampled" log-probabilities and advantages of its own."""
    batch = make_batch(ADVANTAGES, None)
    settings = exact(iterations=2)
    before, gradient = trained_once(tokenizer, batch, settings)
    for values, mask in zip(batch.logprobs, batch.mask, strict=True):
        values[:] = [value if kept else -99.0 for value, kept in zip(values, mask, strict=True)]
    after, other = trained_once(tokenizer, batch, settings)
    assert before == after
    assert all(torch.equal(one, two) for one, two in zip(gradient, other, strict=True))


def test_a_batch_of_invalid_episodes_moves_nothing(tokenizer):
    batch = make_batch([0.0] * 4, None)
    for mask in batch.mask:
        mask[:] = [0] * len(mask)
    model = make_model(tokenizer)
    before = [p.clone() for p in model.parameters()]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1.0)
    size = {"rows": 4, "group_size": 2, "seed": 0}
    source = iter([batch]).__next__
    with trainer_of(model, tokenizer, exact(), size, source, optimizer) as trainer:
        trainer.add_callback(Report(lambda: False))
        trainer.train()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_the_model_is_left_as_it_was(tokenizer):
    model = make_model(tokenizer)
    forward = model.forward
    size = {"rows": 4, "group_size": 2, "seed": 0}
    optimizer = torch.optim.AdamW(model.parameters())
    settings = exact(gradient_checkpointing=True)
    source = iter([make_batch(ADVANTAGES, None)]).__next__
    with trainer_of(model, tokenizer, settings, size, source, optimizer) as trainer:
        trainer.add_callback(Report(lambda: False))
        trainer.train()
        assert model.is_activation_checkpointing
    assert "forward" not in model.__dict__ and model.forward == forward
    assert not model.training and not model.is_activation_checkpointing
