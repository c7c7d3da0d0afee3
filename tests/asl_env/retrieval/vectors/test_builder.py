"""The dense part of an index: encoded here or elsewhere, gone on with after a kill."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from numpy.typing import NDArray

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError
from asl_env.retrieval.bm25 import indexed_text
from asl_env.retrieval.dense import DENSE_KINDS
from asl_env.retrieval.encoders import unit
from asl_env.retrieval.index import build_index, check_index, index_info, open_index
from asl_env.retrieval.vectors import encoding

PASSAGES = [
    Passage(f"p{n}", f"Town {n}", f"Town {n} lies on river {n * n} in county {n % 13}.")
    for n in range(120)
]


class LetterEncoder:
    """Counts pairs of letters: an encoder that needs no weights.

    Args:
        most: Texts after which its power is cut.
    """

    name = "letters"

    def __init__(self, most: int = 1 << 60) -> None:
        self.seen, self.most = 0, most

    def encode(
        self, texts: Sequence[str], kind: Literal["query", "passage"]
    ) -> NDArray[np.float32]:
        self.seen += len(texts)
        if self.seen > self.most:
            raise KeyboardInterrupt
        out = np.zeros((len(texts), 64), np.float32)
        for row, text in enumerate(texts):
            for first, second in pairwise(text):
                out[row, (31 * ord(first) + ord(second)) % 64] += 1
        return unit(out)


@pytest.fixture
def made() -> NDArray[np.float32]:
    """What the encoder makes of the passages, scaled away from length 1."""
    return 3 * LetterEncoder().encode([indexed_text(each) for each in PASSAGES], "passage")


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoding, "PIECE", 50)


def build(folder: Path, **options: Any) -> None:
    build_index(PASSAGES, folder, **{"encoder": LetterEncoder(), **options})


@pytest.mark.parametrize("kind", ["faiss-hnsw", "faiss-ivfsq8", "faiss-ivfpq"])
def test_recall_is_measured_and_written_down(tmp_path: Path, small_pieces: None, kind: str) -> None:
    build(tmp_path / "index", kind=kind)
    recall = index_info(tmp_path / "index").recall
    assert recall is not None
    assert 0.3 < recall <= 1.0


def test_an_exact_index_has_no_recall_to_measure(tmp_path: Path) -> None:
    build(tmp_path / "index", kind="faiss-flat")
    assert index_info(tmp_path / "index").recall is None


def test_a_killed_build_goes_on_with_what_was_encoded(tmp_path: Path, small_pieces: None) -> None:
    build(tmp_path / "whole", kind="faiss-ivfsq8")
    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", kind="faiss-ivfsq8", encoder=LetterEncoder(most=110))
    assert not (tmp_path / "index").exists()
    rest = LetterEncoder()
    build(tmp_path / "index", kind="faiss-ivfsq8", encoder=rest)
    assert rest.seen < 2 * len(PASSAGES) - 90  # what was encoded before is not encoded again
    parts = [tmp_path / name / "dense" / "faiss.index" for name in ("index", "whole")]
    assert parts[0].read_bytes() == parts[1].read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index", "whole"]


def test_what_another_encoder_of_the_same_name_made_is_not_gone_on_with(
    tmp_path: Path, small_pieces: None
) -> None:
    class Retrained(LetterEncoder):
        def encode(
            self, texts: Sequence[str], kind: Literal["query", "passage"]
        ) -> NDArray[np.float32]:
            return -super().encode(texts, kind)

    with pytest.raises(KeyboardInterrupt):
        build(tmp_path / "index", kind="faiss-flat", encoder=LetterEncoder(most=110))
    for name in ("index", "whole"):
        build(tmp_path / name, kind="faiss-flat", encoder=Retrained())
    parts = [tmp_path / name / "dense" / "faiss.index" for name in ("index", "whole")]
    assert parts[0].read_bytes() == parts[1].read_bytes()


def test_several_processes_encode_alike(tmp_path: Path, small_pieces: None) -> None:
    for workers in (1, 2):
        build_index(PASSAGES, tmp_path / str(workers), kind="faiss-flat", workers=workers)
    parts = [tmp_path / name / "dense" / "faiss.index" for name in "12"]
    assert parts[0].read_bytes() == parts[1].read_bytes()


@pytest.mark.parametrize("kind", DENSE_KINDS)
@pytest.mark.parametrize("name", ["v.npy", "v.memmap", "v.index"])
def test_given_vectors_stand_for_the_encoder(
    tmp_path: Path, made: NDArray[np.float32], kind: str, name: str
) -> None:
    if name == "v.npy":
        np.save(tmp_path / name, made)
    elif name == "v.memmap":
        made.tofile(tmp_path / name)
    else:
        build(tmp_path / "flat", kind="faiss-flat")
        (tmp_path / "flat" / "dense" / "faiss.index").rename(tmp_path / name)
    encoder = LetterEncoder()
    build(tmp_path / "given", kind=kind, encoder=encoder, vectors=tmp_path / name)
    assert encoder.seen < 160  # the probe, some to compare, and the queries that measure recall
    build(tmp_path / "own", kind=kind)
    queries = ["Town 17 lies", "river 25"]
    given, own = (open_index(tmp_path / name, encoder=encoder) for name in ("given", "own"))
    if kind == "faiss-flat":
        assert given.search(queries, 5) == own.search(queries, 5)
    elif kind != "faiss-ivfpq":  # of codes learned from so few vectors not much can be asked
        assert "p17" in [hit.passage.id for hit in given.search(queries, 5)[0]]
    info = check_index(tmp_path / "given", encoder=encoder)
    assert f"--vectors {tmp_path / name}" in info.command


def test_an_index_of_the_kind_that_is_wanted_is_linked(tmp_path: Path) -> None:
    for kind in DENSE_KINDS:
        build(tmp_path / kind, kind=kind)
        given = tmp_path / f"{kind}.index"
        os.link(tmp_path / kind / "dense" / "faiss.index", given)
        build(tmp_path / f"{kind}-2", kind=kind, vectors=given)
        assert (tmp_path / f"{kind}-2" / "dense" / "faiss.index").samefile(given)
    with pytest.raises(BadIndexError, match="is of the kind faiss-hnsw, not faiss-ivfpq; say --k"):
        build(tmp_path / "x", kind="faiss-ivfpq", vectors=tmp_path / "faiss-hnsw.index")


def test_vectors_of_other_passages_are_refused(tmp_path: Path, made: NDArray[np.float32]) -> None:
    rng = np.random.default_rng(0)
    for name, rows, said in (
        ("other", rng.normal(size=made.shape), "the vector of row 0 is not what the encoder makes"),
        ("mixed", made[rng.permutation(len(made))], "or in another order"),
        ("shifted", np.roll(made, 1, axis=0), "or in another order"),
        ("turned", np.concatenate([made[:60], made[:59:-1]]), "or in another order"),
        ("short", made[:-1], "holds 119 vectors of 64 dimensions, but there are 120 passages"),
    ):
        np.save(tmp_path / f"{name}.npy", rows)
        with pytest.raises(BadIndexError, match=said):
            build(tmp_path / "index", kind="faiss-flat", vectors=tmp_path / f"{name}.npy")
    with pytest.raises(BadIndexError, match="bm25 has no use for vectors; choose --kind hybrid"):
        build(tmp_path / "index", vectors=tmp_path / "other.npy")
    assert {path.suffix for path in tmp_path.iterdir()} == {".npy"}


def test_a_hybrid_takes_given_vectors(tmp_path: Path, made: NDArray[np.float32]) -> None:
    np.save(tmp_path / "v.npy", made)
    build(tmp_path / "index", kind="hybrid", dense="faiss-ivfsq8", vectors=tmp_path / "v.npy")
    retriever = open_index(tmp_path / "index", encoder=LetterEncoder())
    assert retriever.search(["town 17"], 1)[0][0].passage.id == "p17"
