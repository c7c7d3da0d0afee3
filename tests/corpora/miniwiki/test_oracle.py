"""The oracle on a tiny world: what each kind of question means."""

from __future__ import annotations

import pytest

from asl_env.corpora.miniwiki.facts import Facts
from asl_env.corpora.miniwiki.oracle import Oracle, Reply
from asl_env.corpora.miniwiki.reading import MAX_CHARS


@pytest.fixture(scope="module")
def oracle(small_facts: Facts) -> Oracle:
    return Oracle(small_facts)


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("What is the capital of Oria?", {"Tem"}),
        ("what is the capital of  the republic of oria", {"Tem"}),
        ("In which country is Tem?", {"Oria"}),
        ("What is the currency of the country in which Tem lies?", {"Orian crown"}),
        ("What is the area of the country with the internet domain .or?", {"1,234,567"}),
        ("What is the capital of the country whose currency is the Orian crown?", {"Tem"}),
        ("Which continent does the country that borders Bosk and Vale belong to?", {"Ost"}),
        ("Who discovered wuttium?", {"Ann Dee", "Bo Dee"}),
        ("When was wuttium discovered?", {"50 BC"}),
        ("Name the element discovered by Dee.", {"wuttium"}),
        ("In which country is Lark?", {"Oria", "Marsh Isles"}),
        ("In which country is Lark (Oria)?", {"Oria"}),
        ("What is the calling code of the Marsh Isles?", {"+99"}),
    ],
)
def test_natural_questions(oracle: Oracle, question: str, answers: set[str]) -> None:
    reply = oracle.ask(question)
    assert reply.status == "answered"
    assert reply.answers == answers == oracle.answers(question)
    assert reply.unique == (len(answers) == 1)


def test_a_four_hop_question(oracle: Oracle) -> None:
    question = (
        "What is the population of the capital of the country that borders the country in which "
        "Quill lies?"
    )
    reply = oracle.ask(question)
    assert reply.answers == {"500,000"}
    assert reply.hops == 4


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("Which city has the larger population, Tem or Port or Bay?", {"Tem"}),
        ("Which city has the smaller population, Port or Bay or Tem?", {"Port or Bay"}),
        ("Between Bosk and Vale and Oria, what country takes up more land?", {"Oria"}),
        ("Which country has the larger area, Bosk and Vale or the Marsh Isles?", None),
        ("Which city has more inhabitants, the capital of Oria or Lark (Oria)?", {"Tem"}),
        ("Which city has more inhabitants, Lark or Port or Bay?", {"Lark"}),
        ("Which city in Oria has the largest population?", {"Tem"}),
        ("What is the least populous city in the Marsh Isles?", {"Port or Bay"}),
        ("Which country in Ost has the largest area?", {"Oria"}),
    ],
)
def test_comparisons_and_superlatives(
    oracle: Oracle, question: str, answers: set[str] | None
) -> None:
    reply = oracle.ask(question)
    assert reply.answers == (answers or {"Bosk and Vale", "Marsh Isles"})


def test_a_tie_and_two_namesakes_are_not_unique(oracle: Oracle) -> None:
    assert not oracle.ask("Which country in Ost has the smallest area?").unique
    assert not oracle.ask("Which city has more inhabitants, Lark or Port or Bay?").unique


@pytest.mark.parametrize(
    "question",
    [
        'Fill in the blank: "Tem is a city in ____."',
        "fill in the blank: “Tem is a city in ____”",
        'Fill in the blank:  "Tem  is a city in the ____ ."?',
        "Tem is a city in ____.",
        "Tem is a city in what?",
        "Tem is a city in which country?",
        "Tem is a city in which nation ?",
        "Tem is a city where?",
        'In the article "Tem", fill in the blank: "It is a city in ____."?',
        'In the article "Tem", fill in the blank: "The city is a city in ____."',
        'In the article “Tem”: "It is a city in which country?"',
        'Fill in the blank: "The currency of ____ is the Orian crown."',
        "The currency of what is the Orian crown?",
        "The currency of which country is the Orian crown?",
        'What fills the blank in "Tem is a city in ____."?',
    ],
)
def test_clozes_in_every_form(oracle: Oracle, question: str) -> None:
    reply = oracle.ask(question)
    assert reply.answers == {"Oria"}, question
    assert reply.unique
    assert reply.hops == 1


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("Tem has how many inhabitants?", {"500,000"}),
        ("Tem has a population of what number?", {"500,000"}),
        ("Wuttium was discovered when?", {"50 BC"}),
        ("Wuttium was discovered in which year?", {"50 BC"}),
        ("Wuttium was discovered by whom?", {"Ann Dee", "Bo Dee"}),
        ("Who discovered wuttium", {"Ann Dee", "Bo Dee"}),
        ("Ann Dee discovered what?", {"wuttium"}),
        ("Ann Dee discovered which chemical element?", {"wuttium"}),
        ("Quill is located where?", {"Bosk and Vale"}),
        ("What is the capital of Oria", {"Tem"}),
    ],
)
def test_question_words_in_place_of_the_blank(
    oracle: Oracle, question: str, answers: set[str]
) -> None:
    assert oracle.ask(question).answers == answers


