"""Small models and tokenizers for the tests, made here: random ones, and ones that do as told."""

import math

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from asl_env import prompts
from asl_env.agents.lm.loading import LanguageModel
from asl_env.agents.lm.template import TEMPLATES
from asl_env.dialects import make_dialect
from asl_env.episode import Role

TAGS = (
    *("<think>", "</think>", "<tool_call>", "</tool_call>", "<search>", "</search>"),
    *("<answer>", "</answer>"),
)


def corpus():
    names = ("asl", "search-r1")
    texts = [make_dialect(name).system_prompt(role) for name in names for role in Role]
    return [*texts, *prompts.TASKS.values(), "Lima is the capital of Peru. river city born film"]


def make_tokenizer(
    template=TEMPLATES["chatml"],
    special=("<|im_start|>", "<|im_end|>"),
    *,
    end="<|im_end|>",
    start=None,
    tags=TAGS,
    size=512,
):
    """A byte-level BPE tokenizer with special tokens, and tags that are tokens but not special."""
    inner = Tokenizer(models.BPE())
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=sorted(alphabet), show_progress=False
    )
    inner.train_from_iterator(corpus(), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token=end,
        bos_token=start,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.add_tokens([one for one in special if one not in (end, start)], special_tokens=True)
    tokenizer.add_tokens(list(tags))
    tokenizer.chat_template = template
    return tokenizer


def make_model(kind="llama", vocabulary=600, *, scale=4.0, seed=0, context=4096, **changes):
    """A random model; ``scale`` sharpens its logits, so that turns differ from uniform noise."""
    size = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": context,
        "eos_token_id": None,
        "bos_token_id": None,
    } | changes
    config, model_class = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "qwen2": (Qwen2Config, Qwen2ForCausalLM),
    }[kind]
    return random_weights(lambda: model_class(config(**size)), scale, seed)


def random_weights(make, scale=4.0, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.mul_(scale)
    return model.eval()


def language_model(kind="llama", *, tokenizer=None, context=4096, **changes):
    tokenizer = tokenizer or make_tokenizer()
    model = make_model(kind, len(tokenizer), context=context, **changes)
    return LanguageModel(model, tokenizer, f"tiny-{kind}", context)


def told_model(tokenizer, turns, context=4096):
    """A model that says one of some texts, each with its probability, whatever the chat was.

    It looks at the last token only: nothing is added by attention and MLP, embeddings are unit
    vectors, and the output matrix holds the logarithms of what may follow what.

    Args:
        tokenizer: Byte-level; the generation prompt ends with a line break.
        turns: Text to probability; within the texts no token may have two successors.
    """
    size = -4 * (-len(tokenizer) // 4)  # a whole number of rotated pairs per head
    config = LlamaConfig(
        vocab_size=size,
        hidden_size=size,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=context,
        tie_word_embeddings=False,
    )
    model = LlamaForCausalLM(config).eval()
    table = torch.full((size, size), -60.0)  # [token before, token]
    (line_break,) = tokenizer.encode("\n", add_special_tokens=False)
    for text, probability in turns.items():
        before, logit = line_break, math.log(probability)
        for token in [*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id]:
            known = int(table[before].argmax())
            assert before == line_break or table[before, known] < -9 or known == token, text
            table[before, token] = logit
            before, logit = token, 0.0
    with torch.no_grad():
        layer = model.model.layers[0]
        layer.self_attn.o_proj.weight.zero_()
        layer.mlp.down_proj.weight.zero_()
        model.model.embed_tokens.weight.copy_(torch.eye(size))
        # The norm stretches a unit vector by the square root of its width.
        model.lm_head.weight.copy_(table.T / math.sqrt(size))
    return LanguageModel(model, tokenizer, "told", context)


@pytest.fixture(scope="session")
def tokenizer():
    """ChatML, with the tags as tokens."""
    return make_tokenizer()


@pytest.fixture(scope="session")
def spelling_tokenizer():
    """The same, but tags are spelled with many tokens."""
    return make_tokenizer(tags=())


@pytest.fixture(scope="session", params=["llama", "qwen2"])
def tiny(request, tokenizer):
    """A random model."""
    return language_model(request.param, tokenizer=tokenizer)


@pytest.fixture(scope="session")
def new_tokenizer():
    return make_tokenizer


@pytest.fixture(scope="session")
def new_model():
    return language_model


@pytest.fixture(scope="session")
def told():
    return told_model


@pytest.fixture(scope="session")
def shaken():
    """Gives any model of transformers random weights."""
    return random_weights
