"""The dense part of an index folder: vectors from an encoder or a file, then a faiss index."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.store import PassageStore
from asl_env.errors import BadIndexError
from asl_env.protocols import Encoder
from asl_env.retrieval.dense import LISTED, fill
from asl_env.retrieval.encoders import make_encoder
from asl_env.retrieval.vectors.encoding import encode_store, identity, precision
from asl_env.retrieval.vectors.faissfile import (
    kind_of,
    link_file,
    open_faiss,
    save_faiss,
    set_probes,
)
from asl_env.retrieval.vectors.lists import write_lists
from asl_env.retrieval.vectors.quality import need_match, tuned
from asl_env.retrieval.vectors.source import ArrayVectors, FlatVectors, Vectors, open_vectors
from asl_env.retrieval.workfolder import Tell, go_on_with, locked

#: The text whose vector shows whether an encoder is the one an index was built with.
PROBE = "The capital of Poland lies on the Vistula."


@dataclass(frozen=True)
class DenseSpec:
    """What kind of dense part to build.

    Attributes:
        kind: A name of ``DENSE_KINDS``.
        encoder: The encoder as it was named.
        vectors: File of vectors that were made elsewhere; ``None`` encodes the passages.
        workers: Processes that encode.
    """

    kind: str
    encoder: str | Path | Encoder
    vectors: Path | None = None
    workers: int = 1


@dataclass(frozen=True)
class DenseFacts:
    """What the manifest says of a dense part.

    Attributes:
        encoder: The encoder.
        probe: Its vector of ``PROBE``.
        recall: Share of the nearest passages that an approximate index finds; ``None`` for an exact
            one, and where there are no vectors to compare with.
    """

    encoder: Encoder
    probe: NDArray[np.float32]
    recall: float | None


def write_dense(
    store: PassageStore, path: Path, work: Path, spec: DenseSpec, tell: Tell
) -> DenseFacts:
    """Writes the dense part of an index.

    Args:
        store: The passages.
        path: The faiss file to write.
        work: Folder of finished work; gone on with if it is of the same passages, encoder and kind.
        spec: What to build.
        tell: Told how far it is.

    Raises:
        BadIndexError: If there is no passage, the encoder cannot be loaded, or the vectors do not
            belong to the passages.
    """
    if not len(store):
        raise BadIndexError("no passages to index")
    encoder = make_encoder(spec.encoder)
    probe = encoder.encode([PROBE], "passage")[0]
    given: Vectors | None = None
    if spec.vectors is not None:
        tell("comparing", 0, None)
        given = _given(spec.vectors, store, encoder, len(probe), spec.kind)
        if given is None:
            link_file(spec.vectors, path)
            return DenseFacts(encoder, probe, None)
    work.mkdir(parents=True, exist_ok=True)
    with locked(work):
        vectors = given or _encoded(store, encoder, probe, work, spec, tell)
        _write(vectors, path, work, spec, _plan(store, identity(encoder, probe), spec), tell)
        if spec.kind == "faiss-flat":
            return DenseFacts(encoder, probe, None)
        tell("recall", 0, None)
        probes, recall = tuned(open_faiss(path), vectors, store, encoder)
        if probes:
            set_probes(path, probes)
    return DenseFacts(encoder, probe, round(recall, 4))


def _encoded(
    store: PassageStore,
    encoder: Encoder,
    probe: NDArray[np.float32],
    work: Path,
    spec: DenseSpec,
    tell: Tell,
) -> Vectors:
    dtype, folder = precision(spec.kind), work / "vectors"
    return encode_store(store, encoder, spec.encoder, folder, probe, dtype, spec.workers, tell)


def _given(
    path: Path, store: PassageStore, encoder: Encoder, dimension: int, kind: str
) -> Vectors | None:
    """Returns the vectors of a file; ``None`` if it is the index that is wanted already."""
    found = open_vectors(path, len(store), dimension)
    need_match(path, found, store, encoder)
    if isinstance(found, FlatVectors):
        return None if kind == "faiss-flat" and found.are_unit() else found
    if isinstance(found, ArrayVectors):
        return found
    _need_kind(path, found, kind)
    return None


def _need_kind(path: Path, index: Any, kind: str) -> None:
    """Refuses a finished index that is not of the kind that was asked for."""
    import faiss

    found = kind_of(index)
    if index.metric_type != faiss.METRIC_INNER_PRODUCT:
        raise BadIndexError(
            f"{path}: ranks by distance, not by inner product; give the vectors themselves (.npy, "
            "or a flat index)"
        )
    if found != kind:
        about = f"is of the kind {found}" if found else f"is a {type(index).__name__} of faiss"
        advice = f"say --kind {found}, or give" if found else "give"
        raise BadIndexError(f"{path}: {about}, not {kind}; {advice} the vectors themselves")


def _plan(store: PassageStore, encoder: dict[str, Any], spec: DenseSpec) -> dict[str, Any]:
    plan: dict[str, Any] = {"digest": store.digest, **encoder}
    if spec.vectors is not None:
        about = spec.vectors.stat()
        plan |= {"vectors": [str(spec.vectors.resolve()), about.st_size, about.st_mtime_ns]}
    return plan


def _write(
    vectors: Vectors, path: Path, work: Path, spec: DenseSpec, plan: dict[str, Any], tell: Tell
) -> None:
    if spec.kind in LISTED:
        folder = work / spec.kind
        go_on_with(folder, {**plan, "dimension": vectors.dimension})
        write_lists(vectors, spec.kind, path, folder, tell)
    else:
        save_faiss(fill(vectors, spec.kind, tell), path)
