"""The Search-R1 dialect: every kind of turn has one outcome."""

import pytest

from asl_env.corpora.passages import Passage
from asl_env.dialects import SearchR1Dialect
from asl_env.episode import Action, Role, ToolCall
from asl_env.protocols import Dialect, Hit, ToolResult

r1 = SearchR1Dialect()
LIMA = Passage("p1", "Lima", "Lima is the capital of Peru.")


def test_it_is_a_dialect():
    assert isinstance(r1, Dialect)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<answer>a</answer><answer>b", Action("final", answer="a")),
        ("<search>x</search><answer>a</answer>", Action("final", answer="a")),
        ("<answer> </answer>", Action("final")),
        ("plain text", Action("none")),
        ("<search> a </search>", Action("search", (ToolCall(("a",)),))),
        (
            "<search>a</search><search>b</search>",
            Action("search", (ToolCall(("a",)), ToolCall(("b",)))),
        ),
        ('<tool_call>{"name": "retrieve"}</tool_call>', Action("none")),
    ],
)
def test_turns(text, expected):
    assert r1.parse(text, Role.POLICY) == expected


@pytest.mark.parametrize(
    ("text", "says"), [("<search> </search>", "empty"), ("<search>a", "not closed")]
)
def test_a_malformed_search_says_what_is_wrong(text, says):
    (call,) = r1.parse(text, Role.POLICY).calls
    assert call.queries == ()
    assert says in call.error


def test_the_generator_and_the_judge_have_their_forms():
    text = "<question>Q?</question><answer>a</answer>"
    assert r1.parse(text, Role.GENERATOR) == Action("final", answer="a", question="Q?")
    verdict = r1.parse("<answer>\nconclusion: wrong\n</answer>", Role.GRM)
    assert verdict == Action("final", answer="conclusion: wrong")


def test_documents_are_shown_one_per_line():
    twin = Passage("p2", 'A "b") c', "two\nlines")
    result = ToolResult(ToolCall(("peru",)), [Hit(LIMA, 2.0), Hit(twin, 1.0)])
    (message,) = r1.render_results([result])
    assert message["role"] == "tool"
    assert message["content"] == (
        '\n\n<information>Doc 1(Title: "Lima") Lima is the capital of Peru.\n'
        'Doc 2(Title: "A "b" ) c") two lines\n</information>\n\n'
    )
    first, second = r1.read_results(message)
    assert (first.title, first.text) == (LIMA.title, LIMA.text)
    assert (second.title, second.text) == ('A "b" ) c', "two lines")


def test_a_document_has_the_same_id_in_every_message():
    other = Passage("p3", "Lima", "Another passage on Lima.")
    ids = []
    for hits in ([LIMA, other], [other, LIMA]):
        result = ToolResult(ToolCall(("x",)), [Hit(passage, 1.0) for passage in hits])
        read = r1.read_results(r1.render_results([result])[0])
        ids.append({passage.text: passage.id for passage in read})
    assert ids[0] == ids[1]
    assert len(set(ids[0].values())) == 2


def test_nothing_found_and_errors():
    results = [
        ToolResult(ToolCall(("a",)), ()),
        ToolResult(ToolCall(()), (), "empty </information>"),
    ]
    nothing, error = r1.render_results(results)
    assert r1.read_results(nothing) == []
    assert r1.read_results(error) is None
    assert error["content"].count("</information>") == 1
    assert r1.read_results({"role": "user", "content": nothing["content"]}) is None
