"""The server over real sockets: many clients, limits, errors, token, and how it stops."""

import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor

import msgpack
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st
from served import Echo, hits

from asl_env.errors import ServerError
from asl_env.retrieval.server import libraries
from asl_env.retrieval.server.listening import bind, url_of
from asl_env.retrieval.server.serving import RunningServer, open_and_try
from asl_env.retrieval.server.settings import ServerSettings, read_token

TOKEN = "correct-horse-battery"


@pytest.fixture(scope="module")
def shared():
    """One server for the tests that change nothing."""
    with RunningServer(Echo(), ServerSettings(port=0, max_body_bytes=5000)) as server:
        yield server


def post(server, body, path="/retrieve", **more):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return requests.post(server.url + path, data=body, timeout=60, **more)


def error(response):
    """The type of a typed error; that there is a message too is checked."""
    assert response.headers["content-type"] == "application/json"
    found = response.json()["error"]
    assert set(found) == {"type", "message"}
    assert "\n" not in found["message"]
    return response.status_code, found["type"]


def test_search_r1_s_own_request(shared):
    payload = {"queries": ["who?", "where?"], "topk": 3, "return_scores": True}
    result = requests.post(f"{shared.url}/retrieve", json=payload, timeout=60).json()["result"]
    for query, found in zip(payload["queries"], result, strict=True):
        assert [entry["score"] for entry in found] == [hit.score for hit in hits(query, 3)]
        # How its generation manager takes a document apart:
        contents = found[0]["document"]["contents"]
        assert contents.split("\n")[0] == f'"On {query}"'
        assert "\n".join(contents.split("\n")[1:]) == f"Passage 1\nabout {query}."


def test_skyrl_s_own_request(shared):
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    payload = {"query": "who?", "topk": 2, "return_scores": True}
    response = requests.post(f"{shared.url}/retrieve", headers=headers, json=payload, timeout=60)
    [found] = response.json()["result"]
    assert [entry["document"]["contents"] for entry in found] == [
        hit.passage.contents for hit in hits("who?", 2)
    ]


def test_gem_s_own_request(shared):
    body = msgpack.packb({"query": "who?", "topk": 2, "return_scores": True})
    response = requests.post(f"{shared.url}/retrieve", data=body, timeout=60)
    response.raise_for_status()
    result = msgpack.unpackb(response.content)["result"]
    assert [entry["document"]["id"] for entry in result] == ["who?#1", "who?#2"]


def test_every_error_is_typed(shared):
    assert error(post(shared, b"{")) == (400, "bad_request")
    assert error(post(shared, {"queries": [1]})) == (422, "invalid_field")
    assert error(post(shared, b" " * 6000)) == (413, "too_large")
    assert error(post(shared, {"query": "bug"})) == (503, "search_failed")
    assert error(post(shared, {"query": "outage"})) == (503, "search_failed")
    assert error(post(shared, {}, "/nowhere")) == (404, "not_found")
    assert error(requests.get(f"{shared.url}/retrieve", timeout=60))[0] == 405
    squeezed = post(shared, b"x", headers={"Content-Encoding": "gzip"})
    assert error(squeezed) == (415, "unsupported_encoding")


@settings(max_examples=25)
@given(st.binary(max_size=100) | st.text(max_size=60).map(str.encode))
def test_any_body_gets_a_typed_client_error(shared, body):
    status, kind = error(post(shared, body))
    assert (status, kind) in ((400, "bad_request"), (422, "invalid_field"))


def test_health_stats_and_description(shared):
    post(shared, {"query": "a"})
    get = lambda path: requests.get(shared.url + path, timeout=60).json()  # noqa: E731
    assert get("/health")["status"] == "ok"
    stats = get("/stats")
    assert stats["requests"] >= 1
    assert stats["queue_length"] == 0
    described = get("/openapi.json")
    assert set(described["paths"]) == {"/retrieve", "/health", "/stats", "/openapi.json"}
    assert "429" in described["paths"]["/retrieve"]["post"]["responses"]
    references = [part.split('"')[0] for part in json.dumps(described).split("#/components/")[1:]]
    for reference in references:
        kind, name = reference.split("/")
        assert name in described["components"][kind]


def test_single_queries_of_many_clients_become_few_calls_of_the_index():
    library = Echo()
    with RunningServer(library, ServerSettings(port=0, wait_ms=100.0)) as server:

        def ask(number):
            payload = {"queries": [f"q{number}"], "topk": 1 + number % 3, "return_scores": True}
            [found] = post(server, payload).json()["result"]
            return [entry["document"]["id"] for entry in found]

        with ThreadPoolExecutor(16) as clients:
            found = list(clients.map(ask, range(32)))
        stats = requests.get(f"{server.url}/stats", timeout=60).json()
    assert found == [[f"q{n}#{i}" for i in range(1, 2 + n % 3)] for n in range(32)]
    assert sum(len(queries) for queries, _ in library.calls) == 32
    assert len(library.calls) <= 16
    assert stats["index"]["calls"] == len(library.calls)


