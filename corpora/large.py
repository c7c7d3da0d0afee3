"""Large corpora by name or address: fetched once, compared, and kept where named corpora are."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from asl_env.corpora.checksums import Checksum, checksum, checksum_of
from asl_env.corpora.download import PACKAGES, home_of
from asl_env.corpora.errors import CorpusError, did_you_mean
from asl_env.corpora.places import data_home
from asl_env.corpora.scratch import Scratch, move_into_place
from asl_env.corpora.sources import Address, HubFile, Source, SummedFile, file_name, is_address
from asl_env.corpora.store import ATTRIBUTION
from asl_env.corpora.streams import DAMAGE, open_binary
from asl_env.corpora.transfer import Remote, Transfer

#: Beside a fetched file: what it is called, how long it is and where it came from.
RECORD = "fetched.json"

_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,80}")
_COMPRESSED = {".gz": b"\x1f\x8b", ".bz2": b"BZh"}


@dataclass(frozen=True, kw_only=True)
class LargeCorpus:
    """A corpus that is one large file.

    Attributes:
        about: What it is, in one phrase.
        source: Where it is.
        attribution: What is written beside the text.
    """

    about: str
    source: Source
    attribution: str


def get(
    what: str,
    *,
    sha256: str | None = None,
    name: str | None = None,
    force: bool = False,
    transfer: Transfer | None = None,
) -> Path:
    """Fetches a large corpus unless it is there already.

    A download that was interrupted goes on where it stopped. Nothing is accepted with another
    checksum than the published one; where none is published, a compressed file is read once to the
    end, since gzip and bzip2 carry checksums of their own.

    Args:
        what: A name of ``LARGE``, or the address of a file.
        sha256: What the file must hash to, for addresses and where nobody publishes it.
        name: What to call it, for addresses; the file's name up to its first dot by default.
        force: Fetch it again even if it is there.
        transfer: How files are fetched, and who is told about it.

    Returns:
        The folder of the corpus.

    Raises:
        CorpusError: For an unknown name, a name that is taken, a server that refuses or fails, a
            disk that is too small or cannot be written, and a damaged file.
    """
    wanted = checksum("sha256", sha256) if sha256 is not None else None
    if is_address(what):
        name = _free_name(what, name)
        source: Source = Address(what, wanted)
        attribution = f"{name}: fetched from {what}.\nIts licence is what its publisher says.\n"
    elif name is not None:
        raise CorpusError(f"{what}: has its name; only an address is given another one")
    elif what in LARGE:
        name, source, attribution = what, LARGE[what].source, LARGE[what].attribution
    else:
        names = (*PACKAGES, *LARGE)
        raise CorpusError(f"no corpus {what!r} to get{did_you_mean(what, names)}")
    folder = home_of(name)
    if not force and is_there(name, source.where):
        if wanted is not None and checksum_of(file_of(name), wanted.algorithm) != wanted:
            raise CorpusError(
                f"{name}: is there already, with another sha256; add --force to fetch it again"
            )
        return folder
    try:
        _fetch(name, source, wanted, attribution, transfer or Transfer())
    except OSError as error:
        raise CorpusError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return folder


def is_known(name: str) -> bool:
    """Whether a name is in ``LARGE`` or was given to a fetched file."""
    return name in LARGE or (
        _NAME.fullmatch(name) is not None and (home_of(name) / RECORD).is_file()
    )


def is_there(name: str, where: str | None = None) -> bool:
    """Whether a corpus was fetched completely (from the place, if one is given).

    Raises:
        CorpusError: If a corpus of that name came from another place.
    """
    record = _record(name)
    if not record:
        return False
    if where is not None and record.get("where") != where:
        raise CorpusError(
            f"{name}: is there already, from {record.get('where')}; add --name OTHER to keep "
            "both, or --force to replace it"
        )
    return _is_whole(name, record)


def file_of(name: str) -> Path:
    """Returns the fetched file of a corpus.

    Raises:
        CorpusError: If it was not fetched yet, or is not as long as it was.
    """
    record = _record(name)
    if not record:
        raise CorpusError(f"corpus {name!r} was not fetched yet; run `asl corpus get {name}`")
    if not _is_whole(name, record):
        raise CorpusError(f"{home_of(name)}: is damaged; run `{how_to_get(name)}` again")
    return home_of(name) / str(record["file"])


def how_to_get(name: str) -> str:
    """The command that fetches a corpus: of ``LARGE`` or a package by its name, others by address.

    Args:
        name: Of a corpus that has a name, or was fetched before.
    """
    address = None if name in LARGE else _record(name).get("where")
    return (
        f"asl corpus get {name}" if address is None else f"asl corpus get {address} --name {name}"
    )


def refuse_in_memory(name: str) -> None:
    """Refuses to index a corpus of millions of passages in memory.

    Raises:
        CorpusError: If the name is in ``LARGE``, with the commands to use instead.
    """
    if name in LARGE:
        raise CorpusError(
            f"{name} is too large to be indexed on the way: run `asl index build {name} "
            f"indexes/{name}`, then add --index indexes/{name}"
        )


def fetched_names() -> list[str]:
    """Returns the names of all fetched files, of ``LARGE`` or not, in order."""
    return sorted(path.parent.name for path in (data_home() / "corpora").glob(f"*/{RECORD}"))


def _record(name: str) -> dict[str, Any]:
    with suppress(OSError, ValueError):
        record = json.loads((home_of(name) / RECORD).read_text(encoding="utf-8"))
        return record if isinstance(record, dict) else {}
    return {}


def _is_whole(name: str, record: Mapping[str, Any]) -> bool:
    file = home_of(name) / Path(str(record.get("file"))).name
    return file.is_file() and file.stat().st_size == record.get("size")


def _free_name(url: str, name: str | None) -> str:
    own = file_name(url)
    if name is None and not own:
        raise CorpusError(f"{url}: names no file; give the address of a file")
    chosen = name or own.partition(".")[0]
    if not _NAME.fullmatch(chosen):
        raise CorpusError(
            f"{chosen!r}: is no name of letters, digits, '.', '_' and '-'; add --name NAME"
        )
    if chosen in LARGE or chosen in PACKAGES or chosen == "miniwiki":
        raise CorpusError(f"the name {chosen!r} is that of another corpus; add --name OTHER")
    return chosen


def _fetch(
    name: str, source: Source, wanted: Checksum | None, attribution: str, transfer: Transfer
) -> None:
    folder, downloads = home_of(name), data_home() / "downloads" / name
    downloads.mkdir(parents=True, exist_ok=True)
    remote = source.locate(transfer, downloads)
    if wanted is not None:
        remote = replace(remote, checksum=wanted)
    file = downloads / remote.name
    if not _is_complete(file, remote.checksum):
        transfer.fetch(remote, file)
        _check(file, remote, transfer)
    with closing(Scratch(folder)) as scratch:
        made = scratch.path / "made"
        made.mkdir()
        (made / ATTRIBUTION).write_text(attribution, encoding="utf-8")
        record = {
            "file": remote.name,
            "size": file.stat().st_size,
            "where": source.where,
            "url": remote.url,
            "checksum": remote.checksum and f"{remote.checksum.algorithm}:{remote.checksum.digest}",
        }
        (made / RECORD).write_text(json.dumps(record, indent=2), encoding="utf-8")
        file.replace(made / remote.name)
        move_into_place(made, folder)
    shutil.rmtree(downloads, ignore_errors=True)


def _is_complete(file: Path, wanted: Checksum | None) -> bool:
    """Whether an earlier call fetched the file and was stopped just before it was done."""
    return wanted is not None and file.is_file() and checksum_of(file, wanted.algorithm) == wanted


def _check(file: Path, remote: Remote, transfer: Transfer) -> None:
    """Throws away a compressed file that is damaged, where there was no checksum to compare."""
    magic = _COMPRESSED.get(file.suffix)
    if remote.checksum is not None or magic is None:
        return
    transfer.say(f"reading {file.name} to its end, since nobody publishes its checksum")
    try:
        with file.open("rb") as raw:
            whole = raw.read(len(magic)) == magic
        if whole:
            with open_binary(file) as stream:
                while stream.read(1 << 20):
                    pass
    except DAMAGE:
        whole = False
    if not whole:
        file.unlink()
        raise CorpusError(
            f"{file.name}: what the server sent is damaged or is no {file.suffix} file; it was "
            "thrown away, run the same command to download it anew"
        )


_LICENCE = (
    "The text is available under the Creative Commons Attribution-ShareAlike License\n"
    "(https://creativecommons.org/licenses/by-sa/4.0/); its authors are the contributors of\n"
    "each article, listed in its history at https://en.wikipedia.org/wiki/<title>.\n"
)


def _wikimedia(wiki: str, about: str) -> LargeCorpus:
    folder = f"https://dumps.wikimedia.org/{wiki}/latest/{wiki}-latest"
    return LargeCorpus(
        about=about,
        source=SummedFile(f"{folder}-pages-articles-multistream.xml.bz2", f"{folder}-sha1sums.txt"),
        attribution=f"{wiki}: {about}, from https://dumps.wikimedia.org; unchanged.\n"
        + _LICENCE.replace("en.wikipedia", f"{wiki.removesuffix('wiki')}.wikipedia"),
    )


#: What can be fetched by name.
LARGE: Mapping[str, LargeCorpus] = {
    "wiki-18": LargeCorpus(
        about="the English Wikipedia of 2018 in 21 million passages, as Search-R1 and ASL use it",
        source=HubFile("PeterJinGo/wiki-18-corpus", "wiki-18.jsonl.gz"),
        attribution=(
            "wiki-18: the English Wikipedia of December 2018 in passages of 100 words.\n"
            "From the dataset PeterJinGo/wiki-18-corpus of huggingface.co; unchanged.\n" + _LICENCE
        ),
    ),
    "psgs_w100": LargeCorpus(
        about="the English Wikipedia of 2018 in 21 million passages, as DPR cut it",
        source=Address("https://dl.fbaipublicfiles.com/dpr/wikipedia_split/psgs_w100.tsv.gz"),
        attribution=(
            "psgs_w100: the English Wikipedia of December 2018 in passages of 100 words.\n"
            "Cut by the authors of DPR (https://github.com/facebookresearch/DPR); unchanged.\n"
            + _LICENCE
        ),
    ),
    "enwiki": _wikimedia("enwiki", "the latest dump of the English Wikipedia"),
    "simplewiki": _wikimedia("simplewiki", "the latest dump of the Simple English Wikipedia"),
}
