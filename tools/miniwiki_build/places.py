"""The gazetteer that finds countries and states in a gloss, and what stands on land."""

from __future__ import annotations

import re

from miniwiki_build.atlas import Land, dig, near
from miniwiki_build.cities import Cities
from miniwiki_build.table import Key, Table, clean, slug
from miniwiki_build.wordnet import Synset

PARTS = {
    "England": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Burma": "MM",
    "Kashmir": "",
    "Tibet": "",
    "Czech Republic": "CZ",
    "Siberia": "RU",
    "Alaska": "",
    "Honshu": "JP",
    "Sicily": "IT",
}
METRES_PER_FOOT = 0.3048
MOUNTAINS = frozenset({"mountain peak", "volcano"})
_FEET = re.compile(r"\(?(\d{1,2},\d{3}) feet")
_METRES = re.compile(r"([\d,]{3,6}) m\b")


class Gazetteer:
    """Countries and American states by name.

    Attributes:
        lands: Country and territory keys by ISO code.
        states: State keys by name.
    """

    def __init__(self, table: Table, lands: dict[str, Key], states: dict[str, Key]) -> None:
        self.lands = lands
        self.states = states
        self.rows = table.rows
        self.by_name = {table.rows[key].name: key for key in lands.values() if key[0] == "country"}
        self.by_name.update({n: lands[i] for n, i in PARTS.items() if i})
        names = sorted({*self.by_name, *states}, key=lambda name: (-len(name), name))
        self._pattern = re.compile(
            r"(?<![\w-])(the )?("
            + "|".join(re.escape(name) for name in names)
            + r")(?![\w-]| River| Sea| Bay| Canal| Valley| Mountains)"
        )

    def places(self, gloss: str) -> list[Key]:
        """The countries and states a gloss names, in order; "New Mexico" is not Mexico."""
        found = []
        text = re.sub(r"\b(?:Gulf|Bay|Sea|Strait) of [A-Z]\w+(?: \w+)?", "", gloss)
        for the, name in self._pattern.findall(text):
            key = self.states.get(name) or self.by_name[name]
            if not the or self.rows[key].article == "the" or name in PARTS:
                found.append(key)
        return list(dict.fromkeys(found))


def add_mountains(
    table: Table, things: list[Synset], gazetteer: Gazetteer, atlas: dict[str, Land]
) -> None:
    """Adds WordNet's peaks and the highest point of each country."""
    peaks: dict[str, Key] = {}
    feet: dict[Key, int] = {}
    ranges = _ranges(table, things)
    for synset in things:
        if MOUNTAINS & set(synset.classes) and not synset.gloss.startswith("("):
            places = gazetteer.places(synset.gloss)
            name = next((x for x in synset.lemmas if x.startswith("Mount ")), synset.lemmas[0])
            if not places or name in ("North Peak",):
                continue
            others = [x for x in synset.lemmas if x != name]
            article = "the" if name in ("Matterhorn", "Weisshorn") else ""
            key = table.entity("mountain", synset.id, name, others, article, ("mountain",))
            for lemma in synset.lemmas:
                peaks[slug(lemma)] = key
            for place in places:
                table.fact(key, f"mountain_{place[0]}", place)
            height = _FEET.search(synset.gloss)
            if height:
                feet[key] = round(int(height[1].replace(",", "")) * METRES_PER_FOOT)
            for text, range_ in ranges.items():
                if re.search(rf"\b{re.escape(text)}\b", synset.gloss):
                    table.fact(key, "mountain_range", range_)
                    break
    _highest_points(table, gazetteer, atlas, peaks, feet)
    for key, metres in feet.items():
        table.fact(key, "mountain_height", metres)


def _ranges(table: Table, things: list[Synset]) -> dict[str, Key]:
    found = {}
    for synset in things:
        if "range" in synset.classes and synset.lexicon == "17":
            name = next((x for x in synset.lemmas if x.endswith(("Mountains", "Range"))), None)
            name = name or re.sub("^the ", "", synset.lemmas[0])
            article = "the" if name.endswith(("s", "Range", "Kush", "Shan", "Karakoram")) else ""
            key = table.entity("range", synset.id, name, synset.lemmas, article, ("range",))
            for lemma in synset.lemmas:
                found[re.sub("^the ", "", lemma)] = key
    return found


