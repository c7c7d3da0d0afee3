"""Chains through the real facts: phrased, they come back as exactly their ends."""

from __future__ import annotations

import time
from collections import defaultdict
from functools import cache

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from asl_env.corpora.miniwiki import questions, templates, world
from asl_env.corpora.miniwiki.facts import Fact
from asl_env.corpora.miniwiki.grammar import Hop
from asl_env.corpora.miniwiki.meanings import Contest, Meaning, Named, denotation, measured
from asl_env.corpora.miniwiki.oracle import Oracle
from asl_env.corpora.miniwiki.phrasings import PHRASINGS, bare, read
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.corpora.miniwiki.wording import Wording, name_of

WIKI = world.load()


@cache
def both_banks() -> Wording:
    """Words any part of a question with any template of either bank."""
    texts: dict[tuple[str, str], tuple[str, ...]] = defaultdict(tuple)
    for template in templates.templates():
        texts[template.relation, template.use] += (template.text,)
    return Wording(WIKI.facts, dict(texts))


@cache
def hops_from() -> dict[str, list[Hop]]:
    """Every hop that has a noun phrase, by what it starts from."""
    found: dict[str, list[Hop]] = defaultdict(list)
    for hop in questions.all_hops():
        if both_banks().has(hop.relation, "noun" if hop.forward else "noun-back"):
            found[questions.source(hop)].append(hop)
    return dict(found)


@cache
def facts_of(relation: str) -> tuple[Fact, ...]:
    return WIKI.facts.of_relation(relation)


def named_alone(entity_id: str) -> bool:
    """Whether the name a question uses for an entity means nothing else."""
    named = WIKI.facts.named(name_of(entity_id, WIKI.facts))
    return {entity.id for entity in named} == {entity_id}


@st.composite
def chains(draw: st.DrawFn) -> Meaning:
    """A chain of 1 to 4 hops from a random fact, whatever its ends; they may be many or none."""
    hop = draw(st.sampled_from([hop for hops in hops_from().values() for hop in hops]))
    fact = draw(st.sampled_from(facts_of(hop.relation)))
    start = fact.subject if hop.forward else fact.object
    assume(":" not in start or named_alone(start))
    path = [hop]
    for _ in range(draw(st.integers(0, 3))):
        onward = hops_from().get(questions.target(path[-1]))
        if onward:
            path.append(draw(st.sampled_from(onward)))
    return questions.follow(start, *path)


@settings(max_examples=250, deadline=None)
@given(chains(), st.integers(0, 2**32))
def test_a_phrased_chain_gives_back_exactly_its_ends(meaning: Meaning, seed: int) -> None:
    question = both_banks().question(meaning, np.random.default_rng(seed))
    ends = denotation(meaning, WIKI.facts)
    reply = WIKI.oracle.ask(question)
    assert reply.ids == ends, question
    assert reply.status == ("answered" if ends else "unanswerable"), question
    assert reply.unique == (len(ends) == 1)


