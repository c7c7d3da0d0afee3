"""Questions that read alike."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN

from asl_env.rewards.clusters import bleu, cluster_shares, dbscan

A = "What is the capital of France?"
B = "Which element has the atomic number 79?"
C = "Who wrote the novel about the white whale?"
D = "When did the river Elbe last freeze over?"


def test_shares_of_repeated_questions():
    assert cluster_shares([A, A, B]) == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_lonely_questions_have_their_own_share():
    assert cluster_shares([A, B, C, D]) == [0.25] * 4


def test_a_batch_of_one_cannot_repeat_itself():
    assert cluster_shares([A]) == [0.0]
    assert cluster_shares([]) == []


def test_near_copies_cluster():
    near = "What is the capital of France today?"
    assert cluster_shares([A, near, B]) == pytest.approx([2 / 3, 2 / 3, 1 / 3])


def test_bleu_by_hand():
    assert bleu(A, A) == 1.0
    assert bleu(A, B) == pytest.approx(
        (2 / 7 * 0.5 / 6 * 0.5 / 5 * 0.5 / 4) ** 0.25 * np.exp(-1 / 7)
    )
    assert bleu("a b", "a b c d") == pytest.approx(np.exp(-1))
    assert bleu("", A) == bleu(A, "") == 0.0
    assert bleu("x y z", A) == 0.0


@pytest.mark.parametrize(
    ("candidate", "reference", "value"),
    [
        (A, "What is the capital of France today?", 0.7289545183625967),
        ("What is the capital of France today?", A, 0.7071067811865475),
        (A, "What is the capital of Peru?", 0.6434588841607617),
        ("Which river flows through Vienna?", "Through which city does the river Danube flow?",
         0.1170899538804803),
        (C, "Who wrote the white whale?", 0.4153509237206396),
        ("Who wrote the white whale?", C, 0.4288819424803534),
        ("the the the the the the the", "the cat is on the mat", 0.13134549472120793),
    ],
)  # fmt: skip
def test_bleu_is_that_of_nltk(candidate, reference, value):
    """Values of nltk 3.10.4: ``sentence_bleu`` on our lower-case words, with
    ``SmoothingFunction(epsilon=0.5).method1``, which is half a match for none.
    """
    assert bleu(candidate, reference) == pytest.approx(value, abs=1e-12)


@given(st.lists(st.sampled_from([A, B, C, D, "What is the capital of Peru?"]), max_size=8))
def test_shares_do_not_depend_on_the_order_of_a_batch(questions):
    shares = dict(zip(questions, cluster_shares(questions), strict=True))
    turned = dict(zip(questions[::-1], cluster_shares(questions[::-1]), strict=True))
    assert shares == turned
    assert all(1 / len(questions) <= share <= 1 for share in shares.values() if len(questions) > 1)


@given(st.text(max_size=30), st.text(max_size=30))
def test_bleu_is_a_share(one, other):
    assert 0.0 <= bleu(one, other) <= 1.0 + 1e-12


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_clusters_are_those_of_dbscan_with_two_samples(count, seed):
    points = np.random.default_rng(seed).random((count, 2))
    distances = np.linalg.norm(points[:, None] - points[None], axis=-1)
    mine = dbscan(count, lambda i, j: float(distances[i, j]), 0.3)
    labels = DBSCAN(eps=0.3, min_samples=2, metric="precomputed").fit_predict(distances)
    theirs = [count + i if label < 0 else label for i, label in enumerate(labels)]
    same = [[mine[i] == mine[j] for j in range(count)] for i in range(count)]
    assert same == [[theirs[i] == theirs[j] for j in range(count)] for i in range(count)]
