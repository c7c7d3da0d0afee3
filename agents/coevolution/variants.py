"""One experiment on another base: what a recipe changes against ``asl``, changed elsewhere.

The shipped recipes are sized for the candidates agent, as ``asl`` is. Language models learn with
other budgets, groups and settings, which ``asl-nano`` states. ``rebase`` puts a rival on that base,
so that it differs from ``asl-nano`` exactly as it differs from ``asl``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asl_env.agents.coevolution.recipe import Recipe
from asl_env.agents.coevolution.recipefile import load_recipe, parse_recipe

#: What the shipped recipes are variants of.
ORIGIN = "asl"


def rebase(recipe: Recipe, onto: str | Path | Recipe) -> Recipe:
    """Makes the changes of a recipe against ``asl`` in another recipe.

    Args:
        recipe: A variant of ``asl``.
        onto: The new base: name, path or object.

    Returns:
        A recipe named ``<recipe>-on-<base>``; where the recipe is as ``asl``, it is as the base.

    Raises:
        RecipeError: If there is no such base, or the two do not go together.
    """
    base = load_recipe(onto)
    name = f"{recipe.name}-on-{base.name}"
    origin = load_recipe(ORIGIN).model_dump(mode="json")
    changed = _changed(recipe.model_dump(mode="json"), origin, base.model_dump(mode="json"))
    return parse_recipe({**changed, "name": name, "about": recipe.about}, name)


def _changed(mine: Any, origin: Any, base: Any) -> Any:
    """The base with what is mine and not the origin's; mappings field by field."""
    if mine == origin:
        return base
    if not all(isinstance(value, dict) for value in (mine, origin, base)):
        return mine
    if mine.get("enabled") is False:  # what a phase that is left out would do does not matter
        return {**base, "enabled": False}
    merged = {
        name: _changed(value, origin.get(name), base.get(name)) for name, value in mine.items()
    }
    return {**base, **merged}
