"""The transformers backend: log-probabilities are exact, whatever was cached and batched."""

import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MambaConfig,
    MambaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from asl_env.agents.lm.backend import Backend, Prompt
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.lm.transformers_backend import TransformersBackend
from asl_env.errors import LanguageModelError

STOP = ("</answer>", "the")
SMALL = {
    "vocab_size": 600,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


def make_backend(tiny, **options):
    ends = {tiny.tokenizer.eos_token_id}
    options = {"end_ids": ends, "context": tiny.context, "name": tiny.name} | options
    return TransformersBackend(tiny.model, tiny.tokenizer, **options)


def random_ids(seed, count):
    return tuple(np.random.default_rng(seed).integers(0, 500, count).tolist())


def plain_logprobs(model, prompt, sampled):
    """Log-probabilities of the sampled tokens from one pass over the whole sequence."""
    with torch.no_grad():
        logits = model(torch.tensor([[*prompt, *sampled]]), use_cache=False).logits[0]
    rows = logits[len(prompt) - 1 : -1].float().log_softmax(-1)
    return rows.gather(-1, torch.tensor(sampled)[:, None])[:, 0].tolist()


def plain_turn(model, prompt, limit, ends):
    """The likeliest turn, token by token over the whole sequence."""
    ids = list(prompt)
    while len(ids) < len(prompt) + limit and not (ids[len(prompt) :] and ids[-1] in ends):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax()))
    return tuple(ids[len(prompt) :])


@st.composite
def schedules(draw):
    """Chats that begin at different times: openings (some shared), and tool replies per turn."""
    stem = random_ids(draw(st.integers(0, 3)), draw(st.integers(1, 90)))
    chats = []
    for _ in range(draw(st.integers(1, 5))):
        tail = random_ids(draw(st.integers(0, 2)), draw(st.integers(0, 9)))
        replies = draw(st.lists(st.integers(1, 40), max_size=3))
        chats.append((draw(st.integers(0, 2)), stem + tail, replies, draw(st.integers(1, 12))))
    return chats


def play(backend, chats, sampling, stop):
    """Plays all chats together; yields per chat and turn the prompt and what was sampled."""
    sequences = [opening for _, opening, _, _ in chats]
    for time in range(max(start + len(replies) + 1 for start, _, replies, _ in chats)):
        running = [
            number
            for number, (start, _, replies, _) in enumerate(chats)
            if 0 <= time - start <= len(replies)
        ]
        prompts = [
            Prompt(sequences[n], (n, time - chats[n][0]), n % 4 == 3, chats[n][3], n)
            for n in running
        ]
        said = backend.generate(prompts, sampling, stop)
        for n, prompt, one in zip(running, prompts, said, strict=True):
            yield n, prompt, one
            start, _, replies, _ = chats[n]
            if time - start < len(replies):
                reply = random_ids(n + 100 * time, replies[time - start])
                sequences[n] = (*sequences[n], *one.ids, *reply)


BUDGETS = st.fixed_dictionaries(
    {
        "session_bytes": st.sampled_from([0, 60_000, 10**8]),
        "batch_bytes": st.sampled_from([1, 100_000, 10**8]),
        "block_tokens": st.sampled_from([7, 64, 4096]),
    }
)


@settings(max_examples=12, derandomize=True)
@given(chats=schedules(), options=BUDGETS)
def test_sampling_is_exact_whatever_is_cached_and_batched(tiny, chats, options):
    sampling = Sampling(temperature=0.8)
    backend = make_backend(tiny, **options)
    alone = make_backend(tiny, session_bytes=0)
    for _, prompt, said in play(backend, chats, sampling, STOP):
        (same,) = alone.generate([prompt._replace(key=None)], sampling, STOP)
        assert said.ids == same.ids and said.reason == same.reason
        assert said.logprobs == pytest.approx(same.logprobs, abs=1e-4)
        if prompt.greedy:
            expected = plain_logprobs(tiny.model, prompt.ids, said.ids)
            assert said.logprobs == pytest.approx(expected, abs=1e-4)
    assert backend.store.used <= options["session_bytes"]


