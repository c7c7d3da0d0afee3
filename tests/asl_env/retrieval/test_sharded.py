"""A sharded index finds what one index over all passages finds."""

import copy
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.errors import BadIndexError, SearchUnavailableError
from asl_env.protocols import Hit
from asl_env.retrieval.ranked import RankedRetriever, Ranking
from asl_env.retrieval.sharded import ShardedRetriever


class Scored(RankedRetriever):
    """Passages with fixed scores: an exact index, whatever is asked."""

    def __init__(self, first, scores):
        self.passages = [Passage(str(first + n), "", "text") for n in range(len(scores))]
        self.scores = np.array(scores, dtype=np.float64)

    def rank(self, queries, k):
        best = np.argsort(-self.scores, kind="stable")[:k]
        return [Ranking(best, self.scores[best]) for _ in queries]


@given(
    st.lists(st.lists(st.integers(0, 3), max_size=6), min_size=1, max_size=4), st.integers(0, 12)
)
def test_the_merge_is_exact_and_ties_go_by_passage_order(parts, k):
    shards, first = [], 0
    for scores in parts:
        shards.append(Scored(first, scores))
        first += len(scores)
    whole = Scored(0, [score for scores in parts for score in scores])
    assert ShardedRetriever(shards).search(["a", "b"], k) == whole.search(["a", "b"], k)


def test_a_failing_shard_is_never_left_out():
    class Gone:
        def search(self, queries, k):
            raise SearchUnavailableError("gone")

    class Short:
        def search(self, queries, k):
            return []

    with pytest.raises(SearchUnavailableError, match="gone"):
        ShardedRetriever([Scored(0, [1]), Gone()]).search(["a"], 1)
    with pytest.raises(SearchUnavailableError, match="shard 1 gave 0 results for 1 queries"):
        ShardedRetriever([Scored(0, [1]), Short()]).search(["a"], 1)


def test_there_must_be_a_shard_and_copies_are_cheap():
    with pytest.raises(BadIndexError, match="at least one shard"):
        ShardedRetriever([])
    sharded = ShardedRetriever([Scored(0, [1.0]), Scored(1, [2.0])])
    assert copy.deepcopy(sharded) is sharded
    found = pickle.loads(pickle.dumps(sharded)).search(["a"], 1)
    assert found == [[Hit(Passage("1", "", "text"), 2.0)]]
