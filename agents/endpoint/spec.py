"""Reading ``endpoint:http://127.0.0.1:8080/v1#model?temperature=0.7&tools=native``."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from pydantic import ValidationError

from asl_env.agents.endpoint.errors import clean
from asl_env.agents.endpoint.settings import EndpointSettings
from asl_env.errors import AgentError, did_you_mean

#: What a specification begins with.
PREFIX = "endpoint:"

_FORM = "write it like endpoint:http://127.0.0.1:8080/v1#model?tools=native"


def parse_endpoint(spec: str) -> EndpointSettings:
    """Reads a specification: address, ``#``, model, and after ``?`` any field of the settings.

    In model name and values ``%23``, ``%26`` and ``%3F`` stand for ``#``, ``&`` and ``?``; the
    value ``none`` leaves a field out; ``extra`` is a JSON object.

    Raises:
        AgentError: One line that names the field and says what is wrong.
    """
    if not spec.startswith(PREFIX):
        raise AgentError(f"{spec!r} is no endpoint; {_FORM}")
    url, hash_, rest = spec.removeprefix(PREFIX).partition("#")
    model, _, query = rest.partition("?")
    if not url.strip() or not hash_ or not model.strip():
        raise AgentError(f"{shown(spec)}: address or model is missing; {_FORM}")
    data: dict[str, Any] = {"url": url, "model": unquote(model).strip()}
    for part in query.split("&") if query else ():
        name, equals, value = part.partition("=")
        known = [field for field in EndpointSettings.model_fields if field not in ("url", "model")]
        if name not in known:
            raise AgentError(f"{shown(spec)}: no option {name!r}{did_you_mean(name, known)}")
        if not equals:
            raise AgentError(f"{shown(spec)}: option {name!r} has no value; write {name}=VALUE")
        data[name] = _value(spec, name, unquote(value))
    return make_settings(data, shown(spec))


def make_settings(data: dict[str, Any], where: str = "endpoint") -> EndpointSettings:
    """Validates fields.

    Args:
        data: Fields of the settings.
        where: What to call them in errors.

    Raises:
        AgentError: One line: the first bad field, what is wrong, and how many more there are.
    """
    for name in data:
        if name not in EndpointSettings.model_fields:
            known = did_you_mean(name, EndpointSettings.model_fields)
            raise AgentError(f"{where}: no option {name!r}{known}")
    try:
        return EndpointSettings.model_validate(data)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
    first = details[0]
    field = str(first["loc"][0]) if first["loc"] else "?"
    line = first["msg"].removeprefix("Value error, ").replace("\n", " ")
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    raise AgentError(f"{where}: option {field!r}: {line}{more}")


def shown(spec: str) -> str:
    """A specification as errors show it: without what may be a password, and not too long."""
    head, at, tail = spec.partition("#")
    if "@" in head:
        head = f"{PREFIX}…@{head.rpartition('@')[2]}"
    return clean(f"{head.partition('?')[0]}{at}{tail}", 120)


def _value(spec: str, name: str, value: str) -> Any:
    if value.lower() == "none":
        return None
    if name != "extra":
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError) as error:
        raise AgentError(f"{shown(spec)}: option 'extra' is not a JSON object: {error}") from None
