"""Planets, moons and constellations."""

from __future__ import annotations

import re

from miniwiki_build.sources import Sources
from miniwiki_build.table import Key, Table
from miniwiki_build.wordnet import Synset

CLASSES = {"terrestrial planet": "a terrestrial planet", "Jovian planet": "a gas giant"}
ORDER = ("Mercury", "Venus", "Earth", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune")
_RADIUS = r'R_mean_{name} = Constant\(\s*"[^"]*",\s*"[^"]*",\s*([\d.e+]+),'
MOON = re.compile(
    r"\bof (?:the )?(Earth|Mars|Jupiter|Saturn|Uranus|Neptune)\b|(Jupiter)'s satellites"
)


def add_sky(table: Table, sources: Sources, things: list[Synset]) -> dict[str, Key]:
    """Adds planets, moons and constellations; returns the planets' keys by name."""
    constants = sources.read("boinor", "boinor/constants/general.py").decode()
    planets: dict[str, Key] = {}
    for synset in things:
        for class_ in synset.classes:
            if class_ in CLASSES and synset.lemmas[0] in ORDER:
                _planet(table, synset.lemmas[0], CLASSES[class_], constants, planets)
    for synset in things:
        if {"satellite", "Galilean satellite", "moon"} & set(synset.classes):
            found = MOON.search(synset.gloss)
            if found:
                name = synset.lemmas[0]
                article = "the" if name == "Moon" else ""
                key = table.entity("moon", synset.id, name, (), article, ("moon",))
                table.fact(key, "moon_planet", planets[found[1] or found[2]])
                _radius(table, key, "moon_radius", name, constants)
    _constellations(table, things)
    return planets


def _planet(table: Table, name: str, class_: str, constants: str, planets: dict[str, Key]) -> None:
    key = table.entity("planet", name, name, (), "", ("planet",))
    planets[name] = key
    table.fact(key, "planet_order", ORDER.index(name) + 1)
    table.fact(key, "planet_class", class_)
    _radius(table, key, "planet_radius", name, constants)


def _radius(table: Table, key: Key, relation: str, name: str, constants: str) -> None:
    found = re.search(_RADIUS.format(name=name.lower()), constants)
    if found:
        table.fact(key, relation, round(float(found[1]) / 1000))


def _constellations(table: Table, things: list[Synset]) -> None:
    skies = [s for s in things if "constellation" in s.classes]
    keys = {}
    for synset in skies:
        keys[synset.lemmas[0]] = table.entity(
            "constellation", synset.id, synset.lemmas[0], synset.lemmas[1:], "", ("constellation",)
        )
    for synset in skies:
        key = keys[synset.lemmas[0]]
        half = re.search(r"\b(northern|southern) hemisphere", synset.gloss)
        if half:
            table.fact(key, "constellation_hemisphere", half[1])
        near = re.search(r"\b(?:near|between) ([^;]+)", synset.gloss)
        for name in re.findall(r"[A-Z]\w+(?: [A-Z]\w+)?", near[1] if near else ""):
            if name in keys and keys[name] != key:
                table.fact(key, "constellation_near", keys[name])
        zodiac = "zodiacal" in synset.gloss
        if zodiac:
            table.fact(key, "constellation_group", "the zodiac")
        star = re.search(
            r"contains (?:the (?:bright )?stars? )?([A-Z][a-z]+)(?=$|;| and)", synset.gloss
        )
        if star:
            table.fact(key, "constellation_star", star[1])
