"""National anthems: title, author of the words, composer."""

from __future__ import annotations

import re

from miniwiki_build.atlas import Land, dig
from miniwiki_build.table import Key, Table, clean

GENERIC = ("himno", "god save", "the national", "hymn", "our land", "patriotic song", "motherland")


def add_anthems(table: Table, atlas: dict[str, Land], countries: dict[str, Key]) -> None:
    """Adds the anthem of each country that has one with a plain title of its own."""
    for iso, land in atlas.items():
        if land.kind != "country":
            continue
        title = dig(land.book, "Government", "National anthem(s)", "title")
        found = re.match(r'^"([^"]+)"(?: \(([^)]+)\))?$', clean(title))
        if not found or found[1].lower().startswith(GENERIC) or "anthem" in found[1].lower():
            continue
        name = re.sub(r"[!?.]", "", found[1]).strip(" ,")
        key = table.entity(
            "anthem", f"{iso} {name}", name, [found[2] or ""], "", ("anthem", land.name)
        )
        table.fact(countries[iso], "country_anthem", key)
        makers = dig(land.book, "Government", "National anthem(s)", "lyrics/music")
        words, _, music = makers.partition("/")
        for relation, maker in (("anthem_author", words), ("anthem_composer", music)):
            person = clean(maker)
            if (
                re.fullmatch(r"[^\W\d_][\w'. -]+", person)
                and " and " not in person
                and any(part.isupper() and len(part) > 2 for part in person.split())
            ):
                table.fact(key, relation, " ".join(_case(part) for part in person.split()))


def _case(word: str) -> str:
    if len(word) > 1 and word.isupper() and "." not in word:
        return "-".join(part.capitalize() for part in word.split("-"))
    return word
