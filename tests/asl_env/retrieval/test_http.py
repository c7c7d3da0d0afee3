"""The HTTP retriever: right replies pass, everything else is a failure and never a result."""

import copy
import json
import pickle
import threading
import time

import gymnasium as gym
import pytest
from served import Echo, Peer, hits, http, reply, right

import asl_env  # noqa: F401 - registers the environments
from asl_env.dialects import make_dialect
from asl_env.episode import Task, Turn
from asl_env.errors import SearchUnavailableError, ServerError
from asl_env.play import play
from asl_env.protocols import Retriever
from asl_env.retrieval.http import HttpRetriever
from asl_env.retrieval.registry import make_retriever
from asl_env.retrieval.remote.choice import Servers
from asl_env.retrieval.remote.reply import split_contents
from asl_env.retrieval.server.serving import RunningServer
from asl_env.retrieval.server.settings import ServerSettings
from asl_env.tool import SearchTool

ONE = [hits("a", 2)]


def once(peer, **settings):
    """A retriever that tries once, so that a failure shows at once."""
    return HttpRetriever(peer.url, **{"retries": 0, "timeout": 20.0} | settings)


def test_it_finds_exactly_what_the_server_s_retriever_finds():
    queries = ["a", "é “b”", 'the "c"', "x" * 9000, "\ud800"]
    with RunningServer(Echo()) as server:
        retriever = HttpRetriever(server.url)
        assert isinstance(retriever, Retriever)
        sent = [*queries[:3], "x" * 8192, "?"]
        assert retriever.search(queries, 3) == [hits(query, 3) for query in sent]
        assert retriever.search([], 3) == []
        assert retriever.search(["a"], 0) == [[]]


def test_many_queries_go_in_a_few_requests_and_stay_in_order():
    with Peer(right) as peer:
        retriever = HttpRetriever(peer.url, batch=10, concurrency=3)
        queries = [f"q{n}" for n in range(45)]
        assert retriever.search(queries, 1) == [hits(query, 1) for query in queries]
        assert sorted(len(got["queries"]) for got in peer.got) == [5, 10, 10, 10, 10]
        assert peer.connections <= 3


def test_connections_are_kept_alive():
    with Peer(right) as peer:
        retriever = HttpRetriever(peer.url)
        for n in range(5):
            retriever.search([f"q{n}"], 1)
        assert peer.connections == 1
        retriever.close()
        assert retriever.search(["a"], 2) == ONE


def test_a_connection_that_was_closed_while_idle_costs_no_try():
    with Peer(lambda message: right(message)) as peer:  # closes after each reply, unannounced
        retriever = once(peer)
        assert retriever.search(["a"], 2) == retriever.search(["a"], 2) == ONE


BAD = {
    "hangs up": [],
    "no HTTP": [b"hello\r\n\r\n"],
    "cut short": [http(reply("a", 2))[:-20]],
    "length too long": [b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + reply("a", 2)],
    "broken chunks": [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}"],
    "no JSON": [http(b"<html>")],
    "deep JSON": [http(b"[" * 100_000)],
    "no object": [http(b"[]")],
    "no result": [http(b"{}")],
    "an error with status 200": [http(b'{"error": "x"}')],
    "no list": [http(b'{"result": {"0": []}}')],
    "too few lists": [http(b'{"result": []}')],
    "too many lists": [http(reply("ab", 2))],
    "too many passages": [http(reply("a", 3))],
    "bare documents": [http(b'{"result": [[{"id": "1", "contents": "x"}]]}')],
    "redirect": [http(b"", 302, Location="http://127.0.0.1:1/")],
    "an empty success": [http(b"", 204)],
}


@pytest.mark.parametrize("answer", BAD.values(), ids=BAD)
def test_a_bad_reply_is_a_failure(answer):
    with Peer(answer) as peer, pytest.raises(SearchUnavailableError) as caught:
        once(peer).search(["a"], 2)
    assert str(caught.value).startswith(f"{peer.url}/retrieve: ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"document": None},
        {"document": {"id": None, "contents": "x"}},
        {"document": {"id": "", "contents": "x"}},
        {"document": {"id": True, "contents": "x"}},
        {"document": {"contents": "x"}},
        {"document": {"id": "1", "contents": ["x"]}},
        {"document": {"id": "1"}},
        {"score": None},
        {"score": "1.0"},
        {"score": True},
        {"score": float("nan")},
        {"score": 10**400},
        {"score": -1.0, "second": 0.5},
    ],
    ids=str,
)
def test_every_field_is_checked(change):
    entry = {"document": {"id": "1", "contents": "x"}, "score": 1.0}
    entries = [{**entry, **change}]
    if "second" in change:  # scores must not rise
        entries.append({**entry, "score": change["second"]})
    answer = [http(json.dumps({"result": [entries]}).encode())]
    with Peer(answer) as peer, pytest.raises(SearchUnavailableError, match="malformed"):
        once(peer).search(["a"], 2)


