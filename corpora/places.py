"""Where things that were fetched or computed are kept on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

#: Environment variable that moves everything (data and cache) under one folder.
HOME_VARIABLE = "ASL_ENV_HOME"

_APP = "asl-env"


def data_home() -> Path:
    r"""Returns the folder of fetched corpora; it need not exist yet.

    ``ASL_ENV_HOME`` wins; then ``$XDG_DATA_HOME/asl-env`` (default ``~/.local/share/asl-env``),
    ``~/Library/Application Support/asl-env`` on macOS, ``%LOCALAPPDATA%\asl-env`` on Windows.
    """
    return _place("XDG_DATA_HOME", ".local/share", "Library/Application Support", "")


def cache_home() -> Path:
    r"""Returns the folder of what can be computed again; it need not exist yet.

    ``$ASL_ENV_HOME/cache`` wins; then ``$XDG_CACHE_HOME/asl-env`` (default ``~/.cache/asl-env``),
    ``~/Library/Caches/asl-env`` on macOS, ``%LOCALAPPDATA%\asl-env\cache`` on Windows.
    """
    return _place("XDG_CACHE_HOME", ".cache", "Library/Caches", "cache")


def _place(xdg: str, linux: str, mac: str, below: str) -> Path:
    if own := os.environ.get(HOME_VARIABLE):
        return Path(own).expanduser().absolute() / below
    # The XDG specification says that a relative path in these variables must be ignored.
    chosen = os.environ.get(xdg, "")
    if Path(chosen).is_absolute():
        return Path(chosen) / _APP
    if sys.platform == "darwin":
        return Path.home() / mac / _APP
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else Path.home() / "AppData" / "Local") / _APP / below
    return Path.home() / linux / _APP
