"""The facade: one MiniWiki per process, made when first asked for."""

from __future__ import annotations

from asl_env.corpora.miniwiki import world


def test_there_is_one_miniwiki_per_process() -> None:
    assert world.load() is world.load()
    assert world.load().facts is world.load().facts


def test_the_parts_belong_together() -> None:
    wiki = world.load()
    text = {sentence.text for article in wiki.articles[:50] for sentence in article.sentences}
    assert len(wiki.passages) == sum(len(article.passages) for article in wiki.articles)
    assert all(any(s in p.text for s in text) for p in wiki.passages[:20])


def test_there_are_at_least_seventy_topics_all_different() -> None:
    topics = world.load().topics
    assert len(topics) >= 70
    assert len(set(topics)) == len(topics)
    assert "rivers in Russia" in topics
