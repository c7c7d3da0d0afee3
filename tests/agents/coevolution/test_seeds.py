"""Randomness depends on the place in the run alone."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.coevolution.seeds import Deck, derive, derive_many
from asl_env.episode import Task

TASKS = [Task(f"t{i}", f"Question {i}?", ("b",)) for i in range(5)]


def test_places_have_different_seeds_and_the_same_place_the_same():
    seeds = [derive(s, r, p) for s in range(5) for r in range(5) for p in ("solve", "verify")]
    assert len(set(seeds)) == len(seeds)
    assert derive(1, 2, "solve") == derive(1, 2, "solve")
    assert all(0 <= seed < 2**31 for seed in [*seeds, *derive_many(9, 1, "x")])


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_deck_goes_on_where_it_was_left(first, second):
    whole = Deck(TASKS, 7, (1, "solve"), 0)
    expected = [whole() for _ in range(first + second)]
    begun = Deck(TASKS, 7, (1, "solve"), 0)
    dealt = [begun() for _ in range(first)]
    resumed = Deck(TASKS, 7, (1, "solve"), begun.drawn)
    assert dealt + [resumed() for _ in range(second)] == expected


@given(st.integers(1, 8))
def test_each_pass_deals_every_assignment_once(passes):
    deck = Deck(TASKS, 7, (1, "solve"), 0)
    counts = Counter(deck().id for _ in range(passes * len(TASKS)))
    assert set(counts.values()) == {passes}


def test_passes_and_places_have_their_own_order():
    deck, other = Deck(TASKS, 7, (1, "solve"), 0), Deck(TASKS, 7, (2, "solve"), 0)
    orders = {tuple(deck().id for _ in TASKS) for _ in range(20)}
    assert len(orders) > 5
    assert [other() for _ in range(50)] != [Deck(TASKS, 7, (1, "solve"), 0)() for _ in range(50)]
