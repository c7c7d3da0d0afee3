"""A plan leads from the question to its answer, and no held-out wording is in it."""

import re
from collections import defaultdict
from importlib.resources import files

import numpy as np
import pytest

from asl_env.agents.lm.nano.plans import Planner, is_trained, narrow_bank, wide_bank
from asl_env.corpora.miniwiki.facts import Facts, load
from asl_env.corpora.miniwiki.oracle import Oracle
from asl_env.corpora.miniwiki.phrasings import PHRASINGS
from asl_env.corpora.miniwiki.templates import bank, read
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
    words = wide_bank(rare=True)
    assert not held & {bare(text) for texts in words.values() for text in texts}


def runs(texts):
    """All runs of four words."""
    for text in texts:
        words = re.findall(r"[a-z0-9]+(?:'[a-z]+)?", re.sub(r"{\w}('s)?", " ", text.lower()))
        yield from zip(*(words[at:] for at in range(4)), strict=False)


def test_rare_wordings_share_no_four_words_in_a_row_with_held_out_ones():
    own = {key: set(runs(texts)) for key, texts in bank("generator").items()}
    known = set().union(*own.values(), *(set(runs(texts)) for texts in PHRASINGS.values()))
    held = defaultdict(set)
    for (relation, _), texts in bank("heldout").items():
        held[relation].update(runs(texts))
    rare = files("asl_env.agents.lm.nano").joinpath("rare_wordings.txt").read_text("utf-8")
    for template in read(rare, "rare_wordings.txt"):
        assert not (set(runs([template.text])) & held[template.relation]) - known, template


def test_there_are_many_wordings_beyond_the_generators():
    rare, wide, narrow = wide_bank(rare=True), wide_bank(), narrow_bank()
    assert sum(map(len, wide.values())) > 3 * sum(map(len, narrow.values()))
    assert sum(map(len, rare.values())) > 2 * sum(map(len, wide.values()))
    assert set(narrow) <= set(wide) == set(rare)


def test_no_entity_that_is_kept_for_evaluation_is_asked_about(planner):
    rng = np.random.default_rng(3)
    for _ in range(100):
        plan = planner.draw(1, rng)
        start = plan.values[0]
        assert ":" not in start or is_trained(start)
    assert any(Facts.heldout(entity) for entity in load().entities)
