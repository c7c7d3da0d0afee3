"""Chats as a server takes them: who may speak, in which order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from asl_env.agents.endpoint.reply import encodable
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.episode import Message

#: One message of a request; native ones have more fields than ours.
Wire = dict[str, Any]


def to_text(messages: Sequence[Message]) -> list[Wire]:
    """Returns messages as they are, roles and contents, in copies."""
    return [
        {"role": message["role"], "content": encodable(message["content"])} for message in messages
    ]


def arrange(messages: Iterable[Wire], settings: EndpointSettings) -> list[Wire]:
    """Moves what the server's chat template has no role for into user messages.

    Results of one step become one user message, each in ``<tool_response>`` tags, as Qwen's
    template writes them. A system text is put before the first user message.
    """
    found = list(messages)
    if settings.results_as_user:
        found = _results_as_user(found)
    if settings.system_role == "user":
        found = _system_as_user(found)
    return found


def _results_as_user(messages: Sequence[Wire]) -> list[Wire]:
    found: list[Wire] = []
    joined = False
    for message in messages:
        if message["role"] != "tool":
            found.append(message)
            joined = False
            continue
        text = f"<tool_response>\n{message['content']}\n</tool_response>"
        if joined:
            found[-1]["content"] += f"\n{text}"
        else:
            found.append({"role": "user", "content": text})
            joined = True
    return found


def _system_as_user(messages: Sequence[Wire]) -> list[Wire]:
    system = [message["content"] for message in messages if message["role"] == "system"]
    found = [dict(message) for message in messages if message["role"] != "system"]
    for message in found:
        if message["role"] == "user":
            message["content"] = "\n\n".join([*system, message["content"]])
            return found
    return [*({"role": "user", "content": text} for text in system), *found]
