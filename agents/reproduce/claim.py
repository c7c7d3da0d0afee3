"""What a claim is: arms that are run, effects that are measured, and how an effect is judged.

Everything here is frozen and says what will be done before it is done. Nothing of it depends on
results.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

#: ``true`` and ``judged`` accuracy on held-out questions, and ``gap``, judged minus true.
Metric = Literal["true", "judged", "gap"]

#: The last round, whatever its number.
LAST = -1


@dataclass(frozen=True)
class Arm:
    """One way to train, run once per seed. Claims share arms.

    Attributes:
        name: Name of the arm, and of its result file.
        about: What it is, in a few words.
        recipe: The shipped recipe that it changes.
        changes: ``field=value`` changes of the recipe, before those of the budget.
        tasks_from: The arm whose self-made tasks, of the same seed, are its training data and
            whose GRM is its judge; ``None`` for an arm that stands alone.
        tasks: How many of these tasks it gets.
    """

    name: str
    about: str
    recipe: str
    changes: tuple[str, ...] = ()
    tasks_from: str | None = None
    tasks: int = 0


@dataclass(frozen=True)
class Point:
    """A number of one run: a metric at the end of a round.

    Attributes:
        arm: Name of the arm.
        metric: Which number.
        round: Of which round; ``LAST`` for the last one.
    """

    arm: str
    metric: Metric = "true"
    round: int = LAST

    def __str__(self) -> str:
        when = "last round" if self.round == LAST else f"round {self.round}"
        return f"{self.metric}({self.arm}, {when})"


class Reader(Protocol):
    """Reads the numbers of one seed."""

    def value(self, point: Point) -> float:
        """The number at a point."""
        ...

    def given(self, arm: str) -> float:
        """How many self-made tasks the arm was given."""
        ...


class Effect(Protocol):
    """A number per seed that a claim says is greater than 0."""

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that must have been run."""
        ...

    def of(self, run: Reader) -> float:
        """The effect on one seed."""
        ...


@dataclass(frozen=True)
class Difference:
    """Sum of points minus sum of points, on the same seed.

    Attributes:
        plus: Points that count for.
        minus: Points that count against.
    """

    plus: tuple[Point, ...]
    minus: tuple[Point, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that must have been run."""
        return tuple(dict.fromkeys(point.arm for point in (*self.plus, *self.minus)))

    def of(self, run: Reader) -> float:
        """The difference on one seed."""
        return sum(map(run.value, self.plus)) - sum(map(run.value, self.minus))

    def __str__(self) -> str:
        plus, minus = (" + ".join(map(str, side)) for side in (self.plus, self.minus))
        return f"{plus} − [{minus}]" if len(self.minus) > 1 else f"{plus} − {minus}"


@dataclass(frozen=True)
class Slope:
    """Least-squares slope of a metric over the common logarithm of the number of tasks given.

    Attributes:
        points: One point per number of tasks, at least two.
    """

    points: tuple[Point, ...]

    @property
    def arms(self) -> tuple[str, ...]:
        """The arms that must have been run."""
        return tuple(point.arm for point in self.points)

    def of(self, run: Reader) -> float:
        """Gain of the metric per tenfold number of tasks, on one seed."""
        import numpy as np

        sizes = np.log10([run.given(arm) for arm in self.arms])
        values = np.asarray([run.value(point) for point in self.points])
        centred = sizes - sizes.mean()
        return float(centred @ values / (centred @ centred))

    def __str__(self) -> str:
        return f"slope of {self.points[0].metric} per tenfold tasks over {', '.join(self.arms)}"


@dataclass(frozen=True)
class Check:
    """A comparison with its smallest effect that counts.

    Attributes:
        name: Unique in its claim.
        says: What the claim says about it.
        effect: The number that the claim says is positive.
        smallest: The smallest effect that counts, in units of the metric (accuracy: a share).
        decides: Whether the claim stands and falls with it; otherwise it is only reported.
    """

    name: str
    says: str
    effect: Effect
    smallest: float
    decides: bool = True


@dataclass(frozen=True)
class Claim:
    """A claim of the paper.

    Attributes:
        number: Its number in the documentation.
        name: Its name on the command line.
        hypothesis: The claim, in one or two sentences.
        setting: What about the setting matters for it.
        arms: What is run for it; equal arms of several claims are run once.
        checks: What is compared.
        figure: Arms whose metrics are drawn, by metric.
    """

    number: int
    name: str
    hypothesis: str
    setting: str
    arms: tuple[Arm, ...]
    checks: tuple[Check, ...]
    figure: tuple[Point, ...]


def gain(arm: str, metric: Metric = "true", since: int = 1) -> Difference:
    """What a metric gained between a round and the last one."""
    return Difference((Point(arm, metric),), (Point(arm, metric, since),))


def lead(first: str, second: str, metric: Metric = "true") -> Difference:
    """By how much an arm is ahead of another after the last round."""
    return Difference((Point(first, metric),), (Point(second, metric),))


def compared(
    pairs: Sequence[tuple[str, str]], smallest: float, says: Callable[[str, str], str]
) -> tuple[Check, ...]:
    """One check per pair of arms: the first is ahead of the second."""
    return tuple(
        Check(f"{first} over {second}", says(first, second), lead(first, second), smallest)
        for first, second in pairs
    )
