"""Large files over HTTP from a server that fails in every way we know of."""

from __future__ import annotations

import errno
import hashlib
import shutil
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fileserver import Handler, Site, answers, breaks_off, corrupts, lies_about_length, serving

from asl_env.corpora import transfer
from asl_env.corpora.checksums import Checksum
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.scratch import try_lock
from asl_env.corpora.transfer import Patience, Remote, Transfer, size_of

BODY = np.random.default_rng(0).integers(0, 256, 3_000_000, dtype=np.uint8).tobytes()
OTHER = BODY[::-1]
SUM = Checksum("sha256", hashlib.sha256(BODY).hexdigest())
QUICK = Patience(tries=3, pause=0.0, longest=1.0, silence=5.0)


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        site.files["/x.bin"] = BODY
        yield site


def remote(site: Site, checksum: Checksum | None = SUM, **rest: object) -> Remote:
    return Remote(name="x.bin", url=f"{site.url}/x.bin", checksum=checksum, **rest)  # type: ignore[arg-type]


def fetch(
    site: Site, folder: Path, checksum: Checksum | None = SUM, said: list[str] | None = None
) -> bytes:
    by = Transfer(patience=QUICK, say=(said if said is not None else []).append)
    return by.fetch(remote(site, checksum), folder / "x.bin").read_bytes()


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def ranges(site: Site) -> list[str | None]:
    return [asked for _, _, asked in site.log]


def test_a_file_is_fetched_with_its_size_said_and_its_progress_told(
    site: Site, tmp_path: Path
) -> None:
    said: list[str] = []
    told: list[tuple[int, int | None]] = []
    by = Transfer(say=said.append, progress=lambda done, total: told.append((done, total)))
    assert by.fetch(remote(site), tmp_path / "x.bin").read_bytes() == BODY
    assert said == ["downloading x.bin (3 MB)", "comparing the sha256 of x.bin"]
    assert told[0] == (0, len(BODY))
    assert told[-1] == (len(BODY), len(BODY))
    assert told == sorted(told)
    assert names(tmp_path) == ["x.bin"]


def test_a_connection_that_breaks_off_is_taken_up_where_it_broke(
    site: Site, tmp_path: Path
) -> None:
    site.faults = [breaks_off(1_000_000)] * 2
    said: list[str] = []
    assert fetch(site, tmp_path, said=said) == BODY
    assert ranges(site) == [None, "bytes=1000000-", "bytes=2000000-"]
    assert "the connection broke off; trying again in 0 s" in said


def test_another_call_goes_on_from_what_is_there(site: Site, tmp_path: Path) -> None:
    site.faults = [breaks_off(2_000_000), *[answers(503)] * 3]
    with pytest.raises(CorpusError) as error:
        fetch(site, tmp_path)
    assert str(error.value) == (
        "x.bin: the server answered 503, 3 times in a row; 2 MB are kept, and the same command "
        "goes on when the connection is better"
    )
    assert names(tmp_path) == ["x.bin.part", "x.bin.part.json"]
    site.log.clear()
    assert fetch(site, tmp_path) == BODY
    assert ranges(site) == ["bytes=2000000-"]
    assert names(tmp_path) == ["x.bin"]


def test_any_number_of_breaks_is_put_up_with_while_bytes_come(site: Site, tmp_path: Path) -> None:
    site.always = breaks_off(200_000)
    assert fetch(site, tmp_path) == BODY
    assert len(site.log) == 15


def test_a_server_without_ranges_starts_over_and_is_given_up_in_the_end(
    site: Site, tmp_path: Path
) -> None:
    site.ranges = False
    site.faults = [breaks_off(1_000_000)]
    assert fetch(site, tmp_path) == BODY
    site.always = breaks_off(1_000_000)
    (tmp_path / "x.bin").unlink()
    with pytest.raises(CorpusError, match="the connection broke off, 3 times in a row"):
        fetch(site, tmp_path)


@pytest.mark.parametrize("by", [1000, -1000])
def test_a_wrong_length_never_makes_a_file(by: int, site: Site, tmp_path: Path) -> None:
    site.always = lies_about_length(by)
    with pytest.raises(CorpusError, match=r"broke off, 3 times|thrown away"):
        fetch(site, tmp_path)
    assert "x.bin" not in names(tmp_path)


def test_a_length_other_than_the_one_that_is_known_is_refused(site: Site, tmp_path: Path) -> None:
    by = Transfer(patience=QUICK)
    with pytest.raises(CorpusError, match="the server offers 3,000,000 bytes, not 5"):
        by.fetch(remote(site, size=5), tmp_path / "x.bin")


def test_a_corrupt_block_is_caught_and_the_next_call_starts_clean(
    site: Site, tmp_path: Path
) -> None:
    site.faults = [corrupts(1_234_567)]
    with pytest.raises(CorpusError, match=r"has sha256 \w+\.\.\. and should have .*thrown away"):
        fetch(site, tmp_path)
    assert names(tmp_path) == []
    site.log.clear()
    assert fetch(site, tmp_path) == BODY
    assert ranges(site) == [None]


def test_a_file_that_changes_between_tries_is_fetched_from_the_start(
    site: Site, tmp_path: Path
) -> None:
    def changes(handler: Handler) -> bool:
        breaks_off(1_000_000)(handler)
        site.files["/x.bin"] = OTHER
        return True

    site.faults = [changes]
    assert fetch(site, tmp_path, None) == OTHER
    assert site.sent[1]["if-range"].startswith('"')


