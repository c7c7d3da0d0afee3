"""The grammar of verdicts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.dialects import make_dialect
from asl_env.episode import Role
from asl_env.rewards.verdict import (
    parse_grade,
    parse_verdict,
    released_verdict,
    write_grade,
    write_verdict,
)


def verdict_of(text):
    return parse_verdict(make_dialect("asl").parse(text, Role.GRM).answer)


@pytest.mark.parametrize(
    ("answer", "strict", "released"),
    [
        ("conclusion: correct", "correct", "correct"),
        ("conclusion: wrong", "wrong", "wrong"),
        ("Conclusion:  CORRECT ", "correct", "correct"),
        ("conclusion: incorrect", None, "wrong"),
        ("conclusion: uncertain", None, "wrong"),
        ("correct", None, "wrong"),
        ("", None, "wrong"),
        ("conclusion: correct, but in conclusion, wrong", None, "wrong"),
        ("conclusion: correct/wrong", None, "correct"),
        ("conclusion: not correct", None, "correct"),
        ("conclusion: wrong, the correct answer is Paris", None, "correct"),
        ("conclusion: correct. Final conclusion pending", None, "wrong"),
        ("conclusion: correct conclusion: wrong", None, "wrong"),
        ("concluſion: correct", None, "wrong"),
    ],
)
def test_verdicts_are_compared_for_equality(answer, strict, released):
    assert verdict_of(f"<think>hm</think><answer>\n{answer}\n</answer>") == strict
    assert released_verdict(answer) == released


def test_no_answer_is_no_verdict():
    assert parse_verdict(None) is None
    assert verdict_of("conclusion: correct") is None


def test_the_last_answer_counts():
    text = "<answer>conclusion: correct</answer><answer>conclusion: wrong</answer>"
    assert verdict_of(text) == "wrong"


@pytest.mark.parametrize("verdict", ["correct", "wrong"])
def test_what_is_written_is_read(verdict):
    assert parse_verdict(write_verdict(verdict)) == verdict


@given(st.text())
def test_no_other_text_is_a_verdict(text):
    plain = " ".join(text.lower().split())
    assert (parse_verdict(text) is not None) == (
        plain in {"conclusion: correct", "conclusion: wrong"}
    )
    assert parse_grade(text) in {None, 1.0, 0.8, 0.6, 0.4, 0.2}
    assert released_verdict(text) in ("correct", "wrong")


@pytest.mark.parametrize(
    ("answer", "grade"),
    [
        ("conclusion: A", 1.0),
        ("conclusion: B", 0.8),
        ("conclusion: C", 0.6),
        ("conclusion: D", 0.4),
        ("conclusion: E", 0.2),
        ("conclusion: F", None),
        ("Conclusion: A", None),
        ("conclusion: B. Also", 0.8),
        ("conclusion: A/B/C", None),
        ("conclusion: Excellent", None),
        (None, None),
    ],
)
def test_grades(answer, grade):
    assert parse_grade(answer) == grade


def test_grades_of_a_longer_ladder():
    grades = [parse_grade(f"conclusion: {letter}", "ABCDEF") for letter in "ABCDEFG"]
    assert grades == [1.0, 5 / 6, 4 / 6, 0.5, 2 / 6, 1 / 6, None]


def test_grades_are_written_as_they_are_read():
    written = [write_grade(grade) for grade in (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)]
    assert written == [*(f"conclusion: {letter}" for letter in "ABCDE"), None]
