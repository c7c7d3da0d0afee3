"""What a server said, read with suspicion: nothing is taken for granted, nothing made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from asl_env.agents.endpoint.errors import EndpointError
from asl_env.agents.endpoint.stops import StopWatch

#: More native calls in one turn than this are not a turn.
MAX_CALLS = 64
#: Larger token counts are not believed.
MAX_TOKENS = 10**9


class NativeCall(NamedTuple):
    """A native tool call: a name and its arguments as JSON text, both as the model wrote them."""

    name: str
    arguments: str


class Reply(NamedTuple):
    """A turn as the server sent it.

    Attributes:
        text: The content, cut after the first stop string.
        reasoning: What a server that takes thoughts out of the content gives beside it.
        calls: Native tool calls.
        stopped: Whether a stop string was seen in the text.
        finish: Why the server says the turn ended.
        stop: The stop string that ended it, where the server names it; empty where it says that
            none did.
        tokens: Prompt and completion tokens, where the server counts them.
    """

    text: str
    reasoning: str = ""
    calls: tuple[NativeCall, ...] = ()
    stopped: bool = False
    finish: str | None = None
    stop: str | None = None
    tokens: tuple[int, int] | None = None


def malformed(what: str) -> EndpointError:
    """An error for a reply outside the protocol; trying again may help."""
    return EndpointError(f"the reply is no chat completion: {what}", retry=True)


def load_json(text: str | bytes) -> Any:
    """Parses JSON from a server.

    Raises:
        EndpointError: If it is not JSON, or nested too deeply.
    """
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise malformed("it is not JSON") from None


class ReplyBuilder:
    """Puts a reply together, from the chunks of a stream or from one whole completion.

    Args:
        stops: Stop strings; the text ends after the first.
    """

    def __init__(self, stops: Sequence[str] = ()) -> None:
        self._watch = StopWatch(stops)
        self._reasoning: list[str] = []
        self._names: dict[int, str] = {}
        self._arguments: dict[int, list[str]] = {}
        self._tokens: tuple[int, int] | None = None
        self._finish: str | None = None
        self._stop: str | None = None
        self._spoken = False

    @property
    def stopped(self) -> bool:
        """Whether a stop string was seen, so that the turn is whole."""
        return self._watch.stopped

    @property
    def overrun(self) -> bool:
        """Whether the model went on after a stop string, so that the rest need not be read."""
        return self._watch.overrun

    @property
    def finished(self) -> bool:
        """Whether the server said why the turn ended."""
        return self._finish is not None

    def add(self, chunk: Any, part: str) -> None:
        """Takes a chunk (``part`` is ``delta``) or a whole completion (``message``).

        Raises:
            EndpointError: If fields are missing or of the wrong type, or the chunk is an error.
        """
        if not isinstance(chunk, dict):
            raise malformed(f"{type(chunk).__name__} in place of an object")
        if chunk.get("error") is not None:
            raise EndpointError(f"the server says: {error_text(chunk)}", retry=True)
        self._tokens = _tokens(chunk.get("usage")) or self._tokens
        choices = chunk.get("choices")
        if not isinstance(choices, list):
            raise malformed("no list 'choices'")
        for choice in choices:
            if not isinstance(choice, dict):
                raise malformed("a choice is not an object")
            if choice.get("index") in (0, None):
                self._choice(choice, part)

    def build(self) -> Reply:
        """Returns the reply.

        Raises:
            EndpointError: If there was no turn in it, or a filter took it away.
        """
        if self._finish == "content_filter":
            raise EndpointError("the server's content filter took the turn away")
        if not (self._spoken or self._names or self._finish or self.stopped):
            raise malformed("no content and no tool calls")
        calls = tuple(
            NativeCall(self._names[at], "".join(self._arguments[at])) for at in sorted(self._names)
        )
        text = encodable(self._watch.text)
        reasoning = encodable("".join(self._reasoning))
        return Reply(text, reasoning, calls, self.stopped, self._finish, self._stop, self._tokens)

    def _choice(self, choice: Mapping[str, Any], part: str) -> None:
        said = choice.get(part)
        if said is None and part == "delta":
            said = {}
        if not isinstance(said, dict):
            raise malformed(f"no object {part!r} in a choice")
        for name in ("content", "refusal"):
            text = said.get(name)
            if text is not None and not isinstance(text, str):
                raise malformed(f"{name!r} is not a text")
            self._spoken = self._spoken or text is not None
            self._watch.add(text or "")
        thought = said.get("reasoning_content") or said.get("reasoning")
        if isinstance(thought, str):
            self._reasoning.append(thought)
            self._spoken = True
        self._calls(said.get("tool_calls"), part)
        if isinstance(choice.get("finish_reason"), str):
            self._finish = choice["finish_reason"]
        if self._finish is not None and "stop_reason" in choice:  # vLLM: null, a string, a token
            named = choice["stop_reason"]
            self._stop = named if isinstance(named, str) else ""

    def _calls(self, calls: Any, part: str) -> None:
        if calls is None:
            return
        if not isinstance(calls, list):
            raise malformed("'tool_calls' is not a list")
        for position, call in enumerate(calls):
            function = call.get("function") if isinstance(call, dict) else None
            if not isinstance(function, dict):
                raise malformed("a tool call without an object 'function'")
            at = call.get("index", position) if part == "delta" else position
            if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < MAX_CALLS:
                raise malformed(f"a tool call with the index {str(at)[:20]}")
            self._call(at, function)

    def _call(self, at: int, function: Mapping[str, Any]) -> None:
        name, arguments = function.get("name"), function.get("arguments")
        if at not in self._names:
            if not isinstance(name, str) or not name:
                raise malformed("a tool call without a name")
            self._names[at] = encodable(name)
            self._arguments[at] = []
        if isinstance(arguments, dict):  # some servers parse them
            arguments = json.dumps(arguments, ensure_ascii=False)
        if arguments is not None and not isinstance(arguments, str):
            raise malformed("the arguments of a tool call are neither text nor an object")
        self._arguments[at].append(encodable(arguments or ""))


def read_reply(body: bytes, stops: Sequence[str] = ()) -> Reply:
    """Reads a whole completion.

    Raises:
        EndpointError: If it is not one.
    """
    builder = ReplyBuilder(stops)
    completion = load_json(body)
    builder.add(completion, "message")
    if not completion["choices"]:
        raise malformed("'choices' is empty")
    return builder.build()


def error_text(body: Any) -> str:
    """Returns the message of an error reply, whatever shape the server gives it."""
    for name in ("error", "message", "detail", "msg"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    return body if isinstance(body, str) else json.dumps(body, default=str)


def _tokens(usage: Any) -> tuple[int, int] | None:
    if not isinstance(usage, dict):
        return None
    counts = [usage.get("prompt_tokens"), usage.get("completion_tokens", 0)]
    for count in counts:
        if isinstance(count, bool) or not isinstance(count, int) or not 0 <= count < MAX_TOKENS:
            return None
    return counts[0], counts[1]


def encodable(text: str) -> str:
    """Replaces lone surrogates, which Python's strings can hold but no file or socket can take."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")
