"""The index of one-slot patterns."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.miniwiki.patterns import PatternIndex

_WORDS = st.text("ab ", max_size=4)


def test_every_pattern_that_fits_is_found() -> None:
    index: PatternIndex[int] = PatternIndex()
    index.add("The capital of {x} is big.", 1)
    index.add("The {x} is big.", 2)
    index.add("{x} is big", 3)
    index.add("The capital of {x}", 4)
    found = set(index.match("the capital of poland is big"))
    assert found == {
        (1, "poland"),
        (2, "capital of poland"),
        (3, "the capital of poland"),
        (4, "poland is big"),
    }


def test_the_slot_is_never_empty() -> None:
    index: PatternIndex[int] = PatternIndex()
    index.add("a{x}b", 1)
    assert list(index.match("ab")) == []
    assert list(index.match("a")) == []
    assert list(index.match("")) == []


@given(st.lists(st.tuples(_WORDS, _WORDS), max_size=6), st.text("ab ", max_size=10))
def test_it_agrees_with_trying_every_pattern(parts: list[tuple[str, str]], text: str) -> None:
    index: PatternIndex[tuple[str, str]] = PatternIndex()
    expected = set()
    for raw_head, raw_tail in parts:
        head, tail = " ".join(("h", raw_head.strip())), " ".join((raw_tail.strip(), "t"))
        head, tail = " ".join(head.split()) + " ", " " + " ".join(tail.split())
        index.add(f"{head}{{x}}{tail}", (head, tail))
        whole = f"h {text} t"
        if len(whole) > len(head) + len(tail) and whole[: len(head)] == head:
            slot = whole[len(head) : len(whole) - len(tail)]
            if whole.endswith(tail):
                expected.add(((head, tail), slot))
    assert set(index.match(f"h {text} t")) == expected
