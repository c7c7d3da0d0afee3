"""A real HTTP server on the loopback that serves files and misbehaves as it is told."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

#: Handles one request in its own way; returns whether it did.
Fault = Callable[["Handler"], bool]


@dataclass
class Site:
    """What is served, and how badly.

    Attributes:
        files: Content by path.
        headers: Extra response headers by path.
        faults: Each takes one request, in order; then the server behaves.
        always: Takes every request that no fault took.
        tags: Whether files have an ETag.
        ranges: Whether a part of a file can be asked for.
        log: Method, path and range of every request.
        sent: Request headers by lower-case name, beside ``log``.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    headers: dict[str, dict[str, str]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    always: Fault | None = None
    tags: bool = True
    ranges: bool = True
    log: list[tuple[str, str, str | None]] = field(default_factory=list)
    sent: list[dict[str, str]] = field(default_factory=list)
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    """Serves a site."""

    protocol_version = "HTTP/1.1"
    site: Site

    def log_message(self, *_: object) -> None:
        """Says nothing."""

    @property
    def content(self) -> bytes | None:
        return self.site.files.get(self.path)

    @property
    def tag(self) -> str:
        return f'"{hash(self.content):x}"'

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        if self.path.startswith("/api/"):
            return self.refuse(404)  # the hub's client asks for what has nothing to do with files
        self.site.log.append((self.command, self.path, self.headers.get("Range")))
        self.site.sent.append({name.lower(): value for name, value in self.headers.items()})
        if self.command == "GET" and self.site.faults:
            if self.site.faults.pop(0)(self):
                return None
        elif self.command == "GET" and self.site.always and self.site.always(self):
            return None
        return self.serve()

    def serve(self) -> None:
        """Answers well."""
        content = self.content
        if content is None:
            return self.refuse(404)
        start = self.start()
        self.begin(206 if start else 200, len(content) - start, start)
        if self.command == "GET":
            self.wfile.write(content[start:])
        return None

    def start(self) -> int:
        """Where the part begins that was asked for and may be given."""
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        same = self.headers.get("If-Range") in (None, self.tag)
        return int(asked[1]) if asked and same and self.site.ranges else 0

    def begin(self, code: int, length: int, start: int = 0) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(length))
        if self.site.tags:
            self.send_header("ETag", self.tag)
        if code == 206:
            total = len(self.content or b"")
            self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
        for name, value in self.site.headers.get(self.path, {}).items():
            self.send_header(name, value)
        self.end_headers()

    def refuse(self, code: int, **headers: str) -> None:
        self.send_response(code)
        self.send_header("Content-Length", "0")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


def breaks_off(at: int) -> Fault:
    """Sends so many bytes of what it should send, then hangs up."""

    def fault(handler: Handler) -> bool:
        content, start = handler.content or b"", handler.start()
        handler.begin(206 if start else 200, len(content) - start, start)
        handler.wfile.write(content[start : start + at])
        handler.close_connection = True
        return True

    return fault


def answers(code: int, **headers: str) -> Fault:
    """Sends a status and nothing else."""

    def fault(handler: Handler) -> bool:
        handler.refuse(code, **headers)
        return True

    return fault


def lies_about_length(by: int) -> Fault:
    """Announces more or fewer bytes than there are."""

    def fault(handler: Handler) -> bool:
        content = handler.content or b""
        handler.begin(200, len(content) + by)
        handler.wfile.write(content)
        handler.close_connection = True
        return True

    return fault


def corrupts(at: int) -> Fault:
    """Changes one byte of the file."""

    def fault(handler: Handler) -> bool:
        content = bytearray(handler.content or b"")
        content[at] ^= 0xFF
        start = handler.start()
        handler.begin(206 if start else 200, len(content) - start, start)
        handler.wfile.write(content[start:])
        return True

    return fault


class Server(ThreadingHTTPServer):
    """A server that does not mind clients that hang up."""

    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def serving() -> Iterator[Site]:
    """Serves a site, empty at first, as long as the block runs."""
    site = Site()
    handler = type("Bound", (Handler,), {"site": site})
    with Server(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
