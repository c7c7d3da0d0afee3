"""Recipes: complete, strict, and wrong ones are explained in one line that names the field."""

import copy

import pytest
import yaml

from asl_env.agents.coevolution.recipefile import (
    first_difference,
    load_recipe,
    parse_recipe,
    recipe_names,
)
from asl_env.errors import RecipeError

BASE = load_recipe("asl").model_dump(mode="json")


def refused(change) -> str:
    data = copy.deepcopy(BASE)
    change(data)
    with pytest.raises(RecipeError) as caught:
        parse_recipe(data, "mine.yaml")
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("recipe mine.yaml: ")
    return message


@pytest.mark.parametrize("name", recipe_names())
def test_every_shipped_recipe_is_valid_and_bears_its_file_name(name):
    assert load_recipe(name).name == name


def test_the_frozen_control_differs_from_asl_only_in_the_verify_phase():
    frozen = load_recipe("asl-frozen-grm").model_dump(mode="json")
    difference = first_difference(BASE, frozen, ignore=("name", "about"))
    assert difference == "field 'verify.until_round' was None and is now 1"
    assert first_difference(BASE, frozen, ignore=("name", "about", "verify.until_round")) is None


def test_an_unknown_field_is_named_with_the_nearest_known_one():
    assert "unknown field 'rouns'; did you mean 'rounds'?" in refused(
        lambda data: data.update(rouns=3)
    )
    assert "unknown field 'solve.num_env'; did you mean 'num_envs'?" in refused(
        lambda data: data["solve"].update(num_env=3)
    )
    assert "unknown field 'verify.plateau.windows'; did you mean 'window'?" in refused(
        lambda data: data["verify"].update(plateau={"window": 8, "windows": 3})
    )


@pytest.mark.parametrize(
    ("section", "field", "value", "expected"),
    [
        ("generate", "threshold", 1.5, "field 'generate.threshold'"),
        ("generate", "solves", 1, "field 'generate.solves'"),
        ("generate", "accuracy", [0.8, 0.3], "accuracy [0.8, 0.3] is not an interval"),
        ("generate", "accept", "all", "field 'generate.accept'"),
        ("solve", "steps", -5, "field 'solve.steps'"),
        ("solve", "steps", "many", "field 'solve.steps'"),
        ("solve", "chunk_steps", 10**9, "chunk_steps 1000000000 is more than steps"),
        ("solve", "group_size", 5, "num_envs 64 is not a multiple of group_size"),
        ("solve", "reward", "vibes", "field 'solve.reward'"),
        ("alarm", "gap", float("nan"), "field 'alarm.gap'"),
        ("requests", "seed_share", 1.0, "field 'requests.seed_share'"),
        ("requests", "topics", "all", "field 'requests.topics'"),
        ("generate", "gate_from", 0, "field 'generate.gate_from'"),
        ("verify", "until_round", 0, "field 'verify.until_round'"),
        ("verify", "labels", "real", "labels 'real' needs the field 'real'"),
        ("verify", "labels", "self", "own_answers goes with labels 'reference', not 'self'"),
        ("verify", "agreed", "maybe", "field 'verify.agreed'"),
        ("verify", "near_misses", "some", "field 'verify.near_misses'"),
        ("solve", "episodes", 0, "field 'solve.episodes'"),
        ("generate", "repetition", {}, "repetition goes with reward 'r-zero', not 'asl'"),
        ("generate", "enabled", False, "solve.tasks is 'generated' but generate.enabled is false"),
    ],
)
def test_impossible_values_are_one_line_that_names_the_field(section, field, value, expected):
    assert expected in refused(lambda data: data[section].update({field: value}))


def test_a_majority_that_judges_also_labels():
    assert "judge 'majority' goes with generate.answer 'majority', not 'generator'" in refused(
        lambda data: data.update(judge="majority")
    )


def test_a_phase_that_is_left_out_needs_no_budget():
    def leave_out(data):
        data.update(generate={"enabled": False}, verify={"enabled": False})
        data["solve"]["tasks"] = "train"

    data = copy.deepcopy(BASE)
    leave_out(data)
    assert not parse_recipe(data, "mine.yaml").generate.enabled
    assert "field 'verify.steps' is missing" in refused(lambda data: data.update(verify={}))


def test_a_missing_field_is_named():
    assert "field 'solve' is missing" in refused(lambda data: data.pop("solve"))


def test_several_mistakes_are_counted():
    assert refused(lambda data: data.update(a=1, b=2)).endswith("(and 1 more)")


def test_overrides_reach_nested_fields_and_are_validated():
    recipe = load_recipe("asl", ["solve.steps=9000", "solve.plateau=null", "name=mine"])
    assert (recipe.solve.steps, recipe.solve.plateau, recipe.name) == (9000, None, "mine")
    with pytest.raises(RecipeError, match="did you mean 'steps'"):
        load_recipe("asl", ["solve.step=9000"])
    with pytest.raises(RecipeError, match="write field=value"):
        load_recipe("asl", ["solve.steps"])
    with pytest.raises(RecipeError, match="'name' has no fields inside"):
        load_recipe("asl", ["name.x=1"])


def test_an_unknown_recipe_gets_a_suggestion():
    with pytest.raises(RecipeError, match="did you mean 'asl-frozen-grm'"):
        load_recipe("asl-frozen-gm")


def test_a_recipe_file_that_is_not_a_recipe(tmp_path):
    path = tmp_path / "broken.yaml"
    for text, expected in [("a: [", "not YAML"), ("- 1", "mapping of fields")]:
        path.write_text(text, encoding="utf-8")
        with pytest.raises(RecipeError, match=expected):
            load_recipe(path)
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(tmp_path / "absent.yaml")


def test_a_recipe_survives_its_own_yaml(tmp_path):
    path = tmp_path / "copy.yaml"
    recipe = load_recipe("asl", ["generate.accuracy=[0.3, 0.8]"])
    path.write_text(yaml.safe_dump(recipe.model_dump(mode="json")), encoding="utf-8")
    assert load_recipe(path) == recipe
