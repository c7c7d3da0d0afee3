"""One run or evaluation as it goes into a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from asl_env.agents.report.page import Section
from asl_env.evaluation.results import EvalResult


@dataclass(frozen=True)
class Part:
    """What a report says about one folder, besides its episodes.

    Attributes:
        name: Of the folder.
        title: Heading.
        facts: Shown under the heading.
        sections: Headings with their HTML; empty ones are left out.
        samples: A few episodes as HTML, for browsers that run no script.
        recipe: Name of the recipe of a training run.
        measured: Metrics of its measurements, oldest first.
        alarms: Number of alarms.
        result: What an evaluation found.
    """

    name: str
    title: str
    facts: Mapping[str, str]
    sections: Sequence[Section]
    samples: str
    recipe: str | None = None
    measured: Sequence[Mapping[str, Any]] = field(default_factory=tuple)
    alarms: int = 0
    result: EvalResult | None = None
