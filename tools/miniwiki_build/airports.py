"""Airports: codes, the city they serve, height above the sea."""

from __future__ import annotations

import csv

from miniwiki_build.cities import Cities
from miniwiki_build.sources import Sources
from miniwiki_build.table import Key, Table, clean, same

METRES_PER_FOOT = 0.3048
DEGREES = 0.6


def add_airports(table: Table, sources: Sources, cities: Cities, lands: dict[str, Key]) -> None:
    """Adds the airports with an IATA code that name a city of MiniWiki near them as theirs."""
    nearby: dict[tuple[str, str], list[int]] = {}
    for id_, record in cities.records.items():
        nearby.setdefault((record["countrycode"], clean(record["name"])[:1].lower()), []).append(
            id_
        )
    for row in csv.DictReader(sources.text("airportsdata", "airportsdata/airports.csv")):
        name = clean(row["name"])
        if not row["iata"] or len(name) < 6 or "/" in name or "(" in name or '"' in name:
            continue
        places = nearby.get((row["country"], clean(row["city"])[:1].lower()), ())
        found = [id_ for id_ in places if _serves(row, cities, id_)]
        if len(found) != 1 or "Airport" not in name:
            continue
        city = cities.keys[found[0]]
        place = table.rows[city].name
        key = table.entity("airport", row["iata"], name, (), "", (place, row["iata"]))
        table.fact(key, "airport_city", city)
        table.fact(key, "airport_iata", row["iata"])
        if row["icao"]:
            table.fact(key, "airport_icao", row["icao"])
        land = lands[row["country"]]
        if land[0] == "country":
            table.fact(key, "airport_country", land)
        if row["elevation"]:
            table.fact(key, "airport_elevation", round(float(row["elevation"]) * METRES_PER_FOOT))


def _serves(row: dict[str, str], cities: Cities, id_: int) -> bool:
    record = cities.records[id_]
    near = abs(record["latitude"] - float(row["lat"])) < DEGREES
    near = near and abs(record["longitude"] - float(row["lon"])) < DEGREES
    return near and same(record["name"], row["city"])
