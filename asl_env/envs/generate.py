"""``ASLGenerate-v0``: the generator seat, single and vectorised."""

from __future__ import annotations

from typing import Any

from asl_env.conversation import DEFAULT_MAX_TURNS
from asl_env.envs.search import named_reward
from asl_env.envs.seat import OnEpisode, Seat, SeatEnv, Source, make_tool
from asl_env.envs.vector import SeatVectorEnv
from asl_env.episode import Role
from asl_env.play import Tool
from asl_env.protocols import Agent, Dialect, Retriever, RewardModel


def generate_seat(
    assignments: Source | None = None,
    *,
    tool: str | Tool | Retriever | None = None,
    dialect: str | Dialect = "asl",
    reward: str | RewardModel | None = None,
    solver: Agent | None = None,
    judge: Agent | None = None,
    solves: int = 10,
    verifications: int = 5,
    threshold: float = 0.8,
    grounded: bool = False,
    max_turns: int = DEFAULT_MAX_TURNS,
    format_reward: bool = False,
    on_episode: OnEpisode | None = None,
) -> Seat:
    """Puts the generator seat together; the arguments are those of ``ASLGenerateEnv``."""
    from asl_env.envs.defaults import draw_request, lexical_agent
    from asl_env.rewards.generator import GENERATOR_REWARDS
    from asl_env.rewards.proposing import GeneratorReward

    tool = make_tool(tool)
    model: RewardModel
    name = "asl" if reward is None else reward
    if not isinstance(name, str) or name not in GENERATOR_REWARDS:
        model = named_reward(name, format_reward)
    else:
        solver = lexical_agent(dialect) if solver is None else solver
        judge = lexical_agent(dialect) if judge is None else judge
        numbers = (solves, verifications, threshold, format_reward)
        model = GeneratorReward(
            solver, judge, tool, dialect, name, *numbers, grounded=grounded, max_turns=max_turns
        )
    source = draw_request if assignments is None else assignments
    return Seat(Role.GENERATOR, source, tool, dialect, model, max_turns, on_episode)


class ASLGenerateEnv(SeatEnv):
    """The generator seat: write a question with its answer.

    ## Description
    A request is made: a topic, or a question to make harder or easier. In each turn the agent
    either searches for facts or hands in a question with its answer, which ends the episode.
    Partners then verify the answer and try to solve the question; a good question is valid,
    confirmed, and solved sometimes.

    ## Action Space
    ``Unicode(32768)``: one assistant turn in the dialect. Handing in is
    ``<question>...</question>`` before ``<answer>...</answer>``. Searches, ``Turn`` objects and
    impossible texts: see ``ASLSearch-v0``.

    ## Observation Space
    ``Unicode(1000000)``: the newest message, which is the request first, then search results, and
    the empty string after the last turn. ``info["messages"]`` is the whole chat.

    ## Starting State
    A request drawn from ``assignments`` by ``self.np_random``, or the one in
    ``options={"task": Request(...)}``.

    ## Rewards
    0 until the end, then the named generator reward. Default ``"asl"``: the entropy of the
    verdicts on ``solves`` attempts (0 to ln 2) if the question is valid and at least
    ``threshold`` of ``verifications`` votes confirm its answer, else 0. Parts are in
    ``info["reward_parts"]``, with the solves in ``.extras``.

    ## Episode End
    Terminated by an answer, or by a turn that neither searches nor answers. Truncated when turn
    ``max_turns`` still searches, or a turn is too long. When the search or a partner fails,
    truncated with reward 0.0 and the reason in ``info["invalid"]``; leave such episodes out.

    ## Information
    Every step: ``messages`` and ``timing`` (seconds: ``search``, ``reward``, ``step``). At the
    end: ``trajectory``, ``reward_parts``, and ``invalid`` where the episode is.

    ## Arguments
    * ``assignments``: requests, or a function ``rng -> Request`` (default: MiniWiki topics).
    * ``reward``: ``"asl"`` (default), ``"entropy"``, ``"entropy+tool"``, ``"tool-gt"``,
      ``"absolute-zero"``, ``"r-zero"``, ``"dr-zero"``, ``"learnability"``, or a ``RewardModel``.
    * ``solver``, ``judge``: the partners (default: the lexical baseline).
    * ``solves``, ``verifications``, ``threshold``: attempts (10), votes (5), share of votes (0.8).
    * ``grounded``: questions with names, or an answer, that were never read are not valid (False).
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
        solver: Agent | None = None,
        judge: Agent | None = None,
        solves: int = 10,
        verifications: int = 5,
        threshold: float = 0.8,
        grounded: bool = False,
        max_turns: int = DEFAULT_MAX_TURNS,
        format_reward: bool = False,
        render_mode: str | None = None,
        on_episode: OnEpisode | None = None,
    ) -> None:
        seat = generate_seat(
            assignments,
            tool=tool,
            dialect=dialect,
            reward=reward,
            solver=solver,
            judge=judge,
            solves=solves,
            verifications=verifications,
            threshold=threshold,
            grounded=grounded,
            max_turns=max_turns,
            format_reward=format_reward,
            on_episode=on_episode,
        )
        super().__init__(seat, render_mode)


class ASLGenerateVectorEnv(SeatVectorEnv):
    """Many generator seats with one index call and one reward call per step.

    Args:
        num_envs: Number of conversations.
        group_size: Consecutive conversations that get the same requests.
        render_mode: ``"ansi"`` or ``None``.
        **seat: The other arguments of ``ASLGenerateEnv``.
    """

    def __init__(
        self, num_envs: int = 1, group_size: int = 1, render_mode: str | None = None, **seat: Any
    ) -> None:
        super().__init__(generate_seat(**seat), num_envs, group_size, render_mode)
