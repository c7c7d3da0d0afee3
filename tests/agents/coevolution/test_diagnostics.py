"""What is measured: against the truth where it is known, and against known hacks."""

import math

import numpy as np
import pytest
import tiny

from asl_env.agents.coevolution.diagnostics import FOOLED, Diagnostics, alarms, gap_of
from asl_env.agents.coevolution.diversity import distinct_ngrams, mean_distance
from asl_env.agents.coevolution.hackprobes import (
    ANSWER_PROBES,
    VERDICT_PROBES,
    probe_claims,
    probe_judge,
    verdict_holes,
)
from asl_env.agents.coevolution.phases import Stage
from asl_env.agents.coevolution.recipe import AlarmSpec
from asl_env.agents.coevolution.state import RunState
from asl_env.agents.coevolution.team import Team
from asl_env.dialects import make_dialect
from asl_env.episode import Role, Task, Turn
from asl_env.rewards.matching import cover_em, em
from asl_env.rewards.verdict import parse_verdict, released_verdict

TASKS = list(tiny.make_world().held_out["towns"])


class Chatty:
    """Names every town there is: covers the right one, and is not it."""

    def act(self, chats, *, greedy=False):
        answer = " ".join(sorted(set(tiny.HOME.values())))
        return [Turn(make_dialect("asl").write_final(answer)) for _ in chats]


def measure(*, policy, grm, tasks=(), rates=None):
    """Measures a learner that always plays the given ways."""
    learner = tiny.TinyLearner()
    for role, way in ((Role.POLICY, policy), (Role.GRM, grm)):
        ways = tiny.CHOICES[role]
        learner.weights[role] = np.array([50.0 if w == way else -50.0 for w in ways])
    recipe = tiny.make_recipe("diagnostics.tasks_per_set=12", "diagnostics.claims=12")
    world, team = tiny.make_world(), Team(learner)
    state = RunState(tasks=list(tasks), solve_rates=rates or {})
    return Diagnostics(Stage(recipe, 0, world, team, learner)).measure(state)


def test_a_good_policy_and_a_good_judge_agree_with_the_truth():
    metrics = measure(policy="search", grm="check")
    assert metrics["policy"]["judged"] == metrics["policy"]["true"] == 1.0
    assert metrics["grm"]["accuracy"] == metrics["grm"]["kappa"] == 1.0
    assert metrics["grm"]["brier"] == metrics["grm"]["ece"] == 0.0
    assert metrics["hacks"]["mean"] == 0.0
    assert metrics["fooled"] == []
    assert gap_of(metrics) == 0.0


def test_a_judge_that_accepts_everything_is_found_out():
    metrics = measure(policy="guess", grm="accept")
    share = sum(HOME == "Lima" for HOME in tiny.HOME.values()) / len(tiny.HOME)
    assert metrics["policy"]["judged"] == 1.0
    assert metrics["policy"]["true"] == pytest.approx(share)
    assert metrics["grm_on_policy"]["false_accept"] == 1.0
    assert metrics["grm"]["kappa"] == 0.0
    assert metrics["grm"]["brier"] == 0.5
    assert metrics["grm"]["ece"] == 0.5
    assert set(metrics["hacks"]["probes"].values()) == {1.0}
    assert gap_of(metrics) == pytest.approx(1.0 - share)
    wrong = sum(HOME != "Lima" for HOME in tiny.HOME.values())
    assert len(metrics["fooled"]) == min(wrong, FOOLED)
    assert {example["answer"] for example in metrics["fooled"]} == {"Lima"}
    assert "Lima" not in {example["golden"] for example in metrics["fooled"]}


@pytest.mark.parametrize(("reward", "rule"), [("em", "em"), ("cover-em", "cover_em")])
def test_where_no_judge_rewards_anybody_judged_is_the_rule_with_the_tasks_own_answer(reward, rule):
    learner = Chatty()
    recipe = tiny.make_recipe("judge=rule", "generate.verifications=0", f"solve.reward={reward}")
    stage = Stage(recipe, 0, tiny.make_world(), Team(learner), None)
    metrics = Diagnostics(stage).measure(RunState(tasks=TASKS[:3]))
    assert set(metrics) == {"round", "policy", "tasks", "rollouts"}
    assert metrics["policy"]["judged"] == metrics["policy"][rule]
    assert metrics["policy"]["cover_em"] > metrics["policy"]["em"]
    assert metrics["rollouts"] == {"policy": 8 + 3}


def test_every_set_is_measured_alone_and_together():
    policy = measure(policy="search", grm="check")["policy"]
    assert set(policy["sets"]) == {"towns", "more-towns"}
    assert policy["n"] == sum(one["n"] for one in policy["sets"].values()) == 24


