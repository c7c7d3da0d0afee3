"""Pieces are complete, byte for byte, or not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from asl_env.retrieval.disk.pieces import (
    is_complete,
    read_array,
    read_facts,
    remove_unfinished,
    write_piece,
)


@pytest.fixture
def piece(tmp_path: Path) -> Path:
    files = {"a.u32": np.arange(5, dtype="<u4"), "text": b"xyz", "none": np.empty(0, "<u4")}
    write_piece(tmp_path / "piece", files, {"rows": 3})
    return tmp_path / "piece"


def test_what_is_written_is_read(piece: Path) -> None:
    assert is_complete(piece)
    assert read_facts(piece) == {"rows": 3}
    assert read_array(piece / "a.u32", "<u4").tolist() == [0, 1, 2, 3, 4]
    assert read_array(piece / "a.u32", "<u4", 1, 3).tolist() == [1, 2]
    assert read_array(piece / "none", "<u4").tolist() == []
    assert [path.name for path in piece.parent.iterdir()] == ["piece"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda piece: (piece / "text").write_bytes(b"xyy"),
        lambda piece: (piece / "text").write_bytes(b"xy"),
        lambda piece: (piece / "text").unlink(),
        lambda piece: (piece / "done.json").unlink(),
        lambda piece: (piece / "done.json").write_text("[1"),
        lambda piece: (piece / "done.json").write_text("[1]"),
    ],
)
def test_a_damaged_piece_is_not_complete(piece: Path, damage: Callable[[Path], object]) -> None:
    damage(piece)
    assert not is_complete(piece)
    assert not is_complete(piece.parent / "nowhere")


def test_a_piece_is_replaced_and_what_was_left_unfinished_removed(piece: Path) -> None:
    (piece.parent / "piece.77.unfinished").mkdir()
    write_piece(piece, {"b": b"1"}, {})
    assert sorted(path.name for path in piece.iterdir()) == ["b", "done.json"]
    remove_unfinished(piece.parent)
    assert [path.name for path in piece.parent.iterdir()] == ["piece"]
