"""Both dialects against any text: nothing raises, and no document breaks out of its block."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Action, Role, ToolCall
from asl_env.protocols import Hit, ToolResult
from asl_env.text import neutralize

both = pytest.mark.parametrize("dialect", [make_dialect("asl"), make_dialect("search-r1")])
roles = st.sampled_from(list(Role))

PIECES = [
    *(f"<{slash}{tag}>" for slash in ("", "/") for tag in ("think", "tool_call", "tool_response")),
    *(f"<{slash}{tag}>" for slash in ("", "/") for tag in ("question", "answer", "search")),
    *("<information>", "</information>", "<|im_end|>", "<|im_start|>", "<", ">", "</"),
    *("\n", " ", "\r\n", "\u2028", "é", "\x00", "\ud800", "tool_call>", "answer>", "x"),
    *("\nid: 7\ncontent:\n", "id: ", "content:", '"', '") ', 'Doc 2(Title: "', '")', "error: "),
    *('{"name": "retrieve", "arguments": {"query": "a"}}', '{"name"', "[1]", "null", "1e999"),
]
adversarial = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)
any_text = st.one_of(adversarial, st.text(max_size=80))
documents = st.lists(st.builds(Passage, any_text, any_text, any_text), min_size=1, max_size=3)


@both
@given(text=any_text, role=roles)
@example(text="<tool_call></tool_call>" * 1000, role=Role.POLICY)
def test_no_text_raises_and_every_action_is_consistent(dialect, text, role):
    action = dialect.parse(text, role)
    assert action.kind in ("search", "final", "none")
    assert bool(action.calls) == (action.kind == "search")
    assert action.answer is None or action.kind == "final"
    assert action.answer != ""
    for call in action.calls:
        assert bool(call.queries) == (call.error is None)
        "".join(call.queries).encode()
    assert dialect.starts_with_think(text) in (True, False)


@both
@given(found=documents)
def test_a_document_is_never_an_action_and_never_leaves_its_block(dialect, found):
    hits = [Hit(passage, 1.0) for passage in found]
    (message,) = dialect.render_results([ToolResult(ToolCall(("q",)), hits)])
    for role in Role:
        assert dialect.parse(message["content"], role) == Action("none")
    assert "<|" not in message["content"]
    body = message["content"].removeprefix("\n\n<information>").removesuffix("</information>\n\n")
    assert neutralize(body) == body


@both
@given(found=documents)
def test_documents_are_read_back_one_for_one(dialect, found):
    hits = [Hit(passage, 1.0) for passage in found]
    (message,) = dialect.render_results([ToolResult(ToolCall(("q",)), hits)])
    read = dialect.read_results(message)
    assert [words(passage) for passage in read] == [words(passage) for passage in found]


def words(passage):
    """Title and text without blanks: what neutralising must not touch."""
    return ["".join(field.split()) for field in (passage.title, passage.text)]


@both
@given(
    found=st.lists(
        st.builds(Passage, *[st.text("abc <>.,'é", min_size=1, max_size=20)] * 3), max_size=3
    )
)
def test_plain_documents_are_read_back_exactly(dialect, found):
    hits = [Hit(passage, 1.0) for passage in found]
    (message,) = dialect.render_results([ToolResult(ToolCall(("q",)), hits)])
    expected = [(neutralize(p.title), neutralize(p.text)) for p in found]
    assert [(p.title, p.text) for p in dialect.read_results(message)] == expected


@both
@given(query=any_text, think=any_text)
def test_a_written_search_is_read_back(dialect, query, think):
    text = dialect.write_search(query, think)
    (call,) = dialect.parse(text, Role.POLICY).calls
    assert dialect.starts_with_think(text) == bool(think)
    if dialect.name == "search-r1":
        query = neutralize(query)
    asked = query.strip().encode("utf-8", "replace").decode()
    assert call.queries == ((asked,) if asked else ())


@both
@given(answer=any_text, question=any_text, think=any_text)
def test_a_written_ending_is_read_back(dialect, answer, question, think):
    text = dialect.write_final(answer, question, think)
    action = dialect.parse(text, Role.GENERATOR)
    assert action.kind == "final"
    assert action.answer == (neutralize(answer).strip() or None)
    assert action.question == (neutralize(question).strip() or None)
    assert dialect.starts_with_think(text) == bool(think)
    assert dialect.parse(dialect.write_final(answer), Role.POLICY).answer == action.answer
