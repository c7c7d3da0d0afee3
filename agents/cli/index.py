"""``asl index``: build, describe, check and search indexes."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from asl_env.protocols import Hit
    from asl_env.retrieval.manifest import IndexInfo

app = typer.Typer(no_args_is_help=True, add_completion=False)

Json = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
OtherEncoder = Annotated[
    str | None, typer.Option(help="Encoder to open it with, if its model has moved.")
]

_SHOWN_CHARACTERS = 300


class Kind(str, Enum):
    """Kinds of index."""

    bm25 = "bm25"
    bm25_disk = "bm25-disk"
    flat = "faiss-flat"
    hnsw = "faiss-hnsw"
    ivfsq8 = "faiss-ivfsq8"
    ivfpq = "faiss-ivfpq"
    hybrid = "hybrid"


class Dense(str, Enum):
    """Kinds of the dense part of a hybrid."""

    flat = "faiss-flat"
    hnsw = "faiss-hnsw"
    ivfsq8 = "faiss-ivfsq8"
    ivfpq = "faiss-ivfpq"


class Compress(str, Enum):
    """Ways to write the passages."""

    none = "none"
    zlib = "zlib"


@app.command()
def build(
    corpus: Annotated[str, typer.Argument(help="A corpus by name, a passage store, or a file.")],
    out: Annotated[Path, typer.Argument(help="Folder of the index to write.")],
    kind: Annotated[
        Kind,
        typer.Option(help="What to search with; bm25 is bm25-disk from a million passages on."),
    ] = Kind.bm25,
    analyser: Annotated[
        str, typer.Option(help="For BM25: english, english-unstemmed, words, or a Snowball name.")
    ] = "english",
    encoder: Annotated[
        str,
        typer.Option(help="For faiss: static, minilm, or a sentence-transformers name or folder."),
    ] = "static",
    dense: Annotated[Dense, typer.Option(help="Dense part of a hybrid.")] = Dense.flat,
    compress: Annotated[
        Compress | None,
        typer.Option(help="How the passages are written; by default as they are in a store."),
    ] = None,
    memory: Annotated[
        str,
        typer.Option(
            help="For bm25-disk: memory of all processes together, such as 8GB; see --workers."
        ),
    ] = "4GB",
    workers: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Processes that index or encode; one per core by default, and one per 512 MB of "
            "--memory at most.",
        ),
    ] = None,
    vectors: Annotated[
        Path | None,
        typer.Option(
            help="For faiss: vectors of these passages that were made elsewhere (.npy, a faiss "
            ".index, or a file of nothing but numbers)."
        ),
    ] = None,
    overwrite: Annotated[bool, typer.Option(help="Replace an index that is there.")] = False,
    json: Json = False,
) -> None:
    """Build an index folder; an interrupted build leaves what was there before.

    Run the same command again after an interruption: bm25-disk, encoders and inverted lists go on
    where they were.
    """
    from asl_env.agents.cli import console
    from asl_env.retrieval.index import build_index

    with _progress() as tell:
        info = build_index(
            corpus,
            out,
            kind=kind.value,
            analyser=analyser,
            encoder=encoder,
            dense=dense.value,
            compression=None if compress is None else compress.value,
            memory=memory,
            workers=workers or os.cpu_count() or 1,
            vectors=vectors,
            overwrite=overwrite,
            progress=tell,
        )
    if json:
        console.machine(_facts(out, info))
        return
    for line in info.report:
        console.status().print(f"bad: {line}", style="yellow")
    console.person().print(f"{out}: {info.kind}, {info.passages:,} passages", soft_wrap=True)


@app.command()
def info(
    folder: Annotated[Path, typer.Argument(help="An index folder.")], json: Json = False
) -> None:
    """Say what an index holds, and the command that builds it again."""
    from asl_env.agents.cli import console
    from asl_env.retrieval.index import index_info

    facts = _facts(folder, index_info(folder))
    if json:
        console.machine(facts)
        return
    for key, value in facts.items():
        if value not in (None, "", []):
            plain = f"{value:,}" if type(value) is int else str(value)
            console.person().print(f"{key}: {plain}", soft_wrap=True)


@app.command()
def check(
    folder: Annotated[Path, typer.Argument(help="An index folder.")],
    encoder: OtherEncoder = None,
    json: Json = False,
) -> None:
    """Compare every file with its checksum, and open the index."""
    from asl_env.agents.cli import console
    from asl_env.retrieval.index import check_index

    with console.status().status(f"checking {folder}"):
        found = check_index(folder, encoder=encoder)
    if json:
        console.machine({"ok": True, **_facts(folder, found)})
        return
    console.person().print(f"{folder}: all {len(found.files)} files are sound", soft_wrap=True)


@app.command()
def search(
    folder: Annotated[
        str,
        typer.Argument(
            help="An index folder, or a retriever by name; rerank:MODEL: may precede it."
        ),
    ],
    query: Annotated[str, typer.Argument(help="What to look for.")],
    k: Annotated[int, typer.Option("-k", min=1, help="How many passages.")] = 3,
    encoder: OtherEncoder = None,
    json: Json = False,
) -> None:
    """Search an index."""
    from asl_env.agents.cli import console
    from asl_env.errors import BadIndexError
    from asl_env.retrieval.index import open_index
    from asl_env.retrieval.registry import make_retriever

    if encoder is not None and not Path(folder).expanduser().is_dir():
        raise BadIndexError(f"--encoder goes with an index folder; {folder} is none")
    with console.status().status(f"searching {folder}"):
        retriever = (
            make_retriever(folder) if encoder is None else open_index(folder, encoder=encoder)
        )
        [hits] = retriever.search([query], k)
    if json:
        console.machine({"query": query, "hits": [_hit(hit) for hit in hits]})
        return
    if not hits:
        console.status().print("nothing found")
    for rank, hit in enumerate(hits, start=1):
        passage = hit.passage
        console.person().print(f"{rank}. {passage.title or passage.id}  ({hit.score:.3f})")
        text = passage.text
        shortened = len(text) > _SHOWN_CHARACTERS
        console.person().print(f"   {text[:_SHOWN_CHARACTERS]}{'…' if shortened else ''}")


def _hit(hit: Hit) -> dict[str, Any]:
    return {**hit.passage._asdict(), "score": hit.score}


def _facts(folder: Path, info: IndexInfo) -> dict[str, Any]:
    facts = asdict(info)
    del facts["probe"], facts["files"]
    return {"folder": str(folder), **facts, "bytes": info.bytes}


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int | None], None]]:
    """A bar on standard error, one line for the stage at work."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from asl_env.agents.cli import console

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left:"),
        TimeRemainingColumn(),
    )
    with console.progress(*columns) as bar:
        task = bar.add_task("starting", total=None)
        stages: list[str] = []

        def tell(stage: str, done: int, total: int | None) -> None:
            if stages[-1:] == [stage]:
                bar.update(task, completed=done, total=total)
                return
            # What an earlier build has done already says nothing about speed.
            stages.append(stage)
            bar.reset(task, description=stage, completed=done, total=total)

        yield tell
