"""The passage store: what is written comes back, by row and by id; damage is named."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_env.corpora import store as stores
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.passages import Passage
from asl_env.corpora.store import PassageStore, is_store
from asl_env.corpora.writer import Compression, write_store

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
PASSAGES = st.lists(
    st.builds(Passage, TEXT, TEXT, TEXT), min_size=1, max_size=100, unique_by=lambda p: p.id
)
MANY = [Passage(f"id-{i}", f"Title {i // 3}", f"text {i} " * (i % 40)) for i in range(1000)]
BOTH = pytest.mark.parametrize("compression", ["none", "zlib"])


@settings(max_examples=40)
@given(PASSAGES, st.sampled_from(["none", "zlib"]))
def test_what_is_written_comes_back(
    tmp_path_factory: pytest.TempPathFactory, passages: list[Passage], compression: Compression
) -> None:
    folder = tmp_path_factory.mktemp("round") / "store"
    with write_store(folder, passages, compression=compression) as store:
        assert len(store) == len(passages)
        assert list(store) == passages
        assert [store[row] for row in range(len(passages))] == passages
        assert [store.row_of(p.id) for p in passages] == list(range(len(passages)))
        store.verify()


@BOTH
def test_rows_slices_and_ids(tmp_path: Path, compression: Compression) -> None:
    with write_store(tmp_path / "s", MANY, compression=compression) as store:
        assert store[-1] == MANY[-1]
        assert store[30:70:3] == MANY[30:70:3]
        assert store.get("id-500") == MANY[500]
        assert store.row_of("missing") is None
        assert store.row_of("\ud800") is None
        with pytest.raises(CorpusError, match="holds no passage with id 'missing'"):
            store.get("missing")
        for row in (1000, -1001):
            with pytest.raises(IndexError):
                store[row]


@BOTH
def test_stretches_cover_every_row_and_are_read_alone(
    tmp_path: Path, compression: Compression
) -> None:
    with write_store(tmp_path / "s", MANY, compression=compression) as store:
        stretches = store.stretches(10_000)
        assert [row for stretch in stretches for row in stretch] == list(range(1000))
        read = [list(store.between(stretch.start, stretch.stop)) for stretch in stretches]
        assert [passage for part in read for passage in part] == MANY
        assert store.text_bytes / 10_000 <= len(stretches) <= store.text_bytes / 10_000 * 1.1 + 1
        assert store.stretches(1) == [range(row, row + 1) for row in range(1000)]
        assert list(store.between(7, 7)) == []


def test_the_digest_is_of_the_passages_alone(tmp_path: Path) -> None:
    plain = write_store(tmp_path / "a", MANY, name="x")
    packed = write_store(tmp_path / "b", MANY, name="y", compression="zlib")
    other = write_store(tmp_path / "c", [*MANY[:-1], MANY[-1]._replace(title="other")])
    assert plain.digest == packed.digest != other.digest
    assert packed.manifest["files"]["passages.bin"]["bytes"] < 60_000
    assert plain.manifest["files"]["passages.bin"]["bytes"] > 150_000


def test_a_store_crosses_to_another_process_as_its_path(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", MANY)
    assert pickle.loads(pickle.dumps(store))[7] == MANY[7]


def test_ids_with_equal_hashes_are_told_apart(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(stores, "id_hash", lambda identity: len(identity) % 2)
    monkeypatch.setattr("asl_env.corpora.writer.id_hash", lambda identity: len(identity) % 2)
    store = write_store(tmp_path / "s", MANY[:50])
    assert [store.row_of(p.id) for p in MANY[:50]] == list(range(50))
    assert store.row_of("id-77") is None


def test_random_access_takes_microseconds(tmp_path: Path) -> None:
    store = write_store(tmp_path / "s", MANY)
    rows = np.random.default_rng(0).integers(len(MANY), size=5_000).tolist()
    started = time.process_time()
    for row in rows:
        store[row]
    assert (time.process_time() - started) / len(rows) < 50e-6


def test_attribution_is_kept(tmp_path: Path) -> None:
    assert write_store(tmp_path / "a", MANY, attribution="by é").attribution == "by é"
    assert write_store(tmp_path / "b", MANY).attribution == ""


def cut(name: str) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[:-1])

    return damage


def manifest(**changes: object) -> Callable[[Path], None]:
    def damage(folder: Path) -> None:
        path = folder / stores.MANIFEST
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return damage


DAMAGE: list[tuple[Callable[[Path], object], str]] = [
    (cut("passages.bin"), r"passages.bin: has [\d,]+ bytes, not [\d,]+: the store is cut short"),
    (cut("offsets.u64"), "offsets.u64: has"),
    (lambda folder: (folder / "ids.u64").unlink(), "ids.u64: is missing"),
    (lambda folder: (folder / stores.MANIFEST).unlink(), "asl corpus build"),
    (lambda folder: (folder / stores.MANIFEST).write_text("{"), "cannot be read"),
    (lambda folder: (folder / stores.MANIFEST).write_text("[]"), "is not a manifest"),
    (manifest(version=2), "store version 2, this asl-env reads version 1; build it again"),
    (manifest(format="other"), "is no passage store .its manifest says 'other'"),
    (manifest(count=7), "is damaged; build the store again"),
    (manifest(files={}), "is damaged; build the store again"),
    (manifest(files=3), "is damaged; build the store again"),
    (manifest(count="many"), "is damaged; build the store again"),
    (manifest(compression="zlib"), "is damaged; build the store again"),
]


@pytest.mark.parametrize(("damage", "said"), DAMAGE)
def test_opening_a_damaged_store_says_what_is_wrong(
    damage: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    folder = tmp_path / "s"
    write_store(folder, MANY).close()
    damage(folder)
    with pytest.raises(CorpusError, match=said) as error:
        PassageStore(folder)
    assert "\n" not in str(error.value)
    assert str(folder) in str(error.value)


@BOTH
def test_changed_bytes_are_found_by_verifying_and_named_when_read(
    tmp_path: Path, compression: Compression
) -> None:
    folder = tmp_path / "s"
    write_store(folder, MANY, compression=compression).close()
    path = folder / "passages.bin"
    path.write_bytes(b"\xff" * 100 + path.read_bytes()[100:])
    store = PassageStore(folder)
    with pytest.raises(CorpusError, match="checksum differs"):
        store.verify()
    with pytest.raises(CorpusError, match=r"row 0 is damaged|block 0 is damaged"):
        store[0]


@settings(max_examples=40)
@given(st.binary(max_size=200), st.sampled_from(["offsets.u64", "passages.bin", "rows.u32"]))
def test_hostile_bytes_raise_nothing_but_corpus_errors(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, name: str
) -> None:
    folder = tmp_path_factory.mktemp("hostile") / "s"
    write_store(folder, MANY[:40], compression="zlib").close()
    size = (folder / name).stat().st_size
    (folder / name).write_bytes((data + (folder / name).read_bytes()[len(data) :])[:size])
    store = PassageStore(folder)
    for read in (lambda: store[5], lambda: list(store), lambda: store.row_of("id-3")):
        try:
            read()
        except CorpusError as error:
            assert str(folder) in str(error)


def test_is_store(tmp_path: Path) -> None:
    assert not is_store(tmp_path)
    write_store(tmp_path / "s", MANY).close()
    assert is_store(tmp_path / "s")
