"""The frozen evaluation sets: big enough, right, mixed, and held out."""

from __future__ import annotations

from collections import Counter

import pytest

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.miniwiki import evalsets, world
from asl_env.corpora.miniwiki.oracle import Oracle
from asl_env.corpora.miniwiki.questions import QuestionRecord, reveals, split

WIKI = world.load()
HELDOUT_ONLY = Oracle(WIKI.facts, ["heldout"], clozes=False)
GENERATOR_ONLY = Oracle(WIKI.facts, ["generator"])
EVALUATION = [name for name in evalsets.NAMES if not name.endswith("-dev")]
DEVELOPMENT = [name for name in evalsets.NAMES if name.endswith("-dev")]

every_set = pytest.mark.parametrize("name", evalsets.NAMES)


@every_set
def test_it_is_big_and_has_no_repetition(name: str) -> None:
    records = evalsets.load(name)
    assert len(records) >= (200 if name in DEVELOPMENT else 500)
    assert len({record.id for record in records}) == len(records)
    assert len({record.question for record in records}) == len(records)


@every_set
def test_every_answer_is_the_only_right_one(name: str) -> None:
    for record in evalsets.load(name):
        reply = WIKI.oracle.ask(record.question)
        assert reply.unique, record
        assert record.golden_answers[0] in reply.answers, record
        assert set(record.golden_answers) == reply.accepted, record


@every_set
def test_no_question_gives_its_answer_away(name: str) -> None:
    for record in evalsets.load(name):
        offers = record.metadata["kind"] == "contest" and record.metadata["hops"] == 1
        assert offers or not reveals(record.question, record.golden_answers), record


@every_set
def test_relations_are_mixed(name: str) -> None:
    records = evalsets.load(name)
    asked = Counter(record.metadata["chain"][-1] for record in records)
    assert asked.most_common(1)[0][1] <= 0.15 * len(records)
    assert len(asked) >= (8 if "compare" in name else 30)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_hops_are_what_the_name_says(count: int) -> None:
    for name in (f"miniwiki-{count}hop", f"miniwiki-{count}hop-dev"):
        for record in evalsets.load(name):
            assert record.metadata["hops"] == count == len(record.metadata["chain"])
            assert record.metadata["kind"] == "chain"


def test_comparisons_come_in_all_kinds() -> None:
    kinds = Counter(record.metadata["kind"] for record in evalsets.load("miniwiki-compare"))
    assert kinds["contest"] >= 100
    assert kinds["superlative"] >= 100


@pytest.mark.parametrize("name", EVALUATION)
def test_evaluation_is_about_held_out_things_only(name: str) -> None:
    for record in evalsets.load(name):
        assert record.metadata["entities"]
        assert all(WIKI.facts.heldout(entity) for entity in record.metadata["entities"]), record


@pytest.mark.parametrize("name", EVALUATION)
def test_evaluation_uses_held_out_wordings_only(name: str) -> None:
    """Held-out templates alone understand each question; generator templates and clozes do not."""
    for record in evalsets.load(name):
        assert HELDOUT_ONLY.ask(record.question).unique, record
        assert GENERATOR_ONLY.ask(record.question).status == "outside", record


@pytest.mark.parametrize("name", DEVELOPMENT)
def test_development_uses_generator_wordings_and_things_of_its_own(name: str) -> None:
    for record in evalsets.load(name):
        assert {split(entity) for entity in record.metadata["entities"]} == {"dev"}, record
        assert HELDOUT_ONLY.ask(record.question).status == "outside", record


def test_an_unknown_name_is_told_the_nearest() -> None:
    with pytest.raises(CorpusError, match=r"'miniwiki-2hops'; did you mean 'miniwiki-2hop"):
        evalsets.load("miniwiki-2hops")


def test_records_survive_writing_and_reading() -> None:
    records = (QuestionRecord("a-1", "Où?", ("Łódź", "Lodz"), {"hops": 1, "chain": ["x"]}),)
    data = evalsets.dumps(records)
    assert evalsets.loads(data) == records
    assert evalsets.dumps(records) == data


@pytest.mark.slow
@every_set
def test_the_files_are_what_the_build_gives(name: str) -> None:
    assert tuple(evalsets.build(name, WIKI.facts, WIKI.oracle)) == evalsets.load(name)
