"""``ASLSearch-v0``: the policy seat, single and vectorised."""

from __future__ import annotations

from typing import Any

from asl_env.conversation import DEFAULT_MAX_TURNS
from asl_env.envs.seat import OnEpisode, Seat, SeatEnv, Source, make_tool
from asl_env.envs.vector import SeatVectorEnv
from asl_env.episode import Role
from asl_env.errors import AslError
from asl_env.play import Tool
from asl_env.protocols import Dialect, Retriever, RewardModel


def named_reward(reward: str | RewardModel, format_reward: bool) -> RewardModel:
    """Returns the reward model an environment was given by name or as an object.

    Raises:
        AslError: If the name is unknown, or an object should add the format reward.
    """
    from asl_env.rewards.registry import make_reward

    if isinstance(reward, str):
        return make_reward(reward, format_reward=format_reward)
    if format_reward:
        raise AslError(
            f"format_reward=True goes with a reward's name; give it to {type(reward).__name__}"
        )
    return make_reward(reward)


def search_seat(
    assignments: Source | None = None,
    *,
    tool: str | Tool | Retriever | None = None,
    dialect: str | Dialect = "asl",
    reward: str | RewardModel | None = None,
    max_turns: int = DEFAULT_MAX_TURNS,
    format_reward: bool = False,
    on_episode: OnEpisode | None = None,
) -> Seat:
    """Puts the policy seat together; the arguments are those of ``ASLSearchEnv``."""
    from asl_env.envs.defaults import draw_task

    return Seat(
        Role.POLICY,
        draw_task if assignments is None else assignments,
        make_tool(tool),
        dialect,
        named_reward("em" if reward is None else reward, format_reward),
        max_turns,
        on_episode,
    )


class ASLSearchEnv(SeatEnv):
    """The policy seat: answer a question by searching.

    ## Description
    A question is asked. In each turn the agent either searches, and reads what was found, or
    answers, which ends the episode.

    ## Action Space
    ``Unicode(32768)``: one assistant turn in the dialect. In the default dialect a search is
    ``<tool_call>{"name": "retrieve", "arguments": {"query": "..."}}</tool_call>`` and an answer is
    ``<answer>...</answer>``; both may follow ``<think>...</think>``. A ``Turn`` with token ids and
    log-probabilities is accepted too, and kept in the trajectory. No text raises; a longer turn
    than the space allows truncates the episode unread.

    ## Observation Space
    ``Unicode(1000000)``: the newest message, which is the question first, then search results, and
    the empty string after the last turn. ``info["messages"]`` is the whole chat.

    ## Starting State
    A task drawn from ``assignments`` by ``self.np_random``, or ``options={"task": Task(...)}``.

    ## Rewards
    0 until the end, then the reward model's total (default: 1 if the answer matches an accepted
    answer exactly after normalisation, else 0). Its parts are in ``info["reward_parts"]``.

    ## Episode End
    Terminated by an answer, or by a turn that neither searches nor answers. Truncated when turn
    ``max_turns`` still searches, or a turn is too long. When the search or the reward model fails,
    truncated with reward 0.0 and the reason in ``info["invalid"]``; leave such episodes out.

    ## Information
    Every step: ``messages`` and ``timing`` (seconds: ``search``, ``reward``, ``step``). At the
    end: ``trajectory``, ``reward_parts``, and ``invalid`` where the episode is.

    ## Arguments
    * ``assignments``: tasks, or a function ``rng -> Task`` (default: MiniWiki training tasks).
    * ``tool``: a tool, retriever, retriever name or index folder (default: ``"miniwiki"``).
    * ``dialect``: ``"asl"``, ``"search-r1"``, or a ``Dialect``.
    * ``reward``: ``"em"`` (default), ``"cover-em"``, ``"f1"``, or a ``RewardModel``.
    * ``max_turns``: assistant turns per episode (default 9).
    * ``format_reward``: add the format reward of the ASL recipe (0 to 0.5).
    * ``render_mode``: ``"ansi"``, ``"human"`` or ``None``.
    * ``on_episode``: called with the trajectory and reward parts of every finished episode.

    ## Version History
    * v0: first release.
    """

    def __init__(
        self,
        assignments: Source | None = None,
        *,
        tool: str | Tool | Retriever | None = None,
        dialect: str | Dialect = "asl",
        reward: str | RewardModel | None = None,
        max_turns: int = DEFAULT_MAX_TURNS,
        format_reward: bool = False,
        render_mode: str | None = None,
        on_episode: OnEpisode | None = None,
    ) -> None:
        seat = search_seat(
            assignments,
            tool=tool,
            dialect=dialect,
            reward=reward,
            max_turns=max_turns,
            format_reward=format_reward,
            on_episode=on_episode,
        )
        super().__init__(seat, render_mode)


class ASLSearchVectorEnv(SeatVectorEnv):
    """Many policy seats with one index call and one reward call per step.

    Args:
        num_envs: Number of conversations.
        group_size: Consecutive conversations that play the same tasks.
        render_mode: ``"ansi"`` or ``None``.
        **seat: The other arguments of ``ASLSearchEnv``.
    """

    def __init__(
        self, num_envs: int = 1, group_size: int = 1, render_mode: str | None = None, **seat: Any
    ) -> None:
        super().__init__(search_seat(**seat), num_envs, group_size, render_mode)
