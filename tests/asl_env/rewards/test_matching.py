"""Matching answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.rewards.matching import METRICS, cover_em, em, f1
from asl_env.text import normalize

words = st.lists(st.sampled_from(["a", "the", "Paris", "paris", "France", ",", "of"]), max_size=6)
texts = st.one_of(words.map(" ".join), st.text(max_size=20))


@pytest.mark.parametrize(
    ("prediction", "gold", "exact", "covers"),
    [
        ("The Paris.", "paris", 1, 1),
        ("Paris, France", "Paris", 0, 1),
        ("Paris", "Paris, France", 0, 0),
        ("1000", "1,000", 1, 1),
        ("anything", "", 0, 0),
        ("incorrect", "correct", 0, 0),
        ("conclusion: correct/wrong", "correct", 0, 0),
        ("conclusion: correct/wrong", "wrong", 0, 0),
        ("conclusion: wrong", "correct", 0, 0),
        ("Conclusion: Correct", "conclusion: correct", 1, 1),
        ("correct", "conclusion: correct", 0, 0),
        (None, "answer", 0, 0),
        ("", "", 0, 0),
    ],
)
def test_published_cases_with_the_holes_closed(prediction, gold, exact, covers):
    assert em(prediction, [gold]) == exact
    assert cover_em(prediction, [gold]) == covers


@pytest.mark.parametrize(
    ("prediction", "gold"),
    [
        ("anything", ""),
        ("anything", "The"),
        ("incorrect", "correct"),
        ("conclusion: correct/wrong", "correct"),
        ("conclusion: correct/wrong", "wrong"),
        ("No answer found.", "answer"),
    ],
)
def test_the_released_holes_are_there_on_demand(prediction, gold):
    assert cover_em(prediction, [gold], compat=True) == 1.0


def test_the_best_alias_counts():
    aliases = ["New York City", "NYC", "the Big Apple"]
    assert em("nyc", aliases) == 1.0
    assert cover_em("It is the Big Apple.", aliases) == 1.0
    assert f1("New York", aliases) == pytest.approx(0.8)
    assert f1("nothing of it", aliases) == 0.0


@given(st.one_of(st.none(), texts), st.lists(texts, max_size=3))
def test_metrics_are_bounded_and_ordered(prediction, golds):
    scores = {name: metric(prediction, golds) for name, metric in METRICS.items()}
    assert all(0.0 <= score <= 1.0 for score in scores.values())
    assert scores["em"] <= scores["cover-em"]
    assert scores["em"] <= scores["f1"]
    assert scores["cover-em"] <= cover_em(prediction, golds, compat=True)


@given(texts, texts)
def test_f1_is_symmetric_and_a_text_matches_itself(one, other):
    assert f1(one, [other]) == f1(other, [one])
    for metric in METRICS.values():
        assert metric(one, [one]) == float(bool(normalize(one)))
