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
