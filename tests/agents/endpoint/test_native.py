"""Native tool calls: text for the environment, calls for the server, and nothing lost between."""

import json

import peer as peers
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.endpoint.agent import EndpointAgent
from asl_env.agents.endpoint.errors import EndpointError
from asl_env.agents.endpoint.native import SCHEMA, call_stops, from_native, system_prompt, to_native
from asl_env.agents.endpoint.reply import NativeCall, Reply
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.conversation import Conversation
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Claim, Request, Role, Task
from asl_env.play import play
from asl_env.prompts import opening
from asl_env.protocols import ToolResult

DIALECTS = [make_dialect(name) for name in ("asl", "search-r1")]
TASK = Task("t", "Capital of Peru?", ("Lima",))
each_dialect = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name)


class Nothing:
    def run(self, calls):
        return [ToolResult(call, [], call.error) for call in calls]


def agent(peer, **options):
    options = {"retries": 1, "max_wait": 0.01, "tools": "native"} | options
    return EndpointAgent(EndpointSettings(url=peer.url, model="m", **options))


def call(arguments, name="retrieve"):
    return NativeCall(name, arguments if isinstance(arguments, str) else json.dumps(arguments))


def text_of(dialect, *calls, text="", finish="tool_calls", reasoning=""):
    reply = Reply(text, reasoning, tuple(calls), finish=finish)
    return from_native(reply, dialect, Role.POLICY, strict=False)


@each_dialect
@given(st.lists(st.text(min_size=1).filter(str.strip), min_size=1, max_size=4), st.text())
def test_calls_survive_the_way_there_and_back(dialect, queries, said):
    text = text_of(dialect, *[call({"query": query}) for query in queries], text=said)
    action = dialect.parse(text, Role.POLICY)
    if dialect.parse(said, Role.POLICY).kind == "final":
        return
    assert action.kind == "search"
    assert [found.error for found in action.calls] == [None] * len(queries)
    results = [{"role": "tool", "content": str(at)} for at in range(len(queries))]
    turn = {"role": "assistant", "content": text}
    wire = to_native(Chat(Role.POLICY, [*opening(TASK, dialect), turn, *results]), dialect)
    sent = wire[2]["tool_calls"]
    assert [json.loads(one["function"]["arguments"])["query"] for one in sent] == [
        found.queries[0] for found in action.calls
    ]
    assert [message["tool_call_id"] for message in wire[3:]] == [one["id"] for one in sent]
    assert all(len(one["id"]) == 9 and one["id"].isalnum() for one in sent)
    json.dumps(wire).encode()


@each_dialect
@given(st.text(max_size=30), st.text(max_size=40), st.booleans())
def test_no_arguments_whatever_become_a_search_that_was_not_asked_for(dialect, name, raw, cut):
    text = text_of(dialect, NativeCall(name, raw), finish="length" if cut else "tool_calls")
    action = dialect.parse(text, Role.POLICY)
    assert action.kind == "search"
    (found,) = action.calls
    if found.error is None:
        assert name == "retrieve" and json.loads(raw)["query"]


def test_mistakes_of_the_model_are_answered_by_the_environment():
    asl = DIALECTS[0]
    for bad, says in [
        (call({"query": "x"}, name="google"), "There is no tool named 'google'"),
        (call('{"query": "x'), "not valid JSON"),
        (call({}), "'query' is missing"),
        (call({"query": "x", "size": 0}), "'size' must be a whole number"),
    ]:
        (found,) = asl.parse(text_of(asl, bad), Role.POLICY).calls
        assert says in found.error
    (found,) = asl.parse(text_of(asl, call('{"query": "x'), finish="length"), Role.POLICY).calls
    assert "not closed" in found.error
    (found,) = asl.parse(text_of(asl, call({"query": ["a", "b"], "size": 7})), Role.POLICY).calls
    assert (found.queries, found.top_k) == (("a", "b"), 7)


@each_dialect
def test_what_is_said_beside_a_call_is_thought(dialect):
    search = call({"query": "x"})
    bare = dialect.write_search("x")
    assert text_of(dialect, search) == bare
    assert text_of(dialect, search, text="I look.") == f"<think>I look.</think>\n{bare}"
    assert text_of(dialect, search, reasoning="hm") == f"<think>hm</think>\n{bare}"
    assert text_of(dialect, search, text="<think>hm</think>") == f"<think>hm</think>\n{bare}"
    answered = text_of(dialect, search, text="<answer>Lima</answer>")
    assert dialect.parse(answered, Role.POLICY).answer == "Lima"