@settings(max_examples=12, derandomize=True)
@given(chats=schedules(), options=BUDGETS)
def test_recorded_log_probabilities_are_those_of_one_pass_at_the_end(tiny, chats, options):
    """At temperature 1: the whole finished sequence once through the model, all turns at once."""
    turns, sequences = {}, {}
    for number, prompt, said in play(make_backend(tiny, **options), chats, Sampling(), STOP):
        turns.setdefault(number, []).append((len(prompt.ids), said))
        sequences[number] = (*prompt.ids, *said.ids)
    for number, ids in sequences.items():
        with torch.no_grad():
            logits = tiny.model(torch.tensor([ids]), use_cache=False).logits[0]
        rows = logits.log_softmax(-1).tolist()
        for start, said in turns[number]:
            expected = [rows[start + n - 1][token] for n, token in enumerate(said.ids)]
            assert said.logprobs == pytest.approx(expected, abs=1e-4)


def test_it_is_a_backend(tiny):
    assert isinstance(make_backend(tiny), Backend)


def test_greedy_turns_are_the_likeliest_tokens(tiny):
    backend = make_backend(tiny)
    prompts = [Prompt(random_ids(n, 5 + 3 * n), greedy=True, limit=12) for n in range(4)]
    ends = {tiny.tokenizer.eos_token_id}
    for prompt, said in zip(prompts, backend.generate(prompts, Sampling(), ()), strict=True):
        assert said.ids == plain_turn(tiny.model, prompt.ids, 12, ends)


def test_only_new_tokens_are_computed(tiny):
    backend = make_backend(tiny, end_ids=())
    opening, reply = random_ids(0, 200), random_ids(1, 30)
    (first,) = backend.generate([Prompt(opening, limit=10, key="a")], Sampling(), ())
    assert backend.computed == 200 + 9
    second = Prompt((*opening, *first.ids, *reply), (0, 1), limit=10, key="a")
    backend.generate([second], Sampling(), ())
    # The last sampled token was never run through the model.
    assert backend.computed == 200 + 9 + (1 + 30) + 9
    assert backend.sampled == 20


def test_equal_openings_are_computed_once_and_common_beginnings_too(tiny):
    backend = make_backend(tiny, end_ids=())
    stem = random_ids(0, 200)
    prompts = [Prompt((*stem, 1, 2, task), (n, 0), limit=1) for task in (3, 4) for n in range(8)]
    backend.generate(prompts, Sampling(), ())
    assert backend.computed == 202 + 1 + 1
    backend.generate([Prompt((*stem, 1, 2, 9), limit=1)], Sampling(), ())
    assert backend.computed == 202 + 1 + 1 + 1


def test_forgetting_makes_new_weights_count(tiny, new_model):
    changed = new_model("llama", tokenizer=tiny.tokenizer, seed=1)
    backend = make_backend(changed)
    prompts = [Prompt(random_ids(0, 60), limit=8, key="a")]
    backend.generate(prompts, Sampling(), ())
    with torch.no_grad():
        for parameter in changed.model.parameters():
            parameter.mul_(1.1)
    backend.forget()
    (said,) = backend.generate(prompts, Sampling(), ())
    expected = plain_logprobs(changed.model, prompts[0].ids, said.ids)
    assert said.logprobs == pytest.approx(expected, abs=1e-4)


def test_a_turn_ends_with_its_end_token(tiny):
    prompt = Prompt(random_ids(0, 9), greedy=True, limit=20)
    (free,) = make_backend(tiny, end_ids=()).generate([prompt], Sampling(), ())
    end = free.ids[5]
    (said,) = make_backend(tiny, end_ids={end}).generate([prompt], Sampling(), ())
    assert said.ids == free.ids[: free.ids.index(end) + 1]
    assert (said.reason, free.reason) == ("end", "length")


@pytest.mark.parametrize("spelled", [False, True])
@pytest.mark.parametrize("stop", ["</answer>", "</search>"])
def test_a_turn_ends_with_the_token_that_completes_a_stop_string(
    told, tokenizer, spelling_tokenizer, stop, spelled
):
    used = spelling_tokenizer if spelled else tokenizer
    ids = used.encode(stop, add_special_tokens=False)
    assert (len(ids) > 1) == spelled
    model = told(used, {f"Lu{stop}": 1.0})
    backend = TransformersBackend(model.model, used, end_ids={used.eos_token_id}, context=99)
    prompt = Prompt(tuple(used.encode("x\n", add_special_tokens=False)), limit=50)
    (said,) = backend.generate([prompt], Sampling(), ("</tool>", stop))
    assert used.decode(said.ids) == f"Lu{stop}"
    assert said.reason == "stop"
    (unstopped,) = backend.generate([prompt], Sampling(), ("</tool>",))
    assert unstopped.ids == (*said.ids, used.eos_token_id)


