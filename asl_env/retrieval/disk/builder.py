"""Building an on-disk BM25: runs in parallel, then segments in parallel, then one after another.

What is finished lies in a work folder as complete pieces, so that a build that was killed goes on
from there. The bytes of the result depend on the passages and the analyser alone: not on memory,
processes or interruptions.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from asl_env.corpora.store import PassageStore
from asl_env.retrieval.analyser import Analyser
from asl_env.retrieval.disk.assembly import assemble
from asl_env.retrieval.disk.budget import Budget
from asl_env.retrieval.disk.layout import array_file
from asl_env.retrieval.disk.pieces import is_complete, read_array, read_facts, remove_unfinished
from asl_env.retrieval.disk.processes import do_all
from asl_env.retrieval.disk.runs import LENGTHS, make_run
from asl_env.retrieval.disk.segments import Stretch, make_segment, split_terms
from asl_env.retrieval.postings import mean_length
from asl_env.retrieval.workfolder import Tell, clear, locked, need_space

#: Raised when pieces are written in another way; older work is then not gone on with.
_WORK_VERSION = 1
_PLAN = "plan.json"

#: Free bytes on the disk that a build needs per byte of text: runs, segments and the result.
_DISK_PER_TEXT_BYTE = 1.2


def build_postings(
    store: PassageStore, folder: Path, work: Path, analyser: Analyser, budget: Budget, tell: Tell
) -> None:
    """Builds the postings of all passages of a store.

    Args:
        store: The passages.
        folder: An empty folder for the result.
        work: Folder of finished work; gone on with if it is of the same passages and analyser.
            It is left as it is, for the caller to remove.
        analyser: Makes terms.
        budget: Memory and processes.
        tell: Told the stage, what is done, and of how much.

    Raises:
        BadIndexError: If the disk is too small, another process builds with the same work folder,
            or a process died.
    """
    work.mkdir(parents=True, exist_ok=True)
    with locked(work):
        size = _plan(store, work, analyser, budget)
        remove_unfinished(work)
        _need_space(store, work)
        runs = _make_runs(store, work, analyser, size, budget, tell)
        lengths = array_file(folder, "lengths")
        total = _join_lengths(runs, lengths)
        mean = mean_length(total, len(store))
        segments = _make_segments(runs, work, lengths, mean, budget, tell)
        tell("joining", 0, None)
        assemble(segments, folder, len(store), mean)


def _plan(store: PassageStore, work: Path, analyser: Analyser, budget: Budget) -> int:
    """Returns the bytes of text per run: as planned before, if that work can be gone on with."""
    same = {
        "version": _WORK_VERSION,
        "digest": store.digest,
        "analyser": analyser.name,
        "fingerprint": analyser.fingerprint,
    }
    try:
        plan = json.loads((work / _PLAN).read_text(encoding="utf-8"))
        size = int(plan.pop("run_bytes"))
        if plan == same and size <= budget.run_bytes:
            return size
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        pass
    clear(work)
    text = json.dumps({**same, "run_bytes": budget.run_bytes})
    (work / _PLAN).write_text(text, encoding="utf-8")
    return budget.run_bytes


def _need_space(store: PassageStore, work: Path) -> None:
    need = int(_DISK_PER_TEXT_BYTE * store.text_bytes)
    need_space(work, work.parent, f"indexing {len(store):,} passages needs", need)


def _make_runs(
    store: PassageStore, work: Path, analyser: Analyser, size: int, budget: Budget, tell: Tell
) -> list[Path]:
    stretches = store.stretches(size)
    runs = [work / f"run-{number:05}" for number in range(len(stretches))]
    tasks, done = [], 0
    for rows, run in zip(stretches, runs, strict=True):
        if is_complete(run):
            done += len(rows)
        else:
            tasks.append((store.folder, rows, analyser.name, run))
    tell("bm25", done, len(store))
    with closing(do_all(make_run, tasks, budget.processes)) as results:
        for count in results:
            done += count
            tell("bm25", done, len(store))
    return runs


def _join_lengths(runs: Sequence[Path], target: Path) -> int:
    """Writes the terms of every passage to one file; returns their sum."""
    total = 0
    with target.open("wb") as file:
        for run in runs:
            lengths = read_array(run / LENGTHS, "<u4")
            total += int(lengths.sum(dtype=np.int64))
            file.write(lengths.tobytes())
    return total


def _make_segments(
    runs: list[Path], work: Path, lengths: Path, mean: float, budget: Budget, tell: Tell
) -> list[Path]:
    total = sum(int(read_facts(run)["postings"]) for run in runs)
    stretches = _stretches(runs, work, budget)
    segments = [work / f"segment-{number:05}" for number in range(len(stretches))]
    tasks: list[tuple[Any, ...]] = []
    done = 0
    for stretch, segment in zip(stretches, segments, strict=True):
        if is_complete(segment):
            done += int(read_facts(segment)["postings"])
        else:
            tasks.append((runs, stretch, lengths, mean, segment))
    tell("merging", done, total)
    with closing(do_all(make_segment, tasks, budget.processes)) as results:
        for count in results:
            done += count
            tell("merging", done, total)
    return segments


def _stretches(runs: Sequence[Path], work: Path, budget: Budget) -> list[Stretch]:
    """How the vocabulary is cut: as before, if that was written down, so that segments fit."""
    path = work / "stretches.json"
    try:
        cost, cuts = json.loads(path.read_text(encoding="utf-8"))
        cuts = [bytes.fromhex(cut) for cut in cuts]
        if cost <= budget.segment_cost:
            return [Stretch(low, high) for low, high in zip(cuts, [*cuts[1:], None], strict=True)]
    except (OSError, ValueError, TypeError):
        pass
    for old in work.glob("segment-*"):
        shutil.rmtree(old)
    found = split_terms(runs, budget.segment_cost)
    unfinished = path.with_suffix(".unfinished")
    text = json.dumps([budget.segment_cost, [stretch.low.hex() for stretch in found]])
    unfinished.write_text(text, encoding="utf-8")
    unfinished.replace(path)
    return found
