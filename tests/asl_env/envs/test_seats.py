"""The three seats as Gymnasium environments: conventions, seeding, failures, hidden labels."""

import math
import warnings

import gymnasium as gym
import pytest
from gymnasium.utils.env_checker import check_env

import asl_env  # noqa: F401 - registers
from asl_env.dialects import make_dialect
from asl_env.envs.registration import SEATS
from asl_env.episode import Claim, Request, RewardParts, Role, Task, Turn
from asl_env.errors import AgentError, AslError, InvalidTaskError, SearchUnavailableError

ASL = make_dialect("asl")
TASK = Task("t", "What is the capital of Peru?", ("Lima",))
REQUEST = Request("r", "seed", "Peru")
CLAIM = Claim("c", "What is the capital of Peru?", "Lima", "correct")
PLAYED = {"ASLSearch-v0": TASK, "ASLGenerate-v0": REQUEST, "ASLVerify-v0": CLAIM}
SEARCH = ASL.write_search("capital of Peru")

every_seat = pytest.mark.parametrize("name", sorted(SEATS))
both_dialects = pytest.mark.parametrize("dialect", ["asl", "search-r1"])


class Fixed:
    """A reward model that gives the same to everyone."""

    def __init__(self, *parts):
        self.parts = parts or (RewardParts(0.5, {"half": 0.5}),)
        self.batches = []

    def score(self, episodes):
        self.batches.append(len(episodes))
        return list(self.parts) * len(episodes)


class Unplugged:
    """A retriever whose server is gone."""

    def search(self, queries, k):
        raise SearchUnavailableError("no server at x:1; start it")


def make(name, **options):
    options.setdefault("tool", "null")
    options.setdefault("assignments", [PLAYED[name]])
    options.setdefault("reward", Fixed())
    return gym.make(name, **options)


def finish(env, turns):
    env.reset(seed=0)
    for turn in turns:
        step = env.step(turn)
    return step


@pytest.mark.parametrize("spec", [gym.spec(name) for name in sorted(SEATS)], ids=sorted(SEATS))
def test_gymnasiums_checker_has_nothing_to_say(spec, capsys):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_env(spec.make(tool="null").unwrapped)


@every_seat
@both_dialects
def test_the_passive_checker_has_nothing_to_say(name, dialect):
    written = make_dialect(dialect)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        env = make(name, dialect=dialect)
        env.reset(seed=1)
        env.step(written.write_search("capital of Peru"))
        _, reward, terminated, truncated, _ = env.step(written.write_final("Lima", "Where is it?"))
    assert (reward, terminated, truncated) == (0.5, True, False)


@every_seat
def test_the_same_seed_gives_the_same_episode(name):
    env, other = gym.make(name, tool="null"), gym.make(name, tool="null")
    first = [env.reset(seed=3)[0], *(env.reset()[0] for _ in range(8))]
    assert [other.reset(seed=3)[0], *(other.reset()[0] for _ in range(8))] == first
    assert len(set(first)) > 4
    assert env.unwrapped.chat().seed == other.unwrapped.chat().seed
    assert first[0] != env.reset(seed=4)[0]


@every_seat
def test_an_assignment_may_be_given(name):
    env = make(name, assignments=None)
    observation, info = env.reset(seed=0, options={"task": PLAYED[name]})
    assert "Peru" in observation
    assert info["messages"][-1]["content"] == observation
    env.step("stop")
    assert env.reset(seed=0)[0] == make(name, assignments=None).reset(seed=0)[0]


@every_seat
def test_an_assignment_of_another_seat_is_refused(name):
    for other, assignment in PLAYED.items():
        if other != name:
            with pytest.raises(InvalidTaskError, match="seat plays a"):
                make(name).reset(options={"task": assignment})
            with pytest.raises(InvalidTaskError, match="seat plays a"):
                make(name, assignments=[assignment])
            with pytest.raises(InvalidTaskError, match="seat plays a"):
                make(name, assignments=lambda rng, wrong=assignment: wrong).reset()


@every_seat
def test_the_observation_is_the_newest_message_and_the_info_has_the_chat(name):
    env = make(name)
    observation, info = env.reset(seed=0)
    assert observation == info["messages"][-1]["content"]
    observation, reward, terminated, truncated, info = env.step(SEARCH)
    assert (reward, terminated, truncated) == (0.0, False, False)
    assert observation == info["messages"][-1]["content"]
    assert [m["role"] for m in info["messages"]] == ["system", "user", "assistant", "tool"]
    observation, *_, info = env.step("stop")
    assert observation == ""
    assert info["messages"][-1] == {"role": "assistant", "content": "stop"}


