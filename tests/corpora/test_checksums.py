"""Checksums as people and dump sites write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from asl_env.corpora.checksums import Checksum, checksum, checksum_of, find_in_sums
from asl_env.corpora.errors import CorpusError

SHA1 = "a9993e364706816aba3e25717850c26c9cd0d89d"
MD5 = "900150983cd24fb0d6963f7d28e17f72"
NAME = "enwiki-latest-pages-articles-multistream.xml.bz2"
DATED = "enwiki-20260801-pages-articles-multistream.xml.bz2"
SUMS = f"""\
{MD5}  enwiki-20260801-pages-articles-multistream-index.txt.bz2
{SHA1}  {DATED}
{"0" * 40}  enwiki-20260801-pages-articles-multistream.xml.bz2.torrent
"""


def test_a_file_is_hashed_with_the_algorithm_that_was_published(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_bytes(b"abc")
    assert checksum_of(file, "sha1") == Checksum("sha1", SHA1)
    assert checksum_of(file, "md5") == Checksum("md5", MD5)


def test_what_people_write_is_checked() -> None:
    assert checksum("sha1", f" {SHA1.upper()}\n") == Checksum("sha1", SHA1)
    for digits in ("", SHA1[1:], "g" * 40):
        with pytest.raises(CorpusError, match="is no sha1; it has 40 hexadecimal digits"):
            checksum("sha1", digits)


def test_the_latest_file_is_found_by_its_dated_name() -> None:
    assert find_in_sums(SUMS, NAME) == (DATED, Checksum("sha1", SHA1))
    assert find_in_sums(SUMS, DATED) == (DATED, Checksum("sha1", SHA1))


def test_other_forms_of_sums_files_are_read() -> None:
    assert find_in_sums(f"{MD5} *{NAME}", NAME) == (NAME, Checksum("md5", MD5))


@pytest.mark.parametrize("sums", ["", "<html>404</html>", f"{SHA1}", f"{SHA1[:39]}  {NAME}"])
def test_a_file_that_is_not_named_is_not_found(sums: str) -> None:
    assert find_in_sums(sums, NAME) is None
