"""A server on 127.0.0.1 that speaks the protocol as well or as badly as a test wants.

It is a real peer over real sockets: every answer is a list of bytes to send (and seconds to wait),
so that also what no HTTP library would send can be sent.
"""

import json
import socketserver
import threading
import time
from collections.abc import Callable
from typing import NamedTuple


class Got(NamedTuple):
    """A request as it arrived."""

    line: str
    headers: dict
    body: dict


def http(body=b"", status=200, kind="application/json", **headers):
    """An answer with a length, as one piece."""
    if not isinstance(body, bytes):
        body = (body if isinstance(body, str) else json.dumps(body)).encode()
    named = {"Content-Type": kind, "Content-Length": len(body), "Connection": "close"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return [f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + body]


def stream(*pieces, end=True):
    """A chunked event stream; numbers are waits in seconds."""
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
    )
    found = [head]
    for piece in pieces:
        if isinstance(piece, str):
            piece = piece.encode()
        found.append(piece if isinstance(piece, float) else b"%x\r\n%b\r\n" % (len(piece), piece))
    return [*found, *([b"0\r\n\r\n"] if end else [])]


def event(data):
    return f"data: {data if isinstance(data, str) else json.dumps(data)}\n\n"


def delta(content=None, finish=None, **more):
    said = {} if content is None else {"content": content}
    return event({"choices": [{"index": 0, "delta": said | more, "finish_reason": finish}]})


def usage(prompt=10, completion=5):
    tokens = {"prompt_tokens": prompt, "completion_tokens": completion}
    return event({"choices": [], "usage": tokens})


DONE = event("[DONE]")


def said(text, finish="stop", size=3):
    """A well-behaved stream that says a text in pieces of a few letters."""
    pieces = [delta(text[at : at + size]) for at in range(0, len(text), size)]
    return stream(*pieces, delta(finish=finish), usage(), DONE)


def completion(content, finish="stop", **message):
    """A well-behaved answer without streaming."""
    message = {"role": "assistant", "content": content} | message
    choice = {"index": 0, "message": message, "finish_reason": finish}
    tokens = {"prompt_tokens": 10, "completion_tokens": 5}
    return http({"choices": [choice], "usage": tokens})


class Peer:
    """The server.

    Attributes:
        script: Answers by request; the last one is repeated. A function is asked with the request.
        got: Requests so far.
        most: Most requests that were in flight at once.
    """

    def __init__(self):
        self.script: list[list | Callable] = []
        self.got: list[Got] = []
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer._handle(self)

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # clients that hang up early are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self):
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def _handle(self, handler):
        line = handler.rfile.readline().decode().strip()
        if not line:
            return
        headers = {}
        while name := handler.rfile.readline().decode("latin-1").strip():
            key, _, value = name.partition(":")
            headers[key.lower()] = value.strip()
        body = handler.rfile.read(int(headers.get("content-length", 0)))
        got = Got(line, headers, json.loads(body or b"{}"))
        with self._lock:
            answer = self.script[min(len(self.got), len(self.script) - 1)]
            self.got.append(got)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            for piece in answer(got) if callable(answer) else answer:
                if isinstance(piece, float):
                    time.sleep(piece)
                else:
                    handler.wfile.write(piece)
        finally:
            with self._lock:
                self._now -= 1