def test_a_stop_string_may_end_inside_a_token(told, new_tokenizer):
    tokenizer = new_tokenizer(tags=("swer>!",))
    model = told(tokenizer, {"Lu</answer>!?": 1.0})
    backend = TransformersBackend(model.model, tokenizer, end_ids=(), context=99)
    line = tuple(tokenizer.encode("\n", add_special_tokens=False))
    (said,) = backend.generate([Prompt(line, limit=50)], Sampling(), ("</answer>",))
    assert tokenizer.decode(said.ids) == "Lu</answer>!"


def test_a_stop_string_in_the_prompt_does_not_stop(tiny):
    prompt = (*random_ids(0, 5), *tiny.tokenizer.encode("</answer", add_special_tokens=False))
    (said,) = make_backend(tiny).generate([Prompt(prompt, limit=3)], Sampling(), ("</answer>",))
    assert len(said.ids) >= 1


def test_the_context_bounds_a_turn(tiny):
    backend = make_backend(tiny, context=50, end_ids=())
    prompts = [Prompt(random_ids(0, size), limit=8) for size in (10, 45, 50, 60)]
    said = backend.generate(prompts, Sampling(), ())
    assert [len(one.ids) for one in said] == [8, 5, 0, 0]
    assert {one.reason for one in said} == {"length"}


def test_nothing_to_sample_gives_nothing(tiny):
    assert make_backend(tiny).generate([], Sampling(), ()) == []


def test_damaged_weights_are_named_in_one_line(tiny, new_model):
    damaged = new_model("llama", tokenizer=tiny.tokenizer)
    with torch.no_grad():
        damaged.model.model.layers[0].mlp.up_proj.weight[0, 0] = torch.nan
    backend = make_backend(damaged)
    for greedy in (False, True):
        with pytest.raises(LanguageModelError, match=r"NaN.*load an earlier checkpoint") as caught:
            backend.generate([Prompt((1, 2, 3), greedy=greedy)], Sampling(), ())
        assert "\n" not in str(caught.value)
    with torch.no_grad():
        damaged.model.model.layers[0].mlp.up_proj.weight[0, 0] = 0.1
    (said,) = backend.generate([Prompt((1, 2, 3), limit=4)], Sampling(), ())
    assert all(logprob < 0 for logprob in said.logprobs)  # nothing of it is left


class Cramped(LlamaForCausalLM):
    """A model on a device where only so many rows fit."""

    most = 2

    def forward(self, input_ids=None, **inputs):
        if input_ids.shape[0] > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1 GiB\nof 80 GiB")
        return super().forward(input_ids=input_ids, **inputs)


def test_a_batch_that_does_not_fit_is_run_in_halves(tokenizer, shaken):
    model = shaken(lambda: Cramped(LlamaConfig(**SMALL)))
    prompts = [Prompt(random_ids(n, 20), (n, 0), limit=6, key=n) for n in range(7)]
    roomy, cramped = (
        TransformersBackend(model, tokenizer, end_ids=(), context=99, name="m") for _ in range(2)
    )
    model.most = 99
    expected = roomy.generate(prompts, Sampling(), ())
    model.most = 2
    found = cramped.generate(prompts, Sampling(), ())
    assert [one.ids for one in found] == [one.ids for one in expected]


def test_one_chat_that_does_not_fit_is_an_error_in_one_line(tokenizer, shaken):
    model = shaken(lambda: Cramped(LlamaConfig(**SMALL)))
    backend = TransformersBackend(model, tokenizer, end_ids=(), context=99, name="m")
    model.most = 0
    with pytest.raises(LanguageModelError, match=r"out of memory.*lower max_new_tokens") as caught:
        backend.generate([Prompt((1, 2)), Prompt((1, 3))], Sampling(), ())
    assert "\n" not in str(caught.value)