def _highest_points(
    table: Table,
    gazetteer: Gazetteer,
    atlas: dict[str, Land],
    peaks: dict[str, Key],
    feet: dict[Key, int],
) -> None:
    """Highest points in metres; a height WordNet gives differently drops out."""
    for iso, land in atlas.items():
        text = dig(land.book, "Geography", "Elevation", "highest point")
        height = _METRES.search(text)
        name = clean(re.split(r" \(| on | in |;|, ", text[: height.start()] if height else "")[0])
        if not height or not re.fullmatch(r"[A-Z][\w'. -]{2,30}", name) or "elevation" in name:
            continue
        if name.lower().startswith(("unnamed", "location", "highest", "as ")):
            continue
        metres = int(height[1].replace(",", ""))
        short = re.sub(r"^(?:Cerro|Mount|Mont|Nevado|Pico|Volcan|Gora|Gunung)( de)? ", "", name)
        key = (
            peaks.get(slug(name))
            or peaks.get(slug(short))
            or peaks.get(slug(short.split(" de ")[-1]))
        )
        if key is None:
            key = table.entity("mountain", slug(name), name, (), "", ("mountain",))
            peaks[slug(name)] = key
        other = feet.pop(key, metres)
        if near(metres, other, share=0.02):
            table.fact(key, "mountain_height", metres)
        land_key = gazetteer.lands[iso]
        if land_key[0] == "country":
            table.fact(land_key, "country_highest_point", key)
            table.fact(key, "mountain_country", land_key)


def add_parks(table: Table, things: list[Synset], gazetteer: Gazetteer) -> None:
    """Adds national parks with the state or country they lie in."""
    for synset in things:
        if "national park" in synset.classes:
            places = gazetteer.places(re.split(r";|featuring|having|including", synset.gloss)[0])
            key = table.entity("park", synset.id, synset.lemmas[0], (), "", ("national park",))
            states = [place for place in places if place[0] == "state"]
            for place in states or places[:1]:
                table.fact(key, f"park_{place[0]}", place)


def add_universities(table: Table, things: list[Synset], cities: Cities) -> None:
    """Adds universities with the city or state they stand in."""
    for synset in things:
        if "university" in synset.classes:
            name = synset.lemmas[0]
            article = "the" if name.startswith("University") else ""
            others = [x for x in synset.lemmas if "Univ" in x or "Inst" in x or x.isupper()]
            key = table.entity("university", synset.id, name, others, article, ("university",))
            found = re.search(r"in ([A-Z][\w ]+?)(?:, ([A-Z][\w ]+))?(?:;|$)", synset.gloss)
            if not found:
                continue
            state = cities.state_keys.get(found[2] or found[1])
            if state:
                table.fact(key, "university_state", state)
            city = cities.largest(found[1], found[2])
            if city and not (state and not found[2]):
                table.fact(key, "university_city", city)


def add_states(table: Table, things: list[Synset], cities: Cities) -> None:
    """Adds what is known of the American states: capital, postal code, nickname."""
    for code, name in sorted(cities.states.items()):
        if name in cities.state_keys:
            table.fact(cities.state_keys[name], "state_code", code)
    for synset in things:
        if "American state" in synset.classes and synset.lemmas[0] in cities.state_keys:
            for lemma in synset.lemmas[1:]:
                if lemma.endswith(" State") and not lemma.startswith(synset.lemmas[0]):
                    table.fact(
                        cities.state_keys[synset.lemmas[0]], "state_nickname", f"the {lemma}"
                    )
                    break
        if "state capital" in synset.classes:
            for whole in synset.wholes:
                state = cities.state_keys.get(whole.lemmas[0])
                city = cities.largest(synset.lemmas[0], whole.lemmas[0])
                if state and city:
                    table.fact(state, "state_capital", city)
