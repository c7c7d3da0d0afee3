"""A build gives the same bytes whatever happens to it, and goes on where it was."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from asl_env.corpora.passages import Passage
from asl_env.corpora.store import PassageStore
from asl_env.corpora.writer import write_store
from asl_env.errors import BadIndexError
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.disk import budget, builder
from asl_env.retrieval.disk.budget import Budget
from asl_env.retrieval.disk.builder import build_postings

Draw = Callable[..., list[Passage]]


class Place(NamedTuple):
    store: PassageStore
    folder: Path
    work: Path

    def build(self, analyser: str = "english", tell: Any = None, workers: int = 1) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir()
        allowed = Budget(workers=workers)
        say = tell or (lambda *step: None)
        build_postings(self.store, self.folder, self.work, Analyser(analyser), allowed, say)

    @property
    def contents(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted(self.folder.iterdir())}


@pytest.fixture
def place(tmp_path: Path, random_passages: Draw) -> Place:
    drawn = random_passages(400, vocabulary=3_000)
    drawn[7] = drawn[7]._replace(title="The")
    store = write_store(tmp_path / "store", drawn)
    return Place(store, tmp_path / "bm25", tmp_path / "work")


@pytest.fixture
def whole(place: Place, tmp_path: Path) -> dict[str, bytes]:
    """The bytes of a build in one piece."""
    other = place._replace(folder=tmp_path / "whole", work=tmp_path / "whole-work")
    other.build()
    assert len(list(other.work.glob("run-*"))) == len(list(other.work.glob("segment-*"))) == 1
    return other.contents


def pieces(place: Place) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in place.work.iterdir() if path.is_dir()}


@pytest.mark.parametrize(("run", "segment"), [(2_000, 50_000), (30_000, 200_000), (500, 1 << 29)])
def test_the_bytes_do_not_depend_on_memory(
    place: Place, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, run: int, segment: int
) -> None:
    monkeypatch.setattr(budget, "_LARGEST_RUN", run)
    monkeypatch.setattr(budget, "_LARGEST_SEGMENT", segment)
    place.build()
    assert len(pieces(place)) > 3
    assert place.contents == whole


def test_the_bytes_do_not_depend_on_processes(
    place: Place, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(budget, "_LARGEST_RUN", 30_000)
    monkeypatch.setattr(budget, "_LARGEST_SEGMENT", 400_000)
    place.build(workers=2)
    assert len(pieces(place)) > 3
    assert place.contents == whole


class PowerCutError(Exception):
    pass


@pytest.mark.parametrize(("stage", "least"), [("bm25", 150), ("merging", 4_000), ("joining", 0)])
def test_a_build_goes_on_where_it_was(
    place: Place, whole: dict[str, bytes], small: None, stage: str, least: int
) -> None:
    def cut(at: str, done: int, total: int | None) -> None:
        if at == stage and done >= least:
            raise PowerCutError

    with pytest.raises(PowerCutError):
        place.build(tell=cut)
    before = pieces(place)
    assert before
    told: list[tuple[str, int, int | None]] = []
    place.build(tell=lambda *step: told.append(step))
    assert told[0][0] == "bm25"
    assert told[0][1] >= min(least, 400) or stage != "bm25"
    assert {name: pieces(place)[name] for name in before} == before
    assert place.contents == whole


def test_damaged_and_half_written_pieces_are_made_again(
    place: Place, whole: dict[str, bytes], small: None
) -> None:
    place.build()
    (place.work / "run-00001" / "rows.u32").write_bytes(b"junk")
    (place.work / "segment-00000" / "done.json").unlink()
    (place.work / "run-00002.99.unfinished").mkdir()
    place.build()
    assert place.contents == whole
    assert not list(place.work.glob("*.unfinished"))


def test_work_of_other_passages_or_another_analyser_is_thrown_away(
    small: None, place: Place, random_passages: Draw, tmp_path: Path
) -> None:
    place.build("words")
    as_words = place.contents
    place.build()
    assert b"the" in as_words["terms.bin"]
    assert b"the" not in place.contents["terms.bin"]
    other = write_store(tmp_path / "other", random_passages(50))
    place._replace(store=other).build("words")
    assert len(place.contents["lengths.u32"]) == 4 * 50
    place.build("words")
    assert place.contents == as_words


def test_pieces_that_are_too_large_for_less_memory_are_thrown_away(
    place: Place, whole: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    place.build()
    assert len(pieces(place)) == 2
    monkeypatch.setattr(budget, "_LARGEST_RUN", 10_000)
    place.build()
    assert len(pieces(place)) > 4
    assert place.contents == whole


def test_a_disk_that_is_too_small_is_one_line_before_anything_is_read(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(place.store.folder)
    monkeypatch.setattr(builder.shutil, "disk_usage", lambda path: usage._replace(free=1_000))
    monkeypatch.setattr(builder, "_DISK_PER_TEXT_BYTE", 1e6)
    with pytest.raises(BadIndexError, match=r"400 passages needs about [\d.,]+ GB .* choose") as e:
        place.build()
    assert "\n" not in str(e.value)
    assert pieces(place) == {}


def test_two_builds_at_once_are_refused(place: Place) -> None:
    def again(stage: str, done: int, total: int | None) -> None:
        with pytest.raises(BadIndexError, match="another process is building here"):
            place._replace(folder=place.folder.with_name("second")).build()

    place.build(tell=again)


SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from asl_env.corpora.store import PassageStore
    from asl_env.retrieval.analyser import Analyser
    from asl_env.retrieval.disk import budget
    from asl_env.retrieval.disk.budget import Budget
    from asl_env.retrieval.disk.builder import build_postings

    if __name__ == "__main__":
        budget._LARGEST_RUN, budget._LARGEST_SEGMENT = 5_000, 100_000
        store, folder, work = map(Path, sys.argv[1:])
        tell = lambda *step: print(*step, flush=True)
        workers = Budget(workers=2)
        build_postings(PassageStore(store), folder, work, Analyser(), workers, tell)
    """
)


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["bm25", "merging"])
def test_a_killed_build_goes_on_and_leaves_no_process(
    place: Place,
    whole: dict[str, bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    stage: str,
) -> None:
    script = tmp_path / "build.py"
    script.write_text(SCRIPT)
    place.folder.mkdir()
    words = [sys.executable, str(script), str(place.store.folder), str(place.folder)]
    running = subprocess.Popen(
        [*words, str(place.work)], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert running.stdout is not None
    steps = 0
    for line in running.stdout:
        steps += line.startswith(stage)
        if steps == 3:
            break
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    running.stdout.close()
    for _ in range(200):  # its helpers notice
        try:
            os.killpg(running.pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.1)
    else:
        pytest.fail("processes of the killed build are still there")
    before = pieces(place)
    finished = [name for name in before if not name.endswith(".unfinished")]
    assert finished
    monkeypatch.setattr(budget, "_LARGEST_RUN", 5_000)
    monkeypatch.setattr(budget, "_LARGEST_SEGMENT", 100_000)
    place.build()
    assert {name: pieces(place)[name] for name in finished} == {n: before[n] for n in finished}
    assert place.contents == whole
