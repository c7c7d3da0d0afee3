"""``ASLVerify-v0``: the GRM seat, single and vectorised."""

from __future__ import annotations

from typing import Any

from asl_env.conversation import DEFAULT_MAX_TURNS
from asl_env.envs.search import named_reward
from asl_env.envs.seat import OnEpisode, Seat, SeatEnv, Source, make_tool
from asl_env.envs.vector import SeatVectorEnv
from asl_env.episode import Role
from asl_env.play import Tool
from asl_env.protocols import Dialect, Retriever, RewardModel


def verify_seat(
    assignments: Source | None = None,
    *,
    tool: str | Tool | Retriever | None = None,
    dialect: str | Dialect = "asl",
    reward: str | RewardModel | None = None,
    max_turns: int = DEFAULT_MAX_TURNS,
    format_reward: bool = False,
    on_episode: OnEpisode | None = None,
) -> Seat:
    """Puts the GRM seat together; the arguments are those of ``ASLVerifyEnv``."""
    from asl_env.envs.defaults import draw_claim

    return Seat(
        Role.GRM,
        draw_claim if assignments is None else assignments,
        make_tool(tool),
        dialect,
        named_reward("agreement" if reward is None else reward, format_reward),
        max_turns,
        on_episode,
    )


class ASLVerifyEnv(SeatEnv):
    """The GRM seat: judge whether a proposed answer is right.

    ## Description
    A question and a proposed answer are shown. In each turn the agent either searches for
    evidence or gives its verdict, which ends the episode. Whether the answer is right is known to
    the reward model alone; it shows nowhere before the episode is over.

    ## Action Space
    ``Unicode(32768)``: one assistant turn in the dialect. A verdict is an answer that reads
    ``conclusion: correct`` or ``conclusion: wrong``, and nothing else. Searches, ``Turn`` objects
    and impossible texts: see ``ASLSearch-v0``.

    ## Observation Space
    ``Unicode(1000000)``: the newest message, which is the claim first, then search results, and
    the empty string after the last turn. ``info["messages"]`` is the whole chat.

    ## Starting State
    A claim drawn from ``assignments`` by ``self.np_random``, or ``options={"task": Claim(...)}``.

    ## Rewards
    0 until the end, then 1 if the verdict agrees with the label, else 0 (a missing or malformed
    verdict agrees with nothing). A claim without a label is invalid for training.

    ## Episode End
    Terminated by a verdict or any other answer, or by a turn that neither searches nor answers.
    Truncated when turn ``max_turns`` still searches, or a turn is too long. When the search fails
    or there is no label, truncated with reward 0.0 and the reason in ``info["invalid"]``.

    ## Information
    Every step: ``messages`` and ``timing`` (seconds: ``search``, ``reward``, ``step``). At the
    end: ``trajectory`` (with the label), ``reward_parts``, and ``invalid`` where the episode is.

    ## Arguments
    * ``assignments``: claims, or a function ``rng -> Claim`` (default: MiniWiki training tasks
      with their right answers and plausible wrong ones, half and half).
    * ``reward``: ``"agreement"`` (default) or a ``RewardModel``.
    * ``tool``, ``dialect``, ``max_turns``, ``format_reward``, ``render_mode``, ``on_episode``: see
      ``ASLSearch-v0``.

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
        seat = verify_seat(
            assignments,
            tool=tool,
            dialect=dialect,
            reward=reward,
            max_turns=max_turns,
            format_reward=format_reward,
            on_episode=on_episode,
        )
        super().__init__(seat, render_mode)


class ASLVerifyVectorEnv(SeatVectorEnv):
    """Many GRM seats with one index call and one reward call per step.

    Args:
        num_envs: Number of conversations.
        group_size: Consecutive conversations that judge the same claims.
        render_mode: ``"ansi"`` or ``None``.
        **seat: The other arguments of ``ASLVerifyEnv``.
    """

    def __init__(
        self, num_envs: int = 1, group_size: int = 1, render_mode: str | None = None, **seat: Any
    ) -> None:
        super().__init__(verify_seat(**seat), num_envs, group_size, render_mode)
