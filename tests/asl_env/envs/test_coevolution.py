"""The game of all three seats: PettingZoo's checks, who plays when, and what each one earns."""

import math
import sys
import warnings

import gymnasium as gym
import numpy as np
import pettingzoo
import pytest
from pettingzoo.test import (
    api_test,
    parallel_api_test,
    parallel_seed_test,
    render_test,
    seed_test,
)

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.envs import coevolution, registration
from asl_env.envs.game import AGENTS
from asl_env.episode import Request, Role, Task
from asl_env.errors import AgentError, AslError, InvalidTaskError, SearchUnavailableError
from asl_env.protocols import Hit

ASL = make_dialect("asl")
REQUESTS = [Request(f"r{n}", "seed", f"topic {n}") for n in range(20)]
GENERATOR, POLICY, GRM = AGENTS
WRITTEN = ASL.write_final("Lima", "What is the capital of Peru?")
CORRECT, WRONG = (ASL.write_final(f"conclusion: {verdict}") for verdict in ("correct", "wrong"))


class Library:
    """A retriever that breaks at one query."""

    def search(self, queries, k):
        if "break" in queries:
            raise SearchUnavailableError("gone")
        return [[Hit(Passage("p", "T", f"about {query}"), 1.0)] for query in queries]


def options(**given):
    return {"assignments": REQUESTS, "tool": Library(), **given}


def play_game(script, **given):
    """Plays lines in order; returns who spoke, what each earned per line, and the game."""
    env = coevolution.raw_env(**options(**given))
    env.reset(seed=0)
    speakers, earned = [], []
    for line in script:
        speakers.append(env.agent_selection)
        env.step(line)
        earned.append({agent: reward for agent, reward in env.rewards.items() if reward})
    return speakers, earned, env


@pytest.mark.filterwarnings("ignore::UserWarning")  # advice: observations that are no arrays
@pytest.mark.parametrize("make", [coevolution.env, coevolution.raw_env])
@pytest.mark.parametrize("dialect", ["asl", "search-r1"])
def test_pettingzoos_api_test_passes(make, dialect, capsys):
    api_test(make(**options(dialect=dialect)), num_cycles=40)


