"""The format reward of the ASL recipe: think first, and really search."""

from __future__ import annotations

from asl_env.episode import Trajectory


def format_reward(episode: Trajectory, *, compat: bool = False) -> float:
    """Returns (share of turns that start with a closed think block + 1[tool was called]) / 4.

    Args:
        episode: A finished episode of any seat.
        compat: Judge by the text alone, as the released ASL code does: a think block may be
            closed in a later turn, and a ``<tool_response>`` that the model wrote itself counts
            as a tool call.

    Returns:
        A number in [0, 0.5].
    """
    if compat:
        return (_released_think_share(episode) + _released_tool_use(episode)) / 4
    return (episode.think_share + float(episode.tool_calls > 0)) / 4


def _released_think_share(episode: Trajectory) -> float:
    texts = [turn.text for turn in episode.turns]
    if not texts:
        return 0.0
    opened = [
        text.strip().startswith("<think>") and "</think>" in "".join(texts[position:])
        for position, text in enumerate(texts)
    ]
    return sum(opened) / len(opened)


def _released_tool_use(episode: Trajectory) -> bool:
    answered = any(message["role"] == "tool" for message in episode.messages)
    return answered or any("<tool_response>" in turn.text for turn in episode.turns)
