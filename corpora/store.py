"""The passage store: a folder that gives any passage by row number or id in microseconds.

Layout of version 1 (all integers little-endian)::

    manifest.json   format, version, count, digest, sizes and checksums of the files below
    passages.bin    records: three uint32 lengths, then id, title and text in UTF-8
    offsets.u64     count + 1 positions of the records (before compression)
    blocks.u64      compressed stores only: positions of the zlib blocks in passages.bin
    ids.u64         64-bit hashes of the ids, sorted
    rows.u32        the row of each of those hashes
    ATTRIBUTION     where the text comes from and under which licence
"""

from __future__ import annotations

import hashlib
import json
import mmap
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from types import TracebackType
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.passages import Passage

FORMAT = "asl-passage-store"
VERSION = 1
MANIFEST = "manifest.json"
ATTRIBUTION = "ATTRIBUTION"
ROWS_PER_BLOCK = 32

_HEADER = struct.Struct("<III")
_CACHED_BLOCKS = 64


def id_hash(passage_id: str) -> int:
    """Returns the 64-bit BLAKE2b hash under which an id is filed."""
    digest = hashlib.blake2b(passage_id.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def encode(passage: Passage) -> bytes:
    """Returns the record of a passage.

    Raises:
        CorpusError: If a field cannot be written as UTF-8 (a lone surrogate).
    """
    try:
        parts = passage.id.encode(), passage.title.encode(), passage.text.encode()
    except UnicodeEncodeError as error:
        raise CorpusError(
            f"passage {passage.id!r}: cannot be written as UTF-8 ({error.reason})"
        ) from error
    return _HEADER.pack(len(parts[0]), len(parts[1]), len(parts[2])) + b"".join(parts)


def is_store(folder: str | Path) -> bool:
    """Whether the folder holds the manifest of a passage store (of any version)."""
    try:
        return bool(_read_manifest(Path(folder))["format"] == FORMAT)
    except (CorpusError, KeyError):
        return False


class PassageStore:
    """Read access to a store; memory-mapped, so opening costs no reading.

    Args:
        folder: A folder written by ``StoreWriter``.

    Raises:
        CorpusError: If the folder is no store, of another version, or cut short.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.manifest = _read_manifest(self.folder)
        _check(self.folder, self.manifest)
        self.count: int = self.manifest["count"]
        self.digest: str = self.manifest["digest"]
        self._offsets = self._array("offsets.u64", "<u8")
        self._hashes = self._array("ids.u64", "<u8")
        self._rows = self._array("rows.u32", "<u4")
        self._blocks = (
            self._array("blocks.u64", "<u8") if self.manifest["compression"] == "zlib" else None
        )
        with (self.folder / "passages.bin").open("rb") as file:
            self._data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self._cache: OrderedDict[int, bytes] = OrderedDict()

    @property
    def attribution(self) -> str:
        """Where the text comes from and under which licence; may be empty."""
        path = self.folder / ATTRIBUTION
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def __len__(self) -> int:
        return self.count

    @overload
    def __getitem__(self, row: int) -> Passage: ...
    @overload
    def __getitem__(self, row: slice) -> list[Passage]: ...
    def __getitem__(self, row: int | slice) -> Passage | list[Passage]:
        """Returns the passage of a row (negative rows count from the end), or of a slice."""
        if isinstance(row, slice):
            return [self[r] for r in range(*row.indices(self.count))]
        if not -self.count <= row < self.count:
            raise IndexError(f"row {row} of a store of {self.count}")
        row %= self.count
        return self._decode(self._record(row), row)

    def __iter__(self) -> Iterator[Passage]:
        """Yields every passage in row order."""
        return self.between(0, self.count)

    def between(self, first: int, stop: int) -> Iterator[Passage]:
        """Yields the passages of rows ``first`` to before ``stop``, in order."""
        step = 128 * ROWS_PER_BLOCK
        for start in range(first, stop, step):
            offsets = self._offsets[start : min(start + step, stop) + 1].tolist()
            for row in range(len(offsets) - 1):
                record = (
                    self._data[offsets[row] : offsets[row + 1]]
                    if self._blocks is None
                    else self._record(start + row)
                )
                yield self._decode(record, start + row)

    @property
    def text_bytes(self) -> int:
        """Size of all records, before compression."""
        return int(self._offsets[-1])

    def stretches(self, size: int) -> list[range]:
        """Cuts the rows into stretches of at most ``size`` bytes of text, or of one passage."""
        cuts = [0]
        while cuts[-1] < self.count:
            limit = int(self._offsets[cuts[-1]]) + size
            stop = int(np.searchsorted(self._offsets, np.uint64(limit), side="right")) - 1
            cuts.append(max(stop, cuts[-1] + 1))
        return [range(first, stop) for first, stop in pairwise(cuts)]

    def row_of(self, passage_id: str) -> int | None:
        """Returns the row of an id, or ``None``."""
        try:
            key = np.uint64(id_hash(passage_id))
        except UnicodeEncodeError:
            return None
        at = int(np.searchsorted(self._hashes, key))
        while at < self.count and self._hashes[at] == key:
            row = int(self._rows[at])
            if self[row].id == passage_id:
                return row
            at += 1
        return None

    def get(self, passage_id: str) -> Passage:
        """Returns the passage with this id.

        Raises:
            CorpusError: If there is none.
        """
        row = self.row_of(passage_id)
        if row is None:
            raise CorpusError(f"{self.folder}: holds no passage with id {passage_id!r}")
        return self[row]

    def verify(self) -> None:
        """Reads every byte and compares it with the manifest's checksums.

        Raises:
            CorpusError: If a file was changed since it was written.
        """
        for name, facts in self.manifest["files"].items():
            digest = hashlib.sha256()
            with (self.folder / name).open("rb") as file:
                while chunk := file.read(1 << 20):
                    digest.update(chunk)
            if digest.hexdigest() != facts["sha256"]:
                raise CorpusError(
                    f"{self.folder / name}: checksum differs from the manifest; build it again"
                )

    def close(self) -> None:
        """Unmaps the passages; afterwards the store cannot be read."""
        self._data.close()

    def __enter__(self) -> PassageStore:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[type[PassageStore], tuple[Path]]:
        return PassageStore, (self.folder,)

    def _array(self, name: str, dtype: str) -> NDArray[Any]:
        array: NDArray[Any] = np.memmap(self.folder / name, dtype=dtype, mode="r")
        # Indexing a plain view is several times faster than indexing the memmap subclass.
        return array.view(np.ndarray)

    def _record(self, row: int) -> bytes:
        start, end = int(self._offsets[row]), int(self._offsets[row + 1])
        if self._blocks is None:
            return self._data[start:end]
        block, first = divmod(row, ROWS_PER_BLOCK)
        base = int(self._offsets[row - first])
        return self._block(block)[start - base : end - base]

    def _block(self, number: int) -> bytes:
        data = self._cache.get(number)
        if data is None:
            assert self._blocks is not None
            start, end = int(self._blocks[number]), int(self._blocks[number + 1])
            try:
                data = zlib.decompress(self._data[start:end])
            except zlib.error as error:
                raise CorpusError(f"{self.folder}: block {number} is damaged ({error})") from error
            self._cache[number] = data
            if len(self._cache) > _CACHED_BLOCKS:
                self._cache.popitem(last=False)
        return data

    def _decode(self, record: bytes, row: int) -> Passage:
        try:
            a, b, c = _HEADER.unpack_from(record)
            a += _HEADER.size
            b += a
            if b + c != len(record):
                raise ValueError("lengths do not add up")
            return Passage(
                record[_HEADER.size : a].decode(), record[a:b].decode(), record[b:].decode()
            )
        except (struct.error, ValueError) as error:
            raise CorpusError(
                f"{self.folder}: row {row} is damaged ({error}); build the store again"
            ) from error


def _read_manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CorpusError(
            f"{folder}: is no passage store (no {MANIFEST}); write one with `asl corpus build`"
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise CorpusError(f"{path}: cannot be read ({error})") from error
    if not isinstance(manifest, dict):
        raise CorpusError(f"{path}: is not a manifest")
    return manifest


def _check(folder: Path, manifest: dict[str, Any]) -> None:
    if manifest.get("format") != FORMAT:
        raise CorpusError(
            f"{folder}: is no passage store (its manifest says {manifest.get('format')!r})"
        )
    if manifest.get("version") != VERSION:
        raise CorpusError(
            f"{folder}: store version {manifest.get('version')!r}, this asl-env reads version "
            f"{VERSION}; build it again with `asl corpus build`"
        )
    try:
        count, files = manifest["count"], manifest["files"]
        sizes = {name: facts["bytes"] for name, facts in files.items()}
        whole = (
            count > 0
            and sizes["offsets.u64"] == 8 * (count + 1)
            and sizes["ids.u64"] == 8 * count
            and sizes["rows.u32"] == 4 * count
            and (manifest["compression"] == "none" or "blocks.u64" in sizes)
            and isinstance(manifest["digest"], str)
            and "passages.bin" in sizes
        )
    except (KeyError, TypeError, AttributeError):
        whole = False
    if not whole:
        raise CorpusError(f"{folder / MANIFEST}: is damaged; build the store again")
    for name, size in sizes.items():
        path = folder / name
        found = path.stat().st_size if path.is_file() else None
        if found != size:
            has = "is missing" if found is None else f"has {found:,} bytes, not {size:,}"
            raise CorpusError(f"{path}: {has}: the store is cut short; build it again")