@pytest.mark.parametrize(
    "question",
    [
        'Fill in the blank: "X has a population of ____.", where X is the answer to: '
        '"The capital of Oria is ____."',
        'Fill in the blank: "X has a population of ____.", where X is the answer to: '
        '"What is the capital of Oria?"',
        'Fill in the blank: "[the one that fits: The capital of Oria is ____.] has a population of '
        '____."',
        'What fills the blank in "X has a population of ____.", where X is what fills the blank '
        'in "The capital of Oria is ____."?',
        "The capital of Oria has a population of how many?",
    ],
)
def test_bridged_clozes(oracle: Oracle, question: str) -> None:
    reply = oracle.ask(question)
    assert reply.answers == {"500,000"}
    assert reply.hops == 2


def test_bridges_nest(oracle: Oracle) -> None:
    question = (
        'Fill in the blank: "X has a population of ____.", where X is the answer to: '
        '"The capital of Y is ____.", where Y is the answer to: "Lark (Oria) lies in ____."'
    )
    assert oracle.ask(question).answers == {"500,000"}
    brackets = (
        'Fill in the blank: "[the one that fits: The capital of [the one that fits: Lark (Oria) '
        'lies in ____.] is ____.] has ____ inhabitants."'
    )
    assert oracle.ask(brackets).answers == {"500,000"}


def test_a_blank_subject_means_all_that_fit(oracle: Oracle) -> None:
    reply = oracle.ask('Fill in the blank: "____ is a city in Oria."')
    assert reply.ids == {"city:tem", "city:lark-oria"}
    assert not reply.unique
    assert oracle.ask('Fill in the blank: "____ covers 1,234,567 square kilometres."').unique
    assert oracle.ask("What covers 1234567 square kilometres?").answers == {"Oria"}


def test_the_noun_after_which_keeps_answers_of_its_type(oracle: Oracle) -> None:
    assert oracle.ask("Tem lies in which country?").answers == {"Oria"}
    assert oracle.ask("Tem lies in which element?").status == "unanswerable"
    assert oracle.ask("Tem lies in which banana?").status == "outside"


def test_the_article_tells_namesakes_apart(oracle: Oracle) -> None:
    here = 'In the article "Lark (Oria)", fill in the blank: '
    assert oracle.ask(here + '"Lark is a city in ____."').answers == {"Oria"}
    assert oracle.ask(here + '"Tem has ____ inhabitants."').answers == {"500,000"}
    assert oracle.ask('Fill in the blank: "It is a city in ____."').status == "outside"


def test_a_sentence_of_an_article_may_be_about_a_namesake(oracle: Oracle) -> None:
    """The article's own namesake is meant, unless only another gives an answer."""
    here = 'In the article "Lark (country)", fill in the blank: '
    assert oracle.ask(here + '"Lark is a city in ____."').answers == {"Oria", "Marsh Isles"}


@pytest.mark.parametrize(
    "question",
    [
        "What is the capital of the Marsh Isles?",
        "What is the population of Quill?",
        "Which city has the larger population, Quill or Tem?",
        "What is the currency of the capital of Oria?",
        'Fill in the blank: "The capital of the Marsh Isles is ____."',
        'Fill in the blank: "____ covers 3 square kilometres."',
    ],
)
def test_without_a_fact_it_is_unanswerable(oracle: Oracle, question: str) -> None:
    reply = oracle.ask(question)
    assert reply.status == "unanswerable"
    assert oracle.answers(question) == frozenset()
    assert not reply.unique


@pytest.mark.parametrize(
    "question",
    [
        "",
        "?",
        "Tem",
        "Tell me Tem.",
        "What is the capital of Atlantis?",
        "Why is the sky blue?",
        "What is the capital of",
        "____",
        'In the article "Atlantis", fill in the blank: "It is a city in ____."',
        'Fill in the blank: "X has ____ inhabitants."',
        'Fill in the blank: "X has ____ inhabitants.", where X is the answer to: "nonsense"',
    ],
)
def test_all_else_is_outside(oracle: Oracle, question: str) -> None:
    assert oracle.ask(question) == Reply("outside")
    assert oracle.answers(question) is None


def test_too_long_is_outside(oracle: Oracle) -> None:
    question = "What is the capital of Oria?"
    assert oracle.ask(question + " " * (MAX_CHARS - len(question))).unique
    assert oracle.ask(question + " " * MAX_CHARS).status == "outside"


def test_accepts_aliases_accents_articles_and_number_forms(oracle: Oracle) -> None:
    reply = oracle.ask("In which country is Tem?")
    for text in ("Oria", "oria.", "the Republic of Oria", "ORIA"):
        assert reply.accepts(text)
    for text in ("", "The", "Marsh Isles", "Oria or Marsh Isles", "not Oria"):
        assert not reply.accepts(text)
    area = oracle.ask("What is the area of Oria?")
    assert area.accepts("1234567")
    assert area.accepts("1,234,567")
    assert not area.accepts("1,234")
    assert not oracle.ask("What is the capital of the Marsh Isles?").accepts("")


def test_an_oracle_of_one_bank_knows_only_its_wording(small_facts: Facts) -> None:
    heldout = Oracle(small_facts, ["heldout"], clozes=False)
    assert heldout.ask("From which city is Oria governed?").answers == {"Tem"}
    assert heldout.ask("What is the capital of Oria?").status == "outside"
    assert heldout.ask("The capital of Oria is ____.").status == "outside"
