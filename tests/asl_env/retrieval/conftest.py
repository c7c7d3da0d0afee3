"""Lets the tests of this folder import the helpers beside them; nobody's token is in reach."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def no_token(monkeypatch):
    monkeypatch.delenv("ASL_SERVER_TOKEN", raising=False)
