"""The nano model: a language model of a few million parameters that comes with the package."""

from __future__ import annotations

from pathlib import Path


def folder() -> Path:
    """The folder of the model that comes with the package."""
    return Path(__file__).parent / "data"
