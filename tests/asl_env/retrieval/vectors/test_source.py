"""Vectors that were made elsewhere: read as they come, or refused in one line."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np
import pytest
from numpy.typing import NDArray

from asl_env.errors import BadIndexError
from asl_env.retrieval.vectors.faissfile import save_faiss
from asl_env.retrieval.vectors.source import ArrayVectors, FlatVectors, open_vectors

COUNT, DIMENSION = 20, 8


@pytest.fixture
def rows() -> NDArray[np.float32]:
    found = np.random.default_rng(0).normal(size=(COUNT, DIMENSION)).astype(np.float32)
    found[3] = 0
    return found


@pytest.fixture
def unit_rows(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


@pytest.mark.parametrize("dtype", ["<f2", "<f4", "<f8"])
def test_npy_files_are_read_and_scaled(
    tmp_path: Path, rows: NDArray[np.float32], unit_rows: NDArray[np.float32], dtype: str
) -> None:
    np.save(tmp_path / "v.npy", rows.astype(dtype))
    found = open_vectors(tmp_path / "v.npy", COUNT, DIMENSION)
    assert (found.count, found.dimension) == (COUNT, DIMENSION)
    np.testing.assert_allclose(found.read(2, 9), unit_rows[2:9], atol=2e-3)


@pytest.mark.parametrize("dtype", ["<f2", "<f4"])
def test_the_size_of_a_raw_file_tells_its_numbers(
    tmp_path: Path, rows: NDArray[np.float32], unit_rows: NDArray[np.float32], dtype: str
) -> None:
    rows.astype(dtype).tofile(tmp_path / "emb_e5.memmap")
    found = open_vectors(tmp_path / "emb_e5.memmap", COUNT, DIMENSION)
    np.testing.assert_allclose(found.read(0, COUNT), unit_rows, atol=2e-3)


def test_a_flat_index_with_what_is_no_number_is_refused(
    tmp_path: Path, unit_rows: NDArray[np.float32]
) -> None:
    unit_rows[7] = np.nan
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(unit_rows)
    save_faiss(index, tmp_path / "v.index")
    with pytest.raises(BadIndexError, match="the vector of row 7 is no number"):
        open_vectors(tmp_path / "v.index", COUNT, DIMENSION).are_unit()


def test_a_flat_faiss_index_gives_its_vectors(
    tmp_path: Path, rows: NDArray[np.float32], unit_rows: NDArray[np.float32]
) -> None:
    for name, index in (("ip", faiss.IndexFlatIP(DIMENSION)), ("l2", faiss.IndexFlatL2(DIMENSION))):
        index.add(unit_rows if name == "ip" else rows)
        save_faiss(index, tmp_path / f"{name}.index")
        found = open_vectors(tmp_path / f"{name}.index", COUNT, DIMENSION)
        assert isinstance(found, FlatVectors)
        assert found.are_unit() == (name == "ip")
        np.testing.assert_allclose(found.read(5, 7), unit_rows[5:7], rtol=1e-5)


def test_another_shape_is_one_line(tmp_path: Path, rows: NDArray[np.float32]) -> None:
    np.save(tmp_path / "v.npy", rows)
    rows.tofile(tmp_path / "v.f32")
    index = faiss.IndexFlatIP(DIMENSION)
    index.add(rows)
    save_faiss(index, tmp_path / "v.index")
    for name in ("v.npy", "v.index"):
        with pytest.raises(BadIndexError, match=r"holds 20 vectors of 8 dimensions, but there are"):
            open_vectors(tmp_path / name, COUNT + 1, DIMENSION)
        with pytest.raises(BadIndexError, match=r"20 passages and the encoder makes 4 dimensions"):
            open_vectors(tmp_path / name, COUNT, 4)
    with pytest.raises(BadIndexError, match=r"has 640 bytes; 21 passages with 8 numbers each take"):
        open_vectors(tmp_path / "v.f32", COUNT + 1, DIMENSION)


def test_what_is_no_vectors_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(BadIndexError, match="there is no such file"):
        open_vectors(tmp_path / "none.npy", COUNT, DIMENSION)
    (tmp_path / "junk.npy").write_bytes(b"\x93NUMPY junk")
    (tmp_path / "junk.index").write_bytes(b"junk")
    (tmp_path / "empty.index").write_bytes(b"")
    np.save(tmp_path / "ids.npy", np.arange(COUNT))
    np.save(tmp_path / "objects.npy", np.array([{}], object), allow_pickle=True)
    for name, said in (
        ("junk.npy", "is no .npy file"),
        ("objects.npy", "is no .npy file"),
        ("junk.index", "cannot be read by faiss"),
        ("empty.index", "cannot be read by faiss"),
        ("ids.npy", "one row of floating-point numbers per passage"),
    ):
        with pytest.raises(BadIndexError, match=said) as caught:
            open_vectors(tmp_path / name, COUNT, DIMENSION)
        assert "\n" not in str(caught.value)


def test_a_vector_that_is_no_number_is_named(rows: NDArray[np.float32]) -> None:
    rows[13, 2] = np.nan
    vectors = ArrayVectors(rows, "v.npy")
    assert len(vectors.read(0, 13)) == 13
    with pytest.raises(BadIndexError, match=r"v\.npy: the vector of row 13 is no number"):
        vectors.read(10, 15)
