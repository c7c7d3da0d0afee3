"""A chat as plain text, for people and for text observations."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.episode import Message


def render(messages: Sequence[Message]) -> str:
    """Writes each message as a line ``[role]`` and its text; lone surrogates become ``?``.

    Args:
        messages: The chat or a part of it.

    Returns:
        Text that ends with a newline, or an empty string for no messages.
    """
    text = "".join([f"[{message['role']}]\n{message['content']}\n" for message in messages])
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
