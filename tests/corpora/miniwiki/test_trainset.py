"""The embedded training questions: right, away from what is held out, and up to date."""

import pytest

from asl_env.corpora.miniwiki import evalsets, trainset, world


def test_no_held_out_entity_is_asked_about_or_leads_to_an_answer():
    facts = world.load().facts
    for row in trainset.load():
        named = {*row["metadata"]["entities"], *row["metadata"]["subjects"]}
        assert named and not any(facts.heldout(entity) for entity in named)


def test_the_oracle_knows_the_answers():
    oracle = world.load().oracle
    for row in trainset.load()[::40]:
        assert oracle.ask(row["question"]).accepts(row["golden_answers"][0])


@pytest.mark.slow
def test_the_file_is_what_the_facts_give():
    stored = [list(row.values()) for row in trainset.load()]
    rebuilt = evalsets.loads(evalsets.dumps(trainset.build()))
    assert [[r.id, r.question, list(r.golden_answers), r.metadata] for r in rebuilt] == stored
