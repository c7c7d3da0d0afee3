"""Battles and the wars they belong to."""

from __future__ import annotations

import re

from miniwiki_build.table import Table
from miniwiki_build.wordnet import Synset

_YEAR = re.compile(r"\b(\d{3,4})( BC)?\b")
WARS = {
    "American Civil War": "American Civil War",
    "World War II": "World War II",
    "World War I": "World War I",
    "Hundred Years' War": "Hundred Years' War",
    "Thirty Years' War": "Thirty Years' War",
    "Seven Years' War": "Seven Years' War",
    "American Revolution": "American Revolution",
    "American War of Independence": "American Revolution",
    "Mexican War": "Mexican War",
    "Korean War": "Korean War",
    "Crimean War": "Crimean War",
    "Spanish-American War": "Spanish-American War",
    "Russo-Japanese War": "Russo-Japanese War",
    "Peninsular War": "Peninsular War",
    "War of the Spanish Succession": "War of the Spanish Succession",
    "War of 1812": "War of 1812",
    "second Punic War": "Second Punic War",
    "Napoleonic Wars": "Napoleonic Wars",
    "Napoleonic campaigns": "Napoleonic Wars",
    "English Civil War": "English Civil War",
    "Wars of the Roses": "Wars of the Roses",
    "War of the Roses": "Wars of the Roses",
    "Balkan Wars": "Balkan Wars",
    "Vietnam War": "Vietnam War",
    "Peloponnesian War": "Peloponnesian War",
}
_NO_ARTICLE = frozenset({"World War I", "World War II"})
BATTLES = frozenset({"pitched battle", "naval battle", "siege", "amphibious assault", "battle"})


def add_battles(table: Table, things: list[Synset]) -> None:
    """Adds battles with their year, their war, and who defeated whom."""
    for synset in things:
        if not BATTLES & set(synset.classes):
            continue
        kind = "Siege" if "siege" in synset.classes else "Battle"
        place = re.sub(r"^(?:the )?(?:[Bb]attle|[Ss]iege) of (?:the )?", "", _called(synset))
        if " of " in place and not place[0].isupper():
            continue
        the = "the " if place.split()[-1] in {"River", "Bulge", "Marne", "Boyne"} else ""
        name = f"{kind} of {the}{place}"
        years = set(_YEAR.findall(re.sub(r"\([A-Z][^)]*\)", "", synset.gloss)))
        war = next((w for text, w in WARS.items() if text in synset.gloss), None)
        if len(years) != 1 and not war:
            continue
        year = "".join(next(iter(years))) if len(years) == 1 else ""
        others = [x for x in synset.lemmas if re.match(r"^(?:[Bb]attle|[Ss]iege) of ", x)]
        others = [other[0].upper() + other[1:] for other in others]
        key = table.entity("battle", synset.id, name, others, "the", ("battle", year))
        if year:
            table.fact(key, "battle_year", f"-{year[:-3]}" if year.endswith(" BC") else year)
        if war:
            article = "" if war in _NO_ARTICLE else "the"
            at = table.entity("war", war, war, (), article, ("war",))
            table.fact(key, "battle_war", at)


def _called(synset: Synset) -> str:
    """The lemma that says battle or siege, else the first."""
    for lemma in synset.lemmas:
        if re.match(r"^(?:[Bb]attle|[Ss]iege) of ", lemma):
            return lemma
    return synset.lemmas[0]
