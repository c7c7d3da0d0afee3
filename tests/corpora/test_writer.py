"""Writing a store: complete or not there at all."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.passages import Passage
from asl_env.corpora.store import PassageStore
from asl_env.corpora.writer import Compression, HashingFile, StoreWriter, write_store

OLD = [Passage("old", "T", "old text")]
NEW = [Passage(str(i), "T", f"text {i}") for i in range(100)]


def broken(error: BaseException) -> Iterator[Passage]:
    yield from NEW
    raise error


@pytest.mark.parametrize("error", [ValueError("source"), KeyboardInterrupt()])
def test_an_interrupted_write_leaves_what_was_there(error: BaseException, tmp_path: Path) -> None:
    write_store(tmp_path / "s", OLD).close()
    with pytest.raises(type(error)):
        write_store(tmp_path / "s", broken(error), overwrite=True)
    with pytest.raises(type(error)):
        write_store(tmp_path / "fresh", broken(error))
    assert [path.name for path in tmp_path.iterdir()] == ["s"]
    assert list(PassageStore(tmp_path / "s")) == OLD


def test_an_old_store_is_replaced_only_when_asked(tmp_path: Path) -> None:
    write_store(tmp_path / "s", OLD).close()
    with pytest.raises(CorpusError, match="already exists; add --overwrite"):
        write_store(tmp_path / "s", NEW)
    assert list(write_store(tmp_path / "s", NEW, overwrite=True)) == NEW
    assert [path.name for path in tmp_path.iterdir()] == ["s"]


def test_what_is_no_store_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis.tex").write_text("years of work")
    (tmp_path / "file").write_text("x")
    for name in ("folder", "file"):
        with pytest.raises(CorpusError, match="exists and is no passage store"):
            write_store(tmp_path / name, NEW, overwrite=True)
    assert (tmp_path / "folder" / "thesis.tex").exists()


def test_missing_parents_are_made_and_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert list(write_store(tmp_path / "a" / "b", NEW)) == NEW
    assert list(write_store(tmp_path / "c" / "d", NEW)) == NEW


@pytest.mark.parametrize("compression", ["none", "zlib"])
def test_equal_ids_are_refused(compression: Compression, tmp_path: Path) -> None:
    twins = [*NEW, Passage("42", "Other", "text")]
    with pytest.raises(CorpusError, match="passages 42 and 100 share the id '42'"):
        write_store(tmp_path / "s", twins, compression=compression)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_store_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="no passages to store"):
        write_store(tmp_path / "s", [])
    assert list(tmp_path.iterdir()) == []


def test_text_that_is_no_unicode_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="cannot be written as UTF-8"):
        write_store(tmp_path / "s", [Passage("1", "", "\ud800")])


def test_a_full_disk_is_one_line_and_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(self: HashingFile, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(HashingFile, "write", full)
    with pytest.raises(CorpusError, match=r"s: cannot be written: .*No space left on device"):
        write_store(tmp_path / "s", NEW)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(CorpusError, match="cannot be written"):
        write_store(tmp_path / "file" / "s", NEW)


def test_the_store_is_as_open_as_the_umask_allows(tmp_path: Path) -> None:
    before = os.umask(0o022)
    try:
        write_store(tmp_path / "s", NEW).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o755


def test_attached_files_and_notes_are_in_the_manifest(tmp_path: Path) -> None:
    with StoreWriter(tmp_path / "s", name="n") as writer:
        writer.extend(NEW)
        writer.attach("more.txt").write_text("more")
        writer.note("answer", 42)
    store = PassageStore(tmp_path / "s")
    assert store.manifest["files"]["more.txt"]["bytes"] == 4
    assert store.manifest["notes"] == {"answer": 42}
    assert store.manifest["name"] == "n"
    (tmp_path / "s" / "more.txt").write_text("other")
    with pytest.raises(CorpusError, match=r"more.txt: has 5 bytes, not 4"):
        PassageStore(tmp_path / "s")


def test_the_same_passages_give_the_same_bytes(tmp_path: Path) -> None:
    for name in "ab":
        write_store(tmp_path / name, NEW, name="same", compression="zlib").close()
    for path in (tmp_path / "a").iterdir():
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes()
