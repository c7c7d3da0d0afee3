"""What a reader kept and what it had to leave out."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import BinaryIO

#: Kinds of problem after which the passage is still kept.
KEPT_KINDS = frozenset({"byte order mark"})

_SHOWN = 5


@dataclass
class Problem:
    """One kind of bad input.

    Attributes:
        count: How often it occurred.
        first: The first few places (line, record or page numbers, from 1).
    """

    count: int = 0
    first: list[int] = field(default_factory=list)


@dataclass
class ReadReport:
    """Counts of one pass over a source.

    Attributes:
        unit: What places are numbered by: ``"line"``, ``"record"`` or ``"page"``.
        seen: Units looked at.
        kept: Passages that came out.
        problems: Bad input by kind, in order of first occurrence.
        tallies: What else was counted and is no problem, such as redirects.
    """

    unit: str = "line"
    seen: int = 0
    kept: int = 0
    problems: dict[str, Problem] = field(default_factory=dict)
    tallies: dict[str, int] = field(default_factory=dict)
    _file: BinaryIO | None = field(default=None, repr=False, compare=False)
    _size: int = field(default=0, repr=False, compare=False)

    def follow(self, file: BinaryIO) -> None:
        """Remembers the file that is being read, so that ``fraction`` can be asked."""
        self._file, self._size = file, os.fstat(file.fileno()).st_size

    @property
    def fraction(self) -> float:
        """Share of the file's bytes (as they are on the disk) that were read so far."""
        if self._file is None or not self._size:
            return 0.0
        return 1.0 if self._file.closed else min(1.0, self._file.tell() / self._size)

    def add(self, kind: str, place: int) -> None:
        """Counts one problem.

        Args:
            kind: A short noun phrase such as ``"broken JSON"``.
            place: Line, record or page number, from 1.
        """
        problem = self.problems.setdefault(kind, Problem())
        problem.count += 1
        if len(problem.first) < _SHOWN:
            problem.first.append(place)

    def tally(self, what: str) -> None:
        """Counts something that is no problem."""
        self.tallies[what] = self.tallies.get(what, 0) + 1

    @property
    def bad(self) -> int:
        """Number of problems that cost a passage."""
        return sum(p.count for kind, p in self.problems.items() if kind not in KEPT_KINDS)

    def lines(self) -> list[str]:
        """Returns one line per kind of problem, for people."""
        out = []
        for kind, problem in self.problems.items():
            places = ", ".join(map(str, problem.first))
            more = ", ..." if problem.count > len(problem.first) else ""
            plural = "s" if problem.count > 1 else ""
            out.append(f"{problem.count:,} x {kind} ({self.unit}{plural} {places}{more})")
        return out

    def to_json(self) -> dict[str, object]:
        """Returns the report as plain data, for ``--json`` and manifests.

        The order does not depend on how far readers ran ahead in other processes.
        """
        ordered = sorted(self.problems.items(), key=lambda item: (item[1].first, item[0]))
        return {
            "unit": self.unit,
            "seen": self.seen,
            "kept": self.kept,
            "tallies": dict(sorted(self.tallies.items())),
            "problems": {kind: {"count": p.count, "first": list(p.first)} for kind, p in ordered},
        }
