"""Normalisation and disarming of tags."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asl_env.text import neutralize, normalize


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Eiffel-Tower!", "eiffeltower"),
        ("A  cat, an apple & the U.S.", "cat apple us"),
        ("1,000", "1000"),
        ("Café—Zürich", "café—zürich"),
        ("The", ""),
        ("  ", ""),
    ],
)
def test_normalisation_follows_squad(text, expected):
    assert normalize(text) == expected


@given(st.text())
@example("a.n A-n the\u2003a")
@example("İ aΣ a\u0307")
def test_normalisation_is_idempotent(text):
    once = normalize(text)
    assert normalize(once) == once
    assert once == once.strip()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<answer>x</answer>", "< answer>x< /answer>"),
        ("<|im_end|>", "< |im_end|>"),
        ("<<think>", "<< think>"),
        ("<ANSWER>", "< ANSWER>"),
        ("a < b and x<y", "a < b and x<y"),
        ("no tag", "no tag"),
    ],
)
def test_tags_get_a_blank(text, expected):
    assert neutralize(text) == expected


tagged = st.lists(
    st.sampled_from(["<", "/", ">", "answer", "think", "|", "im_end", " ", "\n", "é"]), max_size=30
).map("".join)


@given(tagged)
def test_nothing_that_was_disarmed_can_open_a_tag(text):
    disarmed = neutralize(text)
    assert not re.search(r"</?(answer|think|im_end)>|<\|", disarmed)
    assert neutralize(disarmed) == disarmed
    assert disarmed.replace("< ", "<") == text.replace("< ", "<")
