"""Settings of an endpoint agent. They hold no key, only the name of the variable that does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

#: Last part of a request's address, which people tend to copy with the base address.
PATH = "/chat/completions"

Seconds = Annotated[float, Field(gt=0.0, le=86_400.0, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0.0, allow_inf_nan=False)]


class EndpointSettings(BaseModel):
    """Where a model is served, and how to talk to it.

    Attributes:
        url: Base address of the server, for example ``http://127.0.0.1:8080/v1``.
        model: Name of the model, as the server knows it.
        tools: ``text`` sends and reads the dialect's text; ``native`` sends the tool's schema and
            reads ``tool_calls``.
        tool_choice: ``required`` makes the server force a call in every turn (native).
        bad_calls: What a native call with unreadable arguments is: ``play`` lets the model see the
            environment's error message, as in the text dialects; ``fail`` makes it a failure.
        temperature: Of sampling; greedy asks for 0. ``None`` sends none, for models that refuse it.
        top_p: Nucleus; 1 sends none.
        top_k: Sent where given; a llama.cpp server cuts to 40 unless told 0.
        min_p: Sent where given; a llama.cpp server takes 0.05 unless told 0.
        max_tokens: Tokens of one turn at most.
        limit_field: Name of that field: newer OpenAI models want ``max_completion_tokens``.
        seeded: Send a seed made from the chat's seed and turn.
        stops: ``server`` sends the stop strings (and cuts what comes after one all the same);
            ``client`` sends none and hangs up after one.
        stream: Read the reply while it is written. Without, nothing can be cut early.
        system_role: ``user`` puts the system text before the first user message.
        tool_role: ``user`` sends tool results as user messages in ``<tool_response>`` tags;
            ``auto`` does so in text mode, where there is no tool call that they could answer.
        concurrency: Requests in flight at most.
        requests_per_minute: At most so many requests, retries counted, in any 60 seconds.
        retries: Further tries of a request that failed.
        max_wait: Longest wait between two tries; a server that asks for more is given up.
        connect_timeout: Seconds until a connection stands.
        read_timeout: Seconds without a byte of the reply.
        request_timeout: Seconds for one whole reply.
        max_reply_bytes: A longer reply is refused.
        price_prompt: Price of a million prompt tokens.
        price_completion: Price of a million completion tokens.
        key_env: Variable that holds the API key; by default ``ASL_API_KEY``, then
            ``OPENAI_API_KEY``.
        extra: More fields of the request.
    """

    model_config = ConfigDict(
        extra="forbid", frozen=True, validate_default=True, hide_input_in_errors=True
    )

    url: str
    model: Annotated[str, Field(min_length=1)]
    tools: Literal["text", "native"] = "text"
    tool_choice: Literal["auto", "required"] = "auto"
    bad_calls: Literal["play", "fail"] = "play"
    temperature: Annotated[float, Field(ge=0.0, le=10.0)] | None = 1.0
    top_p: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    top_k: Annotated[int, Field(ge=0)] | None = None
    min_p: Annotated[float, Field(ge=0.0, le=1.0)] | None = None
    max_tokens: Annotated[int, Field(ge=1)] = 1024
    limit_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    seeded: bool = True
    stops: Literal["server", "client"] = "server"
    stream: bool = True
    system_role: Literal["system", "user"] = "system"
    tool_role: Literal["auto", "tool", "user"] = "auto"
    concurrency: Annotated[int, Field(ge=1, le=256)] = 8
    requests_per_minute: Annotated[int, Field(ge=1)] | None = None
    retries: Annotated[int, Field(ge=0, le=100)] = 5
    max_wait: Seconds = 60.0
    connect_timeout: Seconds = 10.0
    read_timeout: Seconds = 120.0
    request_timeout: Seconds = 600.0
    max_reply_bytes: Annotated[int, Field(ge=1024)] = 16 * 2**20
    price_prompt: Price = 0.0
    price_completion: Price = 0.0
    key_env: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")] | None = None
    extra: Mapping[str, Any] = {}

    @field_validator("url")
    @classmethod
    def _usable(cls, url: str) -> str:
        url = url.strip().rstrip("/").removesuffix(PATH)
        parts = urlsplit(url)  # raises ValueError on a broken address
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("must be an address like http://127.0.0.1:8080/v1")
        if parts.username is not None or parts.password is not None or parts.query:
            raise ValueError(
                "must hold neither a password nor a query; put the key into ASL_API_KEY"
            )
        if parts.port == 0 or any(ord(letter) <= 32 for letter in url):  # .port raises if too big
            raise ValueError("has no usable port, or blanks in it")
        return url

    @property
    def address(self) -> str:
        """Where requests go."""
        return self.url + PATH

    @property
    def local(self) -> bool:
        """Whether the server is on this machine."""
        host = urlsplit(self.url).hostname or ""
        return host in ("localhost", "::1") or host.startswith("127.")

    @property
    def private(self) -> bool:
        """Whether nobody on the way to the server can read along."""
        return self.local or self.url.startswith("https://")

    @property
    def results_as_user(self) -> bool:
        """Whether tool results are sent as user messages."""
        return self.tool_role == "user" or (self.tool_role == "auto" and self.tools == "text")
