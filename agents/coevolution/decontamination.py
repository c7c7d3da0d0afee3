"""Labelled questions that the run is measured on must not be trained on.

The rule is that for self-made questions (``filters``): a training question goes if its normalised
text is that of a held-out question, or if at least half of its 8-grams (``filters.ngram`` and
``filters.overlap`` of the recipe) stand in one held-out question. Documents are usually compared by
13-grams (Brown et al. 2020, arXiv 2005.14165, appendix C); most questions are shorter than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from asl_env.agents.coevolution.filters import TaskFilter
from asl_env.agents.coevolution.recipe import FilterSpec
from asl_env.episode import Task
from asl_env.errors import RecipeError
from asl_env.text import normalize

TaskSets = Mapping[str, Sequence[Task]]


def decontaminate(
    sets: TaskSets, held_out: TaskSets, spec: FilterSpec
) -> tuple[dict[str, Sequence[Task]], dict[str, int]]:
    """Leaves out of labelled sets what is in the held-out ones, or nearly so.

    Args:
        sets: Labelled sets to train on, by name.
        held_out: Evaluation sets of the run, by name.
        spec: The size of the n-grams and the share of them.

    Returns:
        The sets without those questions, and how many were left out of each that had any.

    Raises:
        RecipeError: If no question of a set is left.
    """
    questions = (task.question for tasks in held_out.values() for task in tasks)
    found = TaskFilter(spec, questions)
    kept: dict[str, Sequence[Task]] = {}
    dropped: dict[str, int] = {}
    for name, tasks in sets.items():
        clean = [task for task in tasks if not found.contaminated(normalize(task.question))]
        if not clean:
            raise RecipeError(
                f"{name}: all {len(tasks)} questions are held out ({', '.join(held_out)}); "
                "train on another file, or measure on another"
            )
        kept[name] = clean
        if len(clean) < len(tasks):
            dropped[name] = len(tasks) - len(clean)
    return kept, dropped
