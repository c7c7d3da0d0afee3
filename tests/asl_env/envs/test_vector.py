"""Vector environments: the single one many times, with one search and one score per step."""

import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode

import asl_env  # noqa: F401 - registers
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.envs.registration import SEATS
from asl_env.episode import Claim, Request, RewardParts, Task, Turn
from asl_env.errors import AgentError, AslError, InvalidTaskError, SearchUnavailableError
from asl_env.protocols import Hit

ASL = make_dialect("asl")
TASKS = [Task(f"t{n}", f"What is the capital of country {n}?", (f"City {n}",)) for n in range(50)]
REQUESTS = [Request(f"r{n}", "seed", f"topic {n}") for n in range(50)]
CLAIMS = [Claim(f"c{n}", f"Who is person {n}?", "Me", "wrong") for n in range(50)]
PLAYED = {"ASLSearch-v0": TASKS, "ASLGenerate-v0": REQUESTS, "ASLVerify-v0": CLAIMS}

every_seat = pytest.mark.parametrize("name", sorted(SEATS))


class Counting:
    """A retriever and reward model that count how often they are called, and for how many."""

    def __init__(self):
        self.searches = []
        self.scores = []

    def search(self, queries, k):
        self.searches.append(sorted(queries))
        if "break" in queries:
            raise SearchUnavailableError("gone")
        return [[Hit(Passage("p", "T", f"about {query}"), 1.0)] for query in queries]

    def score(self, episodes):
        self.scores.append(len(episodes))
        return [
            RewardParts(0.9, invalid="verdict") if e.answer == "odd" else RewardParts(0.5)
            for e in episodes
        ]


def make(name="ASLSearch-v0", num_envs=4, **options):
    options.setdefault("assignments", PLAYED[name])
    options.setdefault("tool", "null")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return gym.make_vec(
            name, num_envs=num_envs, vectorization_mode="vector_entry_point", **options
        )


def search(query):
    return ASL.write_search(query)


def final(answer):
    return ASL.write_final(answer, "What is the capital of Peru?")


@every_seat
def test_it_declares_what_gymnasium_asks_for(name):
    envs = make(name)
    assert envs.metadata["autoreset_mode"] is AutoresetMode.SAME_STEP
    assert envs.num_envs == 4 and envs.spec.id == name
    single = gym.make(name, tool="null")
    assert envs.single_action_space == single.action_space
    assert envs.single_observation_space == single.observation_space
    observations, _ = envs.reset(seed=0)
    assert observations in envs.observation_space
    assert envs.action_space.sample() in envs.action_space
    envs.close()
    envs.close()


@every_seat
def test_it_plays_what_single_environments_play(name):
    """Bit for bit what gymnasium's SyncVectorEnv makes of single environments."""
    options = {"assignments": PLAYED[name], "tool": "null", "reward": Counting(), "max_turns": 3}
    ours = make(name, 3, **options)
    theirs = gym.vector.SyncVectorEnv(
        [lambda: gym.make(name, **options)] * 3, autoreset_mode=AutoresetMode.SAME_STEP
    )
    script = [
        ["plain", search("a"), search("b")],
        [search("c"), search("d"), search("e")],
        [final("x"), search("f"), search("g")],
        [search("h"), final("y"), "plain"],
    ]
    ours_reset, theirs_reset = ours.reset(seed=11), theirs.reset(seed=11)
    assert ours_reset[0] == tuple(theirs_reset[0])
    assert list(ours_reset[1]["messages"]) == list(theirs_reset[1]["messages"])
    for actions in script * 2:
        mine, other = ours.step(actions), theirs.step(tuple(actions))
        assert mine[0] == tuple(other[0])
        for left, right in zip(mine[1:4], other[1:4], strict=True):
            assert left.dtype == right.dtype and np.array_equal(left, right)
        assert set(mine[4]) == set(other[4])
        assert list(mine[4]["messages"]) == list(other[4]["messages"])
        assert ("final_info" in mine[4]) == bool((mine[2] | mine[3]).any())
        if "final_info" in mine[4]:
            assert list(mine[4]["final_obs"]) == list(other[4]["final_obs"])
            for key in ("trajectory", "reward_parts", "messages"):
                assert list(mine[4]["final_info"][key]) == list(other[4]["final_info"][key])
                for mask in (f"_{key}", "_final_info", "_final_obs"):
                    where = (mine[4], other[4])
                    if mask == f"_{key}":
                        where = tuple(info["final_info"] for info in where)
                    assert np.array_equal(where[0][mask], where[1][mask])
    assert [chat.seed for chat in ours.chats()] == [
        env.unwrapped.chat().seed for env in theirs.envs
    ]


