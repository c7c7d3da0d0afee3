"""An endpoint agent against a real server on this machine, polite and otherwise."""

import json
import time

import peer as peers
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asl_env.agents.endpoint.agent import EndpointAgent
from asl_env.agents.endpoint.errors import EndpointError
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Role, Task
from asl_env.play import play
from asl_env.prompts import opening

DIALECT = make_dialect("asl")
SEARCH = DIALECT.write_search("capital of Peru", think="hm")
ANSWER = DIALECT.write_final("Lima")


def agent(peer, **options):
    options = {"retries": 2, "max_wait": 0.05, "read_timeout": 30.0, "model": "m"} | options
    return EndpointAgent(EndpointSettings(url=peer.url, **options))


def chat(question="What is the capital of Peru?", seed=0, role=Role.POLICY):
    return Chat(role, opening(Task("t", question, ("Lima",)), DIALECT), seed)


def fails(player, says, chats=None):
    with pytest.raises(EndpointError) as caught:
        player.act(chats or [chat()])
    line = str(caught.value)
    assert says in line
    assert len(line.splitlines()) == 1
    assert len(line) < 700
    return caught.value


# What is sent


def test_a_request_says_what_the_settings_say(peer):
    peer.script = [peers.said(ANSWER)]
    player = agent(peer, temperature=0.7, top_p=0.9, top_k=0, min_p=0.0, max_tokens=77)
    player.act([chat(seed=5)])
    got = peer.got[0]
    assert got.line == "POST /v1/chat/completions HTTP/1.1"
    assert "authorization" not in got.headers
    seed = got.body.pop("seed")
    assert 0 <= seed < 2**31
    assert got.body == {
        "model": "m",
        "messages": [dict(message) for message in chat().messages],
        "max_tokens": 77,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": 0,
        "min_p": 0.0,
        "stop": ["</tool_call>", "</answer>"],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    player.act([chat(seed=5)], greedy=True)
    assert peer.got[1].body["temperature"] == 0.0
    assert "top_p" not in peer.got[1].body
    assert peer.got[1].body["seed"] == seed


def test_what_a_server_refuses_can_be_left_out(peer):
    peer.script = [peers.completion(ANSWER)]
    options = {"temperature": None, "seeded": False, "stops": "client", "stream": False}
    agent(peer, **options, limit_field="max_completion_tokens", extra={"x": 1}).act([chat()])
    assert sorted(peer.got[0].body) == ["max_completion_tokens", "messages", "model", "x"]


def test_seeds_differ_by_chat_and_turn_and_by_nothing_else(peer):
    player = agent(peer)
    first, other = chat(seed=1), chat(seed=2)
    later = first._replace(messages=[*first.messages, {"role": "assistant", "content": "x"}])
    seeds = [player.request(one)["seed"] for one in (first, other, later, chat(seed=1))]
    assert len(set(seeds)) == 3
    assert seeds[0] == seeds[3]


def test_results_and_system_text_move_into_user_messages(peer):
    results = [{"role": "tool", "content": "one"}, {"role": "tool", "content": "two"}]
    said = {"role": "assistant", "content": SEARCH}
    long = Chat(Role.POLICY, [*opening(Task("t", "Q?", ("Lima",)), DIALECT), said, *results])
    wire = agent(peer, system_role="user").request(long)["messages"]
    assert [message["role"] for message in wire] == ["user", "assistant", "user"]
    assert wire[0]["content"].endswith("\n\nQ?")
    assert wire[2]["content"] == (
        "<tool_response>\none\n</tool_response>\n<tool_response>\ntwo\n</tool_response>"
    )
    wire = agent(peer, tool_role="tool").request(long)["messages"]
    assert [message["role"] for message in wire] == ["system", "user", "assistant", "tool", "tool"]


# What comes back


@pytest.mark.parametrize("turn", [SEARCH, ANSWER, "no tags at all", ""])
def test_a_turn_comes_back_whole(peer, turn):
    for answer in (
        peers.said(turn),
        peers.said(turn, size=1000),
        peers.completion(turn),
        peers.said(turn.removesuffix("</answer>").removesuffix("</tool_call>")),  # removed
        peers.said(turn + "!") if turn.startswith("<") else peers.said(turn),  # ignored
    ):
        peer.script = [answer]
        peer.got.clear()
        (said,) = agent(peer).act([chat()])
        assert said.text == turn
        assert said.token_ids is None


def test_a_server_that_ignores_stop_strings_is_hung_up_on(peer):
    endless = [peers.delta(ANSWER), *[peers.delta("and on "), 0.05] * 1200]  # a minute
    peer.script = [peers.stream(*endless)]
    started = time.monotonic()
    player = agent(peer)
    assert player.act([chat()])[0].text == ANSWER
    assert time.monotonic() - started < 20.0
    assert player.usage.unreported == 1


def test_nothing_is_restored_where_the_client_does_the_stopping(peer):
    peer.script = [peers.said("<answer>Lima")]
    assert agent(peer, stops="client").act([chat()])[0].text == "<answer>Lima"


def test_a_turn_cut_by_its_length_stays_cut(peer):
    peer.script = [peers.said("<answer>Li", finish="length")]
    assert agent(peer).act([chat()])[0].text == "<answer>Li"


def test_thoughts_that_a_server_took_out_are_put_back(peer):
    peer.script = [peers.stream(peers.delta(reasoning_content="hm"), peers.delta(ANSWER, "stop"))]
    assert agent(peer).act([chat()])[0].text == f"<think>hm</think>\n{ANSWER}"


def test_letters_split_between_packets_stay_whole(peer):
    raw = "".join([peers.delta("żółć 🙂", None), peers.delta(ANSWER, "stop")]).encode()
    raw = raw.replace(b"\\u", b"\\u")
    peer.script = [peers.stream(*[raw[at : at + 1] for at in range(len(raw))])]
    assert agent(peer).act([chat()])[0].text == "żółć 🙂" + ANSWER


def test_a_chat_longer_than_the_context_gets_an_empty_turn(peer):
    message = "request (9031 tokens) exceeds the available context size (4096 tokens)"
    peer.script = [peers.http({"error": {"code": 400, "message": message}}, 400)]
    player = agent(peer)
    assert player.act([chat()])[0].text == ""
    assert player.usage.overflows == 1
    assert player.usage.failures == 0


# Many at once


def test_turns_come_in_order_with_a_bounded_number_in_flight(peer):
    def answer(got):
        question = got.body["messages"][-1]["content"]
        return [0.03, *peers.said(DIALECT.write_final(question))]

    peer.script = [answer]
    player = agent(peer, concurrency=3)
    chats = [chat(f"Q{number}?") for number in range(12)]
    turns = player.act(chats)
    assert [DIALECT.parse(turn.text, Role.POLICY).answer for turn in turns] == [
        f"Q{number}?" for number in range(12)
    ]
    assert peer.most == 3
    assert player.act([]) == []


def test_usage_and_cost_are_counted(peer):
    peer.script = [peers.http(status=503), peers.said(ANSWER)]
    player = agent(peer, price_prompt=2.0, price_completion=10.0, concurrency=1)
    player.act([chat(), chat()])
    usage = player.usage
    assert (usage.requests, usage.retries, usage.replies, usage.failures) == (3, 1, 2, 0)
    assert (usage.prompt_tokens, usage.completion_tokens, usage.unreported) == (20, 10, 0)
    assert usage.cost == pytest.approx((20 * 2.0 + 10 * 10.0) / 1e6)


def test_a_turn_that_is_whole_survives_a_connection_that_breaks_after_it(peer):
    for trouble in ([], [0.8], [peers.event({"error": "crashed"})]):
        peer.script = [peers.stream(peers.delta(ANSWER), *trouble, end=False)]
        player = agent(peer)
        assert player.act([chat()])[0].text == ANSWER
        assert player.usage.unreported == 1


@pytest.mark.parametrize("tokens", [-1, "many", None, 1e400, True, 10**12, [3]])
def test_token_counts_that_cannot_be_are_not_counted(peer, tokens):
    peer.script = [peers.stream(peers.delta(ANSWER, "stop"), peers.usage(tokens, 3), peers.DONE)]
    player = agent(peer, stops="client")
    player.act([chat()])
    assert player.usage.prompt_tokens == 0


def test_one_chat_that_fails_does_not_cost_the_others(peer):
    def answer(got):
        if "bad" in got.body["messages"][-1]["content"]:
            return peers.http({"error": "boom"}, 500)
        return peers.said(ANSWER)

    peer.script = [answer]
    chats = [chat("good 1?"), chat("bad?"), chat("good 2?")]
    player = agent(peer)
    error = fails(player, "1 of 3 chats failed): HTTP 500: boom (3 tries)", chats)
    assert [turn and turn.text for turn in error.turns] == [ANSWER, None, ANSWER]
    peer.script = [peers.said(SEARCH)]
    peer.got.clear()
    assert [turn.text for turn in player.act(chats)] == [ANSWER, SEARCH, ANSWER]
    assert len(peer.got) == 1
    assert [turn.text for turn in player.act(chats)] == [SEARCH] * 3  # nothing is kept for good


def test_a_wrong_key_or_address_is_not_tried_again_and_again(peer):
    peer.script = [[0.02, *peers.http({"error": {"message": "who?"}}, 401)]]
    chats = [chat(f"{number}?") for number in range(40)]
    fails(agent(peer, concurrency=2), "put a valid key into ASL_API_KEY", chats)
    assert len(peer.got) <= 4


# Retries and limits


@pytest.mark.parametrize(
    "trouble",
    [
        peers.http(status=429, Retry_After="0.01"),
        peers.http(status=500),
        peers.http(status=503, body="<html>busy</html>", kind="text/html"),
        peers.http({"error": {"message": "overloaded"}}),
        peers.http("<html><body>login</body></html>", kind="text/html"),
        peers.http("{not json"),
        peers.http({"choices": []}),
        peers.http([1, 2]),
        peers.http({"choices": [{"message": {"content": 7}}]}),
        peers.http({"choices": [{"message": {}}]}),
        peers.http({"choices": ["x"]}),
        peers.http("[" * 100_000),
        [b""],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"],
        [b"SSH-2.0-OpenSSH_9\r\n"],
        [b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n{"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nboom"],
        [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nboom"],
        [b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\nboom"],
        [b"HTTP/1.1 999999 OK\r\n" + b"X: y\r\n" * 300 + b"\r\n"],
        peers.stream(peers.delta("<answer>L"), end=False),
        peers.stream(peers.delta("<answer>L")),
        peers.stream("data: {broken\n\n"),
        peers.stream(peers.event({"error": {"message": "crashed", "code": 500}})),
        peers.stream(peers.delta("x"), 0.8),
        [0.8],
    ],
)
def test_trouble_is_got_over(peer, trouble):
    peer.script = [trouble, trouble, peers.said(ANSWER)]
    silent = any(isinstance(piece, float) for piece in trouble)
    player = agent(peer, **({"read_timeout": 0.5} if silent else {}))
    assert player.act([chat()])[0].text == ANSWER
    assert player.usage.retries == 2
    assert player.usage.replies == 1
    peer.script, peer.got = [trouble], []
    error = fails(player, "(3 tries)")
    assert error.turns == (None,)
    assert len(peer.got) == 3


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (
            400,
            "Only user and assistant roles are supported!",
            "system_role=user and tool_role=user",
        ),
        (400, "Conversation roles must alternate user/assistant/...", "system_role=user and"),
        (400, "System role not supported", "system_role=user"),
        (400, "messages with role 'tool' must be a response to tool_calls", "tool_role=user"),
        (500, "Jinja Exception: role tool is unknown", "tool_role=user"),
        (400, '"auto" tool choice requires --enable-auto-tool-choice', "tools=text"),
        (400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens'", "limit_field="),
        (400, "Unsupported value: 'temperature' does not support 0.7", "temperature=none"),
        (422, "extra_forbidden: seed", "seeded=false"),
        (400, "Unsupported parameter: 'stop'", "stops=client"),
        (404, "model 'x' does not exist", "check the model's name and the address"),
        (403, "forbidden", "put a valid key into ASL_API_KEY"),
        (413, "too large", "HTTP 413: too large"),
    ],
)
def test_a_refusal_names_the_option_that_helps(peer, status, message, says):
    peer.script = [peers.http({"error": {"message": message}}, status)]
    fails(agent(peer), says)
    assert len(peer.got) == (3 if status == 500 else 1)


def test_a_used_up_account_is_not_waited_for(peer):
    peer.script = [
        peers.http({"error": {"code": "insufficient_quota", "message": "check your billing"}}, 429)
    ]
    fails(agent(peer), "the account is used up")
    assert len(peer.got) == 1


def test_a_server_that_asks_for_too_long_a_wait_is_given_up(peer):
    peer.script = [peers.http(status=429, Retry_After="3600")]
    fails(agent(peer), "it asks to wait 3600 s, more than max_wait=0.05")
    assert len(peer.got) == 1


def test_retry_after_is_waited_for_by_all(peer):
    peer.script = [peers.http(status=429, Retry_After="0.4"), peers.said(ANSWER)]
    player = agent(peer, max_wait=5.0, concurrency=1)
    started = time.monotonic()
    player.act([chat()])
    assert time.monotonic() - started >= 0.4


def test_a_reply_without_end_is_refused(peer):
    peer.script = [peers.stream(*[peers.delta("x" * 1000)] * 100)]
    fails(agent(peer, max_reply_bytes=20_000), "longer than max_reply_bytes=20000")
    assert len(peer.got) == 1
    peer.script = [peers.stream(*[peers.delta("x"), 0.05] * 100)]
    fails(agent(peer, request_timeout=0.2, retries=0), "request_timeout")


def test_a_server_that_is_not_there_is_named(peer):
    player = agent(peer)
    peer.__exit__()
    fails(player, "the connection was refused; is the server running?")


def test_a_filtered_turn_is_a_failure_and_no_empty_turn(peer):
    peer.script = [peers.completion(None, finish="content_filter")]
    fails(agent(peer), "content filter")


def test_nobody_waits_for_a_batch_that_is_lost(peer):
    def answer(got):
        if "late" in got.body["messages"][-1]["content"]:
            return [0.3, *peers.http(status=401)]
        return [0.1, *peers.http(status=503, Retry_After="30")]

    peer.script = [answer]
    started = time.monotonic()
    fails(agent(peer, max_wait=60.0), "HTTP 401", [chat("waits?"), chat("late?")])
    assert time.monotonic() - started < 20.0


@settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    "choices delta message content tool_calls function name arguments index "
                    "usage finish_reason error stop_reason".split()
                ),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    ),
    st.booleans(),
)
def test_no_json_whatever_gives_anything_but_a_turn_or_an_error(peer, data, streamed):
    peer.script = [peers.stream(peers.event(data)) if streamed else peers.http(data)]
    player = agent(peer, retries=0)
    try:
        (turn,) = player.act([chat()])
    except EndpointError as error:
        assert len(str(error).splitlines()) == 1
    else:
        assert isinstance(turn.text, str)


# Whole episodes


class Nothing:
    def run(self, calls):
        from asl_env.protocols import ToolResult

        return [ToolResult(call, []) for call in calls]


def test_an_episode_in_text(peer):
    peer.script = [peers.said(SEARCH[: -len("</tool_call>")]), peers.said(ANSWER)]
    player = agent(peer)
    (episode,) = play(player, [Task("t", "Capital of Peru?", ("Lima",))], tool=Nothing())
    assert episode.answer == "Lima"
    assert episode.tool_calls == 1
    assert json.dumps(peer.got[1].body).count("tool_response") >= 2
