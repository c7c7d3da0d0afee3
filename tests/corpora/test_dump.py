"""Pages out of a dump: every page is yielded or counted, and nothing ends the run."""

from __future__ import annotations

import bz2
import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.dump import MAX_PAGE, Page, read_pages, read_site
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.report import ReadReport

PAGE = "<page><title>{}</title><ns>0</ns><id>{}</id><revision><text>{}</text></revision></page>"


def pages_of(path: Path) -> tuple[list[Page], ReadReport]:
    report = ReadReport()
    return [page for _, page in read_pages(path, report)], report


def test_broken_pages_are_counted_and_the_others_read(dump: Path) -> None:
    pages, report = pages_of(dump)
    assert [page.title for page in pages] == [
        "Abel", "Abell", "Gone", "Talk:Abel", "Unclosed", "Empty", "Only a table", "Hostile",
        "Old form", "Bela",
    ]  # fmt: skip
    assert report.unit == "page"
    assert report.seen == 13
    assert {kind: p.first for kind, p in report.problems.items()} == {
        "broken XML": [8, 10],
        "page without a title": [9],
    }


def test_a_page_over_the_limit_is_skipped_without_being_held(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    giant = PAGE.format("Giant", 2, "x" * (MAX_PAGE + 1))
    path.write_text(PAGE.format("A", 1, "a") + giant + PAGE.format("B", 3, "b"))
    pages, report = pages_of(path)
    assert [page.title for page in pages] == ["A", "B"]
    assert report.problems[f"page over {MAX_PAGE:,} bytes"].first == [2]


def test_redirects_and_namespaces_are_read(dump: Path) -> None:
    pages = {page.title: page for page in pages_of(dump)[0]}
    assert pages["Abell"].redirect == "Abel"
    assert pages["Old form"].redirect == "abel#Trade"
    assert pages["Abel"].redirect is None
    assert pages["Talk:Abel"].namespace == 1
    assert pages["Abel"].id == "1"


def test_the_head_names_the_wiki_and_its_namespaces(dump: Path) -> None:
    site = read_site(dump)
    assert site.name == "testwiki"
    assert site.base == "https://test.example/wiki/Main_Page"
    assert site.namespaces == {"talk", "datei", "kategorie"}


def test_a_dump_without_a_head_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<mediawiki>" + PAGE.format("A", 1, "text") + "</mediawiki>")
    assert read_site(path).namespaces == frozenset()
    assert pages_of(path)[0] == [Page("1", "A", 0, None, "text")]


@pytest.mark.parametrize("compress", [bz2.compress, gzip.compress, bytes])
def test_every_compression_gives_the_same_pages(
    compress: Callable[[bytes], bytes], dump: Path, dump_text: str, tmp_path: Path
) -> None:
    path = tmp_path / "dump"
    path.write_bytes(compress(dump_text.encode()))
    assert pages_of(path) == pages_of(dump)


def test_entity_declarations_never_reach_a_parser(tmp_path: Path) -> None:
    declarations = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa">'
    declarations += "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    path = tmp_path / "bomb.xml"
    good = PAGE.format("Good", 2, "text")
    path.write_text(
        f"{declarations}]><mediawiki>{PAGE.format('Bomb', 1, '&a9;')}{good}"
        f'<page><!DOCTYPE y [<!ENTITY b SYSTEM "file:///etc/passwd">]>{PAGE.format("C", 3, "&b;")}'
        "</mediawiki>"
    )
    pages, report = pages_of(path)
    assert [page.title for page in pages] == ["Good"]
    assert report.problems["broken XML"].first == [1, 3]


def test_a_dump_that_is_cut_off_keeps_what_it_has(dump: Path, tmp_path: Path) -> None:
    plain = tmp_path / "cut.xml"
    plain.write_text("<mediawiki>" + PAGE.format("A", 1, "x") + "<page><title>B")
    pages, report = pages_of(plain)
    assert [page.title for page in pages] == ["A"]
    assert report.problems["page cut off at the end of the file"].first == [2]


@pytest.mark.parametrize(
    ("cut", "kind"),
    [
        (lambda data: data[:-40], "damaged or cut archive, the rest is lost"),
        (lambda data: data[: data.rindex(b"BZh")], "page cut off at the end of the file"),
    ],
)
def test_an_archive_that_is_cut_off_keeps_what_it_has(
    cut: Callable[[bytes], bytes], kind: str, dump: Path, tmp_path: Path
) -> None:
    path = tmp_path / "cut.bz2"
    path.write_bytes(cut(dump.read_bytes()))
    pages, report = pages_of(path)
    assert [page.title for page in pages[:4]] == ["Abel", "Abell", "Gone", "Talk:Abel"]
    assert kind in report.problems


def multistream(path: Path, streams: int = 12, pages: int = 5) -> list[bytes]:
    """Writes a dump of many streams with whole pages in each, and returns the streams."""
    bodies = [
        "".join(PAGE.format(f"S{s} P{p}", s * pages + p, f"text {s}") for p in range(pages))
        for s in range(streams)
    ]
    parts = [bz2.compress(part.encode()) for part in ("<mediawiki>", *bodies, "</mediawiki>")]
    path.write_bytes(b"".join(parts))
    return parts


def test_a_damaged_stream_costs_its_own_pages_only(tmp_path: Path) -> None:
    path = tmp_path / "dump.bz2"
    parts = multistream(path)
    whole = pages_of(path)[0]
    parts[4] = parts[4][:30] + bytes([parts[4][30] ^ 0xFF]) + parts[4][31:]
    path.write_bytes(b"".join(parts))
    pages, report = pages_of(path)
    assert pages == [page for page in whole if not page.title.startswith("S3 ")]
    assert report.lines() == ["1 x damaged stream of the archive, its pages are lost (page 16)"]


@given(st.data())
def test_bytes_changed_anywhere_in_a_dump_end_no_run(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    path = tmp_path_factory.mktemp("flips") / "dump.bz2"
    multistream(path, streams=4, pages=2)
    damaged = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(damaged[: data.draw(st.integers(1, len(damaged)))])
    try:
        pages, _ = pages_of(path)
    except CorpusError as error:
        assert "\n" not in str(error)
    else:
        assert all(page.title[0] == "S" and page.wikitext.startswith("text") for page in pages)


def test_a_dump_cut_off_between_pages_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<mediawiki>" + PAGE.format("A", 1, "x") + " " * 3_000_000)
    pages, report = pages_of(path)
    assert len(pages) == 1
    assert report.problems["dump cut off, it has no </mediawiki>"].first == [1]


def test_what_is_no_dump_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "x.xml"
    path.write_text("<html>no pages here</html>")
    with pytest.raises(CorpusError, match="expected a MediaWiki XML dump"):
        pages_of(path)


def test_memory_does_not_grow_with_the_dump(tmp_path: Path) -> None:
    path = tmp_path / "long.xml"
    with path.open("w") as file:
        file.write("<mediawiki>")
        for number in range(300):
            file.write(PAGE.format(f"T{number}", number, "word " * 20_000))
    tracemalloc.start()
    count = sum(1 for _ in read_pages(path, ReadReport()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 300
    assert path.stat().st_size > 30_000_000
    assert peak < 8_000_000


PIECES = (b"<page> </page> <title>a</title> <revision> </revision> <text> </text> & < "
          b"<!DOCTYPE-a> \xff </mediawiki> xxxxxxxxxxxxxxxxxxxxxx").split(b" ")  # fmt: skip


@given(st.lists(st.sampled_from(PIECES)))
def test_hostile_pages_raise_nothing_but_corpus_errors(
    tmp_path_factory: pytest.TempPathFactory, parts: list[bytes]
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "x.xml"
    path.write_bytes(b"<mediawiki>" + b"".join(parts))
    try:
        pages, report = pages_of(path)
    except CorpusError:
        assert b"<page>" not in path.read_bytes()
    else:
        end = report.problems.get("dump cut off, it has no </mediawiki>")
        assert report.seen == len(pages) + report.bad - (end.count if end else 0)