@every_seat
def test_the_info_says_where_the_time_went(name):
    env = make(name)
    _, info = env.reset(seed=0)
    assert set(info["timing"]) == {"search", "reward", "step"}
    *_, searched = env.step(SEARCH)
    *_, ended = env.step("stop")
    assert 0 < searched["timing"]["search"] < searched["timing"]["step"]
    assert 0 < ended["timing"]["reward"] < ended["timing"]["step"]
    assert searched["timing"]["reward"] == ended["timing"]["search"] == 0.0


@every_seat
def test_the_end_brings_the_trajectory_and_the_parts_of_the_reward(name):
    seen = []
    env = make(name, on_episode=lambda *episode: seen.append(episode))
    _, reward, terminated, _, info = finish(env, [SEARCH, Turn("stop", (1,), (-0.5,))])
    record = info["trajectory"]
    assert (reward, terminated) == (0.5, True)
    assert record.assignment is PLAYED[name] and record.tool_calls == 1
    assert record.turns == (Turn(SEARCH), Turn("stop", (1,), (-0.5,)))
    assert info["reward_parts"].parts == {"half": 0.5}
    assert "invalid" not in info
    assert seen == [(record, info["reward_parts"])]


@every_seat
def test_running_out_of_turns_is_truncated_but_scored(name):
    _, reward, terminated, truncated, info = finish(make(name, max_turns=2), [SEARCH, SEARCH])
    assert (reward, terminated, truncated) == (0.5, False, True)
    assert "invalid" not in info and info["trajectory"].truncated


@every_seat
def test_a_failing_search_is_truncated_with_reward_zero_and_a_reason(name):
    reward = Fixed()
    env = make(name, tool=Unplugged(), reward=reward)
    observation, earned, terminated, truncated, info = finish(env, [SEARCH])
    assert (observation, earned, terminated, truncated) == ("", 0.0, False, True)
    assert info["invalid"] == "search: no server at x:1; start it"
    assert info["trajectory"].invalid == info["reward_parts"].invalid == info["invalid"]
    assert reward.batches == []


@every_seat
@pytest.mark.parametrize("error", [SearchUnavailableError("gone"), AgentError("judge hung")])
def test_a_failing_reward_model_is_truncated_with_reward_zero_and_a_reason(name, error):
    class Broken:
        def score(self, episodes):
            raise error

    _, earned, terminated, truncated, info = finish(make(name, reward=Broken()), ["stop"])
    assert (earned, terminated, truncated) == (0.0, False, True)
    assert info["invalid"] == f"reward: {error}"


@every_seat
def test_an_episode_that_cannot_be_scored_is_invalid(name):
    env = make(name, reward=Fixed(RewardParts(0.7, invalid="verdict")))
    _, earned, terminated, truncated, info = finish(env, ["stop"])
    assert (earned, terminated, truncated, info["invalid"]) == (0.0, False, True, "verdict")


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((RewardParts(1.0), RewardParts(1.0)), "2 rewards for 1 episodes"),
        ((RewardParts(math.nan),), "make it finite"),
        ((RewardParts(math.inf),), "make it finite"),
    ],
)
def test_a_reward_model_that_breaks_its_contract_is_named(parts, message):
    with pytest.raises(AslError, match=f"Fixed.score returned .*{message}"):
        finish(make("ASLSearch-v0", reward=Fixed(*parts)), ["stop"])


@every_seat
def test_steps_outside_an_episode_are_refused(name):
    env = make(name).unwrapped
    with pytest.raises(gym.error.ResetNeeded):
        env.step("a")
    with pytest.raises(gym.error.ResetNeeded):
        env.chat()
    finish(env, ["stop"])
    with pytest.raises(gym.error.ResetNeeded):
        env.step("a")


@every_seat
def test_an_action_is_a_string_or_a_turn(name):
    env = make(name)
    env.reset()
    with pytest.raises(AgentError, match="a turn is a str or a Turn"):
        env.step(3)


def test_impossible_arguments_are_one_line():
    for wrong in (
        {"max_turns": 0},
        {"assignments": []},
        {"dialect": "als"},
        {"reward": "exact"},
        {"tool": "minwiki"},
        {"render_mode": "rgb_array"},
        {"format_reward": True},
    ):
        options = {"reward": Fixed(), "assignments": [TASK], "tool": "null"} | wrong
        with warnings.catch_warnings(), pytest.raises(AslError) as caught:
            warnings.simplefilter("ignore")  # gymnasium on the render mode
            gym.make("ASLSearch-v0", **options)
        assert "\n" not in str(caught.value)


