"""Linear passes over wikitext."""

from __future__ import annotations

import time

import pytest

from asl_env.corpora.markup import (
    bare,
    drop_comments,
    drop_references,
    drop_sections,
    drop_tables,
    is_hard,
    reduce,
    tidy,
)


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a<!-- x -->b<!--y-->c", "abc"),
        ("a<!-- never closed", "a"),
        ("a --> b", "a --> b"),
    ],
)
def test_comments_go(text: str, left: str) -> None:
    assert drop_comments(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a<ref>x</ref>b", "ab"),
        ('a<ref name="n"/>b<REF group=g>x [[y]] {{z}}</Ref >c', "abc"),
        ("a<ref>one<ref>two</ref>b", "aoneb"),
        ("a<ref>one<ref name=x />two</ref>b", "ab"),
        ("a<ref>never closed", "anever closed"),
        ("a</ref>b", "a</ref>b"),
        ("<references/>", "<references/>"),
    ],
)
def test_references_go(text: str, left: str) -> None:
    assert drop_references(text) == left


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a\n{| x\n| y\n|}\nb", "a\n\nb"),
        ("a\n{|\n|\n{|\n|}\n:{|\n|}\n|}\nb", "a\n\nb"),
        ("a\n{|\n| never closed", "a\n\n| never closed"),
        ("a {| in a line |} b", "a {| in a line |} b"),
        ("{{x\n|}}", "{{x\n|}}"),
    ],
)
def test_tables_go(text: str, left: str) -> None:
    assert drop_tables(text).split() == left.split()


def test_sections_without_prose_go_with_their_subsections() -> None:
    text = "lead\n== See also ==\nx\n=== Below ===\ny\n== History ==\nz\n==References==\nw"
    assert drop_sections(text) == "lead\n== History ==\nz\n"


def test_list_and_quote_marks_go_and_apostrophes_stay() -> None:
    assert reduce("* ''A''\n#: '''B'''\n''Book'''s end, isn't it").split() == [
        "A", "B", "Book's", "end,", "isn't", "it",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Abel (; born 900) is", "Abel (born 900) is"),
        ("Abel ( , ; ) is", "Abel is"),
        ("one , two .", "one, two."),
        ("|row\n!head\ntext }} [[ here", "text here"),
        ("a<div class='x'>b</div>", "ab"),
        ("__NOTOC__ a &amp; b", "a & b"),
        ("...\n", ""),
        ("a < b and c > d", "a < b and c > d"),
    ],
)
def test_gaps_are_closed(text: str, left: str) -> None:
    assert tidy(text) == left


def test_ordinary_pages_are_not_hard_and_unclosed_ones_are() -> None:
    assert not is_hard("[[a]] {{b|{{c}}}} <i>d</i> <br> [http://x y]\n" * 2_000)
    assert is_hard("<div>" * 2_000)
    assert is_hard("[[a {{b" * 2_000)
    assert is_hard("{{x}}" * 40_000)


def test_what_is_too_hard_is_stripped_without_a_parser() -> None:
    assert bare("a {{b|{{c}}}} [[d]] [[e|f]] {{ [[") == "a  d f {{ [["


TOKENS = ["{{", "[[", "{|\n", "<ref>", "<ref ", "''", "<div>", '<div a="', "[http://a ", "{{{a|"]
TOKENS += ["<!--", "== a", "&amp;", "*", ";:", "'''''a ", "( ,", " ,", "__AAAA", "<nowiki>"]


@pytest.mark.parametrize("token", TOKENS)
def test_time_is_linear_in_the_length(token: str) -> None:
    text = token * (200_000 // len(token))
    started = time.process_time()
    source = reduce(text)
    is_hard(source)
    tidy(bare(source))
    assert time.process_time() - started < 3
