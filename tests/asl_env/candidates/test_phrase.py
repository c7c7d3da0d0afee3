"""Phrasing: questions made from sentences."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.candidates.phrase import (
    bridged_question,
    cloze,
    cloze_question,
    compare_question,
    measures,
    resolve,
    wh_question,
)
from asl_env.candidates.reading import find_spans


def span_of(sentence, text):
    return next(span for span in find_spans(sentence) if span.text == text)


@pytest.mark.parametrize(
    ("sentence", "title", "resolved"),
    [
        ("It lies on the Vistula.", "Warsaw", "Warsaw lies on the Vistula."),
        ("Its capital is Warsaw.", "Poland", "Poland's capital is Warsaw."),
        ("The city is large.", "Lyon (city)", "Lyon is large."),
        ("Two million people live in the place.", "Lyon", "Two million people live in Lyon."),
        ("Lyon is large.", "Lyon", "Lyon is large."),
        ("The city of light is Paris.", "Nowhere", "The city of light is Paris."),
        ("It rains.", "", "It rains."),
    ],
)
def test_pronouns_and_descriptions_become_the_title(sentence, title, resolved):
    assert resolve(sentence, title)[0] == resolved


@pytest.mark.parametrize(
    ("sentence", "title", "answer", "question"),
    [
        ("Warsaw lies on the Vistula.", "Warsaw", "Vistula", "Warsaw lies on what?"),
        ("Warsaw lies on the Vistula.", "Warsaw", "Warsaw", "What lies on the Vistula?"),
        ("It was founded in 1300.", "Warsaw", "1300", "Warsaw was founded in which year?"),
        ("Its area is 517 km.", "Warsaw", "517", "Warsaw's area is what number km?"),
    ],
)
def test_a_wh_word_takes_the_place_of_the_answer(sentence, title, answer, question):
    assert wh_question(sentence, title, span_of(sentence, answer)) == question


def test_a_cloze_says_what_it_wants():
    blanked = cloze(
        "It lies on the Vistula.", "Warsaw", span_of("It lies on the Vistula.", "Vistula")
    )
    assert cloze_question(blanked) == 'What fills the blank in "Warsaw lies on the ____."?'


def test_a_bridge_hides_the_entity_that_joins_two_sentences():
    question = bridged_question(
        "The Vistula rises in the ____.", "Warsaw lies on the ____.", "Vistula"
    )
    assert question == (
        'What fills the blank in "The X rises in the ____.", '
        'where X is what fills the blank in "Warsaw lies on the ____."?'
    )
    assert bridged_question("Nothing here ____.", "Warsaw lies on the ____.", "Vistula") is None


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("Lyon has 1,860,281 people.", [("inhabitants", 1860281.0)]),
        ("It counts 12 bridges and 3.5 lakes.", [("bridges", 12.0), ("lakes", 3.5)]),
        ("Lyon was founded in the year 1300.", [("was founded", 1300.0)]),
        ("Lyon was first written in 1851.", [("was first written", 1851.0)]),
        ("Lyon is 12 kilometres long and 3 years old.", []),  # units are no things to count
        ("Lyon was large in 1300.", []),  # no event
        ("Paris has 12 bridges.", []),  # about something else
        (f"Lyon has {'9' * 400} people.", []),  # no number that a machine holds
    ],
)
def test_measures_are_counted_things_and_dated_events_of_the_subject(sentence, found):
    assert measures(sentence, "Lyon (city)") == found


@pytest.mark.parametrize(
    ("measure", "more", "question"),
    [
        ("bridges", True, "Which has more bridges, Lyon or Nice?"),
        ("bridges", False, "Which has fewer bridges, Lyon or Nice?"),
        ("was founded", True, "Which was founded later, Lyon or Nice?"),
        ("was founded", False, "Which was founded earlier, Lyon or Nice?"),
    ],
)
def test_a_comparison_asks_for_more_or_fewer_later_or_earlier(measure, more, question):
    assert compare_question(measure, more, "Lyon", "Nice") == question


@given(st.text(max_size=120), st.text(max_size=20))
def test_filling_the_blank_gives_the_sentence_back(sentence, title):
    for span in find_spans(sentence):
        blanked = cloze(sentence, title, span)
        if blanked is not None and "_" not in sentence + title:
            assert blanked.replace("____", span.text) == resolve(sentence, title, span.start)[0]
