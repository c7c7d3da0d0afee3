"""Reading tagged text."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.dialects.tags import blocks, last_closed, starts_with_think

fragments = st.lists(
    st.sampled_from(
        ["<answer>", "</answer>", "<think>", "</think>", "a", " ", "\n", "<", "answer>"]
    ),
    max_size=12,
).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<answer>a</answer> x <answer> b </answer>", "b"),
        ("<answer></answer>", ""),
        ("<answer>a</answer><answer>b", "a"),
        ("<answer>a <answer>b</answer>", "b"),
        ("<answer>a</answer><answer> </answer>", ""),
        ("<ANSWER>a</ANSWER>", None),
        ("<answer>a</answer></answer>", "a"),
        ("</answer><answer>", None),
        ("", None),
    ],
)
def test_the_last_closed_tag_counts(text, expected):
    assert last_closed(text, "answer") == expected


@given(fragments)
def test_the_last_closed_tag_is_the_one_the_published_expression_finds(text):
    match = re.match(r".*<answer>(.*?)</answer>", text, re.DOTALL)
    assert last_closed(text, "answer") == (match[1].strip() if match else None)


@given(fragments)
def test_blocks_are_those_a_lazy_expression_finds(text):
    found, unclosed = blocks(text, "answer")
    assert found == re.findall(r"<answer>(.*?)</answer>", text, re.DOTALL)
    rest = re.sub(r"<answer>.*?</answer>", "", text, flags=re.DOTALL) if found else text
    assert not unclosed or "<answer>" in rest


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>a</think><answer>b</answer>", True),
        (" \n\t<think></think>", True),
        ("so: <think>a</think>", False),
        ("<think>a", False),
        ("</think><think>", False),
        ("<Think>a</Think>", False),
        ("", False),
    ],
)
def test_a_turn_thinks_if_it_starts_with_a_closed_block(text, expected):
    assert starts_with_think(text) is expected
