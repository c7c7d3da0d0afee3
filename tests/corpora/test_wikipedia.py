"""Articles and passages out of a dump."""

from __future__ import annotations

from pathlib import Path

from asl_env.corpora.formats import detect_format, read_passages
from asl_env.corpora.report import ReadReport
from asl_env.corpora.wikipedia import Article, read_articles, resolve, split


def test_articles_redirects_and_what_was_left_out(dump: Path) -> None:
    report = ReadReport()
    articles = {article.title: article for _, article in read_articles(dump, report)}
    assert report.tallies == {"articles": 4, "redirects": 3, "pages of other namespaces": 1}
    assert report.problems["article without prose"].first == [6, 7]
    assert report.problems["broken XML"].count == 2
    assert articles["Abell"].redirect == "Abel"
    assert articles["Gone"].redirect == "Nowhere at all"
    assert articles["Old form"].redirect == "Abel"
    assert articles["Abel"].links == ("City", "Sky Lake", "Bela", "Salt")
    assert articles["Unclosed"].text.endswith("works.")
    assert articles["Hostile"].text.endswith("word word")


def test_more_workers_give_the_same(dump: Path) -> None:
    one, two = ReadReport(), ReadReport()
    assert list(read_articles(dump, one)) == list(read_articles(dump, two, workers=2))
    assert one.to_json() == two.to_json()


def test_passages_have_a_hundred_words_and_unique_ids() -> None:
    text = "\n".join(f"w{i} x" for i in range(125))
    passages = list(split(Article("7", "T", text)))
    assert [p.id for p in passages] == ["7-0", "7-1", "7-2"]
    assert [len(p.text.split()) for p in passages] == [100, 100, 50]
    assert " ".join(p.text for p in passages).split() == text.split()
    assert {p.title for p in passages} == {"T"}
    assert list(split(Article("8", "T", ""))) == []


def test_a_dump_is_a_format_like_any_other(dump: Path) -> None:
    report = ReadReport()
    passages = list(read_passages(dump, report=report))
    assert detect_format(dump) == "wikipedia"
    assert passages[0].title == "Abel"
    assert passages[0].text.startswith("Abel (born c. 900) is a city")
    assert report.kept == len(passages)


def test_redirects_are_followed_to_the_end() -> None:
    redirects = {"A": "B", "B": "C", "X": "Y", "Y": "X", "S": "S"}
    assert resolve("A", redirects) == "C"
    assert resolve("C", redirects) == "C"
    assert resolve("X", redirects) is None
    assert resolve("S", redirects) is None
