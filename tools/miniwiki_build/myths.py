"""Gods and heroes: their mythology, what they stand for, and their kin."""

from __future__ import annotations

import re

from miniwiki_build.table import Key, Table, slug
from miniwiki_build.wordnet import Synset

MYTHOLOGIES = (
    "Greek Roman Norse Celtic Egyptian Hindu Japanese Chinese Persian Babylonian Sumerian"
).split()
_KIN = re.compile(r"\b(son|daughter|wife|husband|brother|sister|father|mother) of ([A-Z][a-z]+)")
_AND = re.compile(r"\b(?:son|daughter|father|mother) of [A-Z][a-z]+ and (?:of )?([A-Z][a-z]+)")
_DOMAIN = re.compile(
    r"\b(?:god|goddess) of ((?:the )?[a-z][a-z ']+?)(?= in | who | and [a-z]+ of|;|,|$)"
)
_SAME = re.compile(r"(?:counterpart of|identified with) (Greek|Roman) ([A-Z][a-z]+)")


def add_myths(table: Table, things: list[Synset]) -> None:
    """Adds gods and heroes with what can be read from their glosses."""
    found: dict[tuple[str, str], Key] = {}
    chosen: list[tuple[Key, Synset, str]] = []
    for synset in things:
        mythology = _mythology(synset)
        if synset.lexicon == "18" and mythology:
            marks = ("mythology", f"{mythology} mythology")
            key = table.entity("figure", synset.id, synset.name, synset.others, "", marks)
            name = f"{mythology} mythology"
            at = table.entity("mythology", mythology, name, (), "", ("mythology",))
            table.fact(key, "figure_mythology", at)
            chosen.append((key, synset, mythology))
            for lemma in synset.lemmas:
                found.setdefault((mythology, slug(lemma)), key)
    for key, synset, mythology in chosen:
        domain = _DOMAIN.search(synset.gloss)
        if domain and len(domain[1].split()) <= 6:
            table.fact(key, "figure_domain", domain[1])
        _kin(table, key, synset, mythology, found)
        same = _SAME.search(synset.gloss)
        other = found.get((same[1], slug(same[2]))) if same else None
        if other and other != key:
            table.fact(key, "figure_counterpart", other)
            table.fact(other, "figure_counterpart", key)


def _mythology(synset: Synset) -> str:
    for mythology in MYTHOLOGIES:
        marks = (f"({mythology} mythology)", f"{mythology} god", f"{mythology} deity")
        if f"{mythology} deity" in synset.classes or any(mark in synset.gloss for mark in marks):
            return mythology
    return ""


def _kin(
    table: Table, key: Key, synset: Synset, mythology: str, found: dict[tuple[str, str], Key]
) -> None:
    pairs = _KIN.findall(synset.gloss)
    second = _AND.search(synset.gloss)
    if second and pairs:
        pairs.append((pairs[0][0], second[1]))
    for word, name in pairs:
        other = found.get((mythology, slug(name)))
        if not other or other == key:
            continue
        if word in ("son", "daughter"):
            table.fact(key, "figure_parent", other)
        elif word in ("father", "mother"):
            table.fact(other, "figure_parent", key)
        else:
            relation = "figure_spouse" if word in ("wife", "husband") else "figure_sibling"
            table.fact(key, relation, other)
            table.fact(other, relation, key)