@each_dialect
def test_each_seat_is_told_how_to_finish_and_nothing_about_calls_in_text(dialect):
    for role, assignment in [
        (Role.POLICY, TASK),
        (Role.GRM, Claim("c", "Q?", "A")),
        (Role.GENERATOR, Request("r", "seed", "Peru")),
    ]:
        wire = to_native(Chat(role, opening(assignment, dialect)), dialect)
        assert wire[0] == {"role": "system", "content": system_prompt(role)}
        assert "tool_call" not in wire[0]["content"] and "<search>" not in wire[0]["content"]
        assert "<answer>" in wire[0]["content"]
    own = [{"role": "system", "content": "mine"}, {"role": "user", "content": "Q?"}]
    assert to_native(Chat(Role.POLICY, own), dialect) == own


@each_dialect
def test_calls_and_results_that_do_not_match_are_sent_as_text(dialect):
    turn = {"role": "assistant", "content": dialect.write_search("x")}
    tools = [{"role": "tool", "content": "1"}, {"role": "tool", "content": "2"}]
    wire = to_native(Chat(Role.POLICY, [*opening(TASK, dialect), turn, *tools]), dialect)
    assert [message["role"] for message in wire[2:]] == ["assistant", "user", "user"]


def test_the_calls_stop_string_is_not_sent(peer):
    assert call_stops(DIALECTS[0]) == ("</tool_call>",)
    assert call_stops(DIALECTS[1]) == ("</search>",)
    body = agent(peer).request(Chat(Role.POLICY, opening(TASK, DIALECTS[0])))
    assert body["stop"] == ["</answer>"]
    assert body["tools"] == [SCHEMA]
    assert body["tool_choice"] == "auto"


def test_a_server_without_a_tool_role_gets_the_history_as_text(peer):
    turn = {"role": "assistant", "content": DIALECTS[0].write_search("x")}
    result = {"role": "tool", "content": "1"}
    one = Chat(Role.POLICY, [*opening(TASK, DIALECTS[0]), turn, result])
    wire = agent(peer, tool_role="user").request(one)["messages"]
    assert [message["role"] for message in wire] == ["system", "user", "assistant", "user"]
    assert "tool_calls" not in wire[2]


def streamed(*parts, finish="tool_calls"):
    chunks = [peers.delta(tool_calls=[part]) for part in parts]
    return peers.stream(*chunks, peers.delta(finish=finish), peers.usage(), peers.DONE)


def test_an_episode_with_streamed_calls(peer):
    peer.script = [
        streamed(
            {"index": 0, "id": "a", "function": {"name": "retrieve", "arguments": ""}},
            {"index": 0, "function": {"arguments": '{"que'}},
            {
                "index": 1,
                "id": "b",
                "function": {"name": "retrieve", "arguments": '{"query": "b"}'},
            },
            {"index": 0, "function": {"arguments": 'ry": "a"}'}},
        ),
        peers.completion(
            "", tool_calls=[{"function": {"name": "retrieve", "arguments": {"query": "c"}}}]
        ),
        peers.said("<answer>Lima"),
    ]
    player = agent(peer)
    (episode,) = play(player, [TASK], tool=Nothing())
    assert episode.answer == "Lima"
    assert episode.tool_calls == 3
    sent = peer.got[2].body["messages"]
    roles = [message["role"] for message in sent[2:]]
    assert roles == ["assistant", "tool", "tool", "assistant", "tool"]
    assert player.usage.unreported == 0


@pytest.mark.parametrize(
    "calls",
    [
        "x",
        [3],
        [{}],
        [{"function": "x"}],
        [{"function": {"arguments": "{}"}}],
        [{"function": {"name": 3, "arguments": "{}"}}],
        [{"function": {"name": "retrieve", "arguments": 3}}],
        [{"function": {"name": "retrieve", "arguments": ["a"]}}],
        [{"function": {"name": "retrieve", "arguments": "{}"}}] * 65,
    ],
)
def test_calls_outside_the_protocol_are_failures(peer, calls):
    peer.script = [peers.completion(None, tool_calls=calls)]
    with pytest.raises(EndpointError, match=r"the reply is no chat completion.*\(2 tries\)"):
        agent(peer).act([Conversation(TASK, DIALECTS[0]).chat()])


@pytest.mark.parametrize("index", [-1, 10**9, True, "0", 1.5])
def test_streamed_calls_with_impossible_places_are_failures(peer, index):
    peer.script = [streamed({"index": index, "function": {"name": "retrieve", "arguments": "{}"}})]
    with pytest.raises(EndpointError, match="the index"):
        agent(peer).act([Conversation(TASK, DIALECTS[0]).chat()])


def test_unreadable_arguments_can_be_failures(peer):
    bad = [{"function": {"name": "retrieve", "arguments": '{"query"'}}]
    peer.script = [peers.completion(None, tool_calls=bad)]
    with pytest.raises(EndpointError, match=r"arguments that cannot be read \(2 tries\)"):
        agent(peer, bad_calls="fail").act([Conversation(TASK, DIALECTS[0]).chat()])
    (turn,) = agent(peer).act([Conversation(TASK, DIALECTS[0]).chat()])
    assert DIALECTS[0].parse(turn.text, Role.POLICY).calls[0].error is not None
