"""The ASL dialect: every kind of turn has one outcome."""

import json

import pytest

from asl_env.corpora.passages import Passage
from asl_env.dialects import AslDialect
from asl_env.episode import Action, Role, ToolCall
from asl_env.protocols import Dialect, Hit, ToolResult

asl = AslDialect()
LIMA = Passage("p1", "Lima", "Lima is the capital of Peru.")
CUSCO = Passage("p2", "Cusco", "Cusco was the capital of the Inca.")


def call(content):
    text = content if isinstance(content, str) else json.dumps(content)
    return f"<tool_call>\n{text}\n</tool_call>"


def retrieve(**arguments):
    return call({"name": "retrieve", "arguments": arguments})


def only_call(text):
    action = asl.parse(text, Role.POLICY)
    assert action.kind == "search"
    (found,) = action.calls
    return found


def test_it_is_a_dialect():
    assert isinstance(asl, Dialect)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<answer>a</answer> x <answer> b </answer>", "b"),
        ("<answer></answer>", None),
        ("<answer>a</answer><answer>b", "a"),
        ("<answer>a <answer>b</answer>", "b"),
        ("<answer>a</answer><answer> </answer>", None),
    ],
)
def test_a_closed_answer_ends_the_episode(text, answer):
    assert asl.parse(text, Role.POLICY) == Action("final", answer=answer)


def test_an_answer_wins_over_a_tool_call():
    text = retrieve(query="x") + "<answer>Lima</answer>"
    assert asl.parse(text, Role.POLICY) == Action("final", answer="Lima")


@pytest.mark.parametrize(
    "text", ["", "plain text", "<ANSWER>a</ANSWER>", "<answer>a", "</tool_call>"]
)
def test_neither_answer_nor_call_is_nothing(text):
    assert asl.parse(text, Role.POLICY) == Action("none")


def test_the_generator_hands_in_the_last_question():
    text = "<question>Q1?</question><question> Q2? </question><answer>a</answer>"
    assert asl.parse(text, Role.GENERATOR) == Action("final", answer="a", question="Q2?")
    assert asl.parse(text, Role.POLICY).question is None


def test_a_question_without_an_answer_ends_nothing_well():
    assert asl.parse("<question>Q?</question>", Role.GENERATOR) == Action("none", question="Q?")
    text = "<question> </question><answer>a</answer>"
    assert asl.parse(text, Role.GENERATOR) == Action("final", answer="a")


def test_a_call_has_one_query_or_a_list():
    assert only_call(retrieve(query=" capital of Peru ")) == ToolCall(("capital of Peru",))
    assert only_call(retrieve(query=["a", "b", "a", " "])) == ToolCall(("a", "b"))


def test_several_blocks_are_several_calls():
    action = asl.parse(retrieve(query="a") + " and " + retrieve(query="b"), Role.POLICY)
    assert action.calls == (ToolCall(("a",)), ToolCall(("b",)))


def test_the_size_among_the_arguments_counts():
    assert only_call(retrieve(query="a", size=5)).top_k == 5
    outside = call({"name": "retrieve", "arguments": {"query": "a"}, "size": 5})
    assert only_call(outside).top_k is None


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (call("{broken"), "not valid JSON"),
        (call(""), "not valid JSON"),
        (call("{'name': 'retrieve'}"), "not valid JSON"),
        (call("[" * 100_000), "not valid JSON"),
        (call("1" * 10_000), "JSON"),
        (call([{"name": "retrieve"}]), "one JSON object"),
        (call('"retrieve"'), "one JSON object"),
        (call({"name": "browse", "arguments": {"query": "a"}}), "no tool named 'browse'"),
        (call({"arguments": {"query": "a"}}), "no tool named"),
        (call({"name": "retrieve"}), "'arguments' must be"),
        (call({"name": "retrieve", "arguments": "a"}), "'arguments' must be"),
        (retrieve(), "'query' is missing"),
        (retrieve(query=None), "'query' is missing"),
        (retrieve(query="  "), "'query' is empty"),
        (retrieve(query=[]), "'query' is empty"),
        (retrieve(query=7), "must be a string or a list"),
        (retrieve(query=["a", 7]), "must be a string or a list"),
        (retrieve(query=[str(n) for n in range(17)]), "17 queries"),
        (retrieve(query="a", size=0), "'size' must be"),
        (retrieve(query="a", size=True), "'size' must be"),
        (retrieve(query="a", size="5"), "'size' must be"),
        ("<tool_call>\n" + json.dumps({"name": "retrieve"}), "not closed"),
    ],
)
def test_a_malformed_call_says_what_is_wrong(text, says):
    found = only_call(text)
    assert found.queries == ()
    assert says in found.error


def test_an_unclosed_call_after_a_good_one_is_told_too():
    action = asl.parse(retrieve(query="a") + "<tool_call>", Role.POLICY)
    assert action.calls[0] == ToolCall(("a",))
    assert "not closed" in action.calls[1].error


def test_a_lone_surrogate_never_reaches_the_index():
    assert only_call(retrieve(query="a\ud800b")) == ToolCall(("a?b",))


def test_documents_are_shown_with_id_and_content():
    result = ToolResult(ToolCall(("peru",)), [Hit(LIMA, 2.0), Hit(CUSCO, 1.0)])
    (message,) = asl.render_results([result])
    assert message["role"] == "tool"
    assert message["content"] == (
        '\nid: p1\ncontent:\n"Lima"\nLima is the capital of Peru.\n'
        '\nid: p2\ncontent:\n"Cusco"\nCusco was the capital of the Inca.\n'
    )
    assert asl.read_results(message) == [LIMA, CUSCO]


def test_each_call_has_a_message_of_its_own():
    bad = ToolCall((), None, "no tool named '</tool_response>'")
    results = [ToolResult(ToolCall(("a",)), ()), ToolResult(bad, (), bad.error)]
    nothing, error = asl.render_results(results)
    assert nothing["content"] == "\nNo documents found.\n"
    assert asl.read_results(nothing) == []
    assert error["content"] == "\nerror: no tool named '< /tool_response>'\n"
    assert asl.read_results(error) is None


def test_only_tool_messages_carry_results():
    result = ToolResult(ToolCall(("peru",)), [Hit(LIMA, 2.0)])
    (message,) = asl.render_results([result])
    assert asl.read_results({"role": "user", "content": message["content"]}) is None
