"""What a passage must pass before it is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.corpora.sieve import Bad, IdFilter, clean, field


def test_good_passages_are_trimmed() -> None:
    assert clean(Passage(" 1 ", " T\n", "\ttext "), 10) == Passage("1", "T", "text")


@pytest.mark.parametrize(
    ("passage", "kind"),
    [
        (Passage(" ", "T", "x"), "empty id"),
        (Passage("1", "T", " \n"), "empty text"),
        (Passage("1", "T", "x" * 11), "passage over 10 characters"),
        (Passage("1", "T" * 1001, "x"), "id or title over 1,000 characters"),
        (Passage("1", "T", "\ud800"), "broken Unicode"),
        (Passage("\udcff", "T", "x"), "broken Unicode"),
    ],
)
def test_bad_passages_are_named(passage: Passage, kind: str) -> None:
    with pytest.raises(Bad) as bad:
        clean(passage, 10)
    assert bad.value.kind == kind


def test_fields_must_be_text() -> None:
    record = {"a": "x", "n": 7, "b": True, "none": None}
    assert field(record, "a") == "x"
    assert field(record, "n", number=True) == "7"
    for name, kind in [("n", "not text"), ("none", "no field"), ("z", "no field")]:
        with pytest.raises(Bad, match=kind):
            field(record, name)
    with pytest.raises(Bad, match="not text"):
        field(record, "b", number=True)


IDS = st.one_of(
    st.integers(0, 10**16).map(str),
    st.integers(0, 50).map(str),
    st.integers(0, 50).map(lambda n: f"0{n}"),
    st.text(min_size=1),
)


@given(st.lists(IDS))
def test_ids_are_new_once(ids: list[str]) -> None:
    ids = [identity for identity in ids if identity.isprintable()]
    known = IdFilter()
    seen: set[str] = set()
    for identity in ids:
        assert known.add(identity) == (identity not in seen)
        seen.add(identity)
