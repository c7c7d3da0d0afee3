"""Lines out of files of any compression, within bounds."""

from __future__ import annotations

import bz2
import gzip
import lzma
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.report import ReadReport
from asl_env.corpora.streams import lines, open_binary, peek


def read(path: Path, max_bytes: int = 100) -> tuple[list[tuple[int, str]], ReadReport]:
    report = ReadReport()
    return list(lines(path, report, max_bytes)), report


@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress])
def test_compression_is_known_by_content(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "any.name"
    path.write_bytes(compress("é\r\n\nb".encode()))
    assert read(path)[0] == [(1, "é"), (3, "b")]
    assert peek(path, 2) == "é".encode()


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_the_head_of_a_cut_archive_is_what_precedes_the_cut(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "x"
    random = np.random.default_rng(0).integers(97, 123, 2_000_000, dtype=np.uint8)
    whole = b"first\n" + random.tobytes()
    path.write_bytes(compress(whole)[:-100])
    assert peek(path, 1000) == whole[:1000]
    assert whole.startswith(peek(path, len(whole)))
    path.write_bytes(compress(whole)[:20])
    with pytest.raises(CorpusError, match="damaged or cut short"):
        peek(path)


def test_concatenated_bzip2_streams_are_one_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(bz2.compress(b"a\nb") + bz2.compress(b"c\nd"))
    assert [text for _, text in read(path)[0]] == ["a", "bc", "d"]


def test_a_byte_order_mark_is_removed_and_reported(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"\xef\xbb\xbfa\n")
    found, report = read(path)
    assert found == [(1, "a")]
    assert report.problems["byte order mark"].count == 1
    assert peek(path) == b"a\n"


def test_bad_lines_are_counted_and_the_next_ones_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"a\n\xff\xfe\xfd\n" + b"x" * 5_000_000 + b"\nd\n" + b"y" * 101)
    found, report = read(path)
    assert found == [(1, "a"), (4, "d")]
    assert report.problems["not UTF-8"].first == [2]
    assert report.problems["line over 100 bytes"].first == [3, 5]
    assert report.seen == 5


def test_a_line_of_the_longest_length_is_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"x" * 99 + b"\n" + b"y" * 100)
    assert [len(text) for _, text in read(path)[0]] == [99, 100]


@pytest.mark.parametrize("compress", [gzip.compress, lambda data: bz2.compress(data, 1)])
def test_a_cut_archive_keeps_what_it_has(
    compress: Callable[[bytes], bytes], tmp_path: Path
) -> None:
    path = tmp_path / "x"
    text = "\n".join(f"line {i * 7919 % 100_003}" for i in range(60_000))
    path.write_bytes(compress(text.encode())[:-50])
    found, report = read(path)
    assert len(found) > 1000
    assert list(report.problems) == ["damaged or cut archive, the rest is lost"]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("text".encode("utf-16"), "iconv"),
        (lzma.compress(b"x"), "unxz"),
        (b"PK\x03\x04xxxx", "unzip"),
        (b"\x28\xb5\x2f\xfdxxx", "unzstd"),
        (b"PAR1xxx", "Parquet"),
    ],
)
def test_files_that_are_no_text_are_named(data: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(CorpusError, match=said):
        read(path)


@pytest.mark.parametrize("name", ["missing", ".", "nul\0"])
def test_what_cannot_be_opened_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError), open_binary(tmp_path / name):
        pass


def test_progress_is_the_share_of_the_bytes_on_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(bytes(f"{list(range(20_000))}\n" * 20, "ascii")))
    report = ReadReport()
    assert report.fraction == 0
    shares = [report.fraction for _ in lines(path, report, 1 << 20)]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] <= 1
    assert report.fraction == 1


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(gzip.compress(bytes(30_000_000), 1))
    tracemalloc.start()
    assert read(path, 1_000_000)[0] == []
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000_000
