"""Indexes of inverted lists: trained on a sample, filled in a stream, merged on the disk."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.errors import BadIndexError
from asl_env.retrieval.vectors.faissfile import merge_lists, save_faiss
from asl_env.retrieval.vectors.source import Vectors, blocks
from asl_env.retrieval.workfolder import Tell

#: Vectors that are trained on, at most (0.8 GB at 768 dimensions).
TRAINING = 262_144

#: Vectors of a part: an index of so many is in memory at once (0.2 GB with SQ8 at 768 dimensions).
PART = 262_144

#: faiss is content with so many vectors per list.
_PER_LIST = 39


def train(vectors: Vectors, kind: str) -> Any:
    """Returns an index that has learned its lists and codes, without any vector in it.

    About 4 sqrt(n) lists. ``faiss-ivfpq`` keeps a byte per four numbers (product quantisation,
    Jégou et al., IEEE TPAMI 33(1), 2011), ``faiss-ivfsq8`` a byte per number.

    Raises:
        BadIndexError: If there are too few vectors.
    """
    import faiss

    sample = _sample(vectors)
    count, dimension = sample.shape
    lists = max(1, min(int(4 * math.sqrt(vectors.count)), count // _PER_LIST))
    quantizer, metric = faiss.IndexFlatIP(dimension), faiss.METRIC_INNER_PRODUCT
    index: Any
    if kind == "faiss-ivfsq8":
        code = faiss.ScalarQuantizer.QT_8bit
        index = faiss.IndexIVFScalarQuantizer(quantizer, dimension, lists, code, metric)
    else:
        # Codes are learned by clustering, which wants at least one vector per code.
        bits = min(8, int(math.log2(count)))
        if bits < 1:
            raise BadIndexError("faiss-ivfpq needs at least 2 passages; use faiss-flat")
        parts = next(n for n in range(max(1, dimension // 4), 0, -1) if dimension % n == 0)
        index = faiss.IndexIVFPQ(quantizer, dimension, lists, parts, bits, metric)
        index.pq.cp.min_points_per_centroid = 1
        index.pq.cp.niter = 10
    index.cp.min_points_per_centroid = 1
    index.cp.niter = 10
    index.train(sample)
    index.nprobe = min(lists, max(8, lists // 16))
    return index


def write_lists(vectors: Vectors, kind: str, path: Path, work: Path, tell: Tell) -> None:
    """Trains, fills and writes an index; what is finished lies in ``work``.

    Raises:
        BadIndexError: If there are too few vectors.
        OSError: If a file cannot be written.
    """
    import faiss

    trained = work / "trained.index"
    if not trained.is_file():
        tell("training", 0, None)
        save_faiss(train(vectors, kind), trained)
    parts = []
    for first in range(0, vectors.count, PART):
        stop = min(first + PART, vectors.count)
        parts.append(work / f"part-{first:012}.index")
        if not parts[-1].is_file():
            index = faiss.read_index(str(trained))
            for rows in blocks(vectors, first, stop):
                index.add_with_ids(vectors.read(rows.start, rows.stop), np.arange(*_ends(rows)))
            save_faiss(index, parts[-1])
        tell("indexing", stop, vectors.count)
    merge_lists(trained, parts, path)


def _ends(rows: range) -> tuple[int, int]:
    return rows.start, rows.stop


def _sample(vectors: Vectors) -> NDArray[np.float32]:
    """Draws the vectors to train on from the whole corpus, the same ones every time."""
    if vectors.count <= TRAINING:
        return np.concatenate([vectors.read(*_ends(rows)) for rows in blocks(vectors)])
    rng = np.random.default_rng(0)
    parts = []
    for rows in blocks(vectors):
        share = round(rows.stop * TRAINING / vectors.count)
        share -= round(rows.start * TRAINING / vectors.count)
        picked = np.sort(rng.choice(len(rows), share, replace=False))
        parts.append(vectors.read(*_ends(rows))[picked])
    return np.concatenate(parts)
