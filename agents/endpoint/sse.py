"""Server-sent events, read from bytes as they come."""

from __future__ import annotations

import re
from collections.abc import Iterator

_LINE_END = re.compile(rb"\r\n|\n|\r")


class EventReader:
    r"""Puts the data of events together from pieces of a stream, however it was cut.

    Lines end with ``\n``, ``\r\n`` or ``\r``; an event ends with an empty line; several data
    lines of an event are joined by line breaks; comments and other fields are passed over.
    """

    def __init__(self) -> None:
        self._parts: list[bytes] = []  # of a line that is not complete yet
        self._data: list[bytes] = []

    def feed(self, piece: bytes) -> Iterator[str]:
        """Takes the next piece and yields the data of every event that is complete now."""
        open_return = bool(self._parts) and self._parts[-1].endswith(b"\r")
        if piece:
            self._parts.append(piece)
        if not open_return and b"\n" not in piece and b"\r" not in piece:
            return  # a long line in small pieces is not searched again and again
        text = b"".join(self._parts)
        start = 0
        for match in _LINE_END.finditer(text):
            if match.group() == b"\r" and match.end() == len(text):
                break  # its line feed may still come
            yield from self._line(text[start : match.start()])
            start = match.end()
        self._parts = [text[start:]] if start < len(text) else []

    def close(self) -> Iterator[str]:
        """Yields the last event where the stream ended without an empty line."""
        rest = b"".join(self._parts)
        self._parts = []
        yield from self._line(rest.removesuffix(b"\r"))
        yield from self._line(b"")

    def _line(self, line: bytes) -> Iterator[str]:
        if line.startswith(b"data:"):
            self._data.append(line[5:].removeprefix(b" "))
        elif not line and self._data:
            text = b"\n".join(self._data).decode("utf-8", "replace")
            self._data = []
            yield text
