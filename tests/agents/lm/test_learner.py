"""The language-model learner: it learns, it resumes bit for bit, it fails in one line."""

import copy
import json
import math
import random

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
)

from asl_env.agents.lm.learner import GRPOLearner
from asl_env.agents.lm.loading import LanguageModel, load_language_model
from asl_env.agents.lm.template import TEMPLATES
from asl_env.envs.seat import Seat, make_tool
from asl_env.envs.vector import SeatVectorEnv
from asl_env.episode import Claim, Request, RewardParts, Role, Task
from asl_env.errors import LanguageModelError, RunError
from asl_env.protocols import Learner

ASSIGNMENTS = {
    Role.POLICY: [Task(f"t{n}", f"What is {n}?", ("x",)) for n in range(4)],
    Role.GENERATOR: [Request(f"r{n}", "seed", f"topic {n}") for n in range(4)],
    Role.GRM: [Claim(f"c{n}", f"Who is {n}?", "Me", "wrong") for n in range(4)],
}


class Plain:
    """The asl dialect with prompts of a few tokens."""

    name = "plain"

    def __getattr__(self, name):
        from asl_env.dialects import make_dialect

        return getattr(make_dialect("asl"), name)

    def system_prompt(self, role):
        return str(role)


class FirstLetter:
    """Pays for a turn that begins with a letter; every seventh episode fails if asked to."""

    def __init__(self, fails=False):
        self.fails = fails
        self.count = 0

    def score(self, episodes):
        out = []
        for episode in episodes:
            self.count += 1
            paid = float(episode.turns[0].text[:1].isalpha())
            broken = "search: gone" if self.fails and self.count % 7 == 0 else None
            out.append(RewardParts(paid, invalid=broken))
        return out


def make_tokenizer():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fast = Tokenizer(models.BPE({char: at for at, char in enumerate(alphabet)}, []))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens(["<|im_start|>", "<|im_end|>", "<pad>"])
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=fast, eos_token="<|im_end|>", pad_token="<pad>"
    )
    tokenizer.chat_template = TEMPLATES["chatml"]
    return tokenizer


TOKENIZER = make_tokenizer()


def make_model(seed=0, **more):
    config = LlamaConfig(
        vocab_size=len(TOKENIZER),
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=2048,
        eos_token_id=TOKENIZER.eos_token_id,
        pad_token_id=TOKENIZER.pad_token_id,
        bos_token_id=None,
        **more,
    )
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config).eval()
    return LanguageModel(model, TOKENIZER, f"tiny-{seed}", 2048)


def make_learner(seed=0, model=None, **settings):
    settings = {"learning_rate": 1e-2, "max_new_tokens": 2, "entropy": 0.0, **settings}
    return GRPOLearner(
        make_model() if model is None else model,
        seed=seed,
        dialect=Plain(),
        settings=settings,
    )


def make_env(role=Role.POLICY, num_envs=16, group_size=8, fails=False):
    tool = make_tool("null")
    seat = Seat(role, ASSIGNMENTS[role], tool, Plain(), FirstLetter(fails))
    return SeatVectorEnv(seat, num_envs, group_size)


def weights(learner, role=Role.POLICY):
    model = learner._brains[role].language_model.model
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one, other):
    assert one.keys() == other.keys()
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_it_learns_what_pays(seed):
    learner = make_learner(seed, make_model(seed), learning_rate=3e-2)
    seen = []
    env = make_env(num_envs=32)
    summary = learner.learn(Role.POLICY, env, 32 * 25, [lambda m: not seen.append(m)])
    first = sum(m["reward"] for m in seen[:3]) / 3
    last = sum(m["reward"] for m in seen[-3:]) / 3
    assert first < 0.35 and last > 0.9
    assert summary["updates"] == len(seen) == 25 and summary["steps"] == 800
    assert seen[0]["entropy"] > seen[-1]["entropy"]
    chats = env.chats()
    greedy = learner.act(chats, greedy=True)
    assert all(turn.text[:1].isalpha() for turn in greedy)


def test_it_is_a_learner():
    assert isinstance(make_learner(), Learner)


def test_updates_are_reported_and_may_be_stopped():
    learner, seen = make_learner(), []

    def watch(metrics):
        seen.append(metrics)
        return len(seen) < 2

    summary = learner.learn("policy", make_env(), 10_000, [watch])
    assert len(seen) == 2 and summary["updates"] == 2
    for name in ("reward", "invalid_share", "entropy", "clip_share", "length", "group_spread"):
        assert math.isfinite(seen[0][name])
    assert seen[0]["steps"] == 16 and seen[1]["steps"] == 32
    assert seen[0]["tokens"] <= 32 and seen[0]["time/rollout"] > 0
    assert seen[0]["logprob_gap"] < 1e-4  # what was sampled is what is trained on


def test_the_budget_is_rounded_up_to_whole_updates():
    learner = make_learner(groups=3)  # two groups at a time: two episodes of each
    summary = learner.learn(Role.POLICY, make_env(), 33)
    assert summary["updates"] == 2 and summary["steps"] == 64
    assert summary["episodes"] == 64


