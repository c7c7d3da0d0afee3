"""The tokenizer keeps every text as it is; tags and fixed texts are single tokens."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_env.agents.lm.nano.imitation import batches, encode
from asl_env.agents.lm.nano.tokens import TAGS, fixed_texts, train_tokenizer
from asl_env.agents.lm.template import ChatTemplate
from asl_env.dialects.asl import AslDialect
from asl_env.episode import Role


@pytest.fixture(scope="module")
def tokenizer(played):
    return train_tokenizer((m["content"] for e in played for m in e.messages), 1024)


def ids_of(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


def test_tags_prompts_and_frames_are_single_tokens(tokenizer):
    for name in TAGS:
        assert len(ids_of(tokenizer, f"<{name}>")) == len(ids_of(tokenizer, f"</{name}>")) == 1
    for role in Role:
        assert len(ids_of(tokenizer, AslDialect().system_prompt(role))) == 1
    assert all(len(ids_of(tokenizer, text)) == 1 for text in fixed_texts())


@settings(max_examples=200, deadline=None)
@given(text=st.text())
def test_any_text_comes_back_from_its_tokens(tokenizer, text):
    text = text.encode("utf-8", "ignore").decode()  # no lone surrogates
    assert tokenizer.decode(ids_of(tokenizer, text)) == text


def test_a_name_has_the_same_tokens_wherever_it_stands(tokenizer):
    name = ids_of(tokenizer, "Quetzal")
    for text in ("of Quetzal", '"Quetzal', "the city. Quetzal", "Quetzal is"):
        found = ids_of(tokenizer, text)
        assert any(found[at : at + len(name)] == name for at in range(len(found))), text


def test_episodes_become_what_the_chat_template_writes(tokenizer, played):
    corpus = encode(played, ChatTemplate(tokenizer))
    assert len(corpus) == len(played)
    for number, episode in enumerate(played):
        ids, said = corpus.row(number)
        text = tokenizer.apply_chat_template(list(episode.messages), tokenize=False)
        assert tokenizer.decode(ids.tolist()) == text.removesuffix("<|end|>")
        spoken = tokenizer.decode(ids[said == 1].tolist())
        assert spoken == "".join(turn.text for turn in episode.turns)


def test_a_pass_goes_through_every_row_once(tokenizer, played):
    corpus = encode(played, ChatTemplate(tokenizer))
    seen, tokens = [], 0
    for make in batches(corpus, 2048, 0.1, np.random.default_rng(0)):
        ids, weights = make()
        assert ids.size <= max(2048, ids.shape[1])
        assert not weights[:, 0].any()
        seen += [tuple(row[row > 0]) for row in ids]
        tokens += int((weights == 1.0).sum())
    rows = [tuple(row[row > 0]) for row in (corpus.row(n)[0] for n in range(len(corpus)))]
    assert sorted(seen) == sorted(rows)
    assert tokens == int(corpus.said.sum())
