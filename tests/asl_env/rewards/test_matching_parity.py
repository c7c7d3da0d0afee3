"""Exact match and F1 give the numbers of another implementation of SQuAD's metric."""

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asl_env.rewards.matching import em, f1
from asl_env.text import normalize

squad = pytest.importorskip("torchmetrics.functional.text").squad

WORDS = ["the", "An", "Paris", "paris,", "U.S.", "France!", "of", "1,000", "é", "well-known"]
TEXTS = st.lists(st.sampled_from(WORDS), min_size=1, max_size=6).map(" ".join) | st.text(
    st.characters(codec="utf-8"), min_size=1, max_size=20
)


@settings(max_examples=60, deadline=None)
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_the_numbers_are_those_of_torchmetrics(prediction, golds):
    # Texts that normalise to nothing are ours to refuse: two of them are no match here.
    assume(normalize(prediction) and all(normalize(gold) for gold in golds))
    theirs = squad(
        [{"prediction_text": prediction, "id": "q"}],
        [{"answers": {"answer_start": [0] * len(golds), "text": golds}, "id": "q"}],
    )
    assert 100 * em(prediction, golds) == pytest.approx(float(theirs["exact_match"]))
    assert 100 * f1(prediction, golds) == pytest.approx(float(theirs["f1"]), abs=1e-4)
