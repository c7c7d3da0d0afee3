"""A tiny world whose every answer can be worked out by hand."""

from __future__ import annotations

import pytest

from asl_env.corpora.miniwiki.facts import Entity, Fact, Facts

_ENTITIES = (
    ("country:oria", "Oria", ("Republic of Oria",), "Oria", ""),
    ("country:marsh-isles", "Marsh Isles", (), "Marsh Isles", "the"),
    ("country:bosk-and-vale", "Bosk and Vale", (), "Bosk and Vale", ""),
    ("city:tem", "Tem", (), "Tem", ""),
    ("city:port-or-bay", "Port or Bay", (), "Port or Bay", ""),
    ("city:lark-oria", "Lark", (), "Lark (Oria)", ""),
    ("city:lark-marsh-isles", "Lark", (), "Lark (Marsh Isles)", ""),
    ("country:lark", "Lark", (), "Lark (country)", ""),
    ("city:quill", "Quill", ("Quíll",), "Quill", ""),
    ("currency:orian-crown", "Orian crown", (), "Orian crown", "the"),
    ("continent:ost", "Ost", (), "Ost", ""),
    ("element:wuttium", "wuttium", (), "Wuttium", ""),
    ("person:ann-dee", "Ann Dee", ("Dee",), "Ann Dee", ""),
    ("person:bo-dee", "Bo Dee", ("Dee",), "Bo Dee", ""),
)

_FACTS = (
    ("country:oria", "country_capital", "city:tem"),
    ("country:oria", "country_continent", "continent:ost"),
    ("country:marsh-isles", "country_continent", "continent:ost"),
    ("country:bosk-and-vale", "country_continent", "continent:ost"),
    ("country:oria", "country_area", "1234567"),
    ("country:marsh-isles", "country_area", "2000"),
    ("country:bosk-and-vale", "country_area", "2000"),
    ("country:oria", "country_border", "country:bosk-and-vale"),
    ("country:bosk-and-vale", "country_border", "country:oria"),
    ("country:oria", "country_currency", "currency:orian-crown"),
    ("country:oria", "country_domain", ".or"),
    ("country:marsh-isles", "country_calling_code", "+99"),
    ("city:tem", "city_country", "country:oria"),
    ("city:lark-oria", "city_country", "country:oria"),
    ("city:port-or-bay", "city_country", "country:marsh-isles"),
    ("city:lark-marsh-isles", "city_country", "country:marsh-isles"),
    ("city:quill", "city_country", "country:bosk-and-vale"),
    ("city:tem", "city_population", "500000"),
    ("city:lark-oria", "city_population", "90000"),
    ("city:port-or-bay", "city_population", "1000"),
    ("city:lark-marsh-isles", "city_population", "70000"),
    ("element:wuttium", "element_discoverer", "person:ann-dee"),
    ("element:wuttium", "element_discoverer", "person:bo-dee"),
    ("element:wuttium", "element_year", "-50"),
)


@pytest.fixture(scope="session")
def small_facts() -> Facts:
    """The facts of the tiny world."""
    entities = [
        Entity(id_, id_.split(":")[0], name, aliases, title, article)
        for id_, name, aliases, title, article in _ENTITIES
    ]
    return Facts(entities, [Fact(*fact) for fact in sorted(_FACTS)])
