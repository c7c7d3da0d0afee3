"""The manifest of an index folder: what it holds, and whether that is still so."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from asl_env.corpora.store import FORMAT as STORE_FORMAT
from asl_env.errors import BadIndexError

FORMAT = "asl-index"
VERSION = 2
#: Version 1 knew no engines: its BM25 is always the engine "memory".
READABLE = (1, 2)
MANIFEST = "manifest.json"

#: Folders inside an index folder.
PASSAGES, BM25, DENSE = "passages", "bm25", "dense"
FAISS_FILE = "faiss.index"


@dataclass(frozen=True)
class IndexInfo:
    """What the manifest of an index says.

    Attributes:
        kind: ``bm25``, ``bm25-disk``, ``faiss-flat``, ``faiss-hnsw``, ``faiss-ivfsq8``,
            ``faiss-ivfpq`` or ``hybrid``.
        corpus: Name or path of the corpus.
        digest: SHA-256 of its passages.
        passages: How many there are.
        command: The command that builds this index again.
        analyser: Name of the analyser of BM25; ``None`` without BM25.
        engine: ``memory`` or ``disk``; ``None`` without BM25, or in an index of version 1.
        analyser_fingerprint: Differs when the same name gives other terms.
        encoder: Name of the encoder of the dense part; ``None`` without one.
        dimension: Length of its vectors.
        probe: First numbers of its vector of a fixed text.
        dense: Kind of the dense part of a hybrid.
        recall: Of an approximate dense part: the mean share of the ten nearest passages that it
            finds, for 200 queries made of the first words of passages (``vectors.quality``).
        attribution: Where the text comes from and under which licence.
        report: What was left out when the corpus was read, in lines for people.
        files: Size and SHA-256 of every file, by path inside the folder.
    """

    kind: str
    corpus: str
    digest: str
    passages: int
    command: str
    analyser: str | None = None
    analyser_fingerprint: str | None = None
    engine: str | None = None
    encoder: str | None = None
    dimension: int | None = None
    probe: list[float] | None = None
    dense: str | None = None
    recall: float | None = None
    attribution: str = ""
    report: list[str] = field(default_factory=list)
    files: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(int(facts["bytes"]) for facts in self.files.values())


def write_manifest(folder: Path, info: IndexInfo) -> None:
    """Writes the manifest; the last thing a build does."""
    record = {"format": FORMAT, "version": VERSION, **asdict(info)}
    text = json.dumps(record, indent=1, ensure_ascii=False)
    (folder / MANIFEST).write_text(text, encoding="utf-8")


def read_manifest(folder: Path) -> IndexInfo:
    """Reads the manifest and compares it with the sizes of the files.

    Raises:
        BadIndexError: If this is no index, of another version, or cut short.
    """
    record = _read_json(folder)
    rebuild = f"rebuild it with `{record.get('command') or general_command(folder)}`"
    if record.get("format") == STORE_FORMAT:
        raise BadIndexError(
            f"{folder}: is a passage store, not an index; build an index of it with "
            f"`asl index build {folder} OUT`"
        )
    if record.get("format") != FORMAT:
        raise BadIndexError(f"{folder}: is no index (format {record.get('format')!r}); {rebuild}")
    if record.get("version") not in READABLE:
        raise BadIndexError(
            f"{folder}: index format version {record.get('version')!r}, this asl-env reads "
            f"versions {READABLE[0]} to {READABLE[-1]}; {rebuild}"
        )
    names = {each.name for each in fields(IndexInfo)}
    try:
        info = IndexInfo(**{name: value for name, value in record.items() if name in names})
        sizes = {name: int(facts["bytes"]) for name, facts in info.files.items()}
    except (TypeError, KeyError, ValueError, AttributeError) as error:
        raise BadIndexError(f"{folder / MANIFEST}: is damaged ({error}); {rebuild}") from error
    for name, size in sizes.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            has = "is missing" if found is None else f"has {found:,} bytes, not {size:,}"
            raise BadIndexError(f"{path}: {has}: the index is cut short; {rebuild}")
    return info


def verify_files(folder: Path, info: IndexInfo) -> None:
    """Reads every file and compares it with its checksum.

    Raises:
        BadIndexError: If a file changed since the build.
    """
    for name, facts in info.files.items():
        if file_facts(folder / name)["sha256"] != facts.get("sha256"):
            raise BadIndexError(
                f"{folder / name}: checksum differs from the manifest; "
                f"rebuild it with `{info.command}`"
            )


def general_command(folder: Path) -> str:
    """The command that builds an index here, when the manifest cannot tell of what."""
    return f"asl index build CORPUS {folder} --overwrite"


def file_facts(path: Path) -> dict[str, Any]:
    """Returns size and SHA-256 of a file."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
            size += len(chunk)
    return {"bytes": size, "sha256": digest.hexdigest()}


def _read_json(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
        what = f"is no index (no {MANIFEST})" if folder.exists() else "does not exist"
        raise BadIndexError(
            f"{folder}: {what}; build one with `asl index build CORPUS {folder}`"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise BadIndexError(
            f"{path}: cannot be read ({error}); rebuild it with `{general_command(folder)}`"
        ) from error
    if not isinstance(record, dict):
        raise BadIndexError(
            f"{path}: is not a manifest; rebuild it with `{general_command(folder)}`"
        )
    return record
