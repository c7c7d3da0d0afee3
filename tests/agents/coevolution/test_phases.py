"""What a phase of a given round does, as the recipe's rounds say."""

from dataclasses import replace

import pytest
import tiny

from asl_env.agents.coevolution.phases import GeneratePhase, SolvePhase, Stage, VerifyPhase
from asl_env.agents.coevolution.state import RunState
from asl_env.agents.coevolution.team import Team
from asl_env.episode import Claim, Role

CLAIM = Claim("c", tiny.ASK[0].format("Asha"), "Lima", "correct")


def stage_of(*overrides):
    team = Team(tiny.TinyLearner())
    return Stage(tiny.make_recipe(*overrides), 0, tiny.make_world(), team, team[Role.GRM])


@pytest.mark.parametrize(("number", "verifies"), [(1, False), (2, True), (3, True)])
def test_the_gate_stands_from_its_round_on(number, verifies):
    phase = GeneratePhase(stage_of("generate.gate_from=2"))
    assert phase.reward(RunState(round=number)).verifies is verifies


def test_the_gate_can_be_left_out():
    phase = GeneratePhase(stage_of("generate.verifications=0"))
    assert phase.reward(RunState(round=3)).verifies is False


@pytest.mark.parametrize(("until", "rounds"), [("null", [1, 2, 3]), ("1", [1]), ("2", [1, 2])])
def test_the_grm_learns_until_its_last_round(until, rounds):
    phase = VerifyPhase(stage_of(f"verify.until_round={until}"))
    learnt = [n for n in (1, 2, 3) if phase.assignments(RunState(round=n, claims=[CLAIM]))]
    assert learnt == rounds


def test_only_the_newest_claims_are_kept():
    state = RunState(round=1, claims=[CLAIM, replace(CLAIM, id="newest")])
    assert VerifyPhase(stage_of("verify.max_claims=1")).begin(state) == {"claims": 1, "real": 0}
    assert [claim.id for claim in state.claims] == ["newest"]


@pytest.mark.parametrize(("counted", "said"), [({"real": 3}, {"contaminated": 3}), ({}, {})])
def test_phases_say_how_many_labelled_questions_are_held_out(counted, said):
    stage = stage_of("solve.tasks=real", "verify.real.share=0.5", "verify.real.path=real")
    stage = replace(stage, world=replace(stage.world, contaminated=counted))
    verify = VerifyPhase(stage).begin(RunState(round=1, claims=[CLAIM]))
    assert verify == {"claims": 1, "real": 2} | said
    assert SolvePhase(stage).begin(RunState(round=1)) == {"tasks": len(tiny.NAMES)} | said
