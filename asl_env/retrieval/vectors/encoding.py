"""Encoding the passages of a store: in batches, by several processes, in pieces that last."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.store import PassageStore
from asl_env.protocols import Encoder
from asl_env.retrieval.dense import encode_all
from asl_env.retrieval.disk.layout import map_array
from asl_env.retrieval.disk.pieces import is_complete, remove_unfinished, write_piece
from asl_env.retrieval.disk.processes import do_all, seat
from asl_env.retrieval.encoders import encoder_name, make_encoder
from asl_env.retrieval.workfolder import Tell, go_on_with, need_space

#: Passages of a piece: what is lost at most when a process is killed.
PIECE = 2_048

_FILE = "vectors"


class PieceVectors:
    """Vectors in the pieces that ``encode_store`` wrote.

    Args:
        pieces: Folders, in order.
        shape: Vectors, and numbers of each.
        dtype: Of the numbers.
    """

    def __init__(self, pieces: Sequence[Path], shape: tuple[int, int], dtype: str) -> None:
        self.count, self.dimension = shape
        self._pieces = pieces
        self._dtype = dtype

    def read(self, first: int, stop: int) -> NDArray[np.float32]:
        """Returns rows ``first`` to before ``stop``."""
        parts = []
        for number in range(first // PIECE, -(-stop // PIECE)):
            start = number * PIECE
            flat = map_array(self._pieces[number] / _FILE, self._dtype)
            rows = flat.reshape(-1, self.dimension)
            parts.append(rows[max(first - start, 0) : stop - start].astype(np.float32))
        return np.concatenate(parts)


def encode_store(
    store: PassageStore,
    encoder: Encoder,
    spec: str | Path | Encoder,
    work: Path,
    probe: NDArray[np.float32],
    dtype: str,
    workers: int,
    tell: Tell,
) -> PieceVectors:
    """Encodes every passage of a store.

    What is finished lies in ``work`` and is not made again. On a machine with several GPUs each
    worker has one of its own; on one with a single GPU there is one worker.

    Args:
        store: The passages.
        encoder: Encodes them, if there is one worker.
        spec: The same as a name or path, for more workers; an object means one worker.
        work: Folder of finished pieces; left for the caller to remove.
        probe: Its vector of some text: pieces of an encoder that gave another are made again.
        dtype: ``<f4``, or ``<f2`` for half of the space.
        workers: Processes at most.
        tell: Told how far it is.

    Raises:
        BadIndexError: If the disk is too small, or a process died.
    """
    dimension = len(probe)
    plan = {"digest": store.digest, **identity(encoder, probe), "dtype": dtype}
    go_on_with(work, {**plan, "dimension": dimension, "piece": PIECE})
    remove_unfinished(work)
    size = len(store) * dimension * np.dtype(dtype).itemsize
    need_space(work, work.parent, f"encoding {len(store):,} passages needs", size)
    pieces, tasks, done = [], [], 0
    seats = _seats(spec, workers)
    for number, first in enumerate(range(0, len(store), PIECE)):
        rows = range(first, min(first + PIECE, len(store)))
        pieces.append(work / f"piece-{number:06}")
        if is_complete(pieces[-1]):
            done += len(rows)
        else:
            own = encoder if len(seats) < 2 else spec
            tasks.append((store.folder, rows, own, dtype, pieces[-1]))
    tell("vectors", done, len(store))
    with closing(do_all(encode_piece, tasks, max(1, len(seats)), seats)) as results:
        for count in results:
            done += count
            tell("vectors", done, len(store))
    return PieceVectors(pieces, (len(store), dimension), dtype)


def identity(encoder: Encoder, probe: NDArray[np.float32]) -> dict[str, Any]:
    """What a plan says of an encoder: its name, and roughly what it makes of a text.

    Args:
        encoder: The encoder; one that was trained on keeps its name.
        probe: Its vector of the text.
    """
    return {"encoder": encoder_name(encoder), "probe": [round(float(x), 2) for x in probe[:32]]}


def encode_piece(
    folder: Path, rows: range, encoder: str | Path | Encoder, dtype: str, piece: Path
) -> int:
    """Encodes some passages and writes their vectors; returns how many.

    Args:
        folder: The passage store.
        rows: The passages.
        encoder: Encodes them; a name or path is loaded once per process, for its seat.
        dtype: Of the numbers that are written.
        piece: The folder to write.
    """
    maker = _loaded(encoder, seat()) if isinstance(encoder, (str, Path)) else encoder
    with PassageStore(folder) as store:
        vectors = np.concatenate(list(encode_all(store.between(rows.start, rows.stop), maker)))
    flat = np.ascontiguousarray(vectors, dtype).reshape(-1)
    write_piece(piece, {_FILE: flat}, {"rows": len(rows)})
    return len(rows)


@lru_cache(maxsize=1)
def _loaded(spec: str | Path, device: str | None) -> Encoder:
    if device == "cpu" and spec != "static":
        import torch

        torch.set_num_threads(1)  # there are as many processes as cores may be used
    return make_encoder(spec, device)


def _seats(spec: str | Path | Encoder, workers: int) -> list[str]:
    """The devices of the processes to start; none if this process is to do it."""
    if workers < 2 or not isinstance(spec, (str, Path)):
        return []
    if spec == "static":
        return ["cpu"] * workers
    import torch

    if torch.cuda.is_available():
        return [f"cuda:{number}" for number in range(min(workers, torch.cuda.device_count()))]
    return ["cpu"] * min(workers, os.cpu_count() or 1)


def precision(kind: str) -> Any:
    """Returns the type in which vectors wait for an index of this kind.

    Inverted lists keep a byte or less per number, so that 16 bits lose nothing that counts.
    """
    return "<f2" if kind.startswith("faiss-ivf") else "<f4"
