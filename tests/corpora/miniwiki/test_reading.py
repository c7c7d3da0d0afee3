"""Canonical spelling of questions and comparison of answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.miniwiki.reading import HERE, canonical, comparable, number


@pytest.mark.parametrize(
    "variant",
    [
        'Fill in the blank: "Warsaw lies on the ____."',
        "fill in the blank: “Warsaw lies on the ____”",
        "Fill in the blank:  «Warsaw  lies on ___» ?",
        "Fill in the blank: 'Warsaw lies on the [blank].'",
        "  Fill in the blank: Warsaw lies on the ____ . ",
    ],
)
def test_spelling_variants_of_a_cloze_are_one(variant: str) -> None:
    assert canonical(variant).replace("'", "") == "fill in the blank: warsaw lies on ____"


def test_a_point_inside_a_word_stays() -> None:
    assert canonical("uses the domain .pl today") == "uses the domain .pl today"
    assert canonical("1,234.5 km") == "1,234.5 km"


def test_accents_are_kept_in_questions_and_dropped_in_answers() -> None:
    assert canonical("São Paulo") == "são paulo"
    assert comparable("São Paulo") == comparable("Sao Paulo") == "sao paulo"


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("1,234,567", "1234567"),
        ("the Vistula", "Vistula"),
        ("U.S.A", "U S A"),
        ("384 BC.", "384 bc"),
        ("O'Neill", "O’Neill"),
        ("+48", "48"),
    ],
)
def test_answers_that_compare_equal(left: str, right: str) -> None:
    assert comparable(left) == comparable(right)


@pytest.mark.parametrize(
    ("left", "right"), [("1.5", "15"), ("-5", "5a"), ("12", "1 2"), ("A", "B")]
)
def test_answers_that_do_not(left: str, right: str) -> None:
    assert comparable(left) != comparable(right)


def test_numbers() -> None:
    assert number("1,234") == 1234
    assert number("-40") == -40
    assert number("12 km") is None
    assert number("nan") is None
    assert number("inf") is None


@given(st.text(max_size=200))
def test_canonical_is_idempotent_and_never_raises(text: str) -> None:
    once = canonical(text)
    assert canonical(once) == once
    assert HERE not in once
    comparable(text)
    number(text)
