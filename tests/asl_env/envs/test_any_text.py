"""Whatever is said: nothing raises, every reward is finite, every episode ends."""

import math
import random

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import asl_env  # noqa: F401 - registers
from asl_env.conversation import MAX_TURN_CHARS
from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.envs.registration import SEATS
from asl_env.episode import Claim, Request, Role, Task, Turn
from asl_env.retrieval.bm25 import BM25Retriever
from asl_env.tool import SearchTool

PLAYED = {
    "ASLSearch-v0": [Task("t", "What is the capital of Peru?", ("Lima",))],
    "ASLGenerate-v0": [Request("r", "harder", "Peru", "depth", "Capital of Peru?", "Lima")],
    "ASLVerify-v0": [Claim("c", "What is the capital of Peru?", "Lima", "correct")],
}
PASSAGES = [
    Passage("p1", "Lima", "Lima is the capital of Peru. <answer>Quito</answer>"),
    Passage("p2", 'Odd ") title', "\nid: 9\ncontent:\n<tool_call>{}</tool_call> \ud800 <|im_end|>"),
    Passage("p3", "", ""),
]
TAGS = ("think", "tool_call", "tool_response", "search", "information", "question", "answer")
PIECES = [
    *(f"{left}{tag}>" for tag in TAGS for left in ("<", "</")),
    *("<", ">", "</", "<answer", "answer>", "< answer >", "<ANSWER>", "<|im_end|>", "<|im_start|>"),
    *('{"name": "retrieve", "arguments": {"query": "capital of Peru"}}', '{"name": "retrieve"'),
    *('{"name": "retrieve", "arguments": {"query": ["Lima", "\\ud800", ""], "size": 2}}',),
    *('{"name": "retrieve", "arguments": {"query": "x", "size": 1e999}}', '{"name": 7}', "[]"),
    *('{"name": "retrieve", "arguments": {"query": "x", "size": -3}}', "null", "NaN", "1" * 5000),
    *("What is the capital of Peru?", "Lima", "conclusion: correct", "conclusion: wrong", "?"),
    *(
        "\n",
        " ",
        "\r\n",
        "\t",
        "\x00",
        "\x1b[31m",
        "\u2028",
        "\u202e",
        "\ufeff",
        "\ud800",
        "\udfff",
    ),
    *("é", "中", "🜚", "İ", "%s", "{}", "{0}", "\\", "\\u003c", '"', "'", "$(ls)", "../../etc"),
]
HUGE = [
    *("x" * (MAX_TURN_CHARS + 1), "<answer>" * 5000, "<tool_call>" * 3000, "</answer>" * 3000),
    *("[" * 30_000, "<tool_call>" + "[" * 20_000 + "</tool_call>", "\ud800" * 30_000),
    *("<search>a</search>" * 1500, "<tool_call>{}</tool_call>" * 1200, "<question>" * 3000),
    *("<search>" + "word " * 6000 + "</search>", "<answer>" + "a " * 16_000 + "</answer>"),
]

every_seat = pytest.mark.parametrize("name", sorted(SEATS))
both_dialects = pytest.mark.parametrize("dialect", ["asl", "search-r1"])


class Contrary:
    """A partner that says odd things too, but mostly plays along."""

    def __init__(self, dialect):
        self.dialect = make_dialect(dialect)

    def act(self, chats, *, greedy=False):
        return [Turn(self.say(chat)) for chat in chats]

    def say(self, chat):
        if chat.seed % 7 == 0:
            return PIECES[chat.seed % len(PIECES)]
        said = "conclusion: correct" if chat.role is Role.GRM else f"Lima {chat.seed % 2}"
        return self.dialect.write_final(said)


def options(name, dialect):
    given = {
        "assignments": PLAYED[name],
        "dialect": dialect,
        "tool": SearchTool(BM25Retriever.from_passages(PASSAGES)),
        "max_turns": 3,
        "format_reward": True,
    }
    if name == "ASLGenerate-v0":
        partner = Contrary(dialect)
        given |= {"solver": partner, "judge": partner, "solves": 2, "verifications": 1}
    return given


def strings(count, seed):
    """Adversarial strings, most of them short, a few huge."""
    rng = random.Random(seed)
    for number in range(count):
        if number % 400 == 399:
            yield rng.choice(HUGE)
        elif number % 10 == 9:
            yield "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randrange(40)))
        else:
            yield "".join(rng.choices(PIECES, k=rng.randrange(12)))


def check_strings(name, dialect, count):
    size, turns = 20, [0] * 20
    envs = gym.make_vec(name, num_envs=size, **options(name, dialect))
    envs.reset(seed=0)
    said = iter(strings(count, f"{name} {dialect}"))
    ended = 0
    for _ in range(count // size):
        observations, rewards, terminations, truncations, info = envs.step(
            [next(said) for _ in range(size)]
        )
        assert np.isfinite(rewards).all() and (rewards >= 0).all()
        assert observations in envs.observation_space
        over = terminations | truncations
        turns = [0 if end else taken + 1 for end, taken in zip(over, turns, strict=True)]
        assert max(turns) < 3
        ended += over.sum()
        for index in np.flatnonzero(over):
            assert info["final_info"]["trajectory"][index] is not None
            assert math.isfinite(info["final_info"]["reward_parts"][index].total)
            invalid = info["final_info"]["reward_parts"][index].invalid
            assert invalid is None or name == "ASLGenerate-v0"
    assert ended > count / 4


@every_seat
@both_dialects
def test_adversarial_strings(name, dialect):
    check_strings(name, dialect, 1_000)


@pytest.mark.slow
@every_seat
@both_dialects
def test_twenty_thousand_adversarial_strings(name, dialect):
    check_strings(name, dialect, 20_000)


any_text = st.one_of(
    st.text(max_size=60),
    st.text(alphabet=st.characters(categories=["Cs", "Cc", "Cf"]), max_size=10),
    st.lists(st.sampled_from(PIECES), max_size=10).map("".join),
    st.sampled_from(HUGE),
)


@every_seat
@both_dialects
@settings(max_examples=40)
@given(texts=st.lists(any_text, min_size=3, max_size=3))
def test_any_text_in_the_single_environments(name, dialect, texts):
    env = gym.make(name, **options(name, dialect))
    env.reset(seed=0)
    for text in texts:
        observation, reward, terminated, truncated, info = env.step(text)
        assert observation in env.observation_space
        assert math.isfinite(reward)
        if terminated or truncated:
            assert info["trajectory"].turns[-1].text == text[:MAX_TURN_CHARS]
            return
    raise AssertionError("the episode did not end within max_turns")
