"""A model behind an OpenAI-compatible server, in any seat.

agent = EndpointAgent("endpoint:http://127.0.0.1:8080/v1#qwen?tools=native")
episodes = play(agent, tasks, tool=tool)
print(agent.usage)
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from asl_env.agents.endpoint.client import EndpointClient
from asl_env.agents.endpoint.errors import AbortedError, ContextOverflowError, EndpointError
from asl_env.agents.endpoint.messages import arrange, to_text
from asl_env.agents.endpoint.native import SCHEMA, call_stops, from_native, to_native
from asl_env.agents.endpoint.reply import Reply
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.agents.endpoint.spec import parse_endpoint
from asl_env.agents.endpoint.stops import restore_stop
from asl_env.agents.endpoint.usage import EndpointUsage, UsageMeter
from asl_env.dialects import make_dialect
from asl_env.dialects.tags import think_block
from asl_env.episode import Chat, Turn
from asl_env.protocols import Dialect


class EndpointAgent:
    """Plays every seat with a model that a server answers for; it does not learn.

    A chat that fails after its retries fails the batch (``EndpointError``), since no turn may be
    made up for it. The others are finished first and remembered: ``act`` with the same chats asks
    only for those that are missing. A chat longer than the model's context gets an empty turn,
    which ends its episode without an answer, as with local models.

    Args:
        settings: Where the model is, or a specification for ``parse_endpoint``.
        dialect: Name or object.

    Raises:
        AgentError: If the specification cannot be read.
    """

    def __init__(self, settings: EndpointSettings | str, *, dialect: str | Dialect = "asl") -> None:
        self.settings = parse_endpoint(settings) if isinstance(settings, str) else settings
        self.dialect = make_dialect(dialect)
        self._meter = UsageMeter(self.settings.price_prompt, self.settings.price_completion)
        self._client = EndpointClient(self.settings, self._meter)
        self._kept: dict[bytes, Turn] = {}

    def __repr__(self) -> str:
        """Address and model; there is no key in it, here or in any attribute."""
        return f"EndpointAgent({self.settings.url!r}, {self.settings.model!r})"

    @property
    def usage(self) -> EndpointUsage:
        """What was used since the agent was made."""
        return self._meter.usage

    def close(self) -> None:
        """Closes idle connections."""
        self._client.close()

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Asks the server for one turn per chat, several at a time.

        Raises:
            EndpointError: If a chat failed after its retries; ``turns`` of the error has the
                others.
        """
        kept, self._kept = self._kept, {}
        abort = threading.Event()
        workers = max(1, min(self.settings.concurrency, len(chats)))
        pool = ThreadPoolExecutor(workers, thread_name_prefix="asl-endpoint")
        try:
            jobs = [pool.submit(self._safely, chat, greedy, kept, abort) for chat in chats]
            results = [job.result() for job in jobs]
        finally:
            abort.set()  # nobody waits any more, whatever the reason
            pool.shutdown(wait=False, cancel_futures=True)
        turns = [result if isinstance(result, Turn) else None for result in results]
        failed = [
            (at, result)
            for at, result in enumerate(results)
            if isinstance(result, EndpointError) and not isinstance(result, AbortedError)
        ]
        if failed:
            for chat, turn in zip(chats, turns, strict=True):
                if turn is not None:
                    self._kept[_digest(chat, greedy)] = turn
            raise self._failure(failed, turns)
        return [turn for turn in turns if turn is not None]

    def request(self, chat: Chat, *, greedy: bool = False) -> dict[str, Any]:
        """Returns the body of the request for a chat."""
        settings = self.settings
        native = settings.tools == "native"
        as_calls = native and not settings.results_as_user
        wire = to_native(chat, self.dialect) if as_calls else to_text(chat.messages)
        body: dict[str, Any] = {
            "model": settings.model,
            "messages": arrange(wire, settings),
            settings.limit_field: settings.max_tokens,
        }
        if settings.temperature is not None:
            body["temperature"] = 0.0 if greedy else settings.temperature
        if settings.top_p < 1.0 and not greedy:
            body["top_p"] = settings.top_p
        cuts = {"top_k": settings.top_k, "min_p": settings.min_p}
        body |= {name: value for name, value in cuts.items() if value is not None}
        if settings.seeded:
            body["seed"] = int(_stream(chat).generate_state(1)[0] >> 1)
        if settings.stops == "server":
            body["stop"] = list(self._stops())
        if native:
            body |= {"tools": [SCHEMA], "tool_choice": settings.tool_choice}
        if settings.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        return body | dict(settings.extra)

    def _stops(self) -> tuple[str, ...]:
        if self.settings.tools == "text":
            return self.dialect.stop
        calls = call_stops(self.dialect)  # a server finds native calls by them, so not sent
        return tuple(stop for stop in self.dialect.stop if stop not in calls)

    def _safely(
        self, chat: Chat, greedy: bool, kept: dict[bytes, Turn], abort: threading.Event
    ) -> Turn | EndpointError:
        """One turn, or the error in its place."""
        if kept and (turn := kept.get(_digest(chat, greedy))) is not None:
            return turn
        try:
            text = self._client.ask(
                json.dumps(self.request(chat, greedy=greedy)).encode(),
                self.dialect.stop,
                lambda reply: self._read(reply, chat),
                rng=np.random.default_rng(_stream(chat).spawn(1)[0]),
                abort=abort,
            )
        except ContextOverflowError:
            self._meter.overflowed()
            return Turn("")
        except EndpointError as error:
            if error.fatal:
                abort.set()
            if not isinstance(error, AbortedError):
                self._meter.failed()
            return error
        return Turn(text)

    def _read(self, reply: Reply, chat: Chat) -> str:
        if reply.calls:
            strict = self.settings.bad_calls == "fail"
            return from_native(reply, self.dialect, chat.role, strict=strict)
        text = reply.text
        if reply.finish == "stop" and self.settings.stops == "server":
            text = restore_stop(text, self._stops(), reply.stop)
        return think_block(reply.reasoning) + text

    def _failure(
        self, failed: Sequence[tuple[int, EndpointError]], turns: Sequence[Turn | None]
    ) -> EndpointError:
        fatal = [error for _, error in failed if error.fatal]
        first = fatal[0] if fatal else failed[0][1]
        many = f", {len(failed)} of {len(turns)} chats failed" if len(turns) > 1 else ""
        line = f"{self.settings.url} ({self.settings.model}{many}): {first}"
        return EndpointError(line, fatal=bool(fatal), turns=turns)


def _stream(chat: Chat) -> np.random.SeedSequence:
    """Randomness of one turn: of the chat's seed and turn, and of nothing else."""
    return np.random.SeedSequence([chat.seed, chat.turn])


def _digest(chat: Chat, greedy: bool) -> bytes:
    said = [
        chat.role.value,
        int(chat.seed),
        greedy,
        [[m["role"], m["content"]] for m in chat.messages],
    ]
    return hashlib.blake2b(json.dumps(said).encode(), digest_size=16).digest()
