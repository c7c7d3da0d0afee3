"""What a server's refusal means: try again, give up, and which option would help."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from asl_env.agents.endpoint.errors import ContextOverflowError, EndpointError, clean
from asl_env.agents.endpoint.pacing import read_retry_after
from asl_env.agents.endpoint.reply import error_text, load_json

#: Statuses after which the same request may succeed (529: overloaded).
RETRIED = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
#: Statuses that every other request will get as well.
FATAL = frozenset({401, 402, 403, 404, 405})

_OVERFLOW = re.compile(
    r"context.?(size|length|window)|maximum context|prompt is too long|too many (input )?tokens",
    re.IGNORECASE,
)
_SPENT = re.compile(r"insufficient.quota|billing|credit|payment", re.IGNORECASE)

#: What a server complains about, and the option that helps; the first that fits is named.
_HINTS = (
    (r"system.{0,40}(role|message)|(role|message).{0,40}system", "system_role=user"),
    (r"max_completion_tokens|max_tokens", "limit_field=max_completion_tokens"),
    (r"tool.?choice|tool.{0,20}pars|enable-auto-tool", "tools=text"),
    (r"tool_call_id|tool.{0,40}(role|message)|(role|message).{0,60}\btool\b", "tool_role=user"),
    (r"\btools?\b|function call", "tools=text"),
    (r"alternat|jinja|template|\broles?\b", "system_role=user and tool_role=user"),
    (r"temperature", "temperature=none"),
    (r"\bseed\b", "seeded=false"),
    (r"\bstop\b", "stops=client"),
    (r"\bstream", "stream=false"),
)


def refusal(
    status: int,
    headers: Mapping[str, str],
    body: bytes,
    now: float,
    *,
    hide: Callable[[str], str] = str,
) -> EndpointError:
    """Returns the error for a reply whose status is not 200.

    Args:
        status: HTTP status.
        headers: Of the reply.
        body: Of the reply, or its beginning.
        now: Seconds since 1970, for ``Retry-After``.
        hide: Takes the key out of a text, before the text is cut (half a key is a leak too).
    """
    text = _explanation(body, hide)
    line = f"HTTP {status}{': ' if text else ''}{text}"
    if status in (400, 413, 422, 500) and _OVERFLOW.search(text):
        return ContextOverflowError(line)
    if status == 429 and _SPENT.search(text):
        return EndpointError(f"{line}; the account is used up", fatal=True)
    if status in RETRIED:
        wait = read_retry_after(headers, now)
        hint = _hint(text) if status == 500 else ""
        return EndpointError(line + hint, retry=True, wait=wait)
    if 300 <= status < 400:
        return EndpointError(
            f"{line}; redirects are not followed, give its final address", fatal=True
        )
    if status in (401, 403):
        line += "; put a valid key into ASL_API_KEY, or name its variable with key_env"
    elif status in (404, 405):
        line += "; check the model's name and the address, which mostly ends with /v1"
    else:
        line += _hint(text)
    return EndpointError(line, fatal=status in FATAL)


def _hint(text: str) -> str:
    for pattern, option in _HINTS:
        if re.search(pattern, text, re.IGNORECASE):
            return f"; try the option {option}"
    return ""


def _explanation(body: bytes, hide: Callable[[str], str]) -> str:
    start = body[:200].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "an HTML page; is this the address of the API?"
    try:
        text = error_text(load_json(body))
    except EndpointError:
        text = body.decode("utf-8", "replace")
    return clean(hide(text), 200)
