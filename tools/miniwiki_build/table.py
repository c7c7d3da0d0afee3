"""The table under construction: entities and facts, their checks, titles, ids and files."""

from __future__ import annotations

import re
import struct
import unicodedata
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

Key = tuple[str, str]
# Letters with the marks of scholarly transliteration, which English does not write.
_MACRON = re.compile(r"[āēīōūȳĀĒĪŌŪḩḨţŢḑḐz̧şḏẖṯŝḥṣṭẓḍĦ]")


@dataclass
class Row:
    """An entity while it is built.

    Attributes:
        type: Entity type.
        name: Name as written inside a sentence, without its article.
        aliases: Other names.
        article: ``"the"``, ``"a"``, ``"an"`` or empty: what goes before the name in a sentence.
        qualifiers: What may stand in brackets in the title when namesakes exist, best first.
    """

    type: str
    name: str
    aliases: list[str] = field(default_factory=list)
    article: str = ""
    qualifiers: tuple[str, ...] = ()


def ascii_fold(text: str) -> str:
    """Text without accents and other marks; letters that have no base form stay out."""
    swapped = text.translate(str.maketrans("łŁøØđĐıðÐþÞßæÆœŒħĦ’‘", "lLoOdDidDtTsaAoOhH''"))
    return unicodedata.normalize("NFKD", swapped).encode("ascii", "ignore").decode()


def same(left: str, right: str) -> bool:
    """Whether two sources write the same name, apart from accents, case and punctuation."""
    return slug(left) == slug(right)


def slug(text: str) -> str:
    """Lower-case ASCII words joined by hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", ascii_fold(text).lower()).strip("-")


def clean(text: str) -> str:
    """One line of NFC text with single blanks and straight apostrophes."""
    text = unicodedata.normalize("NFC", text).replace("’", "'").replace("‘", "'").replace("–", "-")
    text = _MACRON.sub(lambda found: ascii_fold(found[0]), text)
    return re.sub(r"\s+", " ", text).strip()


class Table:
    """Collects entities and facts from all sources."""

    def __init__(self) -> None:
        self.rows: dict[Key, Row] = {}
        self.facts: set[tuple[Key, str, Key | str]] = set()
        self.disputed: Counter[str] = Counter()

    def entity(
        self,
        type_: str,
        key: str,
        name: str,
        aliases: list[str] | tuple[str, ...] = (),
        article: str = "",
        qualifiers: tuple[str, ...] = (),
    ) -> Key:
        """Adds an entity, or more aliases to one that is there, and returns its key."""
        at = (type_, key)
        name = clean(name)
        if not name or "|" in name or "\t" in name:
            raise ValueError(f"{at}: bad name {name!r}")
        row = self.rows.setdefault(at, Row(type_, name, [], article, qualifiers))
        folded = ascii_fold(row.name)
        for alias in [*aliases, folded]:
            alias = clean(alias)
            if alias and alias != row.name and alias not in row.aliases and "|" not in alias:
                row.aliases.append(alias)
        return at

    def fact(self, subject: Key, relation: str, value: Key | str | int) -> None:
        """Adds one fact; the value is an entity's key, a number or a text."""
        if subject not in self.rows:
            raise ValueError(f"{relation}: unknown subject {subject}")
        if isinstance(value, tuple):
            if value not in self.rows:
                raise ValueError(f"{relation}: unknown object {value}")
            self.facts.add((subject, relation, value))
        else:
            self.facts.add((subject, relation, clean(str(value))))

    def settle(self, functional: frozenset[str]) -> None:
        """Leaves out every value of a one-valued relation that has several, then lone entities."""
        values: dict[tuple[Key, str], int] = Counter((s, r) for s, r, _ in self.facts)
        for fact in sorted(self.facts, key=str):
            if fact[1] in functional and values[fact[0], fact[1]] > 1:
                self.facts.discard(fact)
                self.disputed[fact[1]] += 1
        self._plain_places()
        used = {s for s, _, _ in self.facts} | {o for _, _, o in self.facts if isinstance(o, tuple)}
        self.rows = {key: row for key, row in self.rows.items() if key in used}

    def _plain_places(self) -> None:
        """Takes the names of countries, states and cities from the aliases of other places."""
        names = {r.name for r in self.rows.values() if r.type in ("country", "state", "city")}
        for row in self.rows.values():
            if row.type in ("river", "mountain", "sea", "lake", "airport", "anthem", "range"):
                row.aliases = [alias for alias in row.aliases if alias not in names]

    def titles(self) -> dict[Key, str]:
        """A title for every entity, unique ignoring case; namesakes get a bracket."""
        groups: dict[str, list[Key]] = defaultdict(list)
        for key in sorted(self.rows):
            groups[self.rows[key].name.casefold()].append(key)
        titles: dict[Key, str] = {}
        for keys in groups.values():
            names = {key: _title(self.rows[key].name) for key in keys}
            if len(keys) > 1:
                names = {key: _bracket(names[key], self.rows[key], keys, self.rows) for key in keys}
            titles.update(names)
        clashes = Counter(title.casefold() for title in titles.values())
        return {key: title for key, title in titles.items() if clashes[title.casefold()] == 1}

    def write(self, folder: Path) -> tuple[int, int]:
        """Writes ``entities.tsv.gz`` and ``facts.tsv.gz``; returns the two row counts."""
        titles = self.titles()
        ids = _ids(titles, self.rows)
        entities = []
        for key, id_ in ids.items():
            row = self.rows[key]
            entities.append(
                (id_, row.type, row.name, "|".join(row.aliases), titles[key], row.article)
            )
        facts = [
            (ids[s], r, ids[o] if isinstance(o, tuple) else o)
            for s, r, o in self.facts
            if s in ids and (not isinstance(o, tuple) or o in ids)
        ]
        _write(folder / "entities.tsv.gz", entities)
        _write(folder / "facts.tsv.gz", facts)
        return len(entities), len(facts)


def _title(name: str) -> str:
    return name[0].upper() + name[1:]


def _bracket(name: str, row: Row, keys: list[Key], rows: dict[Key, Row]) -> str:
    """The name with the first qualifier no namesake shares."""
    others = [rows[key] for key in keys if rows[key] is not row]
    for qualifier in row.qualifiers:
        if all(qualifier not in other.qualifiers for other in others):
            return f"{name} ({qualifier})"
    return f"{name} ({row.type if not row.qualifiers else row.qualifiers[-1]})"


def _ids(titles: dict[Key, str], rows: dict[Key, Row]) -> dict[Key, str]:
    ids: dict[Key, str] = {}
    taken: Counter[str] = Counter()
    for key in sorted(titles):
        base = f"{rows[key].type}:{slug(titles[key]) or slug(key[1])}"
        taken[base] += 1
        ids[key] = base if taken[base] == 1 else f"{base}-{taken[base]}"
    return ids


def _write(path: Path, rows: Iterable[tuple[str, ...]]) -> None:
    text = "".join("\t".join(row) + "\n" for row in sorted(rows))
    path.write_bytes(gzipped(text.encode("utf-8")))


def gzipped(data: bytes) -> bytes:
    """A gzip file without name, time or system, so that the same data gives the same bytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(data) + packer.flush()
    tail = struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff" + body + tail