def test_a_step_is_one_search_and_one_score():
    counting = Counting()
    envs = make(num_envs=6, tool=counting, reward=counting)
    envs.reset(seed=0)
    envs.step([search("a"), search("b"), search("a"), search("c"), final("x"), "plain"])
    assert counting.searches == [["a", "b", "c"]]
    assert counting.scores == [2]
    envs.step([final("x")] * 6)
    assert counting.searches == [["a", "b", "c"]]
    assert counting.scores == [2, 6]


def test_episodes_that_end_begin_anew_in_the_same_step():
    envs = make(num_envs=3, reward=Counting())
    first, _ = envs.reset(seed=0)
    observations, rewards, terminations, truncations, info = envs.step(
        [final("x"), search("a"), final("odd")]
    )
    assert observations[0] == envs.chats()[0].messages[-1]["content"] != first[0]
    assert envs.chats()[0].turn == 0 and envs.chats()[1].turn == 1
    assert rewards.tolist() == [0.5, 0.0, 0.0]
    assert terminations.tolist() == [True, False, False]
    assert truncations.tolist() == [False, False, True]
    assert info["final_obs"].tolist() == ["", None, ""]
    assert info["_final_info"].tolist() == [True, False, True]
    final_info = info["final_info"]
    assert final_info["trajectory"][0].answer == "x" and final_info["trajectory"][1] is None
    assert final_info["invalid"].tolist() == [None, None, "verdict"]
    assert final_info["_invalid"].tolist() == [False, False, True]


def test_a_broken_search_invalidates_only_those_who_waited_for_it():
    envs = make(num_envs=3, tool=Counting(), reward=Counting())
    envs.reset(seed=0)
    _, rewards, terminations, truncations, info = envs.step([search("break"), final("x"), "plain"])
    assert rewards.tolist() == [0.0, 0.5, 0.5]
    assert terminations.tolist() == [False, True, True]
    assert truncations.tolist() == [True, False, False]
    assert info["final_info"]["invalid"].tolist() == ["search: gone", None, None]


def assigned(envs):
    return [conversation.assignment.id for conversation in envs.unwrapped._conversations]


def test_groups_play_the_same_assignments_with_their_own_seeds():
    envs = make(num_envs=6, group_size=3, reward=Counting())
    envs.reset(seed=2)
    ids = assigned(envs)
    assert ids[0] == ids[1] == ids[2] and ids[3] == ids[4] == ids[5] and ids[0] != ids[3]
    assert len({chat.seed for chat in envs.chats()}) == 6


def test_groups_stay_together_however_long_their_members_take():
    histories = [[] for _ in range(4)]
    envs = make(
        num_envs=4,
        group_size=2,
        max_turns=4,
        reward=Counting(),
        on_episode=lambda episode, parts: seen.append(episode.assignment.id),
    )
    seen = []
    rng = np.random.default_rng(0)
    envs.reset(seed=5)
    for _ in range(200):
        before = assigned(envs)
        *_, info = envs.step([final("x") if rng.random() < 0.4 else search("a") for _ in range(4)])
        for index in np.flatnonzero(info.get("_final_info", np.zeros(4))):
            histories[index].append(before[index])
    for left, right in (histories[:2], histories[2:]):
        shared = min(len(left), len(right))
        assert shared > 40 and left[:shared] == right[:shared]
    assert len(seen) == sum(map(len, histories))


def test_a_whole_reset_lines_the_groups_up_again():
    envs = make(num_envs=2, group_size=2, reward=Counting())
    envs.reset(seed=5)
    envs.step([final("x"), search("a")])
    envs.step([final("x"), search("a")])
    envs.reset()
    assert len(set(assigned(envs))) == 1


def test_the_same_seed_gives_the_same_assignments_and_no_seed_goes_on():
    envs, again = make(), make()
    envs.reset(seed=9)
    again.reset(seed=9)
    assert assigned(envs) == assigned(again)
    envs.reset()
    again.reset()
    assert assigned(envs) == assigned(again)
    first = assigned(envs)
    envs.reset(seed=9)
    assert first != assigned(envs)
    unseeded = make()
    unseeded.reset()
    assert len(assigned(unseeded)) == 4


def test_assignments_may_be_given():
    envs = make()
    envs.reset(options={"task": TASKS[7]})
    assert assigned(envs) == ["t7"] * 4
    envs.reset(options={"task": TASKS[:4]})
    assert assigned(envs) == ["t0", "t1", "t2", "t3"]
    with pytest.raises(InvalidTaskError, match="holds 3 assignments for 4"):
        envs.reset(options={"task": TASKS[:3]})
    with pytest.raises(InvalidTaskError, match="plays a Task"):
        envs.reset(options={"task": REQUESTS[0]})


