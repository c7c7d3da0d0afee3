"""Readers of every text format: good lines are kept, bad ones counted by kind."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.formats import FORMATS, detect_format, known_format, read_passages
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport


def read(path: Path, **options: Any) -> tuple[list[Passage], ReadReport]:
    report = ReadReport()
    return list(read_passages(path, report=report, **options)), report


def write_lines(path: Path, *records: Any) -> Path:
    path.write_text("\n".join(r if isinstance(r, str) else json.dumps(r) for r in records))
    return path


def test_plain_jsonl(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "x.jsonl",
        {"id": "a", "title": "T", "text": "one"},
        {"id": 7, "text": "two", "title": None, "more": [1]},
        {"_id": "b", "contents": "three\nlines"},
        {"id": "c", "contents": '"Quoted"\nfour'},
    )
    passages, report = read(path)
    assert detect_format(path) == "jsonl"
    assert passages == [
        Passage("a", "T", "one"),
        Passage("7", "", "two"),
        Passage("b", "", "three\nlines"),
        Passage("c", "Quoted", "four"),
    ]
    assert (report.seen, report.kept, report.bad) == (4, 4, 0)


def test_wiki18(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "x.jsonl",
        {"id": "0", "contents": '"A "b" c"\ntext\nmore'},
        {"id": "1", "contents": "Bare\ntext"},
        {"id": "2", "contents": "no title line"},
    )
    passages, report = read(path)
    assert detect_format(path) == "wiki18"
    assert passages == [Passage("0", 'A "b" c', "text\nmore"), Passage("1", "Bare", "text")]
    assert report.problems["contents without a title line"].first == [3]


def test_dpr(tmp_path: Path) -> None:
    path = write_lines(
        tmp_path / "psgs_w100.tsv",
        "id\ttext\ttitle",
        '1\t"He said ""no""\tand left"\tA "B"',
        "2\tplain text\tTitle",
        "3\ttwo columns",
    )
    passages, report = read(path)
    assert detect_format(path) == "dpr"
    assert passages == [
        Passage("1", 'A "B"', 'He said "no"\tand left'),
        Passage("2", "Title", "plain text"),
    ]
    assert report.problems["not 3 columns"].first == [4]


def test_dpr_columns_may_stand_in_another_order_or_have_no_header(tmp_path: Path) -> None:
    other = write_lines(tmp_path / "a.tsv", "title\textra\tid\ttext", "T\tx\t1\ttext")
    assert read(other)[0] == [Passage("1", "T", "text")]
    bare = write_lines(tmp_path / "b.tsv", "1\ttext\tT")
    assert read(bare, format="dpr")[0] == [Passage("1", "T", "text")]


def test_compressed_files_are_read_alike(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.gz"
    path.write_bytes(gzip.compress(b'{"id": 1, "text": "x"}\n'))
    assert read(path)[0] == [Passage("1", "", "x")]


def test_every_kind_of_bad_line_is_counted_and_the_good_ones_kept(tmp_path: Path) -> None:
    good = b'{"id": "1", "text": "good"}'
    lines = {
        "byte order mark": b"\xef\xbb\xbf" + good,
        "broken JSON": b'{"id": "2", "text": ',
        "not a JSON object": b"[1, 2]",
        "no field 'text'": b'{"id": "3"}',
        "field 'text' is not text": b'{"id": "4", "text": 5}',
        "field 'id' is not text": b'{"id": [], "text": "x"}',
        "field 'title' is not text": b'{"id": "5", "title": 1, "text": "x"}',
        "empty text": b'{"id": "6", "text": "  "}',
        "empty id": b'{"id": "", "text": "x"}',
        "duplicate id": good,
        "not UTF-8": b'{"id": "7", "text": "\xff"}',
        "broken Unicode": b'{"id": "8", "text": "\\ud800"}',
        "passage over 50 characters": b'{"id": "9", "text": "' + b"x" * 51 + b'"}',
    }
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n".join([*lines.values(), b"[" * 100_000, b'{"id": 10, "text": "last"}']))
    passages, report = read(path, max_chars=50)
    assert [p.text for p in passages] == ["good", "last"]
    assert {kind: p.first[0] for kind, p in report.problems.items()} == {
        kind: number for number, kind in enumerate(lines, start=1)
    }
    assert report.problems["broken JSON"].first == [2, 14]
    assert report.kept + report.bad == report.seen == 15


def test_a_file_without_a_good_passage_is_an_error_that_says_what_was_expected(
    tmp_path: Path,
) -> None:
    path = write_lines(tmp_path / "x.jsonl", {"id": "1", "text": ""}, "{")
    with pytest.raises(CorpusError) as error:
        read(path)
    assert str(error.value) == (
        f"{path}: no good passage (1 x empty text (line 1); 1 x broken JSON (line 2)); "
        'expected lines of {"id", "title", "text"} or {"id", "contents"}'
    )


@pytest.mark.parametrize("content", ["", "  \n", "hello", "1,2,3", "{}", '{"question": "x"}'])
def test_content_of_no_format_is_refused(content: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text(content)
    with pytest.raises(CorpusError, match=r"is empty|looks like none of jsonl, wiki18"):
        read_passages(path)


def test_broken_first_lines_do_not_hide_the_format(tmp_path: Path) -> None:
    path = write_lines(tmp_path / "x", "garbage", '{"id"', {"id": "1", "text": "x"})
    assert read(path)[0] == [Passage("1", "", "x")]
    giant = write_lines(tmp_path / "y", {"id": "1", "text": "x" * 90_000})
    assert detect_format(giant) == "jsonl"


def test_an_unknown_format_gets_a_suggestion() -> None:
    assert known_format("wiki18") == "wiki18"
    with pytest.raises(CorpusError, match="did you mean 'hotpotqa'"):
        known_format("hotpot-qa")


def test_a_missing_file_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be read"):
        read_passages(tmp_path / "missing.jsonl")


TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool)
PASSAGES = st.lists(
    st.builds(Passage, TEXT, TEXT, TEXT), min_size=1, unique_by=lambda p: p.id
)  # fmt: skip


@settings(max_examples=40)
@given(PASSAGES)
def test_what_is_written_as_jsonl_or_wiki18_comes_back(
    tmp_path_factory: pytest.TempPathFactory, passages: list[Passage]
) -> None:
    folder = tmp_path_factory.mktemp("round")
    plain = write_lines(folder / "x.jsonl", *(p._asdict() for p in passages))
    assert read(plain)[0] == passages
    flat = [p._replace(title=" ".join(p.title.split())) for p in passages]
    wiki18 = write_lines(folder / "y.jsonl", *({"id": p.id, "contents": p.contents} for p in flat))
    assert read(wiki18, format="wiki18")[0] == flat


PIECES = st.one_of(
    st.binary(max_size=30),
    st.sampled_from([b'{"id": "1", "text": "x"}\n', b'{"id": "2", "contents": "\\"T\\"\\nx"}\n',
        b"id\ttext\ttitle\n", b"1\ta\tb\n", b'[{"context": [["T", ["s"]]]},', b"\n", b'"', b"{",
        b"\x1f\x8b\x08", b"BZh9", b"<mediawiki>", b"<page>", b"</page>", b"\xef\xbb\xbf", b"]"]),
)  # fmt: skip


@given(st.lists(PIECES, max_size=12), st.sampled_from([None, *FORMATS]))
def test_hostile_bytes_raise_nothing_but_corpus_errors(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[bytes], format: str | None
) -> None:
    path = tmp_path_factory.mktemp("hostile") / "x"
    path.write_bytes(b"".join(pieces))
    try:
        passages, report = read(path, format=format)
    except CorpusError as error:
        assert str(path) in str(error)
        assert "\n" not in str(error)
    else:
        assert len(passages) == report.kept > 0
        assert len({p.id for p in passages}) == len(passages)
        for passage in passages:
            passage.contents.encode()
