"""Building an index folder: streamed, with progress, and either complete or not there at all."""

from __future__ import annotations

import os
import shlex
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.catalog import Corpus, FileCorpus, open_corpus
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.formats import read_passages
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.store import PassageStore
from asl_env.corpora.writer import move_into_place, write_store
from asl_env.errors import BadIndexError, did_you_mean
from asl_env.protocols import Encoder
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.bm25 import array_path, indexed_text, write_header
from asl_env.retrieval.dense import DENSE_KINDS, build_faiss, encode_all, save_faiss
from asl_env.retrieval.encoders import encoder_name, make_encoder
from asl_env.retrieval.manifest import (
    BM25,
    DENSE,
    FAISS_FILE,
    FORMAT,
    MANIFEST,
    PASSAGES,
    IndexInfo,
    file_facts,
    write_manifest,
)
from asl_env.retrieval.postings import PostingsBuilder

KINDS = ("bm25", *DENSE_KINDS, "hybrid")

#: Told how far a build is: stage, passages done, passages in all (``None`` while unknown).
Progress = Callable[[str, int, "int | None"], None]

#: The text whose vector shows whether an encoder is the one an index was built with.
PROBE = "The capital of Poland lies on the Vistula."
PROBE_LENGTH = 8

_REPORT_EVERY = 1_000


@dataclass(frozen=True)
class Options:
    """What kind of index to build.

    Attributes:
        kind: A name of ``KINDS``.
        analyser: Analyser of BM25.
        encoder: Encoder of the dense part.
        dense: Kind of the dense part of a hybrid.

    Raises:
        BadIndexError: If a kind is unknown.
    """

    kind: str = "bm25"
    analyser: str = "english"
    encoder: str | Path | Encoder = "static"
    dense: str = "faiss-flat"

    def __post_init__(self) -> None:
        for name, value, known in (("kind", self.kind, KINDS), ("dense", self.dense, DENSE_KINDS)):
            if value not in known:
                raise BadIndexError(
                    f"unknown {name} of index {value!r}{did_you_mean(value, known)}"
                )

    @property
    def dense_kind(self) -> str | None:
        """Kind of the dense part, if there is one."""
        return self.dense if self.kind == "hybrid" else None if self.kind == "bm25" else self.kind

    @property
    def has_bm25(self) -> bool:
        """Whether there is a BM25 part."""
        return self.kind in ("bm25", "hybrid")


@dataclass
class _Source:
    """Passages with a name; ``report`` fills while they are read."""

    name: str
    passages: Iterable[Passage]
    attribution: str = ""
    report: ReadReport = field(default_factory=ReadReport)


def build_index(
    corpus: str | Path | Corpus | Iterable[Passage],
    folder: str | Path,
    *,
    kind: str = "bm25",
    analyser: str = "english",
    encoder: str | Path | Encoder = "static",
    dense: str = "faiss-flat",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> IndexInfo:
    """Builds an index folder.

    Everything is written to a temporary folder beside the target, which is moved into place
    when it is complete: an interrupted build leaves what was there before, or nothing.

    Memory: BM25 needs its vocabulary, four bytes per passage and about 300 MB; faiss keeps its
    index in memory while it is built (flat and HNSW: 4 bytes per dimension and passage, HNSW
    280 more per passage; IVF-PQ: a sixteenth of that).

    Args:
        corpus: A name, a path, a corpus, or passages.
        folder: Where to write.
        kind: ``bm25``, ``faiss-flat``, ``faiss-hnsw``, ``faiss-ivfpq`` or ``hybrid``.
        analyser: Analyser of BM25.
        encoder: Encoder of the dense part.
        dense: Kind of the dense part of a hybrid.
        overwrite: Replace an index that is there; nothing else is ever replaced.
        progress: Told how far it is.

    Returns:
        What the manifest says.

    Raises:
        BadIndexError: If an option is unknown, the folder is in use, or cannot be written.
        CorpusError: If the corpus cannot be read.
    """
    target = Path(folder).expanduser()
    options = Options(kind, analyser, encoder, dense)
    source = _open(corpus)
    _check_target(target, overwrite)
    tell = progress or (lambda stage, done, total: None)
    temporary: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}.partial-", dir=target.parent))
        info = _write(source, temporary, options, tell)
        info = replace(info, command=_command(source.name, target, info))
        write_manifest(temporary, info)
        # mkdtemp makes private folders; an index may be shared as far as the umask allows.
        mask = os.umask(0)
        os.umask(mask)
        temporary.chmod(0o777 & ~mask)
        move_into_place(temporary, target)
        return info
    except (OSError, CorpusError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or isinstance(cause, FileNotFoundError):
            raise
        raise BadIndexError(
            f"{target}: cannot be written: {cause.strerror or cause}; nothing was changed there"
        ) from error
    finally:
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)


