"""What is held out is not trained on."""

import pytest

from asl_env.agents.coevolution.decontamination import decontaminate
from asl_env.agents.coevolution.recipe import FilterSpec
from asl_env.episode import Task
from asl_env.errors import RecipeError

HELD_OUT = "In which year did the author of the Norwegian novel Hunger receive his Nobel Prize?"


def tasks(*questions):
    return [Task(f"t{n}", question, ("x",)) for n, question in enumerate(questions)]


def left(*questions):
    kept, dropped = decontaminate(
        {"mine": tasks(*questions)}, {"test": tasks(HELD_OUT, "Who wrote Hunger?")}, FilterSpec()
    )
    assert dropped.get("mine", 0) == len(questions) - len(kept["mine"])
    return [task.question for task in kept["mine"]]


def test_the_same_question_goes_however_it_is_written():
    other = "Who wrote Victoria?"
    assert left("who wrote HUNGER", other, HELD_OUT.upper()) == [other]


def test_a_question_that_shares_half_of_its_8_grams_goes():
    nearly = HELD_OUT.replace("In which year", "When, in what year,")
    assert left(nearly, "Who wrote Victoria?") == ["Who wrote Victoria?"]


def test_a_question_about_the_same_thing_in_other_words_stays():
    other = "When was the Nobel Prize given to the writer of Hunger, a novel from Norway?"
    assert left(other) == [other]


def test_sets_without_such_questions_are_as_they_were():
    mine = tasks("Who wrote Victoria?", "Who wrote Pan?")
    kept, dropped = decontaminate({"mine": mine}, {"test": tasks(HELD_OUT)}, FilterSpec())
    assert (kept, dropped) == ({"mine": mine}, {})


def test_nothing_is_held_out_from_nothing():
    assert decontaminate({"mine": tasks(HELD_OUT)}, {}, FilterSpec())[1] == {}


def test_a_set_of_which_nothing_is_left_is_an_error():
    with pytest.raises(RecipeError, match="mine: all 1 questions are held out \\(test\\)"):
        decontaminate({"mine": tasks(HELD_OUT)}, {"test": tasks(HELD_OUT)}, FilterSpec())
