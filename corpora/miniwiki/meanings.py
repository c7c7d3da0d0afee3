"""What a question means: a small tree over the facts, and the set of things it denotes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Union

from asl_env.corpora.miniwiki.reading import number

if TYPE_CHECKING:
    from asl_env.corpora.miniwiki.facts import Facts

#: A comparison of two names that stand for more pairs of entities than this denotes nothing.
_MAX_PAIRS = 400


@dataclass(frozen=True)
class Named:
    """A name or literal; several values when namesakes share the name."""

    values: frozenset[str]


@dataclass(frozen=True)
class Step:
    """One hop: the objects (``forward``) or the subjects of a relation."""

    relation: str
    forward: bool
    of: Meaning
    types: frozenset[str] | None = None


@dataclass(frozen=True)
class Extreme:
    """The members of a set whose measure is the greatest (or the least)."""

    members: Meaning
    measure: str
    most: bool


@dataclass(frozen=True)
class Contest:
    """The one of two things whose measure is greater (or smaller); both when they tie."""

    left: Meaning
    right: Meaning
    measure: str
    most: bool


Meaning = Union[Named, Step, Extreme, Contest]  # noqa: UP007 (a recursive alias at run time)


def hops(meaning: Meaning) -> int:
    """Number of facts that must be looked up one after the other (longest branch)."""
    if isinstance(meaning, Named):
        return 0
    if isinstance(meaning, Step):
        return 1 + hops(meaning.of)
    if isinstance(meaning, Extreme):
        return 1 + hops(meaning.members)
    return 1 + max(hops(meaning.left), hops(meaning.right))


def denotation(meaning: Meaning, facts: Facts) -> frozenset[str]:
    """Computes everything a meaning denotes.

    Args:
        meaning: The tree.
        facts: The facts it is read over.

    Returns:
        Entity ids or literals; empty if the facts do not say.
    """
    if isinstance(meaning, Named):
        return meaning.values
    if isinstance(meaning, Step):
        return _step(meaning, facts)
    if isinstance(meaning, Extreme):
        members = denotation(meaning.members, facts)
        return _best(members, meaning.measure, meaning.most, facts)
    left, right = denotation(meaning.left, facts), denotation(meaning.right, facts)
    return _contest(left, right, meaning.measure, meaning.most, facts)


def _step(meaning: Step, facts: Facts) -> frozenset[str]:
    found: set[str] = set()
    for value in denotation(meaning.of, facts):
        if meaning.forward:
            found.update(facts.objects(value, meaning.relation))
        else:
            found.update(facts.subjects(meaning.relation, value))
    if meaning.types is None:
        return frozenset(found)
    entities = facts.entities
    return frozenset(v for v in found if v in entities and entities[v].type in meaning.types)


def measured(entity: str, measure: str, facts: Facts) -> float | None:
    """The value of a functional number or year relation; ``None`` if unknown or ambiguous."""
    values = facts.objects(entity, measure)
    return number(values[0]) if len(values) == 1 else None


def _best(members: Iterable[str], measure: str, most: bool, facts: Facts) -> frozenset[str]:
    sizes = {m: size for m in members if (size := measured(m, measure, facts)) is not None}
    if not sizes:
        return frozenset()
    goal = max(sizes.values()) if most else min(sizes.values())
    return frozenset(m for m, size in sizes.items() if size == goal)


def _contest(
    left: frozenset[str], right: frozenset[str], measure: str, most: bool, facts: Facts
) -> frozenset[str]:
    if len(left) * len(right) > _MAX_PAIRS:
        return frozenset()
    found: set[str] = set()
    for a in left:
        for b in right:
            both_known = (
                measured(a, measure, facts) is not None and measured(b, measure, facts) is not None
            )
            if a != b and both_known:
                found |= _best((a, b), measure, most, facts)
    return frozenset(found)


def relations(meaning: Meaning) -> tuple[str, ...]:
    """The relations a meaning goes through, the first looked up first."""
    if isinstance(meaning, Named):
        return ()
    if isinstance(meaning, Step):
        return (*relations(meaning.of), meaning.relation)
    if isinstance(meaning, Extreme):
        return (*relations(meaning.members), meaning.measure)
    return (*relations(meaning.left), *relations(meaning.right), meaning.measure)


def topics(meaning: Meaning, facts: Facts) -> frozenset[str]:
    """The entities a question is about: those it names, or those a literal in it leads to."""
    if isinstance(meaning, Named):
        return meaning.values & facts.entities.keys()
    if isinstance(meaning, Step):
        return topics(meaning.of, facts) or denotation(meaning, facts) & facts.entities.keys()
    if isinstance(meaning, Extreme):
        return topics(meaning.members, facts)
    return topics(meaning.left, facts) | topics(meaning.right, facts)


def subjects(meaning: Meaning, facts: Facts) -> frozenset[str]:
    """The subjects of the facts that lead to the answer, and the entities named.

    Of a superlative only the winners count, not all it was compared with.
    """
    if isinstance(meaning, Named):
        return meaning.values & facts.entities.keys()
    if isinstance(meaning, Step):
        here = denotation(meaning.of if meaning.forward else meaning, facts)
        return here | subjects(meaning.of, facts)
    if isinstance(meaning, Extreme):
        return denotation(meaning, facts) | topics(meaning.members, facts)
    sides = (meaning.left, meaning.right)
    return frozenset().union(*(denotation(s, facts) | subjects(s, facts) for s in sides))
