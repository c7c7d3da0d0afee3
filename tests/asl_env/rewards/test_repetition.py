"""A question that was asked before pays for it, in whatever batches questions come."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.rewards.repetition import RecentQuestions

A = "What is the capital of France?"
B = "Which element has the atomic number 79?"
C = "Who wrote the novel about the white whale?"


def test_a_repeated_question_has_the_share_of_its_cluster_in_the_window():
    recent = RecentQuestions(4)
    assert recent([A]) == [1 / 4]
    assert recent([B, A]) == [1 / 4, 2 / 4]
    assert recent([A]) == [3 / 4]


def test_what_left_the_window_is_forgotten():
    recent = RecentQuestions(2)
    recent([A])
    recent([B, C])
    assert recent([A]) == [1 / 2]


def test_the_window_goes_on_from_earlier_questions():
    assert RecentQuestions(4, recent=[A, A])([A]) == [3 / 4]
    assert RecentQuestions(2, recent=[A, A, B])([A]) == [1 / 2]


def test_near_copies_count_within_the_distance():
    near = "What is the capital of Peru?"
    assert RecentQuestions(4, 0.5)([A, near]) == [2 / 4, 2 / 4]
    assert RecentQuestions(4, 0.1)([A, near]) == [1 / 4, 1 / 4]


def test_more_questions_than_the_window_holds():
    assert RecentQuestions(2)([A, A, A]) == [1 / 2, 1.0, 1.0]


def test_no_questions_no_shares():
    assert RecentQuestions(4, recent=[A])([]) == []


@given(
    st.lists(st.sampled_from([A, B, C, "What is the capital of Peru?"]), max_size=12),
    st.integers(1, 8),
    st.integers(0, 12),
)
def test_shares_are_bounded_and_a_saved_window_goes_on_as_if_nothing_happened(asked, window, cut):
    whole = RecentQuestions(window)
    shares = [whole([question])[0] for question in asked]
    assert all(1 / window <= share <= 1.0 for share in shares)
    resumed = RecentQuestions(window, recent=asked[:cut][-window:])
    assert [resumed([question])[0] for question in asked[cut:]] == pytest.approx(shares[cut:])