@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_every_relation_has_facts_that_can_be_asked_for_in_both_banks(relation: str) -> None:
    facts = WIKI.facts.of_relation(relation)
    assert facts
    for bank in templates.BANKS:
        wording = Wording(WIKI.facts, templates.bank(bank))
        for seed, fact in enumerate(facts[:: max(1, len(facts) // 5)]):
            meaning = questions.follow(fact.subject, Hop(relation, True))
            question = wording.question(meaning, np.random.default_rng(seed))
            assert fact.object in WIKI.oracle.ask(question).ids, question


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_a_comparison_gives_back_the_greater(data: st.DataObject) -> None:
    wording = both_banks()
    measure = data.draw(st.sampled_from([r for r in sorted(RELATIONS) if wording.has(r, "more")]))
    facts = WIKI.facts
    a, b = (data.draw(st.sampled_from(facts_of(measure))).subject for _ in range(2))
    assume(a != b and named_alone(a) and named_alone(b))
    most = data.draw(st.booleans())
    meaning = Contest(Named(frozenset((a,))), Named(frozenset((b,))), measure, most)
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    sizes = {id_: measured(id_, measure, facts) or 0.0 for id_ in (a, b)}
    goal = max(sizes.values()) if most else min(sizes.values())
    question = wording.question(meaning, rng)
    assert WIKI.oracle.ask(question).ids == {i for i in sizes if sizes[i] == goal}, question


def true_fillings(blanked: str, named: str, relation: str, tried: set[str]) -> set[str]:
    """Which of the tried objects make a sentence with a blank true.

    This shares no code with the oracle: it fills in each object, reads the whole sentence back
    with the prose's own reader, and looks the statement up.
    """
    facts = WIKI.facts
    right = set()
    for object_ in tried:
        filled = facts.phrase(Fact("", relation, object_))
        for reading in read(blanked.replace("____", filled)):
            subjects = {e.id for text in (reading.subject, named) for e in facts.named(text)}
            if bare(named) == reading.subject and reading.relation == relation:
                right |= {object_ for s in subjects if object_ in facts.objects(s, relation)}
    return right


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_no_cloze_with_several_right_answers_is_called_unique(data: st.DataObject) -> None:
    relation = data.draw(st.sampled_from(sorted(r for r in PHRASINGS if r in RELATIONS)))
    fact = data.draw(st.sampled_from(facts_of(relation)))
    phrasing = data.draw(st.sampled_from(PHRASINGS[relation]))
    entity = WIKI.facts.entity(fact.subject)
    named = data.draw(st.sampled_from((entity.phrase, entity.title)))
    blanked = phrasing.replace("{s}", named).replace("{o}", "____")
    reply = WIKI.oracle.ask(f'Fill in the blank: "{blanked}"')
    others = data.draw(st.lists(st.sampled_from(facts_of(relation)), max_size=20))
    namesakes = {subject.id for subject in WIKI.facts.named(named)} | {entity.id}
    tried = {other.object for other in others}
    tried.update(o for subject in namesakes for o in WIKI.facts.objects(subject, relation))
    fillings = true_fillings(blanked, named, relation, tried)
    assert fact.object in fillings
    assert fillings <= reply.ids, blanked
    assert not (reply.unique and len(fillings) > 1), blanked


def test_every_sentence_of_the_articles_can_be_asked_as_a_cloze() -> None:
    """With the object blanked, in its article, the stated object is among the answers."""
    facts = WIKI.facts
    asked = 0
    for article in WIKI.articles[::100]:
        for sentence in article.sentences:
            fact = sentence.fact
            if fact is None:
                continue
            name = facts.entities[fact.object].name if ":" in fact.object else facts.phrase(fact)
            if sentence.text.count(name) != 1 or f"({name})" in sentence.text or len(name) < 4:
                continue
            blanked = sentence.text.replace(name, "____")
            question = f'In the article "{article.title}", fill in the blank: "{blanked}"'
            reply = WIKI.oracle.ask(question)
            assert fact.object in reply.ids, (question, fact)
            asked += 1
    assert asked > 200


HOSTILE = (
    "What is the " + "capital of the " * 60,
    "the country in which " * 45,
    "[the one that fits: " * 45,
    "[" * 900,
    "which or " * 110,
    "in the article a, " * 55,
    "it " * 330,
    "x" * 990,
    "____" * 240,
    "____ " * 190,
    "\n\t\x00 " * 300,
    " where x is the answer to: " * 36,
    "What is the capital of " + "the country that borders " * 38 + "Poland?",
    "Which city has the larger population, " + "A or " * 180,
    'In the article "Poland", ' * 38,
    "\ue000" * 500,
    "(" * 500 + ")" * 480,
)


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_answered_quickly(text: str) -> None:
    WIKI.oracle.ask("What is the capital of Poland?")
    before = time.thread_time()  # other programs' time does not count
    WIKI.oracle.ask(text)
    WIKI.oracle.ask(text * 1000)
    assert time.thread_time() - before < 0.5


PIECES = (
    "What is the capital of ", "which", " or ", "____", "fill in the blank: ", "in the article ",
    '"', "'", "[the one that fits: ", "]", ", where X is the answer to: ", "Poland", "it", "the ",
    "the country in which ", " lies", "?", ".", ", ", ":", "x", " ", "\ud800", "İ", "ß", "１", "_",
)  # fmt: skip


@settings(max_examples=250, deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=30).map("".join))
def test_no_string_raises(text: str) -> None:
    reply = WIKI.oracle.ask(text)
    assert (reply.status == "answered") == bool(reply.answers)
    assert not reply.unique or len(reply.ids) == 1
    reply.accepts(text)


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_training_tasks_keep_away_from_held_out_things(count: int) -> None:
    tasks = questions.training_tasks(np.random.default_rng(7), 40, count)
    assert len({task.question for task in tasks}) == 40
    heldout = Oracle(WIKI.facts, ["heldout"], clozes=False)
    for task in tasks:
        touched = [*task.metadata["entities"], *task.metadata["subjects"]]
        assert not any(WIKI.facts.heldout(entity) for entity in touched)
        assert {questions.split(entity) for entity in touched} == {"train"}
        assert heldout.ask(task.question).status == "outside"
        reply = WIKI.oracle.ask(task.question)
        assert reply.unique
        assert task.golden_answers[0] in reply.answers
        assert len(task.metadata["chain"]) == count == task.metadata["hops"]


def test_training_tasks_repeat_with_the_seed() -> None:
    first, again, other = (
        questions.training_tasks(np.random.default_rng(seed), 10, 2) for seed in (1, 1, 2)
    )
    assert first == again != other
