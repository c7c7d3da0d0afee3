"""The three wire forms: requests exactly as their clients write them, and what they read back."""

import json

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st
from served import hits

from asl_env.corpora.passages import Passage
from asl_env.protocols import Hit
from asl_env.retrieval.server.refusal import RefusedError
from asl_env.retrieval.server.settings import ServerSettings
from asl_env.retrieval.server.wire import SearchRequest, read_request, write_reply

SETTINGS = ServerSettings(max_queries=4, max_query_chars=50, max_top_k=10, max_hits=20)


def read(body, kind="application/json"):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return read_request(body, kind, SETTINGS)


def refused(body, kind="application/json"):
    with pytest.raises(RefusedError) as caught:
        read(body, kind)
    return caught.value.status, caught.value.message


def test_search_r1():
    request = read({"queries": ["a", "b"], "topk": 2, "return_scores": True})
    assert request == SearchRequest(("a", "b"), 2, scores=True, single=False, packed=False)
    result = json.loads(write_reply(request, [hits("a", 2), hits("b", 1)]))["result"]
    assert [len(found) for found in result] == [2, 1]
    document = {"id": "a#1", "contents": '"On a"\nPassage 1\nabout a.'}
    assert result[0][0] == {"document": document, "score": 1.0}


def test_search_r1_without_scores_has_bare_documents():
    request = read({"queries": ["a"], "topk": 1})
    assert json.loads(write_reply(request, [hits("a", 1)]))["result"] == [
        [{"id": "a#1", "contents": '"On a"\nPassage 1\nabout a.'}]
    ]


def test_a_turn_in_which_nobody_searches_is_an_empty_batch():
    request = read({"queries": [], "topk": 3, "return_scores": True})
    assert json.loads(write_reply(request, [])) == {"result": []}


def test_skyrl_has_one_query_and_reads_a_list_of_one_list():
    request = read({"query": "a", "topk": 3, "return_scores": True})
    assert (request.queries, request.single, request.packed) == (("a",), True, False)
    [found] = json.loads(write_reply(request, [hits("a", 3)]))["result"]
    assert [entry["score"] for entry in found] == [1.0, 0.5, 1.0 / 3.0]


@pytest.mark.parametrize("kind", ["", "application/msgpack", "application/x-msgpack"])
def test_gem_packs_one_query_and_reads_a_flat_list(kind):
    body = msgpack.packb({"query": "a", "topk": 2, "return_scores": True})
    request = read(body, kind)
    assert (request.queries, request.packed) == (("a",), True)
    result = msgpack.unpackb(write_reply(request, [hits("a", 2)]))["result"]
    assert result[0]["document"]["contents"] == '"On a"\nPassage 1\nabout a.'
    assert result[1]["score"] == 0.5


def test_gem_without_scores_still_reads_documents():
    request = read(msgpack.packb({"query": "a", "topk": 1}), "")
    result = msgpack.unpackb(write_reply(request, [hits("a", 1)]))["result"]
    assert result[0]["document"]["id"] == "a#1"
    assert result[0]["score"] is None


def test_json_is_read_under_any_name_that_is_not_another():
    for kind in ("", "text/plain", "application/x-www-form-urlencoded", "application/json"):
        assert read({"query": "a"}, kind).queries == ("a",)


def test_what_is_not_said_has_defaults():
    request = read({"queries": ["a"], "topk": None, "return_scores": None})
    assert (request.k, request.scores) == (SETTINGS.top_k, False)


@pytest.mark.parametrize(
    ("body", "status", "says"),
    [
        (b"", 400, "neither JSON nor"),
        (b"{", 400, "neither JSON nor"),
        (b"\xff\xfe", 400, "neither JSON nor"),
        (b"[" * 100_000, 400, "neither JSON nor"),
        ([], 400, "must be an object"),
        ({}, 422, "either 'queries'"),
        ({"query": "a", "queries": ["a"]}, 422, "either 'queries'"),
        ({"queries": "a"}, 422, "must be a list"),
        ({"queries": ["a", 1]}, 422, r"'queries[1]' must be a text"),
        ({"query": ["a"]}, 422, "'query' must be a text"),
        ({"query": "a" * 51}, 422, "has 51 characters; this server takes 50"),
        ({"queries": ["a"] * 5}, 422, "5 queries in one request; this server takes 4"),
        ({"queries": ["a"] * 3, "topk": 7}, 422, "more than 20 passages"),
        ({"query": "a", "topk": 0}, 422, "from 1 to 10"),
        ({"query": "a", "topk": 11}, 422, "from 1 to 10"),
        ({"query": "a", "topk": "3"}, 422, "whole number"),
        ({"query": "a", "topk": True}, 422, "whole number"),
        ({"query": "a", "topk": 2.0}, 422, "whole number"),
        ({"query": "a", "return_scores": "yes"}, 422, "true or false"),
        ({"query": "a", "top_k": 2}, 422, "did you mean 'topk'"),
    ],
)
def test_what_is_wrong_is_named(body, status, says):
    found, message = refused(body)
    assert found == status
    assert says in message


def test_broken_msgpack_is_named():
    assert refused(b"\x81\xa5query", "")[0] == 400
    assert refused(b"\xc1", "application/msgpack")[0] == 400


@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "application/msgpack"]))
def test_any_bytes_are_a_request_or_a_client_error(body, kind):
    try:
        assert isinstance(read(body, kind), SearchRequest)
    except RefusedError as error:
        assert error.status in (400, 422)
        assert json.loads(error.body)["error"]["message"] == error.message


PLAIN = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60)
ANYTHING = PLAIN | st.lists(PLAIN, max_size=5) | st.dictionaries(st.text(max_size=3), PLAIN)


@given(
    st.dictionaries(st.sampled_from(["queries", "query", "topk", "return_scores", "x"]), ANYTHING)
)
def test_any_message_is_a_request_or_a_client_error(message):
    try:
        request = read(json.dumps(message).encode())
    except RefusedError as error:
        assert error.status == 422
    else:
        assert 1 <= request.k <= 10
        write_reply(request, [[] for _ in request.queries])


def test_halves_of_surrogate_pairs_do_not_reach_the_index():
    assert read(b'{"query": "a \\ud800 b"}').queries == ("a ? b",)


def test_a_reply_is_never_broken_json():
    request = read({"query": "a", "return_scores": True})
    strange = Hit(Passage("1", "\ud800 é", "\u2028"), 1.0)
    assert json.loads(write_reply(request, [[strange]]))
    with pytest.raises(ValueError):
        write_reply(request, [[Hit(Passage("1", "", ""), float("nan"))]])
