"""Large files over HTTP: resumed where they broke off, compared with their checksum, or refused."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from asl_env.corpora.checksums import Checksum, checksum_of
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.scratch import try_lock
from asl_env.corpora.wheels import Say

if TYPE_CHECKING:
    import requests

#: Told how many bytes are there, and how many there will be (``None`` if the server does not say).
Bytes = Callable[[int, "int | None"], None]

_CHUNK = 1 << 20
_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})


@dataclass(frozen=True, kw_only=True)
class Remote:
    """A file on a server.

    Attributes:
        name: File name.
        url: Its address, ``http`` or ``https``.
        size: Length in bytes, where it is known from elsewhere than the server that sends it.
        checksum: What it must hash to, if anybody publishes that.
        headers: Sent with each request, and kept out of every message.
    """

    name: str
    url: str
    size: int | None = None
    checksum: Checksum | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Patience:
    """How long a bad connection is put up with.

    Attributes:
        tries: Failures in a row, without a new byte between them, after which it is given up.
        pause: Seconds before the second try; they double with each failure in a row.
        longest: Most seconds to wait, whatever the server asks for.
        silence: Seconds without a byte after which a connection counts as broken.
    """

    tries: int = 5
    pause: float = 1.0
    longest: float = 300.0
    silence: float = 60.0


class _BrokenError(Exception):
    """A try failed in a way that the next one may not."""

    def __init__(self, why: str, after: float | None = None) -> None:
        super().__init__(why)
        self.after = after


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """Fetches files.

    Attributes:
        patience: How long a bad connection is put up with.
        say: Told what is going on.
        progress: Told how far it is.
    """

    patience: Patience = Patience()
    say: Say = lambda line: None
    progress: Bytes = lambda done, total: None

    def fetch(self, remote: Remote, target: Path) -> Path:
        """Fetches a file, going on from what an earlier call left.

        Until it is complete and its checksum is right, it lies beside the target as
        ``NAME.part``. A part is only continued if the server says that the file is still the same.

        Args:
            remote: Which file.
            target: Where it goes; replaced in one step.

        Returns:
            The target.

        Raises:
            CorpusError: If the server refuses or keeps failing, the disk is too small, or the
                checksum is another one.
        """
        if not remote.url.startswith(("http://", "https://")):
            raise CorpusError(f"{remote.url}: is no address of http or https")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        with part.open("ab") as file:
            if os.name == "posix" and not try_lock(file.fileno()):
                raise CorpusError(f"{remote.name}: another process is fetching it; wait for it")
            fetching = _Fetching(remote, part, file, self)
            fetching.run()
        fetching.verify()
        part.replace(target)
        fetching.memory.unlink(missing_ok=True)
        return target


class _Fetching:
    """One file that is being fetched; what is known of it is kept beside the part."""

    def __init__(self, remote: Remote, part: Path, file: BinaryIO, transfer: Transfer) -> None:
        self.remote, self.part, self.file, self.transfer = remote, part, file, transfer
        self.memory = part.with_name(f"{part.name}.json")
        self.known: dict[str, Any] = {}
        with suppress(OSError, ValueError):
            known = json.loads(self.memory.read_text(encoding="utf-8"))
            self.known = known if isinstance(known, dict) else {}
        wanted = str(remote.checksum and remote.checksum.digest)
        if (self.known.get("url"), self.known.get("checksum")) != (remote.url, wanted):
            self.start_anew()

    @property
    def have(self) -> int:
        """Bytes that are on the disk."""
        return os.fstat(self.file.fileno()).st_size

    @property
    def total(self) -> int | None:
        """Bytes of the whole file, if that is known."""
        return self.remote.size if self.remote.size is not None else self.known.get("total")

    def start_anew(self) -> None:
        """Throws away what is there."""
        self.file.truncate(0)
        self.memory.unlink(missing_ok=True)
        self.known = {}

    def run(self) -> None:
        """Tries until everything is there or patience is at its end."""
        import requests

        patience = self.transfer.patience
        most, failures = self.have, 0
        with requests.Session() as session:
            while True:
                try:
                    self._try(session)
                    return
                except _BrokenError as error:
                    failures = 0 if self.have > most else failures + 1
                    most = max(most, self.have)
                    if failures >= patience.tries:
                        raise CorpusError(self._give_up(str(error))) from error
                    self._wait(error, failures)

    def _give_up(self, why: str) -> str:
        kept = f"; {size_of(self.have)} are kept, and" if self.have else ";"
        return (
            f"{self.remote.name}: {why}, {self.transfer.patience.tries} times in a row{kept} the "
            "same command goes on when the connection is better"
        )

    def _wait(self, error: _BrokenError, failures: int) -> None:
        patience = self.transfer.patience
        pause = patience.pause * 2 ** max(0, failures - 1) if error.after is None else error.after
        if pause > patience.longest and error.after is not None:
            raise CorpusError(
                f"{self.remote.name}: the server asks to wait for {pause / 60:.0f} minutes; run "
                "the same command again then"
            ) from error
        pause = min(pause, patience.longest)
        self.transfer.say(f"{error}; trying again in {pause:.0f} s")
        time.sleep(pause)

    def _try(self, session: requests.Session) -> None:
        import requests
        import urllib3

        if self.have and not self._can_go_on():
            self.start_anew()
        if self.total is not None and self.have == self.total and self.known:
            return
        silence = self.transfer.patience.silence
        try:
            with session.get(
                self.remote.url, headers=self._headers(), stream=True, timeout=(silence, silence)
            ) as response:
                self._accept(response)
                self._make_room()
                self._copy(response)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            if isinstance(error, ValueError):
                raise CorpusError(f"{self.remote.url}: is no address") from error
            raise _BrokenError(_reason(error)) from error
        if self.total is not None and self.have != self.total:
            if self.have > self.total:
                self.start_anew()
            raise _BrokenError(f"the server did not send the {self.total:,} bytes it should")

    def _can_go_on(self) -> bool:
        """Whether the server can be asked for the rest of the very same file."""
        return bool(self.known.get("etag") or self.known.get("modified") or self.remote.checksum)

    def _headers(self) -> dict[str, str]:
        headers = {**self.remote.headers, "Accept-Encoding": "identity"}
        if self.have:
            headers["Range"] = f"bytes={self.have}-"
            etag = self.known.get("etag") or ""
            # A weak tag may stay when bytes change; HTTP forbids it here.
            same = self.known.get("modified") if not etag or etag.startswith("W/") else etag
            if same:
                headers["If-Range"] = same
        return headers

    def _accept(self, response: requests.Response) -> None:
        """Finds out what the server sends: the rest, everything, or nothing."""
        code, headers = response.status_code, response.headers
        if self.remote.url.startswith("https:") and not response.url.startswith("https:"):
            raise CorpusError(f"{self.remote.name}: the server leads to an unprotected address")
        if code in _AGAIN:
            raise _BrokenError(f"the server answered {code}", _seconds(headers.get("Retry-After")))
        if code == 416:
            self.start_anew()
            raise _BrokenError("the file on the server changed")
        if code not in (200, 206):
            raise CorpusError(_refusal(self.remote, code))
        seen = {"etag": headers.get("ETag"), "modified": headers.get("Last-Modified")}
        if code == 206:
            start, total = _range(headers.get("Content-Range", ""))
            same = all(self.known.get(key) in (None, value) for key, value in seen.items())
            if start != self.have or total not in (None, self.total) or not same:
                self.start_anew()
                raise _BrokenError("the file on the server changed")
            return
        self.start_anew()
        length = headers.get("Content-Length", "")
        total = int(length) if length.isdecimal() else None
        if self.remote.size is not None and total not in (None, self.remote.size):
            raise _BrokenError(f"the server offers {total:,} bytes, not {self.remote.size:,}")
        wanted = str(self.remote.checksum and self.remote.checksum.digest)
        self.known = {"url": self.remote.url, "checksum": wanted, "total": total, **seen}
        self.memory.write_text(json.dumps(self.known), encoding="utf-8")

    def _make_room(self) -> None:
        name, total = self.remote.name, self.total
        if total is None:
            self.transfer.say(f"downloading {name} (the server does not say how large it is)")
            return
        self.transfer.say(f"downloading {name} ({size_of(total)})")
        free, missing = shutil.disk_usage(self.part.parent).free, total - self.have
        if missing > free:
            raise CorpusError(
                f"{name}: {size_of(missing)} are to be downloaded and {size_of(free)} are free in "
                f"{self.part.parent}; make room, or set ASL_ENV_HOME to a folder on a larger disk"
            )

    def _copy(self, response: requests.Response) -> None:
        self.transfer.progress(self.have, self.total)
        # read1 hands over what has come; read would lose it when the connection breaks.
        while data := response.raw.read1(_CHUNK, decode_content=False):
            try:
                self.file.write(data)
                self.file.flush()
            except OSError as error:
                full = error.errno in (errno.ENOSPC, errno.EDQUOT)
                why = "the disk is full" if full else error.strerror or str(error)
                raise CorpusError(
                    f"{self.part}: cannot be written: {why}; {size_of(self.have)} are kept, and "
                    "the same command goes on from there"
                ) from error
            self.transfer.progress(self.have, self.total)

    def verify(self) -> None:
        """Compares the checksum; a wrong file is thrown away."""
        wanted = self.remote.checksum
        if wanted is None:
            return
        self.transfer.say(f"comparing the {wanted.algorithm} of {self.remote.name}")
        found = checksum_of(self.part, wanted.algorithm)
        if found != wanted:
            self.part.unlink()
            self.memory.unlink(missing_ok=True)
            raise CorpusError(
                f"{self.remote.name}: has {found} and should have {wanted}; it was thrown away, "
                "run the same command to download it anew"
            )


def size_of(count: float) -> str:
    """Returns a number of bytes for people, in decimal units."""
    for unit in ("bytes", "kB", "MB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} GB"


def _range(header: str) -> tuple[int | None, int | None]:
    """Reads start and total of ``bytes 5-9/10``."""
    unit, _, rest = header.partition(" ")
    span, _, total = rest.partition("/")
    start = span.partition("-")[0]
    if unit != "bytes" or not start.isdecimal():
        return None, None
    return int(start), int(total) if total.isdecimal() else None


def _seconds(header: str | None) -> float | None:
    """Reads ``Retry-After``: seconds, or a date."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except (TypeError, ValueError):
        return None


def _reason(error: Exception) -> str:
    """One phrase about a failed connection."""
    text = str(error)
    if "CERTIFICATE" in text:
        return "the server's certificate is not trusted"
    if "timed out" in text:
        return "the server fell silent"
    if any(sign in text for sign in ("NameResolution", "NewConnection", "Max retries")):
        return "the server cannot be reached"
    return "the connection broke off"


def _refusal(remote: Remote, code: int) -> str:
    if code in (401, 403):
        return (
            f"{remote.url}: the server refuses access ({code}); download the file by other means "
            "and give its path instead of a name"
        )
    if code in (404, 410):
        return f"{remote.url}: the server has no such file ({code}); check the address"
    return f"{remote.url}: the server answered {code}"
