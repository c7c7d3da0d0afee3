"""Seas, rivers and lakes, and the cities that lie on them."""

from __future__ import annotations

import re

from miniwiki_build.atlas import Land, dig
from miniwiki_build.cities import Cities
from miniwiki_build.places import Gazetteer
from miniwiki_build.table import Key, Table, clean, slug
from miniwiki_build.wordnet import Synset

SEAS = frozenset("sea gulf ocean bay strait sound channel".split())
CITIES = frozenset(
    ("city", "port", "national capital", "state capital", "town", "provincial capital")
)
GREAT_LAKES = frozenset({"Superior", "Huron", "Michigan", "Erie", "Ontario"})
_INTO = re.compile(
    r"(?:flows?|flowing|empties|empty|emptying|runs?|running|discharges)\b"
    r"[^;]*?\b(?:into|to) (?:the )?"
    r"((?:[A-Z][\w'-]+|of|the)(?: (?:[A-Z][\w'-]+|of))*)"
)
_JOINS = re.compile(r"(?:tributary of|joins?|joining) (?:the )?([A-Z][\w'-]+(?: [A-Z][\w'-]+)*)")
_ON = re.compile(
    r"\b(?:on|along)(?: both sides of| the banks of)? the "
    r"((?:River )?[A-Z][\w'-]+(?: (?:[A-Z][\w'-]+|of|river))*)"
)
_BOOK = re.compile(
    r"^(.+?)(?: river)?(?: (source|mouth|source and mouth))?(?: \[s\])?"
    r"(?: \((shared with .+)\))? - ([\d,]+) km$"
)
_LAKE = re.compile(
    r"^(.+?)(?: \((?:endorheic lake |ephemeral |lagoon )?(shared with [^)]+)\))?"
    r"(?: \([^)]*\))? - ([\d,]+) sq km$"
)