def test_several_steps_may_be_made_on_the_same_episodes():
    seen = []
    learner = make_learner(iterations=3, clip=0.05)
    summary = learner.learn(Role.POLICY, make_env(), 32, [lambda m: not seen.append(m)])
    assert [m["steps"] for m in seen] == [16] * 3 + [32] * 3
    assert summary["updates"] == 6 and summary["episodes"] == 32
    assert seen[0]["clip_share"] == 0.0 < seen[2]["clip_share"]


LORA = {"rank": 4, "alpha": 8}


@pytest.mark.parametrize(
    ("lora", "beta"),
    [
        (None, 0.0),
        (LORA, 0.1),
        pytest.param(LORA, 0.0, marks=pytest.mark.slow),
        pytest.param(None, 0.1, marks=pytest.mark.slow),
    ],
    ids=["full", "lora-beta", "lora", "full-beta"],
)
def test_a_resumed_run_is_the_run_that_was_not_stopped(tmp_path, lora, beta):
    options = {"lora": lora, "beta": beta, "entropy": 0.01, "micro_batch_tokens": 300}
    whole = make_learner(**options)
    whole.learn(Role.POLICY, make_env(fails=True), 48)
    whole.save(tmp_path / "half")
    seen = []
    whole.learn(Role.POLICY, make_env(fails=True), 48, [lambda m: not seen.append(m)])
    whole.learn(Role.GRM, make_env(Role.GRM), 16)

    resumed = make_learner(**options)
    resumed.load(tmp_path / "half")
    again = []
    resumed.learn(Role.POLICY, make_env(fails=True), 48, [lambda m: not again.append(m)])
    resumed.learn(Role.GRM, make_env(Role.GRM), 16)
    assert same(weights(whole), weights(resumed))
    timeless = [[{k: v for k, v in m.items() if "time" not in k} for m in x] for x in (seen, again)]
    assert timeless[0] == timeless[1]
    whole.save(tmp_path / "one")
    resumed.save(tmp_path / "two")
    files = sorted(path.relative_to(tmp_path / "one") for path in tmp_path.glob("one/**/*.*"))
    assert any("optimizer" in path.name for path in files)
    for path in files:
        if path.suffix in (".safetensors", ".json"):
            assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()
    assert not list(tmp_path.glob("**/*.bin")) and not list(tmp_path.glob("**/*.pt"))


def test_what_is_saved_opens_as_a_plain_model(tmp_path):
    learner = make_learner()
    learner.learn(Role.POLICY, make_env(), 16)
    learner.save(tmp_path)
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model")
    assert same(plain.state_dict(), weights(learner))
    assert AutoTokenizer.from_pretrained(tmp_path / "model").chat_template
    loaded = load_language_model(tmp_path / "model", device="cpu")
    assert same(loaded.model.state_dict(), weights(learner))


def test_tied_weights_come_back(tmp_path):
    learner = make_learner(model=make_model(tie_word_embeddings=True))
    learner.learn(Role.POLICY, make_env(), 16)
    learner.save(tmp_path)
    again = make_learner(model=make_model(3, tie_word_embeddings=True))
    again.load(tmp_path)
    assert same(weights(learner), weights(again))


@pytest.mark.parametrize("lora", [None, {"rank": 4, "alpha": 8}], ids=["full", "lora"])
def test_a_copy_learns_on_its_own(tmp_path, lora):
    learner = make_learner(lora=lora)
    learner.learn(Role.POLICY, make_env(), 16)
    learner.save(tmp_path)
    twin = copy.deepcopy(learner)
    before = weights(learner)
    twin.learn(Role.POLICY, make_env(), 16)
    assert same(before, weights(learner)) and not same(before, weights(twin))
    learner.learn(Role.POLICY, make_env(), 16)
    assert same(weights(learner), weights(twin))
    twin.load(tmp_path)
    assert same(before, weights(twin))


def test_one_backbone_plays_and_learns_three_roles():
    learner = make_learner()
    seen = {}
    for role in Role:
        before = weights(learner)
        seen[role] = learner.learn(role, make_env(role), 16)
        assert not same(before, weights(learner))
    assert len({id(brain) for brain in learner._brains.values()}) == 1
    assert all(math.isfinite(summary["loss"]) for summary in seen.values())


def test_every_seat_may_have_its_own_model(tmp_path):
    shared = make_model(1)
    models = {"generator": shared, "policy": make_model(2), "grm": shared}
    learner = make_learner(model=models)
    before = {role: weights(learner, role) for role in Role}
    learner.learn(Role.GRM, make_env(Role.GRM), 16)
    assert same(before[Role.POLICY], weights(learner, Role.POLICY))
    assert not same(before[Role.GENERATOR], weights(learner, Role.GENERATOR))
    learner.save(tmp_path)
    assert (tmp_path / "generator+grm").is_dir() and (tmp_path / "policy").is_dir()
    with pytest.raises(RunError, match=r"holds generator\+grm, policy, this learner model"):
        make_learner().load(tmp_path)


