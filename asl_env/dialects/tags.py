"""Reading and writing tagged text: what the dialects have in common."""

from __future__ import annotations

from collections.abc import Callable

from asl_env.episode import Action, Role, ToolCall
from asl_env.text import neutralize

_NONE = Action("none")


def parse_turn(
    text: str, role: Role, call_tag: str, read_call: Callable[[str], ToolCall]
) -> Action:
    """Parses one assistant turn; an answer ends the episode whatever else is there.

    Args:
        text: One assistant turn.
        role: The seat; only the generator's question tags are read.
        call_tag: Name of the tag around tool calls.
        read_call: Reads the content of one call; must not raise.
    """
    question = None
    if role is Role.GENERATOR and "</question>" in text:
        question = last_closed(text, "question") or None
    answer = last_closed(text, "answer")
    if answer is not None:
        return Action("final", (), answer or None, question)
    if f"<{call_tag}>" not in text:
        return _NONE if question is None else Action("none", question=question)
    return Action("search", _read_calls(text, call_tag, read_call), None, question)


def _read_calls(
    text: str, call_tag: str, read_call: Callable[[str], ToolCall]
) -> tuple[ToolCall, ...]:
    found, unclosed = blocks(text, call_tag)
    calls = [read_call(block) for block in found]
    if unclosed:
        message = f"The {call_tag} block was not closed; end it with its closing tag."
        calls.append(ToolCall((), None, message))
    return tuple(calls)


def last_closed(text: str, tag: str) -> str | None:
    """Returns the content of the last closed ``<tag>…</tag>``, stripped.

    An opening tag that is never closed does not count; of nested openings the innermost counts.

    Args:
        text: One assistant turn.
        tag: Name of the tag, without brackets; case-sensitive.

    Returns:
        The stripped content, which may be empty, or ``None`` if there is no closed tag.
    """
    closing = f"</{tag}>"
    end = text.rfind(closing)
    if end < 0:
        return None
    opening = f"<{tag}>"
    start = text.rfind(opening, 0, end)
    if start < 0:
        return None
    start += len(opening)
    return text[start : text.find(closing, start)].strip()


def blocks(text: str, tag: str) -> tuple[list[str], bool]:
    """Returns the contents of all ``<tag>…</tag>`` blocks in order, not stripped.

    Args:
        text: One assistant turn.
        tag: Name of the tag, without brackets; case-sensitive.

    Returns:
        The contents, and whether an opening tag after the last block was left unclosed.
    """
    opening, closing = f"<{tag}>", f"</{tag}>"
    found: list[str] = []
    start = text.find(opening)
    while start >= 0:
        start += len(opening)
        end = text.find(closing, start)
        if end < 0:
            return found, True
        found.append(text[start:end])
        start = text.find(opening, end + len(closing))
    return found, False


def starts_with_think(text: str) -> bool:
    """Whether the turn, apart from leading blanks, starts with a ``<think>`` block it closes."""
    start = text.find("<think>")
    return start >= 0 and not text[:start].strip() and text.find("</think>", start) > 0


def think_block(think: str) -> str:
    """Writes a think block and a newline, or nothing if there is nothing to think."""
    return f"<think>{neutralize(think)}</think>\n" if think else ""


def final_block(answer: str, question: str | None) -> str:
    """Writes the question tag (if any) and the answer tag; tags inside are disarmed."""
    asked = "" if question is None else f"<question>{neutralize(question)}</question>\n"
    return f"{asked}<answer>{neutralize(answer)}</answer>"


def clean_query(query: str) -> str:
    """Strips a query and replaces lone surrogates, which no index, file or socket can take."""
    query = query.strip()
    if query.isascii():
        return query
    return query.encode("utf-8", "replace").decode("utf-8")