def test_pettingzoos_parallel_api_test_passes_without_a_warning(capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        parallel_api_test(coevolution.parallel_env(**options()), num_cycles=40)


def test_pettingzoos_seed_tests_pass():
    seed_test(lambda: coevolution.env(**options()), num_cycles=40)
    parallel_seed_test(lambda: coevolution.parallel_env(**options()), num_cycles=40)


def test_pettingzoos_render_test_passes(capsys):
    render_test(lambda **given: coevolution.env(**options(**given)))
    assert "[system]" in capsys.readouterr().out


def test_it_is_in_pettingzoos_registry():
    made = pettingzoo.make("aec", "ASLCoevolution-v0", **options())
    assert isinstance(made.unwrapped, coevolution.ASLCoevolutionAEC)
    parallel = pettingzoo.make("parallel", "ASLCoevolution-v0", **options())
    assert parallel.possible_agents == list(AGENTS)


def test_an_older_pettingzoo_without_a_registry_is_no_error(monkeypatch):
    class Older:
        pass

    monkeypatch.setitem(sys.modules, "pettingzoo", Older())
    registration.register()


def test_a_task_is_made_confirmed_solved_and_judged():
    script = [
        *(ASL.write_search("capital of Peru"), WRITTEN),
        CORRECT,
        *(ASL.write_search("Peru"), ASL.write_final("Lima"), CORRECT),
        *(ASL.write_final("Quito"), WRONG),
    ]
    speakers, earned, env = play_game(script, solves=2)
    assert speakers == [GENERATOR] * 2 + [GRM] + [POLICY] * 2 + [GRM, POLICY, GRM]
    assert earned[:5] == [{}] * 5
    assert earned[5] == {POLICY: 1.0, GRM: 1.0}
    assert earned[6] == {}
    assert earned[7] == {GRM: 1.0, GENERATOR: pytest.approx(math.log(2))}
    assert all(env.terminations.values()) and not any(env.truncations.values())
    parts = env.infos[GENERATOR]["reward_parts"]
    assert parts.parts["solve_rate"] == 0.5 and parts.parts["verification"] == 1.0
    assert [solve["answer"] for solve in parts.extras["solves"]] == ["Lima", "Quito"]
    assert env.infos[GENERATOR]["trajectory"].tool_calls == 1
    assert len({episode.seed for episode in env.game.finished}) == 6


def test_a_judge_is_paid_for_the_truth_and_a_solver_for_the_verdict():
    script = [WRITTEN, CORRECT, ASL.write_final("Quito"), CORRECT]
    _, earned, env = play_game(script, solves=1)
    assert earned[3] == {POLICY: 1.0}
    claim = env.infos[GRM]["trajectory"].assignment
    assert (claim.answer, claim.label) == ("Quito", "wrong")


def test_an_answer_that_is_not_confirmed_ends_the_game():
    speakers, earned, env = play_game([WRITTEN, WRONG], solves=2)
    assert speakers == [GENERATOR, GRM] and earned == [{}, {}]
    assert all(env.terminations.values())
    assert env.infos[GENERATOR]["reward_parts"].extras["reason"] == "verification"


@pytest.mark.parametrize("line", ["I give up", ASL.write_final("Lima", "Capital?"), "x" * 40_000])
def test_an_invalid_question_ends_the_game_at_once(line):
    _, earned, env = play_game([line])
    assert earned == [{}] and env.game.over
    assert env.infos[GENERATOR]["reward_parts"].total == 0.0


def test_a_solution_without_an_answer_is_not_judged():
    speakers, earned, env = play_game([WRITTEN, CORRECT, "no idea", "no idea"], solves=2)
    assert speakers == [GENERATOR, GRM, POLICY, POLICY] and not any(earned)
    assert env.infos[GENERATOR]["reward_parts"].parts["solve_rate"] == 0.0


def test_a_verdict_outside_the_grammar_leaves_the_solution_unscored():
    _, earned, env = play_game([WRITTEN, CORRECT, ASL.write_final("Lima"), "hm"], solves=1)
    assert not earned[3]
    assert env.infos[POLICY]["invalid"] == "verdict"
    assert env.infos[GENERATOR]["reward_parts"].invalid == "solves: verdict"


def test_a_reward_that_does_not_verify_goes_straight_to_the_policy():
    script = [WRITTEN, ASL.write_final("Lima"), CORRECT, ASL.write_final("Rome"), WRONG]
    speakers, earned, _ = play_game(script, reward="learnability", solves=2)
    assert speakers == [GENERATOR, POLICY, GRM, POLICY, GRM]
    assert earned[4] == {GRM: 1.0, GENERATOR: 1.0}


def test_the_format_reward_goes_to_every_seat():
    script = [
        ASL.write_final("Lima", "What is the capital of Peru?", "so"),
        ASL.write_final("conclusion: correct", think="so"),
        ASL.write_final("Rome", think="so"),
        ASL.write_final("conclusion: wrong", think="so"),
    ]
    _, earned, _ = play_game(script, solves=1, format_reward=True)
    assert earned[3] == {GENERATOR: 0.25, POLICY: 0.25, GRM: 1.25}


@pytest.mark.parametrize("before", [[], [WRITTEN], [WRITTEN, CORRECT]])
def test_a_broken_search_invalidates_the_game(before):
    _, _, env = play_game([*before, ASL.write_search("break")])
    assert all(env.truncations.values()) and not any(env.terminations.values())
    assert {env.infos[agent]["invalid"] for agent in AGENTS} == {"search: gone"}
    assert not any(env.rewards.values())


def test_the_game_is_cut_after_max_cycles_turns():
    _, _, env = play_game([ASL.write_search("a")] * 3, max_cycles=3)
    assert all(env.truncations.values())
    assert "invalid" not in env.infos[GENERATOR]


def test_running_out_of_turns_truncates():
    _, _, env = play_game([ASL.write_search("a")] * 2, max_turns=2)
    assert all(env.truncations.values())


def test_only_the_one_whose_turn_it_is_sees_something():
    env = coevolution.raw_env(**options())
    env.reset(seed=0)
    seen = {agent: env.observe(agent) for agent in AGENTS}
    assert "topic" in seen[GENERATOR]["message"] and seen[GENERATOR]["active"] == 1
    assert seen[POLICY] == seen[GRM] == {"message": "", "turn": 0, "active": 0}
    env.step(ASL.write_search("a") + ASL.write_search("b"))
    seen = env.observe(GENERATOR)
    assert "about a" in seen["message"] and "about b" in seen["message"] and seen["turn"] == 1
    assert env.infos[GENERATOR]["messages"][-1]["role"] == "tool"
    assert env.chat().role is Role.GENERATOR
    env.step(WRITTEN)
    assert env.agent_selection == GRM
    assert "What is the capital of Peru?" in env.observe(GRM)["message"]


def test_both_interfaces_play_the_same_game():
    script = [WRITTEN, CORRECT, ASL.write_final("Lima"), CORRECT, ASL.write_final("Rome"), WRONG]
    _, earned, env = play_game(script, solves=2)
    parallel = coevolution.parallel_env(**options(solves=2))
    observations, infos = parallel.reset(seed=0)
    for line, expected in zip(script, earned, strict=True):
        (active,) = [agent for agent in AGENTS if observations[agent]["active"]]
        actions = dict.fromkeys(AGENTS, "not my turn") | {active: line}
        observations, rewards, terminations, _, infos = parallel.step(actions)
        assert {agent: reward for agent, reward in rewards.items() if reward} == expected
    assert all(terminations.values()) and parallel.agents == []
    assert infos[GENERATOR]["trajectory"] == env.infos[GENERATOR]["trajectory"]


def test_a_request_may_be_given_and_the_seed_decides():
    env = coevolution.env(**options())
    env.reset(seed=0, options={"task": REQUESTS[7]})
    assert "topic 7" in env.last()[0]["message"]
    drawn = []
    for seed in (1, 1, 2, 3, 4, 5):
        env.reset(seed=seed)
        drawn.append(env.last()[0]["message"])
    assert drawn[0] == drawn[1] and len(set(drawn)) > 3
    with pytest.raises(InvalidTaskError, match="plays a Request"):
        env.reset(options={"task": Task("t", "Who?", ("Me",))})


def test_wrong_calls_are_one_line():
    with pytest.raises(AslError, match="no generator reward is named 'als'"):
        coevolution.raw_env(**options(reward="als"))
    with pytest.raises(AslError, match="render_mode"):
        coevolution.raw_env(render_mode="rgb_array")
    parallel = coevolution.parallel_env(**options())
    with pytest.raises(gym.error.ResetNeeded):
        parallel.step({})
    parallel.reset(seed=0)
    with pytest.raises(AgentError, match="no action of generator_0"):
        parallel.step({GRM: "a"})
    with pytest.raises(AgentError, match="generator_0 said int"):
        parallel.step({GENERATOR: 4})


def test_every_game_of_random_lines_ends_with_finite_rewards():
    rng = np.random.default_rng(0)
    lines = [WRITTEN, CORRECT, WRONG, ASL.write_final("Lima"), ASL.write_search("a"), "hm"]
    env = coevolution.raw_env(**options(solves=2, max_turns=3))
    for game in range(150):
        env.reset(seed=game)
        turns = 0
        for agent in env.agent_iter():
            _, reward, terminated, truncated, _ = env.last()
            assert math.isfinite(reward)
            over = terminated or truncated
            turns += not over
            env.step(None if over else lines[int(rng.integers(len(lines)))])
            assert agent in AGENTS
        assert turns <= 3 + 3 + 2 * (3 + 3)