class Waters:
    """Bodies of water in the table, found by name."""

    def __init__(self, table: Table, gazetteer: Gazetteer) -> None:
        self.table = table
        self.gazetteer = gazetteer
        self.seas: dict[str, Key] = {}
        self.rivers: dict[str, list[Key]] = {}
        self.lakes: dict[str, Key] = {}
        self.synsets: dict[Key, Synset] = {}

    def add(self, things: list[Synset], atlas: dict[str, Land]) -> None:
        """Adds all waters of WordNet and of the factbook."""
        for synset in things:
            if SEAS & set(synset.classes) and synset.lexicon == "17":
                self._sea(synset)
        for synset in things:
            if "river" in synset.classes and not synset.gloss.startswith("("):
                self._river(synset)
        for key, synset in list(self.synsets.items()):
            if key[0] == "river":
                self._course(key, synset)
            elif key[0] == "sea":
                self._part(key, synset)
        for iso, land in atlas.items():
            self._book_rivers(iso, land, atlas)
            self._book_lakes(iso, land, atlas)

    def _sea(self, synset: Synset) -> None:
        name = next((lemma for lemma in synset.lemmas if _says_sea(lemma)), synset.name)
        if not _says_sea(name) and " " not in name and name not in ("Mediterranean", "Bosporus"):
            return
        others = [lemma for lemma in synset.lemmas if lemma != name]
        article = "" if name.endswith(("Bay", "Sound", "Roads")) else "the"
        key = self.table.entity("sea", synset.id, name, others, article, ("sea",))
        self.synsets[key] = synset
        for lemma in synset.lemmas:
            self.seas.setdefault(slug(lemma), key)

    def _part(self, key: Key, synset: Synset) -> None:
        for whole in synset.wholes:
            for lemma in whole.lemmas:
                other = self.seas.get(slug(lemma))
                if other and other != key:
                    self.table.fact(key, "sea_part_of", other)
                    break

    def _river(self, synset: Synset) -> None:
        name = re.sub(r"^River ", "", synset.lemmas[0])
        if not name.endswith(("River", "Jiang", "He", "Creek", "Rio")) and name[0].isupper():
            longer = [x for x in synset.lemmas if x in (f"{name} River", f"{name} river")]
            name = longer[0].replace(" river", " River") if longer else name
        others = [lemma for lemma in synset.lemmas if lemma != name]
        places = self.gazetteer.places(synset.gloss)
        where = self.table.rows[places[0]].name if places else "river"
        key = self.table.entity(
            "river", synset.id, name, others, "the", ("river", f"river in {where}")
        )
        self.synsets[key] = synset
        for lemma in {*synset.lemmas, name, re.sub(r" River$", "", name)}:
            self.rivers.setdefault(slug(lemma), []).append(key)

    def known(self, name: str) -> bool:
        """Whether several rivers have that name, so that it says nothing."""
        return len(self.rivers.get(slug(name), [])) > 1

    def river(self, name: str) -> Key | None:
        """The one river of that name."""
        plain = re.sub(r"^River | [Rr]ivers?$", "", name)
        for spelling in (name, plain, f"{plain} River"):
            found = self.rivers.get(slug(spelling), [])
            if len(found) == 1:
                return found[0]
        return None

    def _course(self, key: Key, synset: Synset) -> None:
        countries = [p for p in self.gazetteer.places(synset.gloss) if p[0] == "country"]
        states = [p for p in self.gazetteer.places(synset.gloss) if p[0] == "state"]
        for place in dict.fromkeys(countries):
            self.table.fact(key, "river_country", place)
        for place in dict.fromkeys(states):
            self.table.fact(key, "river_state", place)
        joined = [] if " form" in synset.gloss else _JOINS.findall(synset.gloss)
        into = _INTO.findall(synset.gloss)
        for name in [*joined, *into]:
            other = self.river(name)
            if other and other != key and slug(name) not in self.seas:
                self.table.fact(key, "river_tributary_of", other)
                return
        for name in into:
            sea = self.sea(name)
            if sea:
                self.table.fact(key, "river_sea", sea)
                return

    def sea(self, name: str) -> Key | None:
        """The sea of that name, also without "Sea" or "Ocean" and with "South" before it."""
        plain = re.sub(r"^(?:South|North|Western|Eastern) ", "", name)
        return self.seas.get(slug(name)) or self.seas.get(slug(plain))

    def _book_rivers(self, iso: str, land: Land, atlas: dict[str, Land]) -> None:
        text = dig(land.book, "Geography", "Major rivers (by length in km)")
        for part in text.split(";"):
            found = _BOOK.match(re.sub(r"\s+", " ", part).replace(" [s] -", " -").strip())
            if not found:
                continue
            names = [n.strip() for n in re.split(r"[()/]", found[1]) if n.strip()]
            key = next((k for n in names if (k := self.river(clean(n)))), None)
            if key is None and not any(self.known(clean(n)) for n in names):
                name = re.sub(r"^(?:River|Rio) | River$", "", clean(names[-1]))
                if len(name) < 3 or not name[0].isupper():
                    continue
                key = self.table.entity("river", slug(name), name, names, "the", ("river",))
                self.rivers.setdefault(slug(name), []).append(key)
            if key is None:
                continue
            self.table.fact(key, "river_length", int(found[4].replace(",", "")))
            self.table.fact(key, "river_country", self.gazetteer.lands[iso])
            role = found[2] or ""
            if "source" in role:
                self.table.fact(key, "river_source", self.gazetteer.lands[iso])
            if "mouth" in role:
                self.table.fact(key, "river_mouth", self.gazetteer.lands[iso])

    def _book_lakes(self, iso: str, land: Land, atlas: dict[str, Land]) -> None:
        for kind in ("fresh water lake(s)", "salt water lake(s)"):
            text = dig(land.book, "Geography", "Major lakes (area sq km)", kind)
            for part in text.split(";"):
                found = _LAKE.match(re.sub(r"\s+", " ", part).strip())
                name = clean(re.split(r"[/(*]", found[1])[0]) if found else ""
                if not found or len(name) < 4 or not name[0].isupper():
                    continue
                if name in GREAT_LAKES:
                    name = f"Lake {name}"
                the = name.endswith("Sea") or name.startswith("Great Salt")
                key = self.table.entity(
                    "lake", slug(name), name, (), "the" if the else "", ("lake",)
                )
                self.lakes[slug(name)] = key
                self.table.fact(key, "lake_country", self.gazetteer.lands[iso])
                self.table.fact(key, "lake_area", int(found[3].replace(",", "")))
                self.table.fact(key, "lake_water", kind.split()[0] + " water")


def _says_sea(name: str) -> bool:
    return bool(re.search(r"\b(?:Sea|Gulf|Ocean|Bay|Strait|Channel|Sound|Bight)\b", name))


def add_city_waters(table: Table, things: list[Synset], cities: Cities, waters: Waters) -> None:
    """Joins WordNet's cities to the river or sea their gloss says they lie on."""
    for synset in things:
        if not CITIES & set(synset.classes):
            continue
        city = cities.match(synset, waters.gazetteer)
        if city is None:
            continue
        for name in _ON.findall(synset.gloss):
            river, sea = waters.river(name), waters.sea(name)
            if sea:
                table.fact(city, "city_sea", sea)
            elif river:
                table.fact(city, "city_river", river)
