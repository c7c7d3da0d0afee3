"""Names that a question may use: those that its writer has read."""

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Request, Role, Trajectory
from asl_env.protocols import Hit, ToolResult
from asl_env.rewards.grounding import names_in, ungrounded

ASL = make_dialect("asl")
FILM = Passage("1", "Seven Kings", "Seven Kings is a film by Ana María Ruiz. It lasts 132 minutes.")


def written(question, answer, request=None, passages=(FILM,)):
    result = ToolResult("q", tuple(Hit(passage, 1.0) for passage in passages))
    messages = [
        {"role": "user", "content": "Write a question about Nowhere."},
        {"role": "assistant", "content": "<think>Nobody</think>"},
        *ASL.render_results([result]),
    ]
    request = request or Request("r", "seed", "films of Spain")
    return Trajectory(Role.GENERATOR, request, tuple(messages), (), answer, question)


@pytest.mark.parametrize(
    ("question", "names"),
    [
        ("Who directed Seven Kings?", ["Seven Kings"]),
        ("Who directed the film 'Seven Kings' in 1999?", ["Seven Kings", "1999"]),
        ("What is Peru's capital, Lima or Cusco?", ["Peru", "Lima", "Cusco"]),
        ("Where is Lauro João de Meriti?", ["Lauro João", "Meriti"]),
        ("What is the capital?", []),
        ("Which Čapek play has robots?", ["Čapek"]),
        ("Which tower stands in Paris. Who built it?", ["Paris"]),
        ("Name the king. What was his wife called?", []),
        ("What did I say of J. R. R. Tolkien?", ["J. R. R. Tolkien"]),
        ("Who led the U.S. Navy in 1944?", ["U.S. Navy", "1944"]),
        ("", []),
    ],
)
def test_names_are_runs_of_capitals_and_digits_after_the_first_word_of_a_sentence(question, names):
    assert names_in(question) == names


@pytest.mark.parametrize(
    ("question", "answer", "made_up"),
    [
        ("Who directed Seven Kings?", "Ana María Ruiz", None),
        ("Who directed seven kings?", "ruiz", None),
        ("How long is the film by Ruiz?", "132 minutes", None),
        ("Which film of Spain is by Ruiz?", "Seven Kings", None),
        ("Who directed Seven Sher?", "Ana María Ruiz", "Seven Sher"),
        ("Who directed The Kings?", "Ana María Ruiz", None),
        ("Who directed Seven Kingston?", "Ana María Ruiz", "Seven Kingston"),
        ("Who directed Seven Kings?", "Ana Marín", "Ana Marín"),
        ("Who wrote about Nobody?", "Ruiz", "Nobody"),
        ("Who wrote about Nowhere?", "Ruiz", "Nowhere"),
        ("How long is Seven Kings?", "32", "32"),
        ("Which country is it?", "Spain", "Spain"),
    ],
)
def test_what_was_never_read_is_named(question, answer, made_up):
    assert ungrounded(written(question, answer), ASL) == made_up


def test_the_source_question_may_lend_its_names_but_no_answer():
    source = Request("r", "harder", "", "depth", "Where was Rosa Li born?", "Oslo")
    assert ungrounded(written("Who directed Rosa Li?", "Ruiz", source), ASL) is None
    assert ungrounded(written("Where was Rosa Li born?", "Oslo", source), ASL) == "Oslo"


def test_who_has_read_nothing_can_answer_nothing():
    episode = written("Who directed it?", "Ruiz", passages=())
    assert ungrounded(episode, ASL) == "Ruiz"


@given(st.lists(st.text(string.ascii_lowercase, min_size=1).map(str.title), min_size=1))
def test_any_name_from_a_passage_may_be_asked_about(words):
    name = " ".join(words)
    passage = Passage("1", "t", f"It is said that {name} was here, said Zed.")
    episode = written(f"Who said that {name} was here?", "Zed", passages=(passage,))
    assert ungrounded(episode, ASL) is None
