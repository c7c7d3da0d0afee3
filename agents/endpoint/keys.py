"""API keys: read from the environment at the moment of use, kept nowhere, shown nowhere."""

from __future__ import annotations

import os
from collections.abc import Mapping

from asl_env.agents.endpoint.errors import EndpointError

#: Where a key is looked for, in this order, if the user names no variable.
DEFAULT_NAMES = ("ASL_API_KEY", "OPENAI_API_KEY")
#: Values shorter than this are placeholders (``EMPTY``, ``none``), not secrets.
SECRET_LENGTH = 8


def read_key(
    name: str | None, *, private: bool, environ: Mapping[str, str] = os.environ
) -> str | None:
    """Returns the key to send, or ``None`` to send none.

    Args:
        name: The variable that holds it; ``None`` looks into the default ones.
        private: Whether nobody on the way can read it (https, or this machine). Elsewhere
            ``OPENAI_API_KEY`` stays at home, since it was not set for this server.
        environ: The environment.

    Raises:
        EndpointError: If the named variable is not set, or a key cannot stand in a header. The
            message never holds the key.
    """
    if name is not None and not environ.get(name, "").strip():
        raise EndpointError(f"the variable {name} with the API key is not set; set it", fatal=True)
    names = (name,) if name is not None else DEFAULT_NAMES if private else DEFAULT_NAMES[:1]
    for found in names:
        key = environ.get(found, "").strip()
        if not key:
            continue
        if not (key.isascii() and key.isprintable()) or " " in key:
            raise EndpointError(
                f"the API key in {found} has blanks or characters outside ASCII; copy it again",
                fatal=True,
            )
        return key
    return None


def holds_key(text: str, key: str | None) -> bool:
    """Whether a text gives the key away."""
    return key is not None and len(key) >= SECRET_LENGTH and key in text


def redact(text: str, key: str | None) -> str:
    """Takes the key out of a text that is going to be shown."""
    return text.replace(key, "[key]") if key is not None and holds_key(text, key) else text
