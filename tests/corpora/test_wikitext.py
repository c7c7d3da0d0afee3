"""Wikitext to prose and links."""

from __future__ import annotations

import builtins
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.wikitext import MAX_WIKITEXT, link_target, plain

NAMESPACES = frozenset({"talk", "datei", "kategorie"})


def test_an_article_with_every_kind_of_markup(article: str) -> None:
    prose = plain(article, NAMESPACES)
    assert prose.text.split("\n") == [
        "Abel (born c. 900) is a city on the lake of the sky,",
        "12 km from Bela.",
        "Salt is sold.",
        "Fish: is not & never was.",
        "It lasted 5 days.",
    ]
    assert prose.links == ("City", "Sky Lake", "Bela", "Salt")


@pytest.mark.parametrize(
    ("wikitext", "text", "links"),
    [
        ("[[a|b]]s", "bs", ("A",)),
        ("[[:Category:X|shown]]", "shown", ()),
        ("[[2001: A Space Odyssey]]", "2001: A Space Odyssey", ("2001: A Space Odyssey",)),
        ("[[#Section|below]]", "below", ()),
        ("[http://x.org the site] and [http://y.org]", "the site and", ()),
        ("{{lang|fr|le ''mot''}} {{nowrap|a b}} {{unknown|c}}", "le mot a b", ()),
        ("{{convert|5|km|mi}} {{cvt|x}}", "5 km", ()),
        ("<gallery>\nFile:x.jpg|y\n</gallery>after", "after", ()),
        ("H<sub>2</sub>O <b>bold</b><br/>line", "H2O bold line", ()),
        ("<nowiki>[[kept]]</nowiki>", "kept", ()),
        ("{{unclosed | a\n\nStill [[read]].", "Still read.", ("Read",)),
        ("a [[b and c", "a b and c", ()),
        ("{| \n| never closed\n\nAfter.", "After.", ()),
        ("", "", ()),
    ],
)
def test_constructs(wikitext: str, text: str, links: tuple[str, ...]) -> None:
    assert plain(wikitext) == (text, links)


def test_link_targets_look_like_titles() -> None:
    assert link_target("dog_breed#History") == "Dog breed"
    assert link_target(" AT&amp;T ") == "AT&T"


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(ValueError, match="wikitext over"):
        plain("x" * (MAX_WIKITEXT + 1))


@pytest.mark.parametrize("token", ["<div>", "{{a|[[b|<div>{|", "{{{a|", "<nowiki>", "[http://a "])
def test_unclosed_markup_takes_seconds_not_hours(token: str) -> None:
    started = time.process_time()
    plain(token * (300_000 // len(token)) + "\n\nThe end.")
    assert time.process_time() - started < 10


def test_a_page_of_megabytes_with_tables_and_nested_templates_is_read() -> None:
    row = "|-\n| [[a|b]] || {{flag|{{{1|}}}}}\n"
    table = "{| class=x\n" + row * 2_000 + "{|\n| inner\n|}\n|}\n"
    box = "{{Infobox|a={{b|{{c|" * 50 + "[[x]]" + "}}}}}}" * 50
    text = ("Prose of [[one]]. " * 20 + "\n" + table + box + "\n\n") * 20
    assert len(text) > 1_200_000
    prose = plain(text)
    assert set(prose.text.replace("Prose of one.", "").split()) == set()
    assert prose.links == ("One",)


PIECES = "{{ }} [[ ]] | {| |} '' <ref> </ref> <div> </div> = == <!-- --> &lt; http://x * : é a"


@given(st.lists(st.sampled_from([*PIECES.split(), "\n", " "])))
def test_no_wikitext_raises_or_leaves_brackets(parts: list[str]) -> None:
    text = plain("".join(parts)).text
    assert not any(mark in text for mark in ("{{", "[[", "]]"))


def test_without_the_parser_one_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "mwparserfromhell":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(CorpusError, match=r"pip install 'asl-env\[wiki\]'"):
        plain("text")