def test_some_may_be_reset_alone():
    envs = make()
    envs.reset(seed=0)
    searched, *_ = envs.step([search("a")] * 4)
    mask = np.array([False, True, False, False])
    observations, info = envs.reset(options={"reset_mask": mask})
    assert [chat.turn for chat in envs.chats()] == [1, 0, 1, 1]
    assert observations[0] == searched[0] and observations[1] != searched[1]
    assert info["_messages"].tolist() == mask.tolist()
    with pytest.raises(gym.error.ResetNeeded):
        make().reset(options={"reset_mask": mask})


def test_turns_with_tokens_are_kept():
    envs = make(num_envs=2, reward=Counting())
    envs.reset(seed=0)
    turn = Turn(final("x"), (1, 2, 3), (-0.1, -0.2, -0.3))
    *_, info = envs.step([turn, "plain"])
    assert info["final_info"]["trajectory"][0].turns == (turn,)


def test_none_leaves_a_sub_environment_as_it_is():
    counting = Counting()
    envs = make(num_envs=3, tool=counting, reward=counting)
    observations, _ = envs.reset(seed=0)
    before = envs.chats()
    seen, rewards, terminated, truncated, info = envs.step([None, search("a"), final("x")])
    assert counting.searches == [["a"]] and counting.scores == [1]
    assert seen[0] == observations[0] and envs.chats()[0] == before[0]
    assert "about a" in seen[1]
    assert rewards.tolist() == [0.0, 0.0, 0.5]
    assert terminated.tolist() == [False, False, True] and not truncated.any()
    assert info["_final_info"].tolist() == [False, False, True]
    assert info["messages"][0] == before[0].messages
    held = envs.chats()
    seen, rewards, terminated, _, info = envs.step([None] * 3)
    assert envs.chats() == held and not rewards.any() and not terminated.any()
    assert "final_info" not in info and len(counting.scores) == 1
    envs.close()


def test_members_of_a_group_may_wait_for_each_other():
    envs = make(num_envs=2, group_size=2, assignments=lambda rng: TASKS[int(rng.integers(50))])
    envs.reset(seed=3)
    first = [chat.messages[-1] for chat in envs.chats()]
    envs.step([final("x"), search("a")])
    ahead = envs.chats()[0].messages[-1]
    for turn in (search("b"), final("y")):
        envs.step([None, turn])
    chats = envs.chats()
    assert first[0] == first[1] != ahead
    assert [chat.messages[-1] for chat in chats] == [ahead, ahead]
    assert chats[0].seed != chats[1].seed
    envs.close()


def test_arrays_of_strings_are_actions():
    envs = make(num_envs=2, reward=Counting())
    envs.reset(seed=0)
    _, rewards, *_ = envs.step(np.array([final("x"), "plain"]))
    assert rewards.tolist() == [0.5, 0.5]


def test_wrong_calls_are_one_line():
    with pytest.raises(AslError, match="multiple of group_size=3"):
        make(num_envs=4, group_size=3)
    with pytest.raises(AslError, match="num_envs=0"):
        make(num_envs=0)
    with pytest.raises(AslError, match="renders 'ansi'"):
        make(render_mode="human")
    envs = make()
    for call in (envs.chats, lambda: envs.step(["a"] * 4)):
        with pytest.raises(gym.error.ResetNeeded):
            call()
    envs.reset()
    with pytest.raises(AgentError, match="3 actions for 4"):
        envs.step(["a"] * 3)
    with pytest.raises(AgentError, match="a turn is a str"):
        envs.step(["a", "b", "c", 4])


def test_rendering_returns_every_chat():
    envs = make(num_envs=2, render_mode="ansi")
    envs.reset(seed=0)
    shown = envs.render()
    assert len(shown) == 2 and all(text.startswith("[system]\n") for text in shown)
    assert make().render() is None


def test_the_time_is_shared_out():
    envs = make(num_envs=4, reward=Counting())
    envs.reset(seed=0)
    *_, info = envs.step([search("a"), search("b"), final("x"), "plain"])
    timing = info["timing"]
    assert (timing["search"] > 0).all() and (timing["reward"] > 0).all()
    assert (timing["step"] >= timing["search"] + timing["reward"]).all()


def test_gymnasiums_own_vector_wrappers_fit():
    envs = gym.wrappers.vector.RecordEpisodeStatistics(make(num_envs=2, reward=Counting()))
    envs = gym.wrappers.vector.DictInfoToList(envs)
    envs.reset(seed=0)
    *_, infos = envs.step([final("x"), search("a")])
    assert infos[0]["episode"]["r"] == 0.5 and "episode" not in infos[1]
    assert infos[1]["messages"][-1]["role"] == "tool"


def test_shared_memory_is_refused_loudly():
    with pytest.raises(Exception, match=r"(?i)shared.memory"):
        gym.make_vec(
            "ASLSearch-v0", num_envs=2, vectorization_mode="async", assignments=TASKS, tool="null"
        )
