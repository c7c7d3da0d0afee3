"""The data of a report's browser: episodes in compressed blocks, and a light index over them.

A block is a ``script`` element of type ``text/plain``, which no browser runs: base64 of raw
deflate. Chunks hold whole episodes, one JSON object per line; an index block holds columns about
the episodes of the chunks before it. Blocks are written as they fill, so that a report of any
length needs the memory of one of each.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any, BinaryIO

from asl_env.agents.report.entries import Entry, Reader

#: A chunk ends with the episode that reaches either; it is what opening one episode costs.
CHUNK_BYTES, CHUNK_EPISODES = 400_000, 64
#: An index block ends with the chunk that reaches this.
INDEX_EPISODES = 2_000


class Catalog:
    """Writes episodes and what belongs to them.

    Args:
        file: Gets the blocks.

    Attributes:
        count: Episodes so far.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.count = 0
        self._file = file
        self._lines: list[bytes] = []
        self._bytes = 0
        self._sizes: list[int] = []
        self._rows: list[dict[str, Any]] = []

    def add(self, run: int, entry: Entry, reader: Reader) -> None:
        """Adds an episode.

        Args:
            run: Number of the run or evaluation that it is from.
            entry: The episode.
            reader: Of that run; its system messages are written by ``finish_run``.
        """
        line = _encode(entry.whole(reader))
        self._rows.append({"run": run, **entry.row(), "measures": entry.measures})
        self._lines.append(line)
        self._bytes += len(line)
        self.count += 1
        if self._bytes >= CHUNK_BYTES or len(self._lines) >= CHUNK_EPISODES:
            self._end_chunk()

    def finish_run(self, run: int, name: str, reader: Reader, lineage: list[list[Any]]) -> None:
        """Writes what the episodes of a run share.

        Args:
            run: Its number.
            name: Its name.
            reader: Its system messages.
            lineage: ``[id, parent, round, kind, question, answer]`` per self-made task.
        """
        self._end_chunk()
        self._end_index()
        shared = {"run": run, "name": name, "prompts": list(reader.prompts), "lineage": lineage}
        self._block("shared", _encode(shared))

    def _end_chunk(self) -> None:
        if self._lines:
            self._block("chunk", b"\n".join(self._lines))
            self._sizes.append(len(self._lines))
            self._lines, self._bytes = [], 0
        if len(self._rows) >= INDEX_EPISODES:
            self._end_index()

    def _end_index(self) -> None:
        if self._rows:
            self._block("index", _encode({"chunks": self._sizes, **_columns(self._rows)}))
            self._rows, self._sizes = [], []

    def _block(self, kind: str, content: bytes) -> None:
        packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        packed = base64.b64encode(packer.compress(content) + packer.flush())
        self._file.write(b'<script type="text/plain" class="%s">' % kind.encode())
        self._file.write(packed + b"</script>\n")


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    names = dict.fromkeys(name for row in rows for name in row["measures"])
    return {
        **{name: [row[name] for row in rows] for name in rows[0] if name != "measures"},
        "measures": {name: [row["measures"].get(name) for row in rows] for name in names},
    }


def _encode(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    try:
        return text.encode()
    except UnicodeEncodeError:  # a lone surrogate, which a model may well say
        return json.dumps(value, separators=(",", ":")).encode()
