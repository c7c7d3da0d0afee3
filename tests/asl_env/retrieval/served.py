"""A retriever whose answers show what was asked, and a server that behaves as badly as told."""

import json
import socketserver
import threading
import time

from asl_env.corpora.passages import Passage
from asl_env.errors import SearchUnavailableError
from asl_env.protocols import Hit


def hits(query, k):
    """What ``Echo`` finds: passages that name the query, so that none can be mistaken."""
    return [
        Hit(Passage(f"{query}#{n}", f"On {query}", f"Passage {n}\nabout {query}."), 1.0 / n)
        for n in range(1, k + 1)
    ]


class Echo:
    """Finds passages that name the query.

    Attributes:
        calls: Queries and ``k`` of every search.
        gate: While it is cleared, searches wait.
        entered: Set when a search has begun.
    """

    def __init__(self):
        self.calls = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()

    def search(self, queries, k):
        self.calls.append((list(queries), k))
        self.entered.set()
        assert self.gate.wait(60)
        if "bug" in queries:
            raise RuntimeError("a bug in the index")
        if "outage" in queries:
            raise SearchUnavailableError("the disk\nis gone")
        if "short" in queries:
            return []
        return [hits(query, k) for query in queries]


def reply(queries, k):
    """The body of a right reply to a Search-R1 request with scores."""
    found = [
        [
            {"document": {"id": p.id, "contents": p.contents}, "score": score}
            for p, score in hits(query, k)
        ]
        for query in queries
    ]
    return json.dumps({"result": found}).encode()


def http(body, status=200, **headers):
    """A reply with a length, as bytes on the wire."""
    named = {"Content-Length": len(body), "Content-Type": "application/json"}
    named |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in named.items())
    return f"HTTP/1.1 {status} Status\r\n{head}\r\n".encode() + body


def right(message):
    """Answers a request as it should be."""
    return [http(reply(message["queries"], message["topk"]))]


class Peer:
    """A server over real sockets that follows a script.

    Attributes:
        script: Per request a list of bytes to send and seconds to wait, or a function of the
            request that gives one; the last entry is repeated. The connection is closed after
            each, except after ``right``.
        got: Messages so far, with their headers under ``headers``.
        connections: Connections so far.
    """

    def __init__(self, *script):
        self.script = list(script)
        self.got = []
        self.connections = 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                outer.connections += 1
                while outer.answer(self):
                    pass

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False
            allow_reuse_address = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass  # clients that hang up early are part of the tests

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self):
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        ).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler):
        if not handler.rfile.readline():
            return False
        headers = {}
        while line := handler.rfile.readline().decode("latin-1").strip():
            name, _, value = line.partition(":")
            headers[name.lower()] = value.strip()
        message = json.loads(handler.rfile.read(int(headers["content-length"])))
        step = self.script[min(len(self.got), len(self.script) - 1)]
        self.got.append(message | {"headers": headers})
        for piece in step(message) if callable(step) else step:
            if isinstance(piece, bytes):
                handler.wfile.write(piece)
            else:
                time.sleep(piece)
        return step is right