def test_an_adapter_is_trained_in_place_of_the_weights(tmp_path):
    model = make_model()
    learner = make_learner(model=model, lora={"rank": 4, "alpha": 8}, gradient_checkpointing=True)
    before = weights(learner)
    seen = []
    learner.learn(Role.POLICY, make_env(), 32, [lambda m: not seen.append(m)])
    assert all(metrics["logprob_gap"] < 1e-4 for metrics in seen)
    after = weights(learner)
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    assert moved and all("lora_" in name for name in moved)
    learner.save(tmp_path)
    assert (tmp_path / "model" / "adapter_model.safetensors").stat().st_size < 60_000
    assert not (tmp_path / "model" / "model.safetensors").exists()


def test_nothing_global_is_left_behind():
    learner = make_learner()

    def states():
        numpys = np.random.get_state()[1].tolist()  # noqa: NPY002
        return torch.get_rng_state().tolist(), numpys, random.getstate()

    before = states()
    learner.learn(Role.POLICY, make_env(), 16)
    assert before == states()


def test_nothing_is_printed_or_written(capfd, tmp_path, monkeypatch, recwarn):
    monkeypatch.chdir(tmp_path)
    learner = make_learner()
    learner.learn(Role.POLICY, make_env(), 32)
    assert not list(tmp_path.iterdir())
    learner.save(tmp_path / "saved")
    learner.load(tmp_path / "saved")
    assert capfd.readouterr() == ("", "")
    assert not [w for w in recwarn if "TRL" in str(w.message) or "deprecated" in str(w.message)]


def test_a_broken_update_is_refused_before_it_is_made(monkeypatch):
    from asl_env.agents.lm import trl_trainer

    learner = make_learner()
    learner.learn(Role.POLICY, make_env(), 16)
    before, state = weights(learner), copy.deepcopy(learner._brains[Role.POLICY]._optimizer)
    plain = trl_trainer.EpisodeTrainer._compute_loss
    monkeypatch.setattr(
        trl_trainer.EpisodeTrainer,
        "_compute_loss",
        lambda self, model, inputs: plain(self, model, inputs) * math.inf,
    )
    with pytest.raises(LanguageModelError, match=r"^the loss is .*; lower learning_rate") as error:
        learner.learn(Role.POLICY, make_env(), 16)
    assert "\n" not in str(error.value)
    monkeypatch.undo()
    assert same(before, weights(learner))
    assert str(state.state_dict()) == str(learner._brains[Role.POLICY]._optimizer.state_dict())
    learner.learn(Role.POLICY, make_env(), 16)


def test_out_of_memory_names_what_to_lower(monkeypatch):
    from asl_env.agents.lm import trl_trainer

    def full(self, model, inputs):
        raise RuntimeError(
            "[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"
        )

    monkeypatch.setattr(trl_trainer.EpisodeTrainer, "_compute_loss", full)
    with pytest.raises(LanguageModelError, match=r"out of memory .* micro_batch_tokens=4096"):
        make_learner().learn(Role.POLICY, make_env(), 16)


def test_a_group_of_one_is_no_group():
    with pytest.raises(LanguageModelError, match="group_size of at least 2, not 1"):
        make_learner().learn(Role.POLICY, make_env(num_envs=4, group_size=1), 16)


def test_wrong_checkpoints_are_one_line(tmp_path):
    learner = make_learner()
    with pytest.raises(RunError, match="not a readable GRPO checkpoint"):
        learner.load(tmp_path)
    learner.save(tmp_path)
    other = make_learner(model=LanguageModel(make_model().model, TOKENIZER, "x", 2048), lora={})
    with pytest.raises(RunError, match="other settings of lora"):
        other.load(tmp_path)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    (tmp_path / "model" / "optimizer.safetensors").write_bytes(b"cut")
    with pytest.raises(RunError, match="not a usable checkpoint file"):
        learner.load(tmp_path)
    (tmp_path / "model" / "config.json").write_text(json.dumps({**config, "hidden_size": 8}))
    with pytest.raises(RunError, match="not a usable checkpoint of this model"):
        learner.load(tmp_path)


def test_a_seat_may_be_sampled_and_trained_at_a_temperature_of_its_own():
    learner = make_learner(temperature=2.0, temperatures={"policy": 0.25})
    metrics = learner.learn(Role.POLICY, make_env(), 16)
    assert metrics["logprob_gap"] < 1e-4  # the loss saw the log-probs of sampling
    everywhere = make_learner(temperature=0.25)
    everywhere.learn(Role.POLICY, make_env(), 16)
    assert same(weights(learner), weights(everywhere))


def test_rewards_of_seats_may_weigh_differently():
    plain, halved = make_learner(), make_learner(reward_scale={"policy": 0.0})
    before = weights(halved)
    halved.learn(Role.POLICY, make_env(), 16)
    assert all(torch.allclose(before[n], v, atol=1e-3) for n, v in weights(halved).items())
    plain.learn(Role.POLICY, make_env(), 16)
    assert not same(weights(plain), weights(halved))
