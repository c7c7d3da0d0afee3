"""Questions with known answers: random meanings over the facts, worded by a template bank."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.miniwiki.facts import Facts
from asl_env.corpora.miniwiki.grammar import Hop
from asl_env.corpora.miniwiki.meanings import (
    Contest,
    Extreme,
    Meaning,
    Named,
    Step,
    denotation,
    hops,
    measured,
    relations,
    subjects,
    topics,
)
from asl_env.corpora.miniwiki.oracle import Oracle
from asl_env.corpora.miniwiki.reading import comparable
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.corpora.miniwiki.templates import bank
from asl_env.corpora.miniwiki.wording import Wording

if TYPE_CHECKING:
    from numpy.random import Generator

#: Two things are compared only if their measures differ by more than this share of the larger.
_CLOSE = 0.02

#: A superlative is asked only over at least this many measured things.
_LEAST_MEMBERS = 3

#: A chain steps back along a relation only if objects have no more subjects than this on average.
_MOST_SUBJECTS = 2.2

_DEV_SHARE = 20

_TRIES_EACH = 500


class QuestionRecord(NamedTuple):
    """A question with its accepted answers.

    Attributes:
        id: Unique, with the name of its set.
        question: What is asked.
        golden_answers: Accepted answers; the first is the plainest.
        metadata: ``hops``; ``kind`` ("chain", "contest", "superlative"); ``chain``, the relations
            in order of look-up; ``entities``, ids of what the question is about; ``subjects``, ids
            of all whose facts lead to the answer.
    """

    id: str
    question: str
    golden_answers: tuple[str, ...]
    metadata: Mapping[str, Any]


def split(entity_id: str) -> str:
    """Which questions may be about an entity: ``heldout`` (evaluation), ``dev`` or ``train``."""
    if Facts.heldout(entity_id):
        return "heldout"
    digest = hashlib.md5(f"dev {entity_id}".encode()).hexdigest()
    return "dev" if int(digest, 16) % _DEV_SHARE == 0 else "train"


@cache
def all_hops() -> tuple[Hop, ...]:
    """Both directions of every relation."""
    return tuple(Hop(name, forward) for name in sorted(RELATIONS) for forward in (True, False))


def source(hop: Hop) -> str:
    """The entity type a hop starts from, or ``relation`` itself if it starts from a literal."""
    relation = RELATIONS[hop.relation]
    if hop.forward:
        return relation.subject_type
    return hop.relation if relation.literal else relation.object_kind


def target(hop: Hop) -> str:
    """The entity type a hop ends at, or ``literal``."""
    relation = RELATIONS[hop.relation]
    if not hop.forward:
        return relation.subject_type
    return "literal" if relation.literal else relation.object_kind


def follow(start: str, *path: Hop) -> Meaning:
    """The meaning of a chain of hops from an entity id or literal."""
    meaning: Meaning = Named(frozenset((start,)))
    for hop in path:
        meaning = Step(hop.relation, hop.forward, meaning)
    return meaning


def reveals(question: str, answers: Iterator[str] | tuple[str, ...] | frozenset[str]) -> bool:
    """Whether one of the answers stands in the question as words."""
    words = f" {comparable(question)} "
    return any(f" {comparable(answer)} " in words for answer in answers)


@cache
def _telling(hop: Hop, facts: Facts) -> bool:
    """Whether a hop back to subjects usually has few ends, so that a single one is no accident."""
    if hop.forward:
        return True
    held = facts.of_relation(hop.relation)
    return len(held) <= _MOST_SUBJECTS * len({fact.object for fact in held})


class Sampler:
    """Draws meanings with exactly one right answer and words them.

    Args:
        facts: What is known.
        oracle: Checks that an answer is the only one.
        bank_name: Template bank.
        named: Which entities a question may be about.
        used: Which entities' facts may lead to the answer.
    """

    def __init__(
        self,
        facts: Facts,
        oracle: Oracle,
        bank_name: str,
        named: Callable[[str], bool],
        used: Callable[[str], bool] = lambda entity_id: True,
    ) -> None:
        self._facts = facts
        self._oracle = oracle
        self._wording = Wording(facts, bank(bank_name))
        self._named = named
        self._used = used
        self._starts: dict[str, tuple[str, ...]] = {}
        self._before: dict[str, list[Hop]] = {}
        for hop in all_hops():
            if self._nests(hop):
                self._before.setdefault(target(hop), []).append(hop)

    def _nests(self, hop: Hop) -> bool:
        use = "noun" if hop.forward else "noun-back"
        return self._wording.has(hop.relation, use) and _telling(hop, self._facts)

    def finals(self) -> tuple[Hop, ...]:
        """The hops a question can end with."""
        uses = {True: "ask", False: "ask-back"}
        asked = (hop for hop in all_hops() if self._wording.has(hop.relation, uses[hop.forward]))
        return tuple(hop for hop in asked if _telling(hop, self._facts))

    def measures(self) -> tuple[str, ...]:
        """The relations things can be compared by."""
        return tuple(name for name in sorted(RELATIONS) if self._wording.has(name, "more"))

    def starts(self, kind: str) -> tuple[str, ...]:
        """What a chain may start from: entities of a type, or literals of a relation."""
        if kind not in self._starts:
            if kind in RELATIONS:
                found = {f.object for f in self._facts.of_relation(kind) if self._named(f.subject)}
            else:
                found = {e.id for e in self._facts.of_type(kind) if self._named(e.id)}
            self._starts[kind] = tuple(sorted(found))
        return self._starts[kind]

    def chain(self, final: Hop, count: int, rng: Generator) -> Meaning | None:
        """A random chain of ``count`` hops that ends with ``final``; ``None`` if luck fails."""
        path = [final]
        while len(path) < count:
            options = [
                hop for hop in self._before.get(source(path[0]), ()) if not _undoes(hop, path[0])
            ]
            if not options:
                return None
            path.insert(0, options[int(rng.integers(len(options)))])
        starts = self.starts(source(path[0]))
        if not starts:
            return None
        meaning = follow(starts[int(rng.integers(len(starts)))], *path)
        return meaning if self._single(meaning) else None

    def _single(self, meaning: Meaning) -> bool:
        """Whether every step has one end, none of them met before."""
        met: set[str] = set()
        here = meaning
        while isinstance(here, Step):
            ends = denotation(here, self._facts)
            if len(ends) != 1 or ends & met:
                return False
            met |= ends
            here = here.of
        return isinstance(here, Named) and not here.values & met

    def contest(self, measure: str, deep: bool, rng: Generator) -> Meaning | None:
        """A random comparison of two things, which are described if ``deep`` and else named."""
        kind = RELATIONS[measure].subject_type
        sides: list[Meaning] = []
        for _ in range(2):
            if deep:
                hops_here = self._before.get(kind, [])
                if not hops_here:
                    return None
                hop = hops_here[int(rng.integers(len(hops_here)))]
                side = self.chain(hop, 1, rng)
            else:
                starts = self.starts(kind)
                side = follow(starts[int(rng.integers(len(starts)))]) if starts else None
            if side is None:
                return None
            sides.append(side)
        left, right = sides
        if not self._apart(left, right, measure):
            return None
        return Contest(left, right, measure, bool(rng.random() < 0.5))

    def _apart(self, left: Meaning, right: Meaning, measure: str) -> bool:
        sizes = []
        for side in (left, right):
            (entity,) = denotation(side, self._facts)
            sizes.append(measured(entity, measure, self._facts))
        a, b = sizes
        if a is None or b is None or a == b:
            return False
        return RELATIONS[measure].object_kind == "year" or abs(a - b) > _CLOSE * max(abs(a), abs(b))

    def superlative(self, measure: str, deep: bool, rng: Generator) -> Meaning | None:
        """A random superlative over a set; the set of a ``deep`` one is described by a hop more."""
        kind = RELATIONS[measure].subject_type
        options = [
            hop
            for hop in all_hops()
            if target(hop) == kind
            and self._wording.has(hop.relation, "set" if hop.forward else "set-back")
        ]
        if not options:
            return None
        hop = options[int(rng.integers(len(options)))]
        members = self._set(hop, deep, rng)
        if members is None:
            return None
        sizes = [measured(m, measure, self._facts) for m in denotation(members, self._facts)]
        if len(sizes) < _LEAST_MEMBERS or None in sizes:
            return None
        return Extreme(members, measure, bool(rng.random() < 0.5))

    def _set(self, hop: Hop, deep: bool, rng: Generator) -> Meaning | None:
        if not deep:
            starts = self.starts(source(hop))
            return follow(starts[int(rng.integers(len(starts)))], hop) if starts else None
        befores = self._before.get(source(hop), [])
        befores = [before for before in befores if not _undoes(before, hop)]
        if not befores:
            return None
        of = self.chain(befores[int(rng.integers(len(befores)))], 1, rng)
        return None if of is None else Step(hop.relation, hop.forward, of)

    def record(self, meaning: Meaning, name: str, rng: Generator) -> QuestionRecord | None:
        """Words a meaning; ``None`` unless its answer is the only one and not given away."""
        facts = self._facts
        about, used = topics(meaning, facts), subjects(meaning, facts)
        if not about or not all(map(self._named, about)) or not all(map(self._used, used)):
            return None
        question = self._wording.question(meaning, rng)
        reply = self._oracle.ask(question)
        if not reply.unique or reply.ids != denotation(meaning, facts):
            return None
        if not _offers(meaning) and reveals(question, reply.accepted):
            return None
        (first,) = reply.answers
        others = sorted(answer for answer in reply.accepted if answer != first)
        metadata = {
            "hops": hops(meaning),
            "kind": _KINDS[type(meaning)],
            "chain": list(relations(meaning)),
            "entities": sorted(about),
            "subjects": sorted(used),
        }
        return QuestionRecord(name, question, (first, *others), metadata)


_KINDS = {Step: "chain", Extreme: "superlative", Contest: "contest"}


def _offers(meaning: Meaning) -> bool:
    """Whether a question names its answer on purpose: *Which is larger, A or B?*."""
    return isinstance(meaning, Contest) and isinstance(meaning.left, Named)


def _undoes(first: Hop, second: Hop) -> bool:
    """Whether the second hop goes back where the first came from."""
    return first.relation == second.relation and (
        first.forward != second.forward or target(first) == source(first)
    )


def training_tasks(rng: Generator, n: int, hops: int = 1) -> list[QuestionRecord]:
    """Labelled questions to learn from: generator templates, no held-out entity anywhere.

    Args:
        rng: Source of chance.
        n: How many.
        hops: 1 to 4 hops.

    Returns:
        ``n`` records, no two with the same question.

    Raises:
        CorpusError: If the facts do not give so many.
    """
    from asl_env.corpora.miniwiki import world

    wiki = world.load()
    sampler = Sampler(wiki.facts, wiki.oracle, "generator", _trains, _trains)
    finals = sampler.finals()
    found: dict[str, QuestionRecord] = {}
    for _ in range(_TRIES_EACH * n):
        if len(found) == n:
            return list(found.values())
        meaning = sampler.chain(finals[int(rng.integers(len(finals)))], hops, rng)
        if meaning is not None:
            record = sampler.record(meaning, f"train-{hops}hop-{len(found):05d}", rng)
            if record is not None:
                found.setdefault(record.question, record)
    raise CorpusError(f"only {len(found)} of {n} questions of {hops} hops found; ask for fewer")


def _trains(entity_id: str) -> bool:
    return split(entity_id) == "train"
