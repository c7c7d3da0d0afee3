"""What most attempts say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.rewards.generator import Evidence, r_zero
from asl_env.rewards.voting import majority_answer, majority_is, majority_verdicts

ANSWERS = st.lists(st.sampled_from(["Lima", "the Lima!", "Oslo", "The", "", None]), max_size=12)


def test_the_commonest_answer_is_that_of_most_in_its_first_spelling():
    assert majority_answer(["Oslo", "OSLO", "Lima", "oslo."]) == "Oslo"


def test_among_equals_the_first_wins():
    assert majority_answer(["Lima", "Oslo", "Oslo", "Lima"]) == "Lima"


def test_nothing_said_has_no_majority_and_agrees_with_nobody():
    assert majority_answer([None, "", "the", "The"]) is None
    assert majority_verdicts([None, "the"]) == ["wrong", "wrong"]
    assert majority_answer([]) is None


def test_a_verdict_is_agreement_with_the_majority():
    assert majority_verdicts(["Oslo", "Lima", None, "OSLO!"]) == [
        "correct", "wrong", "wrong", "correct",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("agree", "reward"), [(10, 0.0), (9, 0.2), (8, 0.4), (5, 1.0), (3, 0.6), (1, 0.2)]
)
def test_r_zeros_uncertainty_of_ten_answers(agree, reward):
    """1 − 2·abs(p − ½), by hand."""
    answers = ["Lima"] * agree + [f"town {n}" for n in range(10 - agree)]
    scores = tuple(float(v == "correct") for v in majority_verdicts(answers))
    assert r_zero(Evidence(scores)) == pytest.approx(reward)


@given(ANSWERS)
def test_those_who_agree_are_never_fewer_than_those_with_any_other_answer(answers):
    right = majority_verdicts(answers).count("correct")
    said = [a.lower().strip("!").removeprefix("the ").strip() for a in answers if a]
    assert right >= max((said.count(a) for a in said if a != "the"), default=0)
    assert right <= len(answers)


@given(ANSWERS)
def test_who_answers_later_changes_no_earlier_majority_unless_by_numbers(answers):
    first = majority_answer(answers)
    if first is not None:
        assert majority_answer([*answers, first]) == first


@pytest.mark.parametrize(
    ("answers", "reference", "said"),
    [
        (["Lima", "the Lima!", "Quito"], "Lima", True),
        (["It is Lima", None], "Lima", True),
        (["Quito", "Lima"], "Lima", False),
        ([None, "the"], "the", False),
        ([], "Lima", False),
    ],
)
def test_the_majority_gives_the_reference_or_does_not(answers, reference, said):
    assert majority_is(answers, reference) is said
