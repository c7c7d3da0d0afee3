"""Checksums as they are published, and the sums files of Wikimedia's dumps."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from asl_env.corpora.errors import CorpusError

_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64}
_LINE = re.compile(r"([0-9a-fA-F]{32,64})[ \t]+\*?(\S+)")


@dataclass(frozen=True)
class Checksum:
    """What a file must hash to.

    Attributes:
        algorithm: ``"md5"``, ``"sha1"`` or ``"sha256"``.
        digest: Hexadecimal digits, in lower case.
    """

    algorithm: str
    digest: str

    def __str__(self) -> str:
        return f"{self.algorithm} {self.digest[:12]}..."


def checksum(algorithm: str, digits: str) -> Checksum:
    """Makes a checksum of what a person or a server wrote.

    Raises:
        CorpusError: If the digits are not as many hexadecimal digits as the algorithm has.
    """
    digits = digits.strip().lower()
    wanted = _DIGITS[algorithm]
    if not re.fullmatch(rf"[0-9a-f]{{{wanted}}}", digits):
        raise CorpusError(f"{digits!r} is no {algorithm}; it has {wanted} hexadecimal digits")
    return Checksum(algorithm, digits)


def checksum_of(path: Path, algorithm: str) -> Checksum:
    """Hashes a file in pieces of a megabyte."""
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return Checksum(algorithm, digest.hexdigest())


def find_in_sums(sums: str, name: str) -> tuple[str, Checksum] | None:
    """Finds a file in a sums file of lines ``digits  name``.

    The sums file of Wikimedia's folder ``latest`` names the dated files, such as
    ``enwiki-20250801-...`` for ``enwiki-latest-...``; both forms are found.

    Args:
        sums: Text of the sums file.
        name: Name of the file, dated or ``latest``.

    Returns:
        The name in the sums file and the checksum, or ``None`` if it is not named.
    """
    pattern = re.compile(re.escape(name).replace(r"\-latest\-", r"-(?:latest|\d{8})-"))
    algorithms = {digits: algorithm for algorithm, digits in _DIGITS.items()}
    for line in sums.splitlines():
        found = _LINE.fullmatch(line.strip())
        if found and pattern.fullmatch(found[2]) and (kind := algorithms.get(len(found[1]))):
            return found[2], Checksum(kind, found[1].lower())
    return None
