"""The registered claims: complete, at equal budgets, and what docs/claims.md says they are."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from asl_env.agents.coevolution.variants import rebase
from asl_env.agents.reproduce.claims import all_claims, chosen_claims
from asl_env.agents.reproduce.jobs import plan
from asl_env.agents.reproduce.setting import DEV_SEEDS, SETTINGS, setting_of
from asl_env.errors import AslError

ROOT = Path(__file__).resolve().parents[3]


def jobs_of(setting):
    return plan(all_claims(setting.sizes), setting, Path("somewhere"))


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_every_comparison_has_its_arms_and_every_arm_a_recipe(setting):
    for claim in all_claims(setting.sizes):
        names = [arm.name for arm in claim.arms]
        for check in claim.checks:
            assert set(check.effect.arms) <= set(names)
        assert {point.arm for point in claim.figure} <= set(names)
        assert any(check.decides for check in claim.checks)
        assert all(check.smallest > 0 for check in claim.checks)
    for job in jobs_of(setting):
        assert job.recipe.name == job.arm.name


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_policies_get_equal_rollouts_in_at_least_five_rounds(setting):
    alone = [job.recipe for job in jobs_of(setting) if job.arm.tasks_from is None]
    assert len({(recipe.rounds, recipe.solve.episodes) for recipe in alone}) == 1
    assert alone[0].rounds >= 5
    given = [job.recipe for job in jobs_of(setting) if job.arm.tasks_from is not None]
    assert len({recipe.solve.episodes for recipe in given}) == 1
    for recipe in (*alone, *given):
        # The bound on turns is never what ends the phase.
        assert recipe.solve.steps >= 4 * recipe.solve.episodes
        assert recipe.solve.plateau is None or recipe.solve.plateau.window > 100


def test_at_least_five_sizes_a_constant_factor_apart():
    for setting in SETTINGS.values():
        assert len(setting.sizes) >= 5
        assert {b / a for a, b in zip(setting.sizes, setting.sizes[1:], strict=False)} == {3.0}


def test_arms_that_claims_share_are_run_once():
    setting = SETTINGS["candidates"]
    names = [job.name for job in jobs_of(setting)]
    assert len(names) == len(set(names)) == 16 * len(setting.seeds)


def test_final_seeds_are_no_development_seeds():
    for setting in SETTINGS.values():
        assert max(setting.seeds) < DEV_SEEDS
        for trial in (setting.quick(), setting.development(3)):
            assert min(trial.seeds) >= DEV_SEEDS
            assert not trial.evidence


def test_a_language_model_gets_the_same_changes_on_its_own_base():
    job = next(job for job in jobs_of(SETTINGS["nano"]) if job.arm.name == "r-zero")
    assert job.recipe.judge == "majority"
    assert job.recipe.search == rebase(job.recipe, "asl-nano").search
    assert job.agents == ["nano"]


def test_the_digest_is_of_what_is_run_and_of_nothing_else():
    setting = SETTINGS["candidates"]
    first, second = (jobs_of(one) for one in (setting, replace(setting, seeds=(7,))))
    digests = {job.arm.name: job.digest for job in first}
    assert len(set(digests.values())) == len(digests)
    assert {job.arm.name: job.digest for job in second} == digests
    longer = jobs_of(replace(setting, rounds=6))
    assert longer[0].digest != digests[longer[0].arm.name]


def test_claims_are_chosen_by_name_or_number():
    assert [claim.name for claim in chosen_claims([], (1, 2))] == [
        "grm-reward", "data-scale", "rounds", "hacking", "real-data",
    ]  # fmt: skip
    assert [claim.name for claim in chosen_claims(["5", "rounds"], (1, 2))] == [
        "rounds",
        "real-data",
    ]
    with pytest.raises(AslError, match=r"no claim 'hackin'; did you mean 'hacking'\?"):
        chosen_claims(["hackin"], (1, 2))
    with pytest.raises(AslError, match="no learner 'candidate'"):
        setting_of("candidate")


def test_the_page_says_what_the_code_registers():
    subprocess.run([sys.executable, ROOT / "benchmarks" / "claims.py", "--check"], check=True)
