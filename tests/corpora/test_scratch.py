"""Making something beside its target."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from asl_env.corpora.scratch import Scratch, move_into_place

HOLD = """
import sys
from pathlib import Path
from asl_env.corpora.scratch import Scratch
scratch = Scratch(Path(sys.argv[1]))
(scratch.path / "half").write_text("done")
print(scratch.path, flush=True)
sys.stdin.read()
"""


def test_what_is_kept_is_moved_and_what_is_not_is_removed(tmp_path: Path) -> None:
    kept, lost = Scratch(tmp_path / "a" / "kept"), Scratch(tmp_path / "a" / "lost")
    for scratch in (kept, lost):
        (scratch.path / "file").write_text("x")
    kept.keep()
    kept.close()
    lost.close()
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["kept"]
    assert [p.name for p in (tmp_path / "a" / "kept").iterdir()] == ["file"]


def test_leftovers_of_a_killed_process_are_removed_and_a_living_one_is_left_alone(
    tmp_path: Path,
) -> None:
    target = tmp_path / "store"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(target)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert holder.stdout is not None
    theirs = Path(holder.stdout.readline().strip())
    Scratch(target).close()
    assert (theirs / "half").exists()
    holder.kill()
    holder.communicate()
    assert (theirs / "half").exists()
    Scratch(target).close()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("old", [True, False])
def test_moving_replaces_what_was_there(old: bool, tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "new").touch()
    if old:
        (tmp_path / "target").mkdir()
        (tmp_path / "target" / "old").touch()
    move_into_place(tmp_path / "made", tmp_path / "target")
    assert [p.name for p in tmp_path.iterdir()] == ["target"]
    assert [p.name for p in (tmp_path / "target").iterdir()] == ["new"]
