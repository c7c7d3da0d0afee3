"""``asl serve``: one index for many clients, over HTTP."""

from __future__ import annotations

from enum import Enum
from functools import partial
from pathlib import Path
from typing import Annotated, Literal

import typer

from asl_env.protocols import Retriever


class Precision(str, Enum):
    """In what numbers an encoder computes."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"


def serve(
    what: Annotated[
        list[str] | None,
        typer.Argument(
            help="An index folder, a corpus by name, or a file; several are the shards of one "
            "index, in order.  [default: miniwiki]",
            show_default=False,
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen at; 0.0.0.0 lets other machines in.")
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port to listen at; 0 for a free one.")
    ] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, help="Server processes; they share a memory-mapped index.")
    ] = 1,
    top_k: Annotated[int, typer.Option(min=1, help="Passages where a request says nothing.")] = 3,
    max_top_k: Annotated[int, typer.Option(min=1, help="Passages per query at most.")] = 100,
    max_queries: Annotated[int, typer.Option(min=1, help="Queries per request at most.")] = 4096,
    max_queue: Annotated[
        int, typer.Option(min=1, help="Queries waiting at most; more are told to come back.")
    ] = 8192,
    batch: Annotated[int, typer.Option(min=1, help="Queries per call of the index at most.")] = 256,
    wait_ms: Annotated[
        float, typer.Option(min=0.0, help="Milliseconds that a query waits for company.")
    ] = 2.0,
    precision: Annotated[
        Precision,
        typer.Option(
            help="In what numbers the encoder of an index folder computes; bfloat16 is faster on "
            "processors made for it."
        ),
    ] = Precision.FLOAT32,
    cache: Annotated[int, typer.Option(min=0, help="Queries that are remembered.")] = 10_000,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds per request at most.")] = 30.0,
    grace: Annotated[
        float, typer.Option(min=0.0, help="Seconds to finish what was accepted, when stopping.")
    ] = 30.0,
    token_env: Annotated[
        str | None,
        typer.Option(
            help="Variable with the token that clients must send.  [default: ASL_SERVER_TOKEN, "
            "if it is set]"
        ),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Say where it listens as JSON.")] = False,
) -> None:
    """Serve an index over HTTP in the forms of Search-R1, SkyRL and gem; Ctrl-C stops it."""
    import os

    from asl_env.agents.cli import console
    from asl_env.retrieval.server.serving import serve as run
    from asl_env.retrieval.server.settings import ServerSettings, read_token

    specs = tuple(what or ["miniwiki"])
    name = " + ".join(specs)
    settings = ServerSettings(
        host=host,
        port=port,
        workers=workers,
        top_k=top_k,
        max_top_k=max_top_k,
        max_queries=max_queries,
        max_queue=max_queue,
        batch=batch,
        wait_ms=wait_ms,
        cache=cache,
        timeout=timeout,
        grace=grace,
        token_env=token_env,
    )
    if not settings.local and read_token(token_env) is None:
        console.status().print(
            "remark: anyone who reaches this machine can search; set ASL_SERVER_TOKEN to ask for "
            "a token",
            soft_wrap=True,
        )
    console.status().print(f"opening {name}", soft_wrap=True, markup=False)

    def announce(url: str) -> None:
        if json:
            console.machine({"url": url, "pid": os.getpid(), "serves": name})
        else:
            console.person().print(f"serving {name} at {url}", soft_wrap=True)

    run(partial(open_served, specs, precision.value), settings, name=name, announce=announce)


def open_served(
    specs: tuple[str, ...], precision: Literal["float32", "bfloat16"] = "float32"
) -> Retriever:
    """Opens what is served; every worker process calls it.

    Args:
        specs: What ``--corpus`` takes; several are the shards of one index.
        precision: In what numbers encoders compute. Anything but ``float32`` goes with index
            folders only.

    Raises:
        AslError: If there is nothing of that name, or it cannot be read, or the precision of a
            model that it does not have was chosen.
    """
    from asl_env.agents.cli.searching import open_retriever
    from asl_env.errors import BadIndexError
    from asl_env.retrieval.index import open_index
    from asl_env.retrieval.sharded import ShardedRetriever

    shards: list[Retriever]
    if precision == "float32":
        shards = [open_retriever(spec) for spec in specs]
    else:
        for spec in specs:
            if not Path(spec).expanduser().is_dir():
                raise BadIndexError(f"--precision goes with index folders; {spec} is none")
        shards = [open_index(spec, precision=precision) for spec in specs]
    return shards[0] if len(shards) == 1 else ShardedRetriever(shards)
