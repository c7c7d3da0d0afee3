"""Building an index folder: streamed, with progress, and either complete or not there at all."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from asl_env.corpora.catalog import Corpus, FileCorpus, StoreCorpus, open_corpus
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.formats import read_passages
from asl_env.corpora.linking import link_store
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport
from asl_env.corpora.scratch import Scratch
from asl_env.corpora.store import PassageStore
from asl_env.corpora.writer import Compression, write_store
from asl_env.errors import BadIndexError, did_you_mean
from asl_env.protocols import Encoder
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.dense import DENSE_KINDS
from asl_env.retrieval.disk.budget import Budget, parse_size
from asl_env.retrieval.encoders import encoder_name
from asl_env.retrieval.engines import DISK, engine_for, write_in_memory_layout, write_on_disk
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
from asl_env.retrieval.vectors.builder import DenseSpec, write_dense
from asl_env.retrieval.workfolder import Tell

#: Kinds of index without a dense part.
_LEXICAL = ("bm25", "bm25-disk")

KINDS = (*_LEXICAL, *DENSE_KINDS, "hybrid")

#: Bytes that a build may take when nothing is said.
MEMORY = 4 << 30

#: Numbers of the encoder's probe that are kept.
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
        compression: How the passages are written; ``None`` leaves a store as it is.
        memory: Bytes that building an on-disk BM25 may take.
        workers: Processes that build it, or encode.
        vectors: File of vectors of the passages that were made elsewhere.

    Raises:
        BadIndexError: If a kind is unknown, the memory or the workers are too few, or there is no
            dense part to give vectors to.
    """

    kind: str = "bm25"
    analyser: str = "english"
    encoder: str | Path | Encoder = "static"
    dense: str = "faiss-flat"
    compression: Compression | None = None
    memory: int = MEMORY
    workers: int = 1
    vectors: Path | None = None

    def __post_init__(self) -> None:
        Budget(self.memory, self.workers)
        for name, value, known in (("kind", self.kind, KINDS), ("dense", self.dense, DENSE_KINDS)):
            if value not in known:
                raise BadIndexError(
                    f"unknown {name} of index {value!r}{did_you_mean(value, known)}"
                )
        if self.vectors is not None and self.dense_kind is None:
            raise BadIndexError(
                f"an index of the kind {self.kind} has no use for vectors; "
                "choose --kind hybrid or one of " + ", ".join(DENSE_KINDS)
            )

    @property
    def dense_kind(self) -> str | None:
        """Kind of the dense part, if there is one."""
        if self.kind in _LEXICAL:
            return None
        return self.dense if self.kind == "hybrid" else self.kind

    @property
    def has_bm25(self) -> bool:
        """Whether there is a BM25 part."""
        return self.kind in (*_LEXICAL, "hybrid")


@dataclass
class _Source:
    """Passages with a name; ``report`` fills while they are read. A store may be linked."""

    name: str
    passages: Iterable[Passage]
    attribution: str = ""
    store: PassageStore | None = None
    report: ReadReport = field(default_factory=ReadReport)


def build_index(
    corpus: str | Path | Corpus | Iterable[Passage],
    folder: str | Path,
    *,
    kind: str = "bm25",
    analyser: str = "english",
    encoder: str | Path | Encoder = "static",
    dense: str = "faiss-flat",
    compression: Compression | None = None,
    memory: int | str = MEMORY,
    workers: int = 1,
    vectors: str | Path | None = None,
    overwrite: bool = False,
    progress: Tell | None = None,
) -> IndexInfo:
    """Builds an index folder.

    Everything is written to a temporary folder beside the target, which is moved into place
    when it is complete: an interrupted build leaves what was there before, or nothing. The kind
    ``bm25`` picks its engine by size (``engines.DISK_FROM``). The engine ``disk``, encoders and
    inverted lists keep their finished work in a hidden folder beside the target until the index is
    there: a build of the same passages goes on from it, however it was interrupted.

    Memory: the engine ``disk`` stays within ``memory``, roughly, plus 50 bytes per term of the
    vocabulary at its end; the engine ``memory`` needs its vocabulary, four bytes per passage and
    about 300 MB; writing a passage store, 44 bytes per passage; faiss keeps flat and HNSW indexes
    in memory while they are built (4 bytes per dimension and passage, HNSW 280 more per passage),
    and of inverted lists 262,144 vectors.

    Args:
        corpus: A name, a path, a corpus, or passages. The files of a passage store are linked, not
            copied, where the file system can.
        folder: Where to write.
        kind: ``bm25``, ``bm25-disk``, ``faiss-flat``, ``faiss-hnsw``, ``faiss-ivfsq8``,
            ``faiss-ivfpq`` or ``hybrid``.
        analyser: Analyser of BM25.
        encoder: Encoder of the dense part.
        dense: Kind of the dense part of a hybrid.
        compression: ``"zlib"`` or ``"none"`` for the passages; by default as a passage store has
            it, and none for other corpora.
        memory: Bytes, or text such as ``"8GB"``, that all processes that build an on-disk BM25 may
            take together; at least 512 MB.
        workers: Processes that build an on-disk BM25, or encode; one per 512 MB of ``memory`` at
            most. With more than one, a script needs the usual ``if __name__ == "__main__":``.
        vectors: File of vectors of these passages, in their order, that the encoder made elsewhere:
            ``.npy``, a faiss ``.index``, or nothing but numbers (see ``vectors.source``).
        overwrite: Replace an index that is there; nothing else is ever replaced.
        progress: Told how far it is.

    Returns:
        What the manifest says.

    Raises:
        BadIndexError: If an option is unknown, the folder is in use, the disk or the memory is too
            small, or the folder cannot be written.
        CorpusError: If the corpus cannot be read.
    """
    target = Path(folder).expanduser()
    bytes_allowed = parse_size(memory)
    given = None if vectors is None else Path(vectors).expanduser()
    options = Options(kind, analyser, encoder, dense, compression, bytes_allowed, workers, given)
    source = _open(corpus)
    _check_target(target, overwrite)
    work = target.with_name(f".{target.name}.unfinished")
    scratch: Scratch | None = None
    try:
        scratch = Scratch(target)
        info = _write(source, scratch.path, work, options, progress or (lambda *step: None))
        info = replace(info, command=_command(source.name, target, info, options))
        write_manifest(scratch.path, info)
        scratch.keep()
        shutil.rmtree(work, ignore_errors=True)
        return info
    except (OSError, CorpusError) as error:
        cause = error if isinstance(error, OSError) else error.__cause__
        if not isinstance(cause, OSError) or isinstance(cause, FileNotFoundError):
            raise
        kept = f"; what is finished is kept in {work}" if work.exists() else ""
        raise BadIndexError(
            f"{target}: cannot be written: {cause.strerror or cause}; nothing was changed there"
            f"{kept}"
        ) from error
    finally:
        if scratch is not None:
            scratch.close()


