"""Menus: what each seat may say, from the transcript alone."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_env import prompts
from asl_env.candidates.builder import MenuBuilder
from asl_env.candidates.menu import FEATURES, MAX_CANDIDATES, PRIOR
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Claim, Request, Role, Task, ToolCall
from asl_env.protocols import Hit, ToolResult

DOCUMENTS = [
    Passage("1", "Warsaw", "Warsaw lies on the Vistula. It was founded in 1300."),
    Passage("2", "Vistula", "The Vistula is a river. It rises in Silesia."),
]
ASSIGNMENTS = {
    Role.POLICY: Task("t", "On which river does Warsaw lie?", ("Vistula",)),
    Role.GENERATOR: Request("r", "seed", "Warsaw"),
    Role.GRM: Claim("c", "On which river does Warsaw lie?", "Vistula"),
}


class Letters:
    """An encoder without a table: letter counts."""

    def encode(self, texts, kind):
        out = np.zeros((len(texts), 26), np.float32)
        for row, text in zip(out, texts, strict=True):
            for letter in text:
                row[ord(letter) % 26] += 1
        return out / np.maximum(np.linalg.norm(out, axis=1, keepdims=True), 1e-6)


def chat_of(role, searches=(), dialect="asl", documents=DOCUMENTS, assignment=None):
    dialect = make_dialect(dialect)
    messages = prompts.opening(assignment or ASSIGNMENTS[role], dialect)
    for query in searches:
        messages.append({"role": "assistant", "content": dialect.write_search(query)})
        call = ToolCall((query,))
        hits = [Hit(passage, 1.0) for passage in documents]
        messages.extend(dialect.render_results([ToolResult(call, hits)]))
    return Chat(role, tuple(messages))


def menu_of(role, searches=(), dialect="asl", **kwargs):
    builder = MenuBuilder(dialect, Letters())
    return builder.menu(chat_of(role, searches, dialect, **kwargs)), builder


@pytest.mark.parametrize("dialect", ["asl", "search-r1"])
@pytest.mark.parametrize("role", list(Role))
@pytest.mark.parametrize("searches", [(), ("Warsaw",), ("Warsaw", "Vistula"), tuple("abcdefgh")])
def test_every_state_has_a_menu_of_parsable_turns(role, searches, dialect):
    menu, builder = menu_of(role, searches, dialect)
    assert 1 <= len(menu.candidates) <= MAX_CANDIDATES
    assert menu.features.shape == (len(menu.candidates), FEATURES)
    assert np.isfinite(menu.features).all()
    for index, candidate in enumerate(menu.candidates):
        action = builder.dialect.parse(builder.write(menu, index), role)
        assert action.kind == ("search" if candidate.kind == "search" else "final")


def best(menu):
    return menu.candidates[int(menu.features[:, PRIOR].argmax())]


def test_the_policy_searches_first_and_then_finds_the_span():
    assert best(menu_of(Role.POLICY)[0]).kind == "search"
    menu, _ = menu_of(Role.POLICY, ["On which river does Warsaw lie?"])
    assert ("final", "Vistula") in {(c.kind, c.text) for c in menu.candidates}


def test_a_query_is_offered_once():
    menu, _ = menu_of(Role.POLICY, ["Warsaw"])
    assert "Warsaw" not in [c.text for c in menu.candidates if c.kind == "search"]


def test_after_the_last_search_only_answers_are_left():
    for role in Role:
        menu, _ = menu_of(role, ["a", "b", "c", "d"])
        assert {c.kind for c in menu.candidates} == {"final"}


def test_the_grm_always_may_say_both_verdicts():
    for searches in ((), ("x",), ("x", "y")):
        menu, _ = menu_of(Role.GRM, searches)
        verdicts = [c.text for c in menu.candidates if c.kind == "final"]
        assert verdicts == ["conclusion: correct", "conclusion: wrong"]


def test_the_grm_leans_to_the_answer_that_the_evidence_names():
    right = menu_of(Role.GRM, ["Warsaw river"])[0]
    claim = Claim("c", "On which river does Warsaw lie?", "Amazon")
    wrong = menu_of(Role.GRM, ["Warsaw river"], assignment=claim)[0]
    lean = {c.text: f for c, f in zip(right.candidates, right.features[:, PRIOR], strict=True)}
    other = {c.text: f for c, f in zip(wrong.candidates, wrong.features[:, PRIOR], strict=True)}
    assert lean["conclusion: correct"] > other["conclusion: correct"]


def test_the_generator_asks_about_what_it_read_and_can_join_two_articles():
    menu, _ = menu_of(Role.GENERATOR, ["Warsaw"])
    asked = {c.question: c.text for c in menu.candidates if c.kind == "final"}
    assert asked["Warsaw lies on what?"] == "Vistula"
    assert any("where X is" in question for question in asked)
    for question, answer in asked.items():
        assert question.endswith("?")
        assert answer


def test_a_harder_request_is_answered_around_its_source():
    request = Request("r", "harder", "Warsaw", "depth", "Warsaw lies on what?", "Vistula")
    menu, _ = menu_of(Role.GENERATOR, [], assignment=request)
    assert "Vistula" in [c.text for c in menu.candidates if c.kind == "search"]
    menu, _ = menu_of(Role.GENERATOR, ["Vistula"], assignment=request)
    assert "Warsaw lies on what?" not in [c.question for c in menu.candidates]


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(list(Role)), st.text(max_size=200), st.text(max_size=60))
def test_no_document_breaks_a_menu(role, text, title):
    document = Passage("x", title, text)
    menu, _ = menu_of(role, ["Warsaw"], documents=[document])
    assert len(menu.candidates) >= 1
    assert np.isfinite(menu.features).all()


def test_equal_transcripts_share_a_menu():
    builder = MenuBuilder("asl", Letters())
    chat = chat_of(Role.POLICY, ["Warsaw"])
    assert builder.menu(chat) is builder.menu(chat._replace(seed=7))