def test_a_model_in_training_goes_back_to_training(tiny):
    tiny.model.train()
    make_backend(tiny).generate([Prompt((1, 2, 3), limit=2)], Sampling(), ())
    assert tiny.model.training
    tiny.model.eval()
    assert torch.is_grad_enabled()


OTHERS = {
    "gpt2": lambda: GPT2LMHeadModel(
        GPT2Config(vocab_size=600, n_embd=32, n_layer=2, n_head=2, n_positions=128)
    ),
    "window": lambda: MistralForCausalLM(MistralConfig(**SMALL, sliding_window=16)),
    "eager": lambda: LlamaForCausalLM(LlamaConfig(**SMALL, attn_implementation="eager")),
    "mamba": lambda: MambaForCausalLM(
        MambaConfig(vocab_size=600, hidden_size=16, num_hidden_layers=2, state_size=4)
    ),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_models_of_other_kinds_are_exact_too(kind, tokenizer, shaken):
    """Within a sliding window the cache is used, beyond it and without such a cache it is not."""
    model = shaken(OTHERS[kind], scale=1.0 if kind == "mamba" else 3.0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        backend = TransformersBackend(model, tokenizer, end_ids=(), context=100, name=kind)
    slow = any("which is slow" in str(one.message) for one in told)
    assert slow == (not backend.cached) == (kind == "mamba")
    sequences = [random_ids(n, size) for n, size in enumerate((3, 5, 30))]
    for turn in range(2):
        prompts = [Prompt(ids, (n, turn), limit=6, key=n) for n, ids in enumerate(sequences)]
        said = backend.generate(prompts, Sampling(), ())
        for n, (prompt, one) in enumerate(zip(prompts, said, strict=True)):
            expected = plain_logprobs(model, prompt.ids, one.ids)
            assert one.logprobs == pytest.approx(expected, abs=1e-4)
            sequences[n] = (*prompt.ids, *one.ids, *random_ids(n, 4))


def test_half_precision_runs_and_is_close(tokenizer, shaken):
    model = shaken(lambda: LlamaForCausalLM(LlamaConfig(**SMALL)), scale=2.0).to(torch.bfloat16)
    backend = TransformersBackend(model, tokenizer, end_ids=(), context=300)
    assert backend.cached
    prompts = [Prompt(random_ids(n, 20 + n), (n, 0), limit=10, key=n) for n in range(5)]
    for prompt, said in zip(prompts, backend.generate(prompts, Sampling(), ()), strict=True):
        expected = plain_logprobs(model, prompt.ids, said.ids)
        assert said.logprobs == pytest.approx(expected, abs=0.15)


def test_the_longest_unused_sessions_are_dropped(tiny):
    one = tiny.model.config.num_hidden_layers * 2 * 2 * 8 * 4  # bytes of a token
    backend = make_backend(tiny, session_bytes=one * 70, end_ids=())
    for name in ("a", "b", "a", "c"):
        backend.generate([Prompt(random_ids(name == "a", 30), limit=1, key=name)], Sampling(), ())
    assert len(backend.store) == 2
    before = backend.computed
    for name in ("a", "c", "b"):
        backend.generate([Prompt(random_ids(name == "a", 30), limit=1, key=name)], Sampling(), ())
    assert backend.computed - before in range(1 + 1 + 1, 1 + 1 + 31)


def test_turns_do_not_change_the_global_random_state(tiny):
    before = torch.get_rng_state()
    make_backend(tiny).generate([Prompt((1, 2, 3), limit=4)], Sampling(), ())
    assert torch.equal(before, torch.get_rng_state())


def test_rows_that_stop_early_do_not_disturb_the_others(tiny):
    backend = make_backend(tiny, end_ids=())
    limits = [1, 9, 2, 8, 3, 7, 4, 6]
    prompts = [
        Prompt(random_ids(n, 11 + n), (n, 0), limit=limit, key=n) for n, limit in enumerate(limits)
    ]
    said = backend.generate(prompts, Sampling(), ())
    assert [len(one.ids) for one in said] == limits
    for prompt, one in zip(prompts, said, strict=True):
        expected = plain_logprobs(tiny.model, prompt.ids, one.ids)
        assert one.logprobs == pytest.approx(expected, abs=1e-4)
