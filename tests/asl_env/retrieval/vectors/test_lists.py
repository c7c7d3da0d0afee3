"""Inverted lists that are filled part by part are those of an index filled at once."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from asl_env.retrieval.dense import LISTED, fill
from asl_env.retrieval.vectors import lists
from asl_env.retrieval.vectors.faissfile import open_faiss, save_faiss, set_probes
from asl_env.retrieval.vectors.lists import write_lists
from asl_env.retrieval.vectors.quality import exact
from asl_env.retrieval.vectors.source import ArrayVectors


@pytest.fixture
def rows() -> NDArray[np.float32]:
    found = np.random.default_rng(0).normal(size=(700, 16)).astype(np.float32)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def quiet(stage: str, done: int, total: int | None) -> None:
    pass


@pytest.mark.parametrize("kind", LISTED)
def test_the_bytes_are_those_that_faiss_writes(
    tmp_path: Path, rows: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    vectors = ArrayVectors(rows)
    save_faiss(fill(vectors, kind), tmp_path / "whole.index")
    monkeypatch.setattr(lists, "PART", 150)
    write_lists(vectors, kind, tmp_path / "parts.index", tmp_path, quiet)
    assert (tmp_path / "parts.index").read_bytes() == (tmp_path / "whole.index").read_bytes()
    opened = open_faiss(tmp_path / "parts.index")
    assert type(faiss.downcast_InvertedLists(opened.invlists)).__name__ == "OnDiskInvertedLists"


def test_finished_parts_are_not_made_again(
    tmp_path: Path, rows: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "PART", 150)
    vectors = ArrayVectors(rows)

    def cut(stage: str, done: int, total: int | None) -> None:
        if done == 300:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_lists(vectors, "faiss-ivfsq8", tmp_path / "a.index", tmp_path, cut)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    assert len(before) == 3  # what was trained, and two parts
    write_lists(vectors, "faiss-ivfsq8", tmp_path / "a.index", tmp_path, quiet)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert open_faiss(tmp_path / "a.index").ntotal == 700


def test_the_number_of_lists_to_visit_can_be_changed_in_the_file(
    tmp_path: Path, rows: NDArray[np.float32]
) -> None:
    vectors = ArrayVectors(rows)
    write_lists(vectors, "faiss-ivfsq8", tmp_path / "a.index", tmp_path, quiet)
    index = open_faiss(tmp_path / "a.index")
    every = index.nlist
    assert every > 8
    set_probes(tmp_path / "a.index", every)
    changed = open_faiss(tmp_path / "a.index")
    assert (changed.nprobe, changed.ntotal) == (every, 700)
    _, found = changed.search(rows[:20], 1)
    assert found[:, 0].tolist() == list(range(20))


def test_training_draws_from_the_whole_corpus(
    rows: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lists, "TRAINING", 100)
    rows[350:] *= -1
    sample = lists._sample(ArrayVectors(rows))
    assert len(sample) == 100
    known = {row.tobytes(): number for number, row in enumerate(ArrayVectors(rows).read(0, 700))}
    places = [known[row.tobytes()] for row in sample]
    assert min(places) < 100
    assert max(places) > 600
    assert places == sorted(set(places))


def test_exact_search_goes_over_blocks(
    rows: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asl_env.retrieval.vectors.source.STEP", 64)
    found = exact(ArrayVectors(rows), rows[:30], 5)
    expected = np.argsort(-(rows[:30] @ rows.T), axis=1, kind="stable")[:, :5]
    assert found.tolist() == expected.tolist()
