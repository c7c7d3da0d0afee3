"""Matching answers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.rewards.matching import METRICS, cover_em, em, f1, hotpotqa_f1
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


@pytest.mark.parametrize(
    ("prediction", "gold", "exact", "words"),
    [
        ("The  Beatles!", "beatles", 1.0, 1.0),
        ("an apple a day", "apple day", 1.0, 1.0),
        ("theatre", "atre", 0.0, 0.0),
        ("U.S.", "US", 1.0, 1.0),
        ("well-known", "well known", 0.0, 0.0),
        ("Paris France", "Paris", 0.0, 2 / 3),
        ("paris paris", "paris", 0.0, 2 / 3),
        ("“quoted”", "quoted", 0.0, 0.0),
        ("éclair", "eclair", 0.0, 0.0),
    ],
)
def test_facts_of_the_squad_script(prediction, gold, exact, words):
    """Articles go as whole words, ASCII punctuation goes without a blank, repeats count."""
    assert em(prediction, [gold]) == exact
    assert f1(prediction, [gold]) == pytest.approx(words)


@pytest.mark.parametrize(
    ("prediction", "gold", "squad", "hotpotqa"),
    [
        ("yes", "yes", 1.0, 1.0),
        ("Yes.", "yes", 1.0, 1.0),
        ("yes they are", "yes", 0.5, 0.0),
        ("no", "no one", 2 / 3, 0.0),
        ("noanswer", "noanswer here", 2 / 3, 0.0),
        ("yes", "no", 0.0, 0.0),
        ("yes they are", "yes they were", 2 / 3, 2 / 3),
        ("Paris France", "Paris", 2 / 3, 2 / 3),
        (None, "yes", 0.0, 0.0),
    ],
)
def test_facts_of_the_hotpotqa_script(prediction, gold, squad, hotpotqa):
    """A closed answer is right or worth nothing, on either side of the comparison."""
    assert f1(prediction, [gold]) == pytest.approx(squad)
    assert hotpotqa_f1(prediction, [gold]) == pytest.approx(hotpotqa)


def test_hotpotqa_takes_the_best_alias_too():
    assert hotpotqa_f1("no way", ["no", "no way out"]) == pytest.approx(0.8)


@given(texts, texts)
def test_hotpotqa_never_gives_more_than_squad(one, other):
    assert hotpotqa_f1(one, [other]) <= f1(one, [other])
    assert hotpotqa_f1(one, [other]) == hotpotqa_f1(other, [one])


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
