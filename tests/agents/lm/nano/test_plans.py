"""A plan leads from the question to its answer, and no held-out wording is in it."""

import numpy as np
import pytest

from asl_env.agents.lm.nano.plans import Planner, is_trained, narrow_bank, wide_bank
from asl_env.corpora.miniwiki.facts import Facts, load
from asl_env.corpora.miniwiki.oracle import Oracle
from asl_env.corpora.miniwiki.templates import bank
from asl_env.text import normalize


@pytest.fixture(scope="module")
def planner(world):
    return Planner(world.facts)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_each_hop_of_a_plan_is_a_fact_of_the_world(planner, world, hops):
    rng = np.random.default_rng(hops)
    facts = set(world.facts.triples)
    for _ in range(50):
        plan = planner.draw(hops, rng)
        assert len(plan.hops) == len(plan.queries) == hops
        assert all(plan.fact(number) in facts for number in range(hops))
        assert all(name in query for name, query in zip(plan.names, plan.queries, strict=False))
        assert normalize(plan.answer) not in normalize(plan.question).split(" what ")


def test_the_oracle_agrees_with_the_answers():
    planner, oracle = Planner(load(), narrow_bank()), Oracle(load())
    rng = np.random.default_rng(0)
    for _ in range(60):
        plan = planner.draw(1 + int(rng.integers(2)), rng)
        reply = oracle.ask(plan.question)
        assert reply.status == "answered"
        assert reply.accepts(plan.answer), plan


def test_no_wording_is_held_out():
    def bare(text):
        return normalize(text.replace("{x}", "slot"))

    held = {bare(text) for texts in bank("heldout").values() for text in texts}
    assert not held & {bare(text) for texts in wide_bank().values() for text in texts}


def test_there_are_many_wordings_beyond_the_generators():
    wide, narrow = wide_bank(), narrow_bank()
    assert sum(map(len, wide.values())) > 3 * sum(map(len, narrow.values()))
    assert set(narrow) <= set(wide)


def test_no_entity_that_is_kept_for_evaluation_is_asked_about(planner):
    rng = np.random.default_rng(3)
    for _ in range(100):
        plan = planner.draw(1, rng)
        start = plan.values[0]
        assert ":" not in start or is_trained(start)
    assert any(Facts.heldout(entity) for entity in load().entities)
