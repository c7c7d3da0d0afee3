"""Seed topics: what a generator may be asked to write questions about."""

from __future__ import annotations

from asl_env.corpora.miniwiki.facts import Facts

# Relation whose subjects are spoken of together, how, and how many there must be.
_GROUPS: tuple[tuple[str, str, int], ...] = (
    ("country_continent", "countries of {o}", 8),
    ("country_region", "countries of {o}", 6),
    ("country_language", "countries where {o} is spoken", 4),
    ("city_country", "cities in {o}", 40),
    ("city_state", "cities in the state of {o}", 15),
    ("river_country", "rivers in {o}", 6),
    ("river_state", "rivers in the state of {o}", 6),
    ("mountain_country", "mountains in {o}", 6),
    ("mountain_range", "peaks of {o}", 3),
    ("lake_country", "lakes in {o}", 5),
    ("element_series", "chemical elements: {o}", 5),
    ("element_country", "chemical elements discovered in {o}", 5),
    ("moon_planet", "moons of {o}", 2),
    ("figure_mythology", "gods and heroes of {o}", 8),
    ("battle_war", "battles of {o}", 4),
    ("film_genre", "films: {o}", 60),
    ("film_director", "films directed by {o}", 6),
    ("person_profession", "people remembered as {o}", 30),
    ("person_country", "notable people of {o}", 25),
    ("airport_country", "airports in {o}", 20),
    ("park_state", "national parks in the state of {o}", 3),
)
_GENERAL = (
    "chemical elements and their discoverers",
    "capitals of the world",
    "borders between countries",
    "currencies",
    "official languages",
    "independence of countries",
    "national anthems and their authors",
    "rivers and the seas they reach",
    "mountains and their heights",
    "lakes of the world",
    "planets and moons",
    "constellations",
    "Greek and Roman mythology",
    "battles and wars",
    "films and their directors",
    "scientists",
    "writers and poets",
    "composers and musicians",
    "painters and sculptors",
    "kings and queens",
    "airports",
    "national parks",
    "universities",
    "families of famous people",
)


def topics(facts: Facts) -> tuple[str, ...]:
    """Topics with enough articles behind them, the broad ones first.

    Args:
        facts: The facts to group.

    Returns:
        Distinct phrases, always in the same order.
    """
    found = list(_GENERAL)
    for relation, phrase, least in _GROUPS:
        objects = sorted({fact.object for fact in facts.of_relation(relation)})
        found.extend(
            phrase.replace("{o}", facts.entities[object_].phrase)
            for object_ in objects
            if len(facts.subjects(relation, object_)) >= least
        )
    return tuple(dict.fromkeys(found))