def test_a_full_queue_says_429_and_the_accepted_are_answered():
    library = Echo()
    with RunningServer(library, ServerSettings(port=0, max_queue=1)) as server:
        library.gate.clear()
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(post, server, {"query": "a"})
            assert library.entered.wait(60)
            refused = post(server, {"query": "b"})
            library.gate.set()
            assert first.result().status_code == 200
    assert error(refused) == (429, "busy")
    assert int(refused.headers["Retry-After"]) >= 1


def test_too_many_open_requests_are_refused():
    library = Echo()
    with RunningServer(library, ServerSettings(port=0, max_requests=1)) as server:
        library.gate.clear()
        with ThreadPoolExecutor(1) as clients:
            first = clients.submit(post, server, {"query": "a"})
            assert library.entered.wait(60)
            assert error(post(server, {"query": "b"})) == (429, "busy")
            library.gate.set()
            assert first.result().status_code == 200


def test_stopping_finishes_what_was_accepted():
    library = Echo()
    library.gate.clear()
    with RunningServer(library) as server, ThreadPoolExecutor(1) as clients:
        accepted = clients.submit(post, server, {"query": "a", "topk": 1})
        assert library.entered.wait(60)
        threading.Timer(0.3, library.gate.set).start()
        server.stop()
        assert accepted.result().json()["result"][0][0]["id"] == "a#1"
        with pytest.raises(requests.ConnectionError):
            post(server, {"query": "b"})


def test_a_body_that_does_not_arrive_is_given_up():
    with RunningServer(Echo(), ServerSettings(port=0, timeout=0.2)) as server:
        address = server.url.removeprefix("http://").split(":")
        with socket.create_connection((address[0], int(address[1])), 60) as slow:
            slow.sendall(b"POST /retrieve HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{")
            assert b" 408 " in slow.recv(4096)


def test_the_token_is_asked_for_and_shown_nowhere(monkeypatch, caplog, capfd):
    monkeypatch.setenv("MY_TOKEN", TOKEN)
    with RunningServer(Echo(), ServerSettings(port=0, token_env="MY_TOKEN")) as server:
        get = lambda path, **more: requests.get(server.url + path, timeout=60, **more)  # noqa: E731
        right = {"Authorization": f"Bearer {TOKEN}"}
        for wrong in ({}, {"Authorization": "Bearer x"}, {"Authorization": f"Bearer {TOKEN}x"}):
            refused = post(server, {"query": "a"}, headers=wrong)
            assert error(refused) == (401, "unauthorized")
            assert refused.headers["WWW-Authenticate"] == "Bearer"
            assert error(get("/stats", headers=wrong))[0] == 401
        assert post(server, {"query": "a"}, headers=right).status_code == 200
        assert get("/stats", headers=right).status_code == 200
        assert get("/health").status_code == 200  # balancers have no token
        texts = get("/openapi.json").text + get("/stats", headers=right).text + caplog.text
    assert TOKEN not in texts + "".join(capfd.readouterr())


def test_a_token_that_cannot_be_sent_is_refused_without_showing_it():
    assert read_token(None, {}) is None
    assert read_token(None, {"ASL_SERVER_TOKEN": " x "}) == "x"
    with pytest.raises(ServerError, match="MY_TOKEN with the token is not set"):
        read_token("MY_TOKEN", {})
    with pytest.raises(ServerError, match="blanks") as caught:
        read_token("T", {"T": "a b"})
    assert "a b" not in str(caught.value)


def test_an_address_that_is_taken_is_named():
    with bind("127.0.0.1", 0) as taken:
        taken.listen()
        port = int(url_of(taken).rsplit(":", 1)[1])
        with pytest.raises(ServerError, match=f"cannot listen at 127.0.0.1:{port}.*--port"):
            RunningServer(Echo(), ServerSettings(port=port))


def test_numbers_out_of_range_are_named():
    for setting, value in (("top_k", 0), ("batch", 0), ("timeout", 0.0), ("port", 70_000)):
        with pytest.raises(ServerError, match=setting):
            ServerSettings(**{setting: value})
    with pytest.raises(ServerError, match="max_top_k=2"):
        ServerSettings(top_k=3, max_top_k=2)


def test_a_missing_library_names_the_extra(monkeypatch):
    monkeypatch.setattr(libraries, "find_spec", lambda name: None)
    with pytest.raises(ServerError, match=r"pip install 'asl-env\[server\]'"):
        RunningServer(Echo())


def test_an_index_that_cannot_be_searched_is_found_out_before_serving():
    class Broken:
        def search(self, queries, k):
            raise RuntimeError("no such file")

    with pytest.raises(ServerError, match="first search failed: RuntimeError: no such file"):
        open_and_try(Broken)
