"""The generator's seat: which spans are asked about, and which articles are compared."""

import numpy as np
import pytest

from asl_env.candidates.evidence import Search
from asl_env.candidates.generator_seat import COLUMNS, Source, generator_menu
from asl_env.candidates.reading import read

SEED = Source("seed", "cities", "width", "", "")


def menu_of(*articles):
    readings = tuple(read(title, text) for title, text in articles)
    return generator_menu(SEED, [Search("cities", readings), Search("more", ())])


def answers(title, text):
    menu = menu_of((title, text))
    return {c.text for c in menu.candidates if c.question != "What is unknown?"}


@pytest.mark.parametrize(
    ("title", "text", "asked"),
    [
        ("Warsaw", "Warsaw lies on the Vistula.", {"Vistula"}),  # never after its own title
        ("Warsaw", "It lies on the Vistula.", {"Vistula"}),  # a pronoun is the subject
        ("Warsaw", "Nobody knows the Vistula.", set()),  # not about the subject
        ("Warsaw", "The Vistula flows past Warsaw.", set()),  # the answer before the subject
        ("Warsaw", "In 1300 someone founded Warsaw.", {"1300"}),  # but a number may come first
        ("Emma", "Emma is a novel.", {"novel"}),  # a lower-case word ends the sentence
        ("Emma", "Emma is a novel by Jane Austen.", {"Jane Austen"}),  # or is not asked about
        ("Poe", "Poe was buried in Cartagena (Colombia).", {"Cartagena"}),  # no disambiguation
        ("Cartagena (Colombia)", "Cartagena lies in Colombia.", set()),  # nor a part of the title
    ],
)
def test_a_question_is_about_the_articles_subject_and_has_one_answer(title, text, asked):
    assert answers(title, text) == asked


def test_two_articles_that_state_the_same_measure_are_compared_both_ways():
    menu = menu_of(
        ("Lyon", "Lyon has 500,000 inhabitants."), ("Nice", "Nice has 250,000 residents.")
    )
    compared = {
        candidate.question: (candidate.text, row[COLUMNS.index("spread")])
        for candidate, row in zip(menu.candidates, menu.features, strict=True)
        if row[COLUMNS.index("ask_compare")]
    }
    assert compared == {
        "Which has more inhabitants, Lyon or Nice?": ("Lyon", 0.5),
        "Which has fewer inhabitants, Lyon or Nice?": ("Nice", 0.5),
    }


def test_equal_numbers_and_one_articles_own_numbers_are_not_compared():
    menu = menu_of(
        ("Lyon", "Lyon has 500,000 inhabitants. Lyon has 20,000 inhabitants."),
        ("Nice", "Nice has 500,000 inhabitants."),
    )
    questions = [c.question for c in menu.candidates if c.question.startswith("Which has")]
    assert len(questions) == 2  # 20,000 against 500,000


def test_a_number_without_end_is_not_compared():
    menu = menu_of(
        ("Lyon", f"Lyon has {'9' * 400} inhabitants."), ("Nice", "Nice has 250,000 residents.")
    )
    assert np.isfinite(menu.features).all()
