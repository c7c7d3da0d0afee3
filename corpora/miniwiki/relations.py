"""The relations of MiniWiki: what kinds of facts there are."""

from __future__ import annotations

from typing import NamedTuple


class Relation(NamedTuple):
    """A kind of fact.

    Attributes:
        name: Its name, ``<subject type>_<what>``.
        subject_type: Entity type of the subject.
        object_kind: An entity type, or ``"number:<unit>"``, ``"year"``, ``"text"``.
        functional: Each subject has at most one object.
        inverse_functional: Each object has at most one subject.
        family: The group of facts it belongs to.
    """

    name: str
    subject_type: str
    object_kind: str
    functional: bool
    inverse_functional: bool
    family: str

    @property
    def literal(self) -> bool:
        """Whether objects are numbers, years or texts rather than entities."""
        return self.object_kind in ("year", "text") or self.object_kind.startswith("number:")

    @property
    def numeric(self) -> bool:
        """Whether objects can be compared by size."""
        return self.object_kind == "year" or self.object_kind.startswith("number:")


# name, object kind, and marks: f = functional, i = inverse functional. The subject type is the
# part of the name before the first underscore.
_TABLE: dict[str, tuple[tuple[str, str, str], ...]] = {
    "capitals": (
        ("country_capital", "city", "fi"),
        ("territory_capital", "city", "fi"),
    ),
    "borders": (("country_border", "country", ""),),
    "currencies": (
        ("country_currency", "currency", "f"),
        ("currency_code", "text", "fi"),
    ),
    "languages": (
        ("country_language", "language", ""),
        ("language_code", "text", "fi"),
    ),
    "countries": (
        ("country_continent", "continent", "f"),
        ("country_region", "region", "f"),
        ("country_area", "number:km2", "f"),
        ("country_calling_code", "text", "f"),
        ("country_domain", "text", "fi"),
        ("country_code", "text", "fi"),
        ("country_demonym", "text", "f"),
        ("country_independence", "year", "f"),
        ("country_independent_from", "country", "f"),
    ),
    "territories": (
        ("territory_sovereign", "country", "f"),
        ("territory_continent", "continent", "f"),
        ("territory_area", "number:km2", "f"),
    ),
    "cities": (
        ("city_country", "country", "f"),
        ("city_territory", "territory", "f"),
        ("city_state", "state", "f"),
        ("city_river", "river", ""),
        ("city_sea", "sea", "f"),
        ("city_population", "number:people", "f"),
        ("city_nearest", "city", "f"),
        ("city_capital_distance", "number:km", "f"),
        ("city_timezone", "text", "f"),
    ),
    "states": (
        ("state_capital", "city", "fi"),
        ("state_code", "text", "fi"),
        ("state_nickname", "text", "f"),
    ),
    "rivers": (
        ("river_country", "country", ""),
        ("river_state", "state", ""),
        ("river_tributary_of", "river", "f"),
        ("river_sea", "sea", "f"),
        ("river_length", "number:km", "f"),
        ("river_source", "country", "f"),
        ("river_mouth", "country", "f"),
    ),
    "seas and lakes": (
        ("sea_part_of", "sea", "f"),
        ("lake_country", "country", ""),
        ("lake_area", "number:km2", "f"),
        ("lake_water", "text", "f"),
    ),
    "mountains": (
        ("mountain_country", "country", ""),
        ("mountain_state", "state", ""),
        ("mountain_range", "range", "f"),
        ("mountain_height", "number:m", "f"),
        ("country_highest_point", "mountain", "f"),
    ),
    "elements": (
        ("element_symbol", "text", "fi"),
        ("element_number", "number:protons", "fi"),
        ("element_period", "number:period", "f"),
        ("element_group", "number:group", "f"),
        ("element_series", "series", "f"),
        ("element_melting_point", "number:K", "f"),
        ("element_boiling_point", "number:K", "f"),
    ),
    "discoveries": (
        ("element_year", "year", "f"),
        ("element_country", "country", "f"),
        ("element_discoverer", "person", ""),
        ("element_named_after", "person", ""),
        ("element_named_for_country", "country", "f"),
    ),
    "planets and moons": (
        ("planet_order", "number:place", "fi"),
        ("planet_class", "text", "f"),
        ("planet_radius", "number:km", "f"),
        ("moon_planet", "planet", "f"),
        ("moon_radius", "number:km", "f"),
    ),
    "constellations": (
        ("constellation_hemisphere", "text", "f"),
        ("constellation_near", "constellation", ""),
        ("constellation_group", "text", "f"),
        ("constellation_star", "text", "f"),
    ),
    "people": (
        ("person_profession", "profession", ""),
        ("person_country", "country", "f"),
        ("person_birth", "year", "f"),
        ("person_death", "year", "f"),
        ("person_birthplace", "country", "f"),
        ("person_deed", "text", "f"),
    ),
    "kinship": (
        ("person_parent", "person", ""),
        ("person_spouse", "person", ""),
        ("person_sibling", "person", ""),
    ),
    "mythology": (
        ("figure_mythology", "mythology", "f"),
        ("figure_domain", "text", "f"),
        ("figure_parent", "figure", ""),
        ("figure_spouse", "figure", ""),
        ("figure_sibling", "figure", ""),
        ("figure_counterpart", "figure", ""),
    ),
    "battles": (
        ("battle_year", "year", "f"),
        ("battle_war", "war", "f"),
    ),
    "works and authors": (
        ("film_director", "person", ""),
        ("film_year", "year", "f"),
        ("film_runtime", "number:minutes", "f"),
        ("film_genre", "genre", ""),
        ("country_anthem", "anthem", "f"),
        ("anthem_author", "text", "f"),
        ("anthem_composer", "text", "f"),
    ),
    "airports": (
        ("airport_city", "city", "f"),
        ("airport_country", "country", "f"),
        ("airport_iata", "text", "fi"),
        ("airport_icao", "text", "fi"),
        ("airport_elevation", "number:m", "f"),
    ),
    "parks and universities": (
        ("park_state", "state", ""),
        ("park_country", "country", "f"),
        ("university_city", "city", "f"),
        ("university_state", "state", "f"),
    ),
}

RELATIONS: dict[str, Relation] = {
    name: Relation(name, name.split("_")[0], kind, "f" in marks, "i" in marks, family)
    for family, rows in _TABLE.items()
    for name, kind, marks in rows
}
FAMILIES: tuple[str, ...] = tuple(_TABLE)
