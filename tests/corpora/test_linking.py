"""A store in two places."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from asl_env.corpora.linking import link_store
from asl_env.corpora.passages import Passage
from asl_env.corpora.store import PassageStore
from asl_env.corpora.writer import write_store

PASSAGES = [Passage(str(n), "T", f"text {n}") for n in range(50)]


@pytest.mark.parametrize("links", [True, False])
def test_both_stay_as_they_are_when_one_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    def refuse(source: Path, target: Path) -> None:
        raise OSError("no links here")

    if not links:
        monkeypatch.setattr(os, "link", refuse)
    store = write_store(tmp_path / "a", PASSAGES, attribution="by us", compression="zlib")
    linked = link_store(store, tmp_path / "b" / "c")
    assert (tmp_path / "b" / "c" / "ids.u64").samefile(tmp_path / "a" / "ids.u64") is links
    shutil.rmtree(tmp_path / "a")
    assert (linked.digest, linked.attribution) == (store.digest, "by us")
    PassageStore(tmp_path / "b" / "c").verify()
    assert list(linked) == PASSAGES
