"""From a source to a store."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asl_env.corpora.build import LINKS, REDIRECTS, build_store, read_links, read_redirects
from asl_env.corpora.catalog import open_corpus
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.store import PassageStore
from asl_env.corpora.wikipedia import resolve


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "x.jsonl"
    records = [{"id": str(i), "text": f"text {i}"} for i in range(1000)]
    path.write_text("{broken\n" + "\n".join(map(json.dumps, records)))
    return path


def test_a_file_becomes_a_store_and_the_bad_is_reported(file: Path, tmp_path: Path) -> None:
    told: list[tuple[int, float]] = []
    store, report = build_store(
        file, tmp_path / "s", progress=lambda count, share: told.append((count, share))
    )
    assert store.count == 1000
    assert store.digest == open_corpus(file).digest
    assert report.bad == 1
    assert store.manifest["notes"]["report"] == report.to_json()
    assert store.manifest["name"] == "x.jsonl"
    assert [count for count, _ in told] == [200, 400, 600, 800, 1000]
    assert all(0 < share <= 1 for _, share in told)


def test_strict_refuses_anything_bad_and_leaves_nothing(file: Path, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match=r"x.jsonl: 1 x broken JSON \(line 1\)"):
        build_store(file, tmp_path / "s", strict=True)
    assert [path.name for path in tmp_path.iterdir()] == ["x.jsonl"]


def test_a_store_is_copied_with_its_attribution(file: Path, tmp_path: Path) -> None:
    (tmp_path / "ATTRIBUTION").write_text("by them")
    first = build_store(file, tmp_path / "a").store
    second = build_store(tmp_path / "a", tmp_path / "b", compression="zlib").store
    assert first.digest == second.digest
    assert second.attribution == "by them"


def test_a_dump_keeps_redirects_and_links(dump: Path, tmp_path: Path) -> None:
    store, report = build_store(dump, tmp_path / "s")
    redirects = read_redirects(store)
    assert redirects == {"Abell": "Abel", "Gone": "Nowhere at all", "Old form": "Abel"}
    assert resolve("Old form", redirects) == "Abel"
    links = dict(read_links(store))
    assert links["Abel"] == ("City", "Sky Lake", "Bela", "Salt")
    assert links["Bela"] == ("River",)
    assert {p.title for p in store} == {"Abel", "Unclosed", "Hostile", "Bela"} == set(links)
    assert report.tallies["redirects to nowhere"] == 1
    assert report.kept == store.count
    assert {REDIRECTS, LINKS} < store.manifest["files"].keys()
    assert "CC BY-SA" in store.attribution
    store.verify()


def test_the_same_dump_gives_the_same_bytes(dump: Path, tmp_path: Path) -> None:
    for name, workers in (("a", 1), ("b", 2)):
        build_store(dump, tmp_path / name, workers=workers)
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_other_stores_have_no_redirects(file: Path, tmp_path: Path) -> None:
    build_store(file, tmp_path / "s")
    with pytest.raises(CorpusError, match="not built from a Wikipedia dump"):
        read_redirects(PassageStore(tmp_path / "s"))
