"""Index folders: build, open, check.

Layout of format version 2 (version 1, without the choice of an engine, is read too)::

    manifest.json   format, version, corpus, passage count, analyser or encoder, checksums,
                    and the command that builds the index again
    passages/       a passage store
    bm25/           postings (kinds bm25, bm25-disk and hybrid): in bm25s' layout, or of the
                    engine "disk" (see ``disk.layout``); the manifest says which
    dense/          faiss.index (the faiss kinds and hybrid)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.store import PassageStore
from asl_env.errors import BadIndexError
from asl_env.protocols import Encoder
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.build import KINDS, Options, build_index
from asl_env.retrieval.dense import FaissRetriever
from asl_env.retrieval.encoders import Precision, encoder_name, make_encoder, need_precision
from asl_env.retrieval.engines import open_engine
from asl_env.retrieval.hybrid import HybridRetriever
from asl_env.retrieval.manifest import (
    BM25,
    DENSE,
    FAISS_FILE,
    PASSAGES,
    IndexInfo,
    read_manifest,
    verify_files,
)
from asl_env.retrieval.ranked import RankedRetriever
from asl_env.retrieval.vectors.builder import PROBE

__all__ = [
    "KINDS",
    "IndexInfo",
    "Options",
    "build_index",
    "check_index",
    "index_info",
    "open_index",
]

#: How far two vectors of one text by one encoder on two machines may be apart.
_PROBE_TOLERANCE = 0.02


def index_info(folder: str | Path) -> IndexInfo:
    """Returns what the manifest of an index says.

    Raises:
        BadIndexError: If this is no index, of another version, or cut short.
    """
    return read_manifest(Path(folder).expanduser())


def open_index(
    folder: str | Path,
    *,
    encoder: str | Path | Encoder | None = None,
    precision: Precision = "float32",
) -> RankedRetriever:
    """Opens an index folder, memory-mapped where possible.

    Args:
        folder: What ``build_index`` wrote.
        encoder: The encoder of the dense part; by default the one the manifest names.
        precision: In what numbers the encoder computes, see ``SentenceTransformerEncoder``.

    Returns:
        A retriever with ``passages`` and ``search``.

    Raises:
        BadIndexError: If the folder is no index, of another version, cut short, or was built
            with another analyser or encoder; the message names the command that rebuilds it.
            Or if a precision is given for what has no model.
    """
    need_precision(precision)
    path = Path(folder).expanduser()
    info = read_manifest(path)
    if precision != "float32" and info.encoder in (None, "static"):
        raise BadIndexError(f"{path}: has no encoder that computes in {precision}; take float32")
    try:
        return _open(path, info, encoder, precision)
    except CorpusError as error:
        raise BadIndexError(f"{error} (part of the index {path}); {_rebuild(info)}") from error
    except BadIndexError as error:
        if "rebuild it" in str(error):
            raise
        raise BadIndexError(f"{error}; {_rebuild(info)}") from error


def check_index(folder: str | Path, *, encoder: str | Path | Encoder | None = None) -> IndexInfo:
    """Reads everything, compares it with the checksums, and opens the index.

    Args:
        folder: What ``build_index`` wrote.
        encoder: As for ``open_index``.

    Raises:
        BadIndexError: If anything is wrong; the message says what, and how to rebuild.
    """
    path = Path(folder).expanduser()
    info = read_manifest(path)
    verify_files(path, info)
    open_index(path, encoder=encoder)
    return info


def _open(
    folder: Path, info: IndexInfo, encoder: str | Path | Encoder | None, precision: Precision
) -> RankedRetriever:
    store = PassageStore(folder / PASSAGES)
    if len(store) != info.passages or store.digest != info.digest:
        raise BadIndexError(f"{folder / PASSAGES}: holds other passages than the manifest says")
    parts: list[RankedRetriever] = []
    if info.analyser is not None:
        parts.append(open_engine(info.engine, folder / BM25, store, _analyser(folder, info)))
    if info.encoder is not None:
        maker = _encoder(folder, info, encoder, precision)
        parts.append(FaissRetriever.load(folder / DENSE / FAISS_FILE, store, maker))
    if not parts:
        raise BadIndexError(f"{folder}: its manifest names neither an analyser nor an encoder")
    return parts[0] if len(parts) == 1 else HybridRetriever(parts)


def _analyser(folder: Path, info: IndexInfo) -> Analyser:
    analyser = Analyser(info.analyser or "")
    if analyser.fingerprint != info.analyser_fingerprint:
        raise BadIndexError(
            f"{folder}: was built when the analyser {analyser.name!r} gave other terms "
            f"(fingerprint {info.analyser_fingerprint}, now {analyser.fingerprint})"
        )
    return analyser


def _encoder(
    folder: Path, info: IndexInfo, given: str | Path | Encoder | None, precision: Precision
) -> Encoder:
    named = info.encoder if given is None and info.encoder else given or ""
    encoder = make_encoder(named, precision=precision)
    name = encoder_name(encoder)
    if name != info.encoder:
        raise BadIndexError(f"{folder}: was built with the encoder {info.encoder!r}, not {name!r}")
    probe = encoder.encode([PROBE], "passage")[0]
    if len(probe) != info.dimension:
        raise BadIndexError(
            f"{folder}: holds vectors of {info.dimension} dimensions, the encoder {name!r} now "
            f"makes {len(probe)}"
        )
    if not np.allclose(probe[: len(info.probe or ())], info.probe or (), atol=_PROBE_TOLERANCE):
        raise BadIndexError(f"{folder}: the encoder {name!r} is not the one it was built with")
    return encoder


def _rebuild(info: IndexInfo) -> str:
    return f"rebuild it with `{info.command}`"
