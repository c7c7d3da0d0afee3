"""Reading: what a candidate agent sees in passages and questions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.candidates.reading import (
    Reader,
    find_spans,
    read,
    read_question,
    split_sentences,
    stem,
)
from asl_env.corpora.passages import Passage


def texts(sentence, kind):
    return [span.text for span in find_spans(sentence) if span.kind == kind]


def test_sentences_end_at_full_stops_but_not_at_abbreviations_and_initials():
    text = "He met J. R. Tolkien in St. Petersburg. It rained. The end!"
    assert split_sentences(text) == [
        "He met J. R. Tolkien in St. Petersburg.",
        "It rained.",
        "The end!",
    ]


def test_names_keep_their_particles_and_lose_leading_function_words():
    assert texts("The Gulf of Mexico meets Rio de Janeiro.", "name") == [
        "Gulf of Mexico",
        "Rio de Janeiro",
    ]
    assert "Warsaw" in texts("It is Warsaw's river.", "name")
    assert texts("It flows.", "name") == []


def test_a_joined_name_also_gives_its_parts():
    assert texts("Pierre and Marie Curie found it.", "name")[1:] == ["Pierre", "Marie Curie"]


def test_numbers_and_years_are_told_apart():
    sentence = "In 1867 it had 1,860,281 people and 3.5 lakes."
    assert texts(sentence, "year") == ["1867"]
    assert texts(sentence, "number") == ["1,860,281", "3.5"]


def test_lower_case_answers_are_spans_too():
    assert "zloty" in texts("The money used in Poland is the zloty.", "word")


@given(st.text(max_size=300))
def test_every_span_stands_where_it_says(text):
    for span in find_spans(text):
        assert text[span.start : span.start + len(span.text)] == span.text
        assert span.key


@given(st.text(max_size=300))
def test_no_text_breaks_reading(text):
    read(text, text)
    read_question(text)


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("In which year was Nauru independent?", "year"),
        ("How many people live in Lyon?", "number"),
        ("Who wrote Emma?", "name"),
        ("Warsaw lies on what?", None),
    ],
)
def test_the_wh_phrase_tells_the_kind_of_the_answer(question, expected):
    assert read_question(question).expected == expected


def test_an_alternative_question_has_options_and_a_direction():
    question = read_question("Which has the larger population, Lyon or Nice?")
    assert [span.text for span in question.options] == ["Lyon", "Nice"]
    assert question.direction == 1


def test_the_neighbours_of_a_blank_are_known():
    question = read_question('What fills the blank in "Warsaw lies on the ____ river."?')
    assert question.before[:2] == (stem("the"), stem("on"))
    assert question.after[:1] == (stem("river"),)


def test_a_reader_reads_a_passage_once():
    reader = Reader(size=1)
    passage = Passage("1", "Warsaw", "Warsaw lies on the Vistula.")
    first = reader(passage)
    assert reader(passage) is first
    reader(Passage("2", "Lyon", "Lyon lies on the Rhône."))
    assert reader(passage) is not first
    assert reader(passage) == first