def test_ids_may_be_numbers_and_titles_may_be_missing():
    entry = {"document": {"id": 7, "contents": "no title\nhere"}, "score": 1}
    with Peer([http(json.dumps({"result": [[entry]]}).encode())]) as peer:
        [[hit]] = once(peer).search(["a"], 2)
    assert (hit.passage.id, hit.passage.title, hit.passage.text) == ("7", "", "no title\nhere")
    assert split_contents('"a "b""\ntext\n') == ('a "b"', "text\n")
    assert split_contents('""\ntext') == ("", "text")


def test_an_over_long_reply_is_not_read():
    announced = b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n"
    endless = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    endless += [b"ffff\r\n" + b" " * 0xFFFF + b"\r\n"] * 50
    for answer in ([announced], endless):
        with Peer(answer) as peer, pytest.raises(SearchUnavailableError, match="longer than"):
            once(peer, max_reply_bytes=100_000).search(["a"], 2)


def test_a_server_that_drips_is_late():
    drip = [b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n"]
    for _ in range(1000):
        drip += [0.05, b" "]
    slow_head = [piece for _ in range(1000) for piece in (0.05, b"H")]
    for answer in (drip, slow_head):
        with Peer(answer) as peer, pytest.raises(SearchUnavailableError, match="within 1 s"):
            started = time.monotonic()
            once(peer, timeout=1.0).search(["a"], 2)
        assert time.monotonic() - started < 20.0  # it drips for 50


def test_failures_that_pass_are_tried_again():
    script = ([], [http(b"", 503)], [http(b"{}")], [http(b"", 429, Retry_After="0")], right)
    with Peer(*script) as peer:
        assert HttpRetriever(peer.url, retries=4, max_wait=0.1).search(["a"], 2) == ONE
        assert len(peer.got) == 5


def test_after_the_retries_one_line_says_what_failed_last():
    body = json.dumps({"error": {"type": "search_failed", "message": "the disk\nis gone"}})
    script = ([], [http(body.encode(), 503)])
    with Peer(*script) as peer, pytest.raises(SearchUnavailableError) as caught:
        HttpRetriever(peer.url, retries=2, max_wait=0.1).search(["a"], 2)
    assert str(caught.value) == f"{peer.url}/retrieve: status 503: the disk is gone (3 tries)"


def test_failures_that_do_not_pass_are_not_tried_again():
    body = json.dumps({"detail": "no"}).encode()
    with Peer([http(body, 422)]) as peer:
        with pytest.raises(SearchUnavailableError, match=r"status 422: no$"):
            HttpRetriever(peer.url).search(["a"], 2)
        assert len(peer.got) == 1


def test_a_server_that_wants_to_be_left_alone_too_long_is_given_up():
    with Peer([http(b"", 503, Retry_After="3600")]) as peer:
        with pytest.raises(SearchUnavailableError, match="status 503"):
            HttpRetriever(peer.url, max_wait=5.0).search(["a"], 2)
        assert len(peer.got) == 1


def test_nobody_there_is_one_line():
    with Peer(right) as peer:
        url = peer.url
    with pytest.raises(SearchUnavailableError, match="refused; is the server running"):
        HttpRetriever(url, retries=0).search(["a"], 1)


def test_the_token_goes_out_and_is_not_shown_when_it_comes_back(monkeypatch):
    monkeypatch.setenv("ASL_SERVER_TOKEN", "correct-horse-battery")
    with Peer([http(b'{"detail": "what is correct-horse-battery?"}', 403)]) as peer:
        with pytest.raises(SearchUnavailableError) as caught:
            once(peer).search(["a"], 2)
        assert peer.got[0]["headers"]["authorization"] == "Bearer correct-horse-battery"
    assert "correct-horse" not in str(caught.value)


def test_another_server_takes_over_at_once():
    with Peer([]) as broken, Peer(right) as sound:
        retriever = HttpRetriever([broken.url, sound.url], retries=1)
        started = time.monotonic()
        for n in range(6):
            assert retriever.search([f"q{n}"], 1) == [hits(f"q{n}", 1)]
        assert len(sound.got) == 6
        assert len(broken.got) < 6 or time.monotonic() - started > 1.0


class Way:
    """Stands for a way to a server where only the choice matters."""


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_a_server_that_failed_is_set_aside_for_a_growing_time_and_probed():
    clock = Clock()
    servers = Servers([Way(), Way()], clock)
    bad, good = servers.all
    bad.busy = 1
    servers.failed(bad, None)
    lengths = []
    for _ in range(4):
        lengths.append(bad.until - clock.now)
        assert {id(servers.take()) for _ in range(5)} == {id(good)}
        good.busy = 100
        clock.now = bad.until
        assert servers.take() is bad  # the probe
        assert servers.take() is good  # one at a time
        good.busy = 0
        servers.failed(bad, None)
    assert lengths == [0.5, 1.0, 2.0, 4.0]
    clock.now = bad.until
    good.busy = 100
    servers.take()
    servers.succeeded(bad)
    assert servers.take() is bad
    assert servers.take() is bad


def test_requests_are_spread_and_the_soonest_back_is_tried_when_all_failed():
    servers = Servers([Way(), Way(), Way()], Clock())
    assert len({id(servers.take()) for _ in range(3)}) == 3
    for server, wait in zip(servers.all, (5.0, 2.0, 9.0), strict=True):
        servers.failed(server, wait)
    assert servers.take() is servers.all[1]
    assert not servers.another_is_well()


def test_addresses_name_retrievers_wherever_retrievers_are_named():
    made = make_retriever("http://127.0.0.1:8000, https://search.example/x/retrieve")
    assert isinstance(made, HttpRetriever)
    assert made.urls == (
        "http://127.0.0.1:8000/retrieve",
        "https://search.example/x/retrieve",
    )
    assert copy.deepcopy(made) is made
    assert pickle.loads(pickle.dumps(made)).urls == made.urls
    with Peer(right) as peer:
        env = gym.make("ASLSearch-v0", tool=peer.url)
        env.reset(seed=0)
        observation, *_ = env.step(make_dialect("asl").write_search("who?"))
    assert "about who?." in observation


@pytest.mark.parametrize(
    "url",
    [
        "htp://x",
        "http://",
        "http://:80",
        "http://x:0",
        "http://x:99999",
        "http://a b",
        "http://x?q",
    ],
)
def test_what_is_no_address_is_named(url):
    with pytest.raises(ServerError, match="is no address of a search server"):
        make_retriever(url)


def test_passwords_and_numbers_out_of_range_are_refused():
    with pytest.raises(ServerError, match="ASL_SERVER_TOKEN") as caught:
        HttpRetriever("http://me:secret@x")
    assert "secret" not in str(caught.value)
    for setting in ("batch", "concurrency", "timeout", "max_reply_bytes"):
        with pytest.raises(ValueError, match=setting):
            HttpRetriever("http://x", **{setting: 0})


class Player:
    """Searches for what only this conversation asks, then answers."""

    dialect = make_dialect("asl")

    def act(self, chats, *, greedy=False):
        return [self.turn(chat) for chat in chats]

    def turn(self, chat):
        if chat.turn < 4:
            return Turn(self.dialect.write_search(f"s{chat.seed}t{chat.turn}"))
        return Turn(self.dialect.write_final("done"))


def observations(episode):
    """What was found, per search that brought something."""
    found = [Player.dialect.read_results(message) for message in episode.messages]
    return [passages for passages in found if passages is not None]


def test_a_server_that_dies_and_returns_makes_no_wrong_observation():
    tasks = [Task(str(n), "Who?", ("x",)) for n in range(6)]
    server = RunningServer(Echo())
    port = int(server.url.rsplit(":", 1)[1])
    tool = SearchTool(HttpRetriever(server.url, retries=2, max_wait=0.2), cache_size=0)

    class Saboteur(Player):
        """Stops the server before the second search; starts another after the first failure."""

        calls = 0

        def act(self, chats, *, greedy=False):
            self.calls += 1
            if self.calls == 2:
                server.stop()
            return super().act(chats, greedy=greedy)

    with server:
        lost = play(Saboteur(), tasks, tool=tool)
    again = RunningServer(Echo(), ServerSettings(port=port))
    with again:
        whole = play(Player(), tasks, tool=tool)
    assert all(episode.truncated and episode.invalid for episode in lost)
    assert all("refused" in episode.invalid or "hung up" in episode.invalid for episode in lost)
    assert all(episode.invalid is None and episode.answer == "done" for episode in whole)
    for episode in (*lost, *whole):
        for turn, passages in enumerate(observations(episode)):
            expected = [hit.passage for hit in hits(f"s{episode.seed}t{turn}", 3)]
            assert [passage.title for passage in passages] == [p.title for p in expected]
    assert {len(observations(episode)) for episode in lost} == {1}
    assert {len(observations(episode)) for episode in whole} == {4}


def test_threads_share_it():
    with Peer(right) as peer:
        retriever, wrong = HttpRetriever(peer.url), []

        def ask(number):
            for n in range(5):
                query = f"q{number}-{n}"
                if retriever.search([query], 2) != [hits(query, 2)]:
                    wrong.append(query)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert wrong == []
        assert len(peer.got) == 40
