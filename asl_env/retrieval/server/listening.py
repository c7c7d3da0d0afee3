"""Sockets to listen at, taken before anything slow happens."""

from __future__ import annotations

import socket
import sys

from asl_env.errors import ServerError


def can_share() -> bool:
    """Whether processes can listen at one port and the system spreads connections evenly."""
    return sys.platform == "linux" and hasattr(socket, "SO_REUSEPORT")


def bind(host: str, port: int, *, share: bool = False) -> socket.socket:
    """Takes an address; nobody can connect before somebody listens.

    Args:
        host: Name or address.
        port: Port; 0 for a free one.
        share: Whether other processes bind the same address too. Such a socket joins whoever
            else shares the port; bind it without first to see that nobody does.

    Raises:
        ServerError: If the address is taken or none of this machine.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        family, kind, protocol, _, address = found[0]
        return _bound(family, kind, protocol, address, share=share)
    except OSError as error:
        advice = "choose another with --port, or 0 for a free one"
        raise ServerError(
            f"cannot listen at {host}:{port}: {error.strerror or error}; {advice}"
        ) from None


def url_of(bound: socket.socket) -> str:
    """The address at which clients on this machine reach a socket."""
    host, port = bound.getsockname()[:2]
    if host in ("0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(
    family: int, kind: int, protocol: int, address: tuple[object, ...], *, share: bool
) -> socket.socket:
    bound = socket.socket(family, kind, protocol)
    try:
        if sys.platform != "win32":  # there it would let two servers have one port
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if share:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(address)
    except BaseException:
        bound.close()
        raise
    bound.set_inheritable(True)
    return bound
