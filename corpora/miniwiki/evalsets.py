"""Evaluation sets of MiniWiki: built once from held-out wordings and entities, then frozen.

Every question has exactly one right answer, which it does not contain (comparisons of two named
things excepted). The sets whose name ends in ``-dev`` are for tuning: generator wordings, and
entities of their own that are neither in the training tasks nor held out.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable, Iterable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

from asl_env.corpora.errors import CorpusError, did_you_mean
from asl_env.corpora.miniwiki.oracle import Oracle
from asl_env.corpora.miniwiki.questions import QuestionRecord, Sampler, split

if TYPE_CHECKING:
    from asl_env.corpora.miniwiki.facts import Facts
    from asl_env.corpora.miniwiki.meanings import Meaning

_BASES = ("miniwiki-1hop", "miniwiki-2hop", "miniwiki-3hop", "miniwiki-compare")
NAMES: tuple[str, ...] = (*_BASES, *(f"{name}-dev" for name in _BASES))

SIZE = 600
DEV_SIZE = 200

#: No relation is what is asked for in more than this share of a set.
LARGEST_SHARE = 0.1

_SEED = 20_240
_TRIES = 100_000
_TRIES_PER_KIND = 50


@cache
def load(name: str) -> tuple[QuestionRecord, ...]:
    """Reads an evaluation set.

    Args:
        name: One of ``NAMES``.

    Raises:
        CorpusError: If there is no set of that name.
    """
    if name not in NAMES:
        raise CorpusError(f"no MiniWiki evaluation set {name!r}{did_you_mean(name, NAMES)}")
    source = files("asl_env.corpora.miniwiki.data") / file_name(name)
    return loads(source.read_bytes())


def file_name(name: str) -> str:
    """The data file of a set."""
    return f"eval-{name}.jsonl.gz"


def loads(data: bytes) -> tuple[QuestionRecord, ...]:
    """Reads records from the bytes ``dumps`` made."""
    records = []
    for line in gzip.decompress(data).decode("utf-8").splitlines():
        row = json.loads(line)
        answers = tuple(row["golden_answers"])
        records.append(QuestionRecord(row["id"], row["question"], answers, row["metadata"]))
    return tuple(records)


def dumps(records: Iterable[QuestionRecord]) -> bytes:
    """Writes records as gzipped JSON lines, the same bytes for the same records."""
    lines = (json.dumps(r._asdict(), ensure_ascii=False) + "\n" for r in records)
    return gzip.compress("".join(lines).encode("utf-8"), compresslevel=9, mtime=0)


def build(name: str, facts: Facts, oracle: Oracle) -> list[QuestionRecord]:
    """Builds a set anew; deterministic.

    Args:
        name: One of ``NAMES``.
        facts: What the questions are about.
        oracle: Checks them.

    Raises:
        CorpusError: If the facts do not give enough questions.
    """
    dev = name.endswith("-dev")
    part, bank_name = ("dev", "generator") if dev else ("heldout", "heldout")
    sampler = Sampler(facts, oracle, bank_name, lambda entity_id: split(entity_id) == part)
    base = name.removesuffix("-dev")
    draw = _comparisons(sampler) if base.endswith("compare") else _chains(sampler, int(base[9]))
    rng = np.random.default_rng([_SEED, NAMES.index(name)])
    other = Oracle(facts, ["heldout" if dev else "generator"], clozes=not dev)
    return _fill(name, DEV_SIZE if dev else SIZE, sampler, draw, rng, other)


Draw = Callable[[frozenset[str], np.random.Generator], "Meaning | None"]


def _chains(sampler: Sampler, count: int) -> Draw:
    """Draws chains that do not end with a relation that is full."""

    def draw(full: frozenset[str], rng: np.random.Generator) -> Meaning | None:
        finals = [hop for hop in sampler.finals() if hop.relation not in full]
        return sampler.chain(finals[int(rng.integers(len(finals)))], count, rng)

    return draw


def _comparisons(sampler: Sampler) -> Draw:
    """Draws comparisons of named or described things, and superlatives, by turns."""

    def draw(full: frozenset[str], rng: np.random.Generator) -> Meaning | None:
        measures = [name for name in sampler.measures() if name not in full]
        make = sampler.contest if rng.random() < 0.5 else sampler.superlative
        deep = bool(rng.random() < 0.5)
        for _ in range(_TRIES_PER_KIND):
            meaning = make(measures[int(rng.integers(len(measures)))], deep, rng)
            if meaning is not None:
                return meaning
        return None

    return draw


def _fill(
    name: str, size: int, sampler: Sampler, draw: Draw, rng: np.random.Generator, other: Oracle
) -> list[QuestionRecord]:
    """Draws until the set is full; the same fact or pair is asked for only once.

    A question that happens to be worded as the other side would word it, which the other oracle
    notices, is left out.
    """
    found: dict[tuple[str, ...], QuestionRecord] = {}
    asked: Counter[str] = Counter()
    most = int(size * LARGEST_SHARE)
    for _ in range(_TRIES):
        if len(found) == size:
            return list(found.values())
        full = frozenset(relation for relation, count in asked.items() if count >= most)
        meaning = draw(full, rng)
        record = sampler.record(meaning, f"{name}-{len(found):04d}", rng) if meaning else None
        if record is None or other.ask(record.question).status != "outside":
            continue
        key = (*record.metadata["entities"], *record.metadata["chain"], record.golden_answers[0])
        if key not in found:
            found[key] = record
            asked[record.metadata["chain"][-1]] += 1
    raise CorpusError(
        f"{name}: only {len(found)} of {size} questions found; add facts or templates"
    )