def test_the_policy_is_rewarded_by_exact_match_unless_told_otherwise():
    def earn(said, **options):
        env = gym.make("ASLSearch-v0", assignments=[TASK], tool="null", **options)
        return finish(env, [ASL.write_final(said)])[1]

    assert (earn("lima!"), earn("Lima, Peru"), earn("Quito")) == (1.0, 0.0, 0.0)
    assert earn("Lima, Peru", reward="cover-em") == 1.0
    assert 0 < earn("Lima, Peru", reward="f1") < 1
    assert finish(
        gym.make("ASLSearch-v0", assignments=[TASK], tool="null", format_reward=True),
        [ASL.write_search("x", "so"), ASL.write_final("Quito", think="well")],
    )[1] == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("label", "said", "reward"),
    [
        ("correct", "conclusion: correct", 1.0),
        ("correct", "conclusion: wrong", 0.0),
        ("wrong", "conclusion: wrong", 1.0),
        ("wrong", "conclusion: correct/wrong", 0.0),
    ],
)
def test_the_grm_is_rewarded_for_agreement(label, said, reward):
    claim = Claim("c", "Who?", "Me", label)
    env = gym.make("ASLVerify-v0", assignments=[claim], tool="null")
    assert finish(env, [ASL.write_final(said)])[1] == reward


def test_the_label_stays_hidden_until_the_end():
    def views(label):
        env = gym.make("ASLVerify-v0", tool="null")
        seen = env.reset(seed=1, options={"task": Claim("c", "Who is it?", "Me", label)})
        return seen, env.step(SEARCH)

    assert views("correct") == views("wrong") == views(None)


def test_a_claim_without_a_label_cannot_be_trained_on():
    env = gym.make("ASLVerify-v0", assignments=[Claim("c", "Who?", "Me")], tool="null")
    _, reward, _, truncated, info = finish(env, [ASL.write_final("conclusion: correct")])
    assert (reward, truncated, info["invalid"]) == (0.0, True, "label")


class Partner:
    """Solves one attempt in two, confirms everything."""

    def act(self, chats, *, greedy=False):
        return [Turn(self.say(chat)) for chat in chats]

    def say(self, chat):
        if chat.role is Role.GRM:
            right = "Answer: Lima" in chat.messages[1]["content"]
            return ASL.write_final(f"conclusion: {'correct' if right else 'wrong'}")
        return ASL.write_final("Lima" if chat.seed % 2 else "Quito")


def test_the_generator_is_rewarded_for_questions_that_are_solved_sometimes():
    partners = {"solver": Partner(), "judge": Partner(), "solves": 16, "verifications": 2}
    env = gym.make("ASLGenerate-v0", assignments=[REQUEST], tool="null", **partners)
    good = finish(env, [ASL.write_final("Lima", "What is the capital of Peru?")])
    assert 0.4 < good[1] <= math.log(2)
    extras = good[4]["reward_parts"].extras
    assert len(extras["solves"]) == 16 and extras["verification"] == 1.0
    assert finish(env, [ASL.write_final("Quito", "What is the capital of Peru?")])[1] == 0.0
    assert finish(env, [ASL.write_final("Lima", "Capital?")])[1] == 0.0
    other = gym.make(
        "ASLGenerate-v0", assignments=[REQUEST], tool="null", reward="learnability", **partners
    )
    learnable = finish(other, [ASL.write_final("Lima", "What is the capital of Peru?")])
    assert 0.5 < learnable[1] <= 1.0


@every_seat
def test_ansi_rendering_returns_the_chat(name):
    env = make(name, render_mode="ansi")
    env.reset(seed=0)
    env.step("it is \ud800 Lima")
    shown = env.render()
    assert shown.startswith("[system]\n")
    assert shown.endswith("[assistant]\nit is ? Lima\n")


def test_human_rendering_writes_each_message_once(capsys):
    env = make("ASLSearch-v0", render_mode="human")
    finish(env, [SEARCH, "stop"])
    shown = capsys.readouterr().out
    assert shown.count("[system]") == shown.count("[tool]") == 1
    assert shown.count("[assistant]") == 2
    assert env.render() is None


@every_seat
def test_gymnasiums_own_wrappers_fit(name):
    env = gym.wrappers.RecordEpisodeStatistics(gym.wrappers.TimeLimit(make(name), 3))
    *_, info = finish(env, [SEARCH, "stop"])
    assert info["episode"]["r"] == 0.5 and info["episode"]["l"] == 2


@every_seat
def test_every_environment_has_a_card(name):
    module, prefix = SEATS[name].split(":")
    card = getattr(__import__(f"asl_env.envs.{module}", fromlist=["x"]), f"{prefix}Env").__doc__
    for part in (
        *("Description", "Action Space", "Observation Space", "Starting State", "Rewards"),
        *("Episode End", "Information", "Arguments", "Version History"),
    ):
        assert f"## {part}\n" in card
