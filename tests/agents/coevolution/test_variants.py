"""One experiment on another base."""

import pytest
import tiny

from asl_env.agents.coevolution.recipefile import first_difference, load_recipe, recipe_names
from asl_env.agents.coevolution.variants import rebase
from asl_env.errors import RecipeError


def dumped(recipe):
    return recipe.model_dump(mode="json")


def test_asl_itself_becomes_the_base():
    base = dumped(load_recipe("asl-nano"))
    moved = dumped(rebase(load_recipe("asl"), "asl-nano"))
    assert first_difference(base, moved, ignore=("name", "about")) is None
    assert moved["name"] == "asl-on-asl-nano"


def test_a_change_is_made_in_the_base_and_nothing_else_is():
    moved = dumped(rebase(load_recipe("asl-frozen-grm"), "asl-nano"))
    ignore = ("name", "about", "verify.until_round")
    assert moved["verify"]["until_round"] == 1
    assert first_difference(dumped(load_recipe("asl-nano")), moved, ignore=ignore) is None


@pytest.mark.parametrize("name", recipe_names())
def test_on_asl_a_recipe_is_itself(name):
    recipe = load_recipe(name)
    moved = dumped(rebase(recipe, "asl"))
    skipped = [
        f"{phase}.{field}"
        for phase in ("generate", "verify")
        if not getattr(recipe, phase).enabled
        for field in dumped(recipe)[phase]
    ]
    ignore = ("name", "about", *skipped, *(f"{n}.first_round" for n in ("generate.enough",)))
    plateau = ("generate.enough.later", "verify.plateau.window", "verify.plateau.ratio",
               "verify.plateau.max_updates")  # fmt: skip
    assert first_difference(dumped(recipe), moved, ignore=(*ignore, *plateau)) is None


@pytest.mark.parametrize(("rounds", "threshold"), [(3, 0.8), (3, 0.9), (7, 0.8), (7, 0.0)])
def test_any_field_that_was_changed_is_changed_in_the_base(rounds, threshold):
    mine = load_recipe("asl", [f"rounds={rounds}", f"generate.threshold={threshold}"])
    moved, base = rebase(mine, tiny.make_recipe()), tiny.make_recipe()
    assert moved.rounds == (base.rounds if rounds == 3 else rounds)
    assert moved.generate.threshold == (base.generate.threshold if threshold == 0.8 else threshold)
    assert moved.solve == base.solve


def test_a_base_that_does_not_exist_is_named():
    with pytest.raises(RecipeError, match="did you mean 'asl-nano'"):
        rebase(load_recipe("r-zero"), "asl-nanno")