def test_a_server_that_gives_the_rest_of_another_file_is_noticed(
    site: Site, tmp_path: Path
) -> None:
    def ignores_if_range(handler: Handler) -> bool:
        site.files["/x.bin"] = OTHER
        handler.begin(206, 2_000_000, 1_000_000)
        handler.wfile.write(OTHER[1_000_000:])
        return True

    site.faults = [breaks_off(1_000_000), ignores_if_range]
    said: list[str] = []
    assert fetch(site, tmp_path, None, said) == OTHER
    assert "the file on the server changed; trying again in 0 s" in said


def test_without_tag_and_checksum_nothing_is_continued(site: Site, tmp_path: Path) -> None:
    site.tags = False
    site.faults = [breaks_off(1_000_000)]
    assert fetch(site, tmp_path, None) == BODY
    assert ranges(site) == [None, None]


def test_a_part_longer_than_the_file_is_thrown_away(site: Site, tmp_path: Path) -> None:
    site.faults = [breaks_off(2_000_000), *[answers(503)] * 3]
    with pytest.raises(CorpusError):
        fetch(site, tmp_path)
    with (tmp_path / "x.bin.part").open("ab") as part:
        part.write(bytes(2_000_000))
    site.faults = [answers(416)]
    assert fetch(site, tmp_path) == BODY


def test_a_server_that_does_not_say_how_long_it_is_can_be_read(site: Site, tmp_path: Path) -> None:
    def in_chunks(handler: Handler) -> bool:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for at in range(0, len(BODY), 500_000):
            handler.wfile.write(b"%x\r\n%s\r\n" % (500_000, BODY[at : at + 500_000]))
        handler.wfile.write(b"0\r\n\r\n")
        return True

    site.always = in_chunks
    said: list[str] = []
    assert fetch(site, tmp_path, None, said) == BODY
    assert said == ["downloading x.bin (the server does not say how large it is)"]


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (404, r"the server has no such file \(404\); check the address"),
        (403, r"refuses access \(403\); download the file by other means"),
        (401, r"refuses access \(401\)"),
        (418, "the server answered 418"),
    ],
)
def test_a_refusal_is_one_line_at_once(code: int, said: str, site: Site, tmp_path: Path) -> None:
    site.always = answers(code)
    with pytest.raises(CorpusError, match=said) as error:
        fetch(site, tmp_path)
    assert "\n" not in str(error.value)
    assert len(site.log) == 1


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_a_server_in_trouble_is_asked_again(code: int, site: Site, tmp_path: Path) -> None:
    site.faults = [answers(code), answers(code)]
    assert fetch(site, tmp_path) == BODY


def test_the_wait_a_server_asks_for_is_kept_if_it_is_short(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("asl_env.corpora.transfer.time.sleep", waited.append)
    soon = formatdate(usegmt=True)
    site.faults = [answers(429, Retry_After="1"), answers(503, Retry_After=soon)]
    assert fetch(site, tmp_path) == BODY
    assert waited[0] == 1
    assert waited[1] <= 1
    site.faults = [answers(429, Retry_After="3600")]
    with pytest.raises(CorpusError, match="asks to wait for 60 minutes; run the same command"):
        fetch(site, tmp_path)


def test_a_disk_that_is_too_small_is_noticed_before_the_first_byte(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=1_000_000))
    with pytest.raises(CorpusError, match=r"3 MB are to be downloaded and 1 MB are free in .*make"):
        fetch(site, tmp_path)
    assert (tmp_path / "x.bin.part").stat().st_size == 0


def test_a_disk_that_fills_up_is_one_line_and_keeps_what_it_has(
    site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk:
        def __init__(self, file: Any) -> None:
            self.file = file

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

        def write(self, data: bytes) -> int:
            if self.file.tell():
                raise OSError(errno.ENOSPC, "No space left on device")
            return int(self.file.write(data))

    real = transfer._Fetching.__init__
    with monkeypatch.context() as patch:
        patch.setattr(
            transfer._Fetching,
            "__init__",
            lambda self, remote, part, file, by: real(self, remote, part, FullDisk(file), by),
        )
        with pytest.raises(CorpusError, match=r"the disk is full; .* are kept, and the same"):
            fetch(site, tmp_path)
    assert fetch(site, tmp_path) == BODY
    assert ranges(site)[1] is not None


def test_a_silent_server_and_none_at_all_are_told_apart(site: Site, tmp_path: Path) -> None:
    patience = Patience(tries=2, pause=0, silence=0.1)
    quiet = Transfer(patience=patience)

    def says_nothing(handler: Handler) -> bool:
        handler.rfile.read(1)
        return True

    site.always = says_nothing
    with pytest.raises(CorpusError, match="the server fell silent, 2 times"):
        quiet.fetch(remote(site), tmp_path / "x.bin")
    # A port that nothing listens on.
    with pytest.raises(CorpusError, match="cannot be reached, 2 times"):
        quiet.fetch(Remote(name="x", url="http://127.0.0.1:9/x"), tmp_path / "x")


@pytest.mark.parametrize("url", ["ftp://x.org/a", "file:///etc/passwd", "http://"])
def test_what_is_no_address_is_said_to_be_none(url: str, tmp_path: Path) -> None:
    with pytest.raises(CorpusError, match="is no address"):
        Transfer(patience=QUICK).fetch(Remote(name="x", url=url), tmp_path / "x")


def test_two_processes_do_not_write_one_file(site: Site, tmp_path: Path) -> None:
    with (tmp_path / "x.bin.part").open("ab") as held:
        assert try_lock(held.fileno())
        with pytest.raises(CorpusError, match="another process is fetching it"):
            fetch(site, tmp_path)


def test_sizes_are_said_in_decimal_units() -> None:
    assert [size_of(n) for n in (999, 1e3, 2.5e6, 4.69e9, 2e12)] == [
        "999 bytes", "1 kB", "2 MB", "4.7 GB", "2000.0 GB",
    ]  # fmt: skip
