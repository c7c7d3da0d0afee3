"""bzip2 files of many streams: order kept, damage confined to the stream it is in."""

from __future__ import annotations

import bz2
from contextlib import closing
from itertools import accumulate
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora import multistream
from asl_env.corpora.multistream import DamagedStreamError, MultistreamReader, is_multistream

TEXTS = [f"stream {n} ".encode() * (n % 7 + 1) for n in range(40)]
STREAMS = [bz2.compress(text) for text in TEXTS]
#: Where each stream ends.
ENDS = list(accumulate(map(len, STREAMS)))


def read(path: Path, threads: int = 2) -> list[bytes | str]:
    """Every piece of text, and "damage" or "end" where an error was raised."""
    found: list[bytes | str] = []
    with path.open("rb") as raw, closing(MultistreamReader(path, raw, threads)) as reader:
        while True:
            try:
                piece = reader.read1()
            except DamagedStreamError:
                found.append("damage")
            except EOFError:
                found.append("end")
            else:
                if not piece:
                    return found
                found.append(piece)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "x.bz2"
    path.write_bytes(b"".join(STREAMS))
    return path


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_order_is_that_of_the_file(threads: int, path: Path) -> None:
    assert read(path, threads) == TEXTS


def test_empty_streams_and_zeros_behind_the_last_one_are_no_damage(tmp_path: Path) -> None:
    path = tmp_path / "x.bz2"
    path.write_bytes(STREAMS[0] + bz2.compress(b"") + STREAMS[1] + bytes(100))
    assert read(path) == TEXTS[:2]


def test_many_streams_are_told_from_one(path: Path, tmp_path: Path) -> None:
    one = tmp_path / "one.bz2"
    for data, expected in (
        (path.read_bytes(), True),
        (STREAMS[0], False),
        (b"plain text", False),
        (b"", False),
        (b"BZ" + path.read_bytes(), False),
    ):
        one.write_bytes(data)
        with one.open("rb") as file:
            assert is_multistream(file) is expected
            assert file.tell() == 0


def test_a_start_that_lies_across_two_reads_is_found(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    for size in range(1, 30):
        monkeypatch.setattr(multistream, "_CHUNK", size)
        assert read(path) == TEXTS


def test_the_stream_with_the_damage_is_lost_and_no_other(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[ENDS[9] + 20] ^= 0xFF
    path.write_bytes(data)
    assert read(path) == [*TEXTS[:10], "damage", *TEXTS[11:]]


def test_a_stream_whose_head_is_damaged_is_noticed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[ENDS[9]] ^= 0xFF
    path.write_bytes(data)
    assert read(path) == [*TEXTS[:10], "damage", *TEXTS[11:]]


def test_a_file_that_is_cut_off_ends_with_an_error(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5])
    assert read(path) == [*TEXTS[:-1], "end"]


def test_a_stream_too_long_to_be_held_is_read_in_its_turn(
    monkeypatch: pytest.MonkeyPatch, path: Path
) -> None:
    giant = bytes(range(256)) * 400
    path.write_bytes(STREAMS[0] + bz2.compress(giant) + STREAMS[1])
    monkeypatch.setattr(multistream, "_HELD", 1000)
    monkeypatch.setattr(multistream, "_OUTPUT", 300)
    assert b"".join(piece for piece in read(path) if isinstance(piece, bytes)) == (
        TEXTS[0] + giant + TEXTS[1]
    )


@given(st.integers(0, ENDS[-1] - 1), st.integers(1, 255))
def test_a_changed_byte_costs_at_most_its_stream(
    tmp_path_factory: pytest.TempPathFactory, at: int, flip: int
) -> None:
    path = tmp_path_factory.mktemp("flip") / "x.bz2"
    data = bytearray(b"".join(STREAMS))
    data[at] ^= flip
    path.write_bytes(data)
    found = read(path)
    hit = next(n for n, end in enumerate(ENDS) if at < end)
    texts = [piece for piece in found if isinstance(piece, bytes)]
    # The digit in a stream's head may change without harm.
    assert texts in (TEXTS, TEXTS[:hit] + TEXTS[hit + 1 :])
    assert (texts == TEXTS) == (len(found) == len(texts))
