"""Lets the tests of this folder import the tiny world and learner beside them."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Syncing guards against power cuts, which no test makes; on a busy disk it takes seconds."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