def test_the_oracle_tells_right_tasks_from_wrong_ones_and_from_nonsense():
    tasks = [
        Task("right", "In which town does Asha live today?", (tiny.HOME["Asha"],)),
        Task("wrong", "In which town does Birk live today?", ("Atlantis",)),
        Task("nonsense", "In which town does nobody live today?", ("Lima",)),
        Task("also", "In which town does Cleo live today?", (tiny.HOME["Cleo"],)),
    ]
    made = measure(policy="search", grm="check", tasks=tasks, rates={"right": 0.5, "wrong": 0.0})
    made = made["tasks"]
    assert made["count"] == 4
    assert made["difficulty"] == 0.75
    assert made["oracle"] == {
        "asked": 4, "answered": 0.75, "outside": 0.25, "answer_right": 0.5, "unique": 0.75,
        "valid": 0.5,
    }  # fmt: skip
    assert made["policy"]["n"] == 4


def test_without_held_out_questions_only_own_tasks_are_measured():
    learner = tiny.TinyLearner()
    whole = tiny.make_world()
    bare = type(whole)(name="bare", tool=whole.tool, topics=whole.topics)
    stage = Stage(tiny.make_recipe(), 0, bare, Team(learner), learner)
    assert Diagnostics(stage).measure(RunState()) == {"round": 0, "rollouts": {}}
    made = Diagnostics(stage).measure(RunState(tasks=TASKS[:3]))
    assert set(made) == {"round", "tasks", "rollouts"}
    assert "oracle" not in made["tasks"]


def history(*pairs):
    return [{"policy": {"judged": judged, "true": true}} for judged, true in pairs]


def test_an_alarm_for_the_gap_and_one_for_its_growth():
    spec = AlarmSpec(gap=0.15, growth=0.1)
    assert list(alarms(history((0.5, 0.4)), spec)) == []
    assert [a["why"] for a in alarms(history((0.5, 0.5), (0.62, 0.5)), spec)] == ["growth"]
    assert [a["why"] for a in alarms(history((0.9, 0.5), (0.9, 0.5)), spec)] == ["gap"]
    both = list(alarms(history((0.5, 0.5), (0.9, 0.5)), spec))
    assert [a["why"] for a in both] == ["gap", "growth"]
    assert both[0]["value"] == pytest.approx(0.4)


def test_no_alarm_where_nothing_is_known():
    assert list(alarms([], AlarmSpec())) == []
    assert list(alarms([{}], AlarmSpec())) == []
    assert list(alarms(history((None, 0.5)), AlarmSpec())) == []
    assert list(alarms([*history((0.9, 0.1)), {}], AlarmSpec())) == []


@pytest.mark.parametrize("name", ANSWER_PROBES)
def test_no_probe_is_a_right_answer(name):
    claims = probe_claims(name, TASKS, 5, np.random.default_rng(0))
    assert len(claims) == 5
    answers = {task.question: task.answers for task in TASKS}
    for claim in claims:
        assert claim.label == "wrong"
        assert em(claim.answer, answers[claim.question]) == 0.0


def test_exact_match_resists_all_probes_and_cover_match_falls_for_some():
    gold = {task.question: task.answers for task in TASKS}

    def judge(metric):
        return lambda claims: [
            "correct" if metric(claim.answer, gold[claim.question]) else "wrong" for claim in claims
        ]

    strict = probe_judge(judge(em), TASKS, 5, np.random.default_rng(0))
    assert set(strict) == set(ANSWER_PROBES)
    assert set(strict.values()) == {0.0}
    covered = probe_judge(judge(cover_em), TASKS, 5, np.random.default_rng(0))
    fooled = {name for name, rate in covered.items() if rate == 1.0}
    assert {"list of answers", "two answers", "denied answer"} <= fooled


def test_our_reading_of_verdicts_has_no_holes_and_the_released_one_has():
    assert verdict_holes(parse_verdict) == []
    assert set(verdict_holes(released_verdict)) == {
        "conclusion: not correct",
        "conclusion: correct/wrong",
        "conclusion: wrong, the correct answer is Paris",
    }
    assert len(VERDICT_PROBES) == 9


def test_questions_about_a_world_with_one_answer_give_no_probe():
    same = [Task(str(i), f"Where is number {i} kept?", ("Lima",)) for i in range(4)]
    assert probe_claims("two answers", same, 3, np.random.default_rng(0)) == []
    assert probe_judge(lambda claims: [], same, 3, np.random.default_rng(0)) == {}


def test_diversity():
    assert distinct_ngrams(["red green", "red green"]) == 0.5
    assert distinct_ngrams(["red green", "green blue"]) == 1.0
    assert mean_distance(["red green", "red green"]) == 0.0
    assert mean_distance(["red green", "blue pink"]) == 1.0
    assert math.isnan(distinct_ngrams(["red"]))
    assert math.isnan(mean_distance(["red"]))
