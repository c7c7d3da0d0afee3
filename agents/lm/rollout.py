"""Plays a vector environment until every sub-environment has finished its episodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from asl_env.agents.lm.record import TokenRecord, record_of
from asl_env.episode import Chat, RewardParts, Trajectory, Turn
from asl_env.errors import AgentError, AslError
from asl_env.play import ask
from asl_env.protocols import Agent

if TYPE_CHECKING:
    from asl_env.agents.lm.template import ChatTemplate


class Rollout(NamedTuple):
    """A finished episode as a learner takes it.

    Attributes:
        trajectory: What was said.
        parts: Its reward.
        record: Its tokens as they were sampled.
        env: The sub-environment that played it.
        group: Its group; members of a group played the same assignment.
    """

    trajectory: Trajectory
    parts: RewardParts
    record: TokenRecord
    env: int
    group: int


class Collected(NamedTuple):
    """What ``collect`` brings back.

    Attributes:
        rollouts: In the order of their groups, complete groups only.
        steps: Environment steps (assistant turns) that were played.
    """

    rollouts: list[Rollout]
    steps: int


def collect(agent: Agent, vector_env: Any, episodes: int, template: ChatTemplate) -> Collected:
    """Plays ``episodes`` episodes in every sub-environment.

    A sub-environment that has finished an episode goes on with its next one at once, until it has
    finished all that were asked of it; then it waits (action ``None``) with its next episode begun
    and unplayed, which the next call plays. No turn is played in vain, and as all members of a
    group go through the same assignments, every group is complete.

    Args:
        agent: Plays; its turns carry their tokens.
        vector_env: A seat's vector environment that has been reset.
        episodes: How many, of each sub-environment.
        template: The chat template of the agent's model.

    Raises:
        AgentError: If the agent raised, or returned something other than one turn per chat.
        LanguageModelError: If a turn came without its tokens.
    """
    finished: list[list[tuple[Trajectory, RewardParts]]] = [[] for _ in range(vector_env.num_envs)]
    steps = 0
    playing = list(range(vector_env.num_envs))
    while playing:
        chats = vector_env.chats()
        turns = _ask(agent, [chats[index] for index in playing])
        actions: list[Turn | None] = [None] * vector_env.num_envs
        for index, turn in zip(playing, turns, strict=True):
            actions[index] = turn
        *_, info = vector_env.step(actions)
        steps += len(playing)
        if "final_info" in info:
            final = info["final_info"]
            for index in playing:
                if info["_final_info"][index]:
                    pair = (final["trajectory"][index], final["reward_parts"][index])
                    finished[index].append(pair)
            playing = [index for index in playing if len(finished[index]) < episodes]
    return Collected(_ordered(finished, vector_env.group_size, template), steps)


def _ask(agent: Agent, chats: Sequence[Chat]) -> list[Turn]:
    """Asks the agent; an error of ours keeps its own words."""
    try:
        return ask(agent, chats)
    except AgentError as error:
        if isinstance(error.__cause__, AslError):
            raise error.__cause__ from None
        raise


def _ordered(
    finished: Sequence[Sequence[tuple[Trajectory, RewardParts]]],
    size: int,
    template: ChatTemplate,
) -> list[Rollout]:
    """Sorts episodes by round and group, and looks up their tokens."""
    groups = len(finished) // size
    return [
        Rollout(
            *row[number], record_of(row[number][0], template), env, number * groups + env // size
        )
        for number in range(len(finished[0]))
        for env, row in enumerate(finished)
    ]