def _open(corpus: str | Path | Corpus | Iterable[Passage]) -> _Source:
    if not isinstance(corpus, (str, Path, Corpus)):
        return _Source("passages", corpus)
    opened = open_corpus(corpus)
    source = _Source(opened.name, opened.passages(), opened.attribution)
    if isinstance(opened, FileCorpus):
        source.passages = read_passages(opened.path, opened.format, report=source.report)
    return source


def _check_target(target: Path, overwrite: bool) -> None:
    if not target.exists():
        return
    if target.is_dir() and not any(target.iterdir()):
        target.rmdir()
        return
    try:
        ours = f'"{FORMAT}"' in (target / MANIFEST).read_text(encoding="utf-8", errors="replace")
    except OSError:
        ours = False
    if not ours:
        raise BadIndexError(f"{target}: exists and is no index; choose another path")
    if not overwrite:
        raise BadIndexError(f"{target}: is an index already; add --overwrite to replace it")


def _write(source: _Source, folder: Path, options: Options, tell: Progress) -> IndexInfo:
    analyser = Analyser(options.analyser) if options.has_bm25 else None
    encoder = make_encoder(options.encoder) if options.dense_kind else None
    passages = _counted(source.passages, "passages", None, tell)
    with write_store(
        folder / PASSAGES, passages, name=source.name, attribution=source.attribution
    ) as store:
        info = IndexInfo(
            kind=options.kind,
            corpus=source.name,
            digest=store.digest,
            passages=len(store),
            command="",
            attribution=source.attribution,
            report=source.report.lines(),
        )
        if analyser is not None:
            (folder / BM25).mkdir()
            _write_bm25(store, folder / BM25, analyser, tell)
            info = replace(info, analyser=analyser.name, analyser_fingerprint=analyser.fingerprint)
        if encoder is not None and options.dense_kind is not None:
            (folder / DENSE).mkdir()
            vectors = encode_all(_counted(store, "vectors", len(store), tell), encoder)
            index = build_faiss(vectors, len(store), options.dense_kind)
            save_faiss(index, folder / DENSE / FAISS_FILE)
            probe = encoder.encode([PROBE], "passage")[0]
            info = replace(
                info,
                encoder=encoder_name(encoder),
                dimension=len(probe),
                probe=[round(float(x), 4) for x in probe[:PROBE_LENGTH]],
                dense=options.dense_kind if options.kind == "hybrid" else None,
            )
    tell("checksums", 0, None)
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return replace(
        info, files={path.relative_to(folder).as_posix(): file_facts(path) for path in paths}
    )


def _write_bm25(store: PassageStore, folder: Path, analyser: Analyser, tell: Progress) -> None:
    with tempfile.TemporaryDirectory(prefix="runs-", dir=folder) as workspace:
        builder = PostingsBuilder(analyser, Path(workspace))
        for passage in _counted(store, "bm25", len(store), tell):
            builder.add(indexed_text(passage))
        postings = builder.finish(lambda *array: _reserve(folder, *array))
    for array in (postings.indptr, postings.indices, postings.data):
        if isinstance(array, np.memmap):
            array.flush()
    write_header(folder, postings)


def _reserve(folder: Path, name: str, length: int, dtype: str) -> NDArray[Any]:
    """Makes an array in a file whose space on the disk is certain.

    Writing to a mapped file on a full disk kills the process (SIGBUS); reserving fails politely.
    """
    path = array_path(folder, name)
    array: NDArray[Any] = np.lib.format.open_memmap(path, "w+", dtype, (length,))
    with path.open("r+b") as file:
        size = path.stat().st_size
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            file.seek(size - array.nbytes)
            blank = bytes(1 << 20)
            for start in range(0, array.nbytes, len(blank)):
                file.write(blank[: array.nbytes - start])
    return array


def _counted(
    passages: Iterable[Passage], stage: str, total: int | None, tell: Progress
) -> Iterator[Passage]:
    done = 0
    for done, passage in enumerate(passages, start=1):
        yield passage
        if done % _REPORT_EVERY == 0:
            tell(stage, done, total)
    tell(stage, done, total if total is not None else done)


def _command(corpus: str, target: Path, info: IndexInfo) -> str:
    words = ["asl", "index", "build", corpus, str(target), "--kind", info.kind]
    if info.analyser is not None:
        words += ["--analyser", info.analyser]
    if info.encoder is not None:
        words += ["--encoder", info.encoder]
    if info.dense is not None:
        words += ["--dense", info.dense]
    return shlex.join([*words, "--overwrite"])
