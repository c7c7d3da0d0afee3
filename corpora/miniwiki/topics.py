"""Seed topics: what a generator may be asked to write questions about."""

from __future__ import annotations

from asl_env.corpora.miniwiki.facts import Facts

# Relation whose subjects are spoken of together, and how: "cities in Japan".
_GROUPS: tuple[tuple[str, str, int], ...] = (
    ("city_country", "cities in {o}", 12),
    ("country_continent", "countries of {o}", 8),
    ("country_region", "countries of {o}", 5),
    ("country_language", "countries where {o} is spoken", 3),
    ("country_currency", "countries that pay with {o}", 3),
    ("city_state", "cities in the state of {o}", 6),
    ("element_series", "chemical elements: {o}", 5),
    ("element_country", "chemical elements discovered in {o}", 5),
)
_GENERAL = (
    "chemical elements and their discoverers",
    "capitals of the world",
    "borders between countries",
    "currencies",
    "official languages",
    "independence of countries",
)


def topics(facts: Facts) -> tuple[str, ...]:
    """Topics with enough articles behind them, the broad ones first.

    Args:
        facts: The facts to group.

    Returns:
        At least seventy distinct phrases, always in the same order.
    """
    found = list(_GENERAL)
    for relation, phrase, least in _GROUPS:
        objects = {fact.object for fact in facts.of_relation(relation)}
        for object_ in sorted(objects):
            if len(facts.subjects(relation, object_)) >= least:
                found.append(phrase.replace("{o}", facts.entities[object_].phrase))
    return tuple(dict.fromkeys(found))
