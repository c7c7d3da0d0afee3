"""Reading, overriding and comparing recipes; every mistake becomes one line naming the field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from asl_env.agents.coevolution.recipe import Recipe
from asl_env.errors import RecipeError, did_you_mean


def recipe_names() -> list[str]:
    """Names of the recipes that come with the package."""
    folder = resources.files("asl_env.agents.coevolution.recipes")
    return sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_recipe(source: str | Path | Recipe, overrides: Sequence[str] = ()) -> Recipe:
    """Loads a recipe by name or path.

    Args:
        source: Name of a shipped recipe, path of a YAML file, or a recipe.
        overrides: ``field.sub=value`` strings; values are YAML.

    Raises:
        RecipeError: If there is no such recipe, or a field is unknown or impossible.
    """
    if isinstance(source, Recipe):
        where, data = source.name, source.model_dump(mode="json")
    else:
        where, data = str(source), _read(source)
    for override in overrides:
        _override(data, override)
    return parse_recipe(data, where)


def parse_recipe(data: Mapping[str, Any], where: str) -> Recipe:
    """Validates a recipe's content.

    Args:
        data: The content of a recipe file.
        where: Its name, for errors.

    Raises:
        RecipeError: One line: the first bad field, what is wrong, and how many more there are.
    """
    try:
        return Recipe.model_validate(data)
    except ValidationError as error:
        details = error.errors()
        line = _explain(details[0])
        more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
        raise RecipeError(f"recipe {where}: {line}{more}") from error


def flatten(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields ``(dotted field, value)`` of nested mappings, in order."""
    for key, value in data.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            yield from flatten(value, f"{name}.")
        else:
            yield name, value


def first_difference(
    old: Mapping[str, Any], new: Mapping[str, Any], ignore: Sequence[str] = ()
) -> str | None:
    """Names the first field in which two nested mappings differ.

    Args:
        old: The one that was saved.
        new: The one that is wanted.
        ignore: Dotted fields that may differ.

    Returns:
        ``"field 'x.y' was 1 and is now 2"``, or ``None`` if they agree.
    """
    left, right = dict(flatten(old)), dict(flatten(new))
    for name in [*left, *(name for name in right if name not in left)]:
        if name not in ignore and left.get(name) != right.get(name):
            return f"field {name!r} was {left.get(name)!r} and is now {right.get(name)!r}"
    return None


def _read(source: str | Path) -> dict[str, Any]:
    path = Path(source)
    if not path.suffix and not path.exists():
        if str(source) not in recipe_names():
            raise RecipeError(
                f"no recipe {str(source)!r}{did_you_mean(str(source), recipe_names())}"
            )
        package = resources.files("asl_env.agents.coevolution.recipes")
        text = (package / f"{source}.yaml").read_text(encoding="utf-8")
    else:
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RecipeError(f"recipe {path}: cannot be read ({error})") from error
    return _parse_yaml(text, str(source))


def _parse_yaml(text: str, where: str) -> dict[str, Any]:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise RecipeError(f"recipe {where}: not YAML ({line})") from error
    if not isinstance(data, dict):
        raise RecipeError(f"recipe {where}: a mapping of fields was expected")
    return data


def _override(data: dict[str, Any], override: str) -> None:
    name, equals, value = override.partition("=")
    if not equals or not name:
        raise RecipeError(f"override {override!r}: write field=value, as in solve.steps=5000")
    *path, last = name.strip().split(".")
    for part in path:
        inner = data.setdefault(part, {})
        if inner is None:
            inner = data[part] = {}
        if not isinstance(inner, dict):
            raise RecipeError(f"override {override!r}: field {part!r} has no fields inside")
        data = inner
    try:
        data[last] = yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise RecipeError(f"override {override!r}: the value is not YAML") from error


def _explain(detail: ErrorDetails) -> str:
    name = ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        known = _fields_at(detail["loc"][:-1])
        return f"unknown field {name!r}{did_you_mean(str(detail['loc'][-1]), known)}"
    if detail["type"] == "missing":
        return f"field {name!r} is missing; add it"
    message = detail["msg"].removeprefix("Value error, ")
    message = message[:1].lower() + message[1:]
    if detail["type"] == "value_error":
        return f"field {name!r}: {message}" if name else message
    return f"field {name!r}: {message}, not {detail['input']!r}"


def _fields_at(path: Sequence[int | str]) -> list[str]:
    model: type[BaseModel] = Recipe
    for part in path:
        field = model.model_fields[str(part)]
        inner = _model_in(field.annotation)
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    options = [annotation, *getattr(annotation, "__args__", ())]
    models = [item for item in options if isinstance(item, type) and issubclass(item, BaseModel)]
    return models[0] if models else None
