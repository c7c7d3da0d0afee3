"""The libraries of the extra ``server``, looked for before they are needed."""

from __future__ import annotations

from importlib.util import find_spec

from asl_env.errors import ServerError


def require_server() -> None:
    """Makes sure that the server's libraries are there.

    Raises:
        ServerError: If one is missing; the message names the extra that brings it.
    """
    for name in ("starlette", "uvicorn", "httptools", "msgpack"):
        if find_spec(name) is None:
            raise ServerError(f"{name} is missing: pip install 'asl-env[server]'")
