"""Which engine an index has, and that both are one to their users."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asl_env.corpora.passages import Passage
from asl_env.corpora.writer import write_store
from asl_env.errors import BadIndexError
from asl_env.retrieval import engines
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.retrieval.disk.retriever import DiskBM25Retriever
from asl_env.retrieval.engines import DISK_FROM, engine_for
from asl_env.retrieval.hybrid import HybridRetriever
from asl_env.retrieval.index import build_index, check_index, index_info, open_index
from asl_env.retrieval.registry import make_retriever

PASSAGES = [
    Passage(f"p{n}", f"Town {n}", f"Town {n} lies on river {n % 7} in county {n % 3}.")
    for n in range(60)
]
QUERIES = ["town 17", "river 3", "county 2 river 5"]


def test_the_rule() -> None:
    assert engine_for("bm25", DISK_FROM - 1) == engine_for("hybrid", 5) == "memory"
    assert engine_for("bm25", DISK_FROM) == engine_for("hybrid", DISK_FROM) == "disk"
    assert engine_for("bm25-disk", 1) == "disk"


def test_both_engines_give_the_same_hits_by_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = build_index(PASSAGES, tmp_path / "small")
    monkeypatch.setattr(engines, "DISK_FROM", 60)
    large = build_index(PASSAGES, tmp_path / "large")
    assert (small.kind, small.engine) == ("bm25", "memory")
    assert (large.kind, large.engine) == ("bm25", "disk")
    memory, disk = make_retriever(tmp_path / "small"), make_retriever(str(tmp_path / "large"))
    assert isinstance(memory, BM25Retriever)
    assert isinstance(disk, DiskBM25Retriever)
    assert disk.search(QUERIES, 10) == memory.search(QUERIES, 10)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["large", "small"]


def test_a_hybrid_of_many_passages_searches_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "DISK_FROM", 60)
    build_index(PASSAGES, tmp_path / "index", kind="hybrid")
    hybrid = open_index(tmp_path / "index")
    assert isinstance(hybrid, HybridRetriever)
    assert isinstance(hybrid.parts[0], DiskBM25Retriever)


def test_an_index_of_version_1_is_still_opened(tmp_path: Path) -> None:
    build_index(PASSAGES, tmp_path / "index")
    manifest = tmp_path / "index" / "manifest.json"
    record = json.loads(manifest.read_text()) | {"version": 1}
    del record["engine"]
    manifest.write_text(json.dumps(record))
    assert index_info(tmp_path / "index").engine is None
    assert isinstance(open_index(tmp_path / "index"), BM25Retriever)


def test_an_unknown_engine_and_damage_are_one_line_with_the_command(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    build_index(PASSAGES, folder, kind="bm25-disk", workers=1, memory="1GB")
    assert check_index(folder).engine == "disk"
    manifest = folder / "manifest.json"
    whole = manifest.read_text()
    manifest.write_text(whole.replace('"engine": "disk"', '"engine": "disc"'))
    with pytest.raises(BadIndexError, match=r"'disc'; did you mean 'disk'\?.*rebuild it with"):
        open_index(folder)
    manifest.write_text(whole)
    words = folder / "bm25" / "words.u32"
    content = bytearray(words.read_bytes())
    content[0] ^= 1
    words.write_bytes(content)
    with pytest.raises(BadIndexError, match=r"words.u32: checksum differs .*--kind bm25-disk"):
        check_index(folder)
    words.write_bytes(content[:-4])
    with pytest.raises(BadIndexError, match=r"words.u32: has .* cut short; rebuild it with"):
        open_index(folder)


def test_the_files_of_a_store_are_linked_unless_it_is_to_be_compressed(tmp_path: Path) -> None:
    store = write_store(tmp_path / "store", PASSAGES, attribution="by us")
    build_index(tmp_path / "store", tmp_path / "linked")
    build_index(tmp_path / "store", tmp_path / "packed", compression="zlib")
    original = (tmp_path / "store" / "passages.bin").stat()
    assert (tmp_path / "linked" / "passages" / "passages.bin").stat().st_ino == original.st_ino
    packed = open_index(tmp_path / "packed").passages
    assert packed.manifest["compression"] == "zlib"  # type: ignore[attr-defined]
    assert packed.digest == store.digest  # type: ignore[attr-defined]
    for name in ("linked", "packed"):
        assert check_index(tmp_path / name).attribution == "by us"


def test_too_little_memory_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(BadIndexError, match="at least 512 MB"):
        build_index(iter(PASSAGES), tmp_path / "index", memory="1MB")
    assert list(tmp_path.iterdir()) == []
