"""Lets the tests of this folder import the peer beside them; nobody's key is in reach."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import peer as peers


@pytest.fixture(autouse=True)
def no_keys(monkeypatch):
    for name in ("ASL_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def peer():
    """A server on this machine that answers each request as its script says."""
    with peers.Peer() as server:
        yield server
