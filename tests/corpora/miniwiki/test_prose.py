"""Articles: enough of them, of the right length, and saying nothing but facts."""

from __future__ import annotations

from collections import Counter

import pytest

from asl_env.corpora.miniwiki import world
from asl_env.corpora.miniwiki.facts import Facts, load
from asl_env.corpora.miniwiki.phrasings import bare, read
from asl_env.corpora.miniwiki.prose import LONGEST, SHORTEST, Article, articles, fillers
from asl_env.corpora.passages import Passage


@pytest.fixture(scope="module")
def told() -> list[Article]:
    return list(world.load().articles)


@pytest.fixture(scope="module")
def cut() -> list[Passage]:
    return world.load().passages


def test_there_are_enough_articles_and_passages(told: list[Article], cut: list[Passage]) -> None:
    assert len(told) >= 5_000
    assert len(cut) >= 12_000
    assert len({article.title.casefold() for article in told}) == len(told)
    assert len({passage.id for passage in cut}) == len(cut)


def test_every_passage_has_between_40_and_110_words(cut: list[Passage]) -> None:
    lengths = [len(passage.text.split()) for passage in cut]
    assert min(lengths) >= SHORTEST == 40
    assert max(lengths) <= LONGEST == 110


def test_an_important_article_spans_several_passages(cut: list[Passage]) -> None:
    counts = Counter(passage.title for passage in cut)
    assert counts["Poland"] >= 3
    assert counts["France"] >= 3


def test_the_same_seed_tells_the_same_and_another_seed_tells_it_differently(
    small_facts: Facts,
) -> None:
    first = list(articles(small_facts, seed=1))
    assert first == list(articles(small_facts, seed=1))
    assert first != list(articles(small_facts, seed=2))


def test_sentences_that_state_something_state_a_fact(told: list[Article]) -> None:
    known = set(load().triples)
    for article in told:
        assert all(s.fact is None or s.fact in known for s in article.sentences)


def test_every_sentence_can_be_turned_back_into_its_fact(told: list[Article]) -> None:
    facts = load()
    for article in told[::60]:
        described = facts.descriptions(article.entity_id) if article.entity_id else ()
        for sentence in article.sentences:
            if sentence.fact is None:
                continue
            subject = facts.entities[sentence.fact.subject]
            names = {bare(name).casefold() for name in (*subject.names, *described)}
            readings = [r for r in read(sentence.text) if r.relation == sentence.fact.relation]
            assert any(r.subject.casefold() in names for r in readings), sentence
            object_ = bare(facts.phrase(sentence.fact)).casefold()
            assert any(r.object.casefold() == object_ for r in readings), sentence


def test_a_description_only_stands_for_the_subject_of_the_article(told: list[Article]) -> None:
    facts = load()
    for article in told[::20]:
        for sentence in article.sentences:
            fact = sentence.fact
            if fact and fact.subject != article.entity_id:
                entity = facts.entities[fact.subject]
                written = {entity.name.casefold(), entity.title.casefold()}
                assert any(name in sentence.text.casefold() for name in written), sentence


def test_each_passage_names_its_subject(told: list[Article]) -> None:
    facts = load()
    for article in told[::20]:
        own = [
            [s for s in p if s.fact and s.fact.subject == article.entity_id]
            for p in article.passages
        ]
        for sentences in filter(None, own):
            name = facts.entities[article.entity_id].name
            assert name.casefold() in sentences[0].text.casefold()


def test_decorative_sentences_state_nothing() -> None:
    facts = load()
    for kind, lines in fillers().items():
        of_kind = facts.of_type(kind)
        phrase = of_kind[0].phrase if of_kind else ""
        for line in lines:
            for reading in read(line.replace("{s}", phrase)):
                assert not (facts.named(reading.subject) and facts.named(reading.object)), line


def test_articles_mention_related_subjects_that_a_reader_must_ignore(told: list[Article]) -> None:
    by_id = {article.entity_id: article for article in told}
    warsaw = by_id["city:warsaw"]
    assert "country:poland" in warsaw.links
    others = [s for s in warsaw.sentences if s.fact and s.fact.subject != "city:warsaw"]
    assert others


def test_namesakes_get_a_page_that_tells_them_apart(told: list[Article]) -> None:
    page = next(article for article in told if article.title == "Georgia")
    assert page.entity_id == ""
    text = " ".join(sentence.text for sentence in page.sentences)
    assert "may refer to" in text
    assert "Georgia (country)" in text and "Georgia (state)" in text


def test_wordings_vary(told: list[Article]) -> None:
    facts = load()
    lead = Counter()
    for article in told:
        for sentence in article.sentences:
            if sentence.fact and sentence.fact.relation == "city_population":
                entity = facts.entities[sentence.fact.subject]
                lead[sentence.text.replace(entity.name, "X").split(" ")[0]] += 1
    assert len(lead) >= 4
