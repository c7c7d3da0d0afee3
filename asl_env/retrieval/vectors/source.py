"""Where the vectors of the passages come from: arrays, files, faiss indexes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asl_env.errors import BadIndexError
from asl_env.retrieval.encoders import unit
from asl_env.retrieval.vectors.faissfile import FLAT, open_faiss

#: Vectors that are read at once.
STEP = 16_384

_FAISS = (".index", ".faiss")
_SIZES = {4: "<f4", 2: "<f2"}


class Vectors(Protocol):
    """Unit vectors of passages, in their order, read a stretch at a time.

    Attributes:
        count: How many there are.
        dimension: Numbers of each.
    """

    count: int
    dimension: int

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Returns rows ``first`` to before ``stop``: shape ``[stop - first, dimension]``."""
        ...


class ArrayVectors:
    """Vectors in an array, which may be mapped from a file; scaled to length 1 as they are read.

    Args:
        array: Shape ``[count, dimension]``: floating-point numbers.
        name: What errors call it.
    """

    def __init__(self, array: NDArray[Any], name: str = "vectors") -> None:
        self.count, self.dimension = array.shape
        self._array = array
        self._name = name

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Returns rows ``first`` to before ``stop``.

        Raises:
            BadIndexError: If one of them is not a number.
        """
        return _scaled(np.array(self._array[first:stop], np.float32), first, self._name)


class FlatVectors:
    """The vectors inside a flat faiss index.

    Args:
        index: The index.
        name: What errors call it.
    """

    def __init__(self, index: Any, name: str = "vectors") -> None:
        self.count, self.dimension = int(index.ntotal), int(index.d)
        self._index = index
        self._name = name

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Returns rows ``first`` to before ``stop``.

        Raises:
            BadIndexError: If one of them is not a number.
        """
        rows: NDArray[np.float32] = self._index.reconstruct_n(first, stop - first)
        return _scaled(rows, first, self._name)

    def are_unit(self) -> bool:
        """Whether inner products of this index are cosines already.

        Raises:
            BadIndexError: If a vector is not a number.
        """
        import faiss

        if self._index.metric_type != faiss.METRIC_INNER_PRODUCT:
            return False
        for block in blocks(self):
            rows = self._index.reconstruct_n(block.start, len(block))
            _need_numbers(rows, block.start, self._name)
            lengths = np.linalg.norm(rows, axis=1)
            if not np.isclose(lengths, 1.0, atol=1e-3)[lengths > 0].all():
                return False
        return True


def blocks(vectors: Vectors, first: int = 0, stop: int | None = None) -> Iterator[range]:
    """Yields the rows from ``first`` to before ``stop`` in stretches of ``STEP``."""
    end = vectors.count if stop is None else stop
    for start in range(first, end, STEP):
        yield range(start, min(start + STEP, end))


def open_vectors(path: Path, count: int, dimension: int) -> Any:
    """Opens vectors that were made elsewhere; nothing is read yet.

    Args:
        path: ``.npy``; a faiss index (``.index``, ``.faiss``); or any other file of nothing but
            numbers, 32 or 16 bits each, which its size tells.
        count: Passages of the corpus.
        dimension: Numbers per vector of the encoder.

    Returns:
        The vectors; for a faiss index that is not flat, the index itself.

    Raises:
        BadIndexError: If the file is missing or damaged, or holds another number of vectors or
            vectors of another length.
    """
    if not path.is_file():
        raise BadIndexError(f"{path}: there is no such file of vectors")
    if path.suffix in _FAISS:
        index = open_faiss(path)
        _need_shape(path, (int(index.ntotal), int(index.d)), count, dimension)
        return FlatVectors(index, str(path)) if type(index).__name__ in FLAT else index
    array = _load_npy(path) if path.suffix == ".npy" else _map_raw(path, count, dimension)
    _need_shape(path, array.shape, count, dimension)
    return ArrayVectors(array, str(path))


def _load_npy(path: Path) -> NDArray[Any]:
    try:
        array: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise BadIndexError(f"{path}: is no .npy file, or is cut short ({error})") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        raise BadIndexError(
            f"{path}: holds {getattr(array, 'dtype', 'several arrays')} of shape "
            f"{getattr(array, 'shape', '?')}; wanted is one row of floating-point numbers per "
            "passage"
        )
    return array


def _map_raw(path: Path, count: int, dimension: int) -> NDArray[Any]:
    size, numbers = path.stat().st_size, count * dimension
    dtype = _SIZES.get(size // numbers) if size % numbers == 0 else None
    if dtype is None:
        raise BadIndexError(
            f"{path}: has {size:,} bytes; {count:,} passages with {dimension} numbers each take "
            f"{4 * numbers:,} (32 bits) or {2 * numbers:,} (16 bits); it is of another corpus or "
            "of another encoder, or cut short"
        )
    return np.memmap(path, dtype, "r", shape=(count, dimension))


def _need_shape(path: Path, shape: tuple[int, ...], count: int, dimension: int) -> None:
    if shape != (count, dimension):
        raise BadIndexError(
            f"{path}: holds {shape[0]:,} vectors of {shape[1]} dimensions, but there are {count:,} "
            f"passages and the encoder makes {dimension} dimensions; name the corpus and the "
            "encoder that they were made of"
        )


def _scaled(rows: NDArray[np.float32], first: int, name: str) -> NDArray[np.float32]:
    _need_numbers(rows, first, name)
    return unit(rows)


def _need_numbers(rows: NDArray[np.float32], first: int, name: str) -> None:
    finite = np.isfinite(rows).all(axis=1)
    if not finite.all():
        raise BadIndexError(
            f"{name}: the vector of row {first + int(finite.argmin())} is no number"
        )