def _open(corpus: str | Path | Corpus | Iterable[Passage]) -> _Source:
    if not isinstance(corpus, (str, Path, Corpus)):
        return _Source("passages", corpus)
    opened = open_corpus(corpus)
    source = _Source(opened.name, opened.passages(), opened.attribution)
    if isinstance(opened, StoreCorpus):
        source.store = opened.store
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


def _write(source: _Source, folder: Path, work: Path, options: Options, tell: Tell) -> IndexInfo:
    analyser = Analyser(options.analyser) if options.has_bm25 else None
    with _write_passages(source, folder / PASSAGES, options, tell) as store:
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
            engine = _write_bm25(store, folder / BM25, work / BM25, analyser, options, tell)
            info = replace(
                info,
                analyser=analyser.name,
                analyser_fingerprint=analyser.fingerprint,
                engine=engine,
            )
        if options.dense_kind is not None:
            info = _write_dense(store, folder / DENSE, work / DENSE, options, info, tell)
        return replace(info, files=_file_facts(folder, store, tell))


def _write_passages(source: _Source, folder: Path, options: Options, tell: Tell) -> PassageStore:
    store = source.store
    if store is not None and options.compression in (None, store.manifest["compression"]):
        tell("passages", len(store), len(store))
        return link_store(store, folder)
    return write_store(
        folder,
        _counted(source.passages, "passages", None, tell),
        name=source.name,
        attribution=source.attribution,
        compression=options.compression or "none",
    )


def _write_bm25(
    store: PassageStore,
    folder: Path,
    work: Path,
    analyser: Analyser,
    options: Options,
    tell: Tell,
) -> str:
    """Writes the BM25 part; returns its engine."""
    folder.mkdir()
    engine = engine_for(options.kind, len(store))
    if engine == DISK:
        write_on_disk(store, folder, work, analyser, options.memory, options.workers, tell)
    else:
        write_in_memory_layout(_counted(store, "bm25", len(store), tell), folder, analyser)
    return engine


def _write_dense(
    store: PassageStore, folder: Path, work: Path, options: Options, info: IndexInfo, tell: Tell
) -> IndexInfo:
    """Writes the dense part; returns what the manifest says with it."""
    folder.mkdir()
    processes = Budget(options.memory, options.workers).processes
    kind = options.dense_kind or ""
    spec = DenseSpec(kind, options.encoder, options.vectors, processes)
    found = write_dense(store, folder / FAISS_FILE, work, spec, tell)
    return replace(
        info,
        encoder=encoder_name(found.encoder),
        dimension=len(found.probe),
        probe=[round(float(x), 4) for x in found.probe[:PROBE_LENGTH]],
        dense=kind if options.kind == "hybrid" else None,
        recall=found.recall,
    )


def _file_facts(folder: Path, store: PassageStore, tell: Tell) -> dict[str, dict[str, Any]]:
    """Size and checksum of every file; those of the passages are known already."""
    known = {f"{PASSAGES}/{name}": facts for name, facts in store.manifest["files"].items()}
    paths = sorted(path for path in folder.glob("*/**/*") if path.is_file())
    names = [path.relative_to(folder).as_posix() for path in paths]
    tell("checksums", 0, None)
    return {
        name: known.get(name) or file_facts(path) for name, path in zip(names, paths, strict=True)
    }


def _counted(
    passages: Iterable[Passage], stage: str, total: int | None, tell: Tell
) -> Iterator[Passage]:
    done = 0
    for done, passage in enumerate(passages, start=1):
        yield passage
        if done % _REPORT_EVERY == 0:
            tell(stage, done, total)
    tell(stage, done, total if total is not None else done)


def _command(corpus: str, target: Path, info: IndexInfo, options: Options) -> str:
    words = ["asl", "index", "build", corpus, str(target), "--kind", info.kind]
    if info.analyser is not None:
        words += ["--analyser", info.analyser]
    if info.encoder is not None:
        words += ["--encoder", info.encoder]
    if info.dense is not None:
        words += ["--dense", info.dense]
    if options.vectors is not None:
        words += ["--vectors", str(options.vectors)]
    if options.compression is not None:
        words += ["--compress", options.compression]
    return shlex.join([*words, "--overwrite"])
