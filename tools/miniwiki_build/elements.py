"""Chemical elements: symbols, places in the table, discoveries."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from miniwiki_build.sources import Sources
from miniwiki_build.table import Key, Table, ascii_fold

if TYPE_CHECKING:
    from miniwiki_build.people import People

SERIES = {"Poor metals": "post-transition metal"}
PLACES = {"England": "GB", "Scotland": "GB", "Great Britain": "GB", "United States": "US"}
SPELLINGS = {"Aluminum": "Aluminium"}


def add_elements(
    table: Table, sources: Sources, countries: dict[str, Key], people: People
) -> dict[str, Key]:
    """Adds the elements; returns their keys by symbol.

    Args:
        table: The table.
        sources: The packages.
        countries: Country keys by ISO code.
        people: The people already in the table.
    """
    second = {
        row["symbol"]: row
        for row in sources.json("periodic-table-data-complete", "package/pTable.json")
        if row.get("symbol")
    }
    by_name = {table.rows[key].name: key for key in countries.values()}
    keys = {}
    for row in _rows(sources):
        other = second[row["symbol"]]
        name = row["name"].lower()
        key = table.entity(
            "element",
            row["symbol"],
            name,
            [SPELLINGS.get(row["name"], "").lower()],
            "",
            ("element",),
        )
        keys[row["symbol"]] = key
        table.fact(key, "element_symbol", row["symbol"])
        table.fact(key, "element_number", row["atomic_number"])
        table.fact(key, "element_period", row["period"])
        if row["group_id"] and row["group_id"] == other.get("group"):
            table.fact(key, "element_group", row["group_id"])
        _series(table, key, row["series"], other.get("series") or "")
        _discovery(table, key, row, other.get("discovered") or {}, by_name, countries, people)
        for relation, field in (("melting_point", "melting_point"), ("boiling_point",) * 2):
            if other.get(field):
                table.fact(key, f"element_{relation}", round(other[field]))
    return keys


def _rows(sources: Sources) -> list[sqlite3.Row]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "elements.db")
        path.write_bytes(sources.read("mendeleev", "mendeleev/elements.db"))
        connection = sqlite3.connect(path)
        connection.row_factory = sqlite3.Row
        rows = connection.execute(
            "select e.*, s.name as series from elements e left join series s on s.id = e.series_id "
            "order by atomic_number"
        ).fetchall()
        connection.close()
    return rows


def _series(table: Table, key: Key, mine: str | None, theirs: str) -> None:
    name = SERIES.get(mine or "", (mine or "").lower().rstrip("s"))
    if name and name == theirs:
        article = "an" if name[0] in "aeiou" else "a"
        at = table.entity("series", name, name, (), article, ("series",))
        table.fact(key, "element_series", at)


def _discovery(
    table: Table,
    key: Key,
    row: sqlite3.Row,
    other: dict[str, Any],
    by_name: dict[str, Key],
    countries: dict[str, Key],
    people: People,
) -> None:
    """Year, place and discoverers where the two sources agree."""
    year = row["discovery_year"]
    if year and year == other.get("year"):
        table.fact(key, "element_year", year)
    place = row["discovery_location"] or ""
    mine = countries.get(PLACES.get(place, "")) or by_name.get(place)
    theirs = re.sub(r"^The ", "", other.get("location") or "")
    if mine and table.rows[mine].name == theirs:
        table.fact(key, "element_country", mine)
    for name in re.split(r",| and ", row["discoverers"] or ""):
        if _surname(name) and _surname(name) == _surname(other.get("by") or ""):
            full = re.sub(r" \(.*", "", other["by"])
            at = people.named(full) or table.entity("person", full, full, (), "", ("chemist",))
            table.fact(key, "element_discoverer", at)
    _named_after(table, key, row["name_origin"] or "", people, countries, by_name)


def _named_after(
    table: Table,
    key: Key,
    origin: str,
    people: People,
    countries: dict[str, Key],
    by_name: dict[str, Key],
) -> None:
    """Whom or which country the element's name honours."""
    if not re.match(r"(?:Named|In honor)", origin):
        return
    for name in re.findall(r"[A-Z][a-z]+(?: [A-Z][a-z]+)+", origin):
        honoured = people.named(name)
        if honoured:
            table.fact(key, "element_named_after", honoured)
    found = re.match(r"Named (?:for|after) (?:the country of )?([A-Z][a-z]+)\b", origin)
    if found and found[1] in by_name:
        table.fact(key, "element_named_for_country", by_name[found[1]])


def _surname(name: str) -> str:
    words = re.sub(r"\(.*", "", ascii_fold(name)).split()
    return words[-1].lower() if words else ""
