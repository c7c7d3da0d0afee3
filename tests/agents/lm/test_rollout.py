"""Collecting episodes: complete groups, nobody plays in vain, tokens as they were sampled."""

import pytest
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from asl_env.agents.lm.record import audit
from asl_env.agents.lm.rollout import collect
from asl_env.agents.lm.template import TEMPLATES, ChatTemplate
from asl_env.dialects import make_dialect
from asl_env.envs.seat import Seat, make_tool
from asl_env.envs.vector import SeatVectorEnv
from asl_env.episode import RewardParts, Role, Task, Turn
from asl_env.errors import LanguageModelError, SearchUnavailableError

ASL = make_dialect("asl")


def make_template():
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    fast = Tokenizer(models.BPE({char: at for at, char in enumerate(alphabet)}, []))
    fast.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    fast.decoder = decoders.ByteLevel()
    fast.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=fast, eos_token="<|im_end|>")
    return ChatTemplate(tokenizer, TEMPLATES["chatml"])


TEMPLATE = make_template()


class Searcher:
    """Searches as often as its chat's seed says, then answers; its turns carry tokens."""

    def __init__(self):
        self.asked = []
        self.said = []

    def act(self, chats, *, greedy=False):
        self.asked.append(len(chats))
        turns = []
        for chat in chats:
            last = chat.turn >= chat.seed % 4
            text = ASL.write_final(str(chat.seed)) if last else ASL.write_search(f"q{chat.seed}")
            ids = tuple(TEMPLATE.encode(text))
            turns.append(Turn(text, ids, tuple(-0.5 for _ in ids)))
        self.said += turns
        return turns


class Pays:
    def score(self, episodes):
        return [RewardParts(float(len(episode.turns))) for episode in episodes]


def make_env(num_envs=6, group_size=3, tool="null"):
    count = iter(range(1000))
    source = lambda rng: Task(f"t{next(count)}", "Who?", ("x",))  # noqa: E731
    tool = make_tool(tool)
    seat = Seat(Role.POLICY, source, tool, ASL, Pays())
    env = SeatVectorEnv(seat, num_envs, group_size)
    env.reset(seed=1)
    return env


def test_groups_are_complete_and_in_order():
    rollouts, _ = collect(Searcher(), make_env(), 3, TEMPLATE)
    assert [rollout.group for rollout in rollouts] == [g for g in range(6) for _ in range(3)]
    assert [rollout.env for rollout in rollouts] == list(range(6)) * 3
    for group in range(6):
        members = [rollout.trajectory for rollout in rollouts if rollout.group == group]
        assert len({member.assignment.id for member in members}) == 1
        assert len({member.seed for member in members}) == 3
    assert len({rollout.trajectory.assignment.id for rollout in rollouts}) == 6
    assert all(r.parts.total == len(r.trajectory.turns) for r in rollouts)


def test_nobody_plays_in_vain_and_what_is_held_is_played_next():
    agent, env = Searcher(), make_env()
    rollouts, steps = collect(agent, env, 2, TEMPLATE)
    turns = [turn for rollout in rollouts for turn in rollout.trajectory.turns]
    assert steps == len(turns) == len(agent.said) == sum(agent.asked)
    assert agent.asked == sorted(agent.asked, reverse=True)  # those that are done leave
    held = env.chats()
    assert all(chat.turn == 0 for chat in held)
    following, _ = collect(agent, env, 1, TEMPLATE)
    assert [rollout.trajectory.seed for rollout in following] == [chat.seed for chat in held]


def test_calls_in_parts_play_what_one_call_plays():
    whole, _ = collect(Searcher(), make_env(), 2, TEMPLATE)
    env = make_env()
    parts = [collect(Searcher(), env, 1, TEMPLATE).rollouts for _ in range(2)]
    assert [r.trajectory for r in whole] == [r.trajectory for part in parts for r in part]


def test_tokens_are_those_that_were_said():
    rollouts, _ = collect(Searcher(), make_env(), 1, TEMPLATE)
    for rollout in rollouts:
        texts = "\n".join(turn.text for turn in rollout.trajectory.turns)
        assert audit(rollout.record, TEMPLATE.tokenizer) == texts
        assert sum(rollout.record.logprobs) == -0.5 * sum(rollout.record.mask)


def test_failed_episodes_are_brought_back_as_invalid():
    class Gone:
        def search(self, queries, k):
            raise SearchUnavailableError("gone")

    rollouts, _ = collect(Searcher(), make_env(tool=Gone()), 1, TEMPLATE)
    failed = [rollout for rollout in rollouts if rollout.parts.invalid]
    assert failed and all("gone" in rollout.parts.invalid for rollout in failed)
    assert len(rollouts) == 6


def test_an_agent_without_tokens_cannot_be_trained():
    class Mute:
        def act(self, chats, *, greedy=False):
            return ["<answer>x</answer>"] * len(chats)

    with pytest.raises(LanguageModelError, match="carries no token ids"):
        collect(Mute(), make_env(), 1, TEMPLATE)
