"""Labels for the GRM seat."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.episode import Claim, Task
from asl_env.errors import AslError
from asl_env.rewards.labels import LABEL_SOURCES, balance, claims_from_solves, real_claims

QUESTION = "What is the capital of Peru?"


def rng(seed=0):
    return np.random.default_rng(seed)


def solves(*pairs):
    return [{"answer": a, "verdict": v, "seed": n} for n, (a, v) in enumerate(pairs)]


def claims(right, n=10):
    labels = ["correct"] * right + ["wrong"] * (n - right)
    return [Claim(f"c{i}", QUESTION, f"a{i}", label) for i, label in enumerate(labels)]


@pytest.mark.parametrize(("right", "rows"), [(0, 0), (1, 2), (3, 6), (5, 10), (7, 6), (10, 0)])
def test_the_rarer_label_is_kept_whole(right, rows):
    kept = balance(claims(right), rng())
    assert len(kept) == rows
    for label in ("correct", "wrong"):
        assert sum(claim.label == label for claim in kept) == rows // 2
    rare = "correct" if right <= 5 else "wrong"
    if rows:
        assert all(claim in kept for claim in claims(right) if claim.label == rare)


@given(
    st.lists(st.sampled_from(["correct", "wrong", None]), max_size=12), st.integers(0, 2**32 - 1)
)
def test_balancing_keeps_order_and_depends_on_the_seed_alone(labels, seed):
    given_claims = [Claim(f"c{i}", QUESTION, "a", label) for i, label in enumerate(labels)]
    kept = balance(given_claims, rng(seed))
    assert kept == balance(given_claims, rng(seed))
    assert kept == [claim for claim in given_claims if claim in kept]
    assert len(kept) == 2 * min(labels.count("correct"), labels.count("wrong"))


def labels_of(source, tried, reference="Lima"):
    found = claims_from_solves(QUESTION, reference, tried, source, id="q")
    return {claim.id: claim.label for claim in found}


TRIED = solves(
    ("Lima", "correct"),
    ("the city of Lima", "wrong"),
    ("Quito", "correct"),
    (None, "wrong"),
    ("lima.", "wrong"),
    ("Lima", "correct"),
    ("Bogota", None),
)


def test_reference_labels_match_by_rule():
    expected = ["correct", "correct", "wrong", "correct", "correct", "wrong"]
    assert labels_of("reference", TRIED) == dict(
        zip(names(0, 1, 2, 4, 5, 6), expected, strict=True)
    )


def test_self_labels_are_the_verdicts():
    expected = ["correct", "wrong", "correct", "wrong", "correct"]
    assert labels_of("self", TRIED) == dict(zip(names(0, 1, 2, 4, 5), expected, strict=True))


def test_majority_labels_pool_the_same_answer():
    expected = ["correct", "wrong", "correct", "correct", "correct"]
    assert labels_of("majority", TRIED) == dict(zip(names(0, 1, 2, 4, 5), expected, strict=True))
    assert labels_of("majority", solves(("Lima", "correct"), ("lima", "wrong"))) == {}


def names(*numbers):
    return [f"q-{number}" for number in numbers]


def test_claims_say_where_they_come_from():
    claim = claims_from_solves(
        QUESTION, "Lima", TRIED, "self", id="q", provenance={"round": 2}, rng=rng()
    )[0]
    assert claim.question == QUESTION
    assert claim.provenance == {"round": 2, "labels": "self"}


def test_an_unknown_source_is_answered_with_the_nearest():
    with pytest.raises(AslError, match="did you mean 'majority'"):
        claims_from_solves(QUESTION, "Lima", TRIED, "majorty", id="q")
    assert set(LABEL_SOURCES) == {"reference", "self", "majority"}


def test_real_claims_are_balanced_and_true():
    tasks = [Task(f"t{i}", f"Question {i}?", (f"Name {i}", f"Alias {i}")) for i in range(6)]
    made = real_claims(tasks, 7, rng())
    assert [claim.label for claim in made] == ["correct", "wrong"] * 4
    answers = {task.question: task.answers for task in tasks}
    for claim in made:
        assert (claim.answer in answers[claim.question]) == (claim.label == "correct")
        assert claim.provenance["labels"] == "real"
    assert made == real_claims(tasks, 7, rng())


def test_tasks_without_a_wrong_answer_are_passed_over():
    twins = [Task("a", "One?", ("Lima",)), Task("b", "Two?", ("Lima, Peru",))]
    assert real_claims(twins, 4, rng()) == []
    assert real_claims([], 4, rng()) == []
