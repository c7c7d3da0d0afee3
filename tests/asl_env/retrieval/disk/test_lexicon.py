"""Terms are found in a sorted file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asl_env.retrieval.disk.lexicon import Lexicon

terms = st.sets(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=5))


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(terms, terms)
def test_every_term_is_found_and_no_other(
    tmp_path: Path, inside: set[str], others: set[str]
) -> None:
    ordered = sorted(term.encode() for term in inside)
    path = tmp_path / "terms.bin"
    path.write_bytes(b"".join(ordered))
    ends = np.cumsum([len(term) for term in ordered]).astype(np.uint64)
    with Lexicon(path, ends) as lexicon:
        assert len(lexicon) == len(inside)
        assert [lexicon[number] for number in range(len(lexicon))] == ordered
        assert lexicon.between(0, len(ordered)) == ordered
        half = len(ordered) // 2
        assert lexicon.between(half, len(ordered)) == ordered[half:]
        assert [lexicon.find(term.decode()) for term in ordered] == list(range(len(ordered)))
        assert {lexicon.find(term) for term in others - inside} <= {-1}


@pytest.mark.parametrize("term", ["", "\ud800"])
def test_what_no_text_holds_is_not_found(tmp_path: Path, term: str) -> None:
    path = tmp_path / "terms.bin"
    path.write_bytes(b"ab")
    assert Lexicon(path, np.array([1, 2], np.uint64)).find(term) == -1
