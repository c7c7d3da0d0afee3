"""The description of the interface that ``/openapi.json`` gives."""

from __future__ import annotations

from typing import Any

import asl_env
from asl_env.retrieval.server.settings import ServerSettings
from asl_env.retrieval.server.wire import JSON, MSGPACK

_ERRORS = {
    400: "The body is no message.",
    401: "The token is missing or another one.",
    408: "The body did not arrive in time.",
    413: "The body is too long.",
    415: "The body is compressed.",
    422: "A field is wrong or over a limit.",
    429: "Too much is waiting; Retry-After says when to come back.",
    500: "The server failed.",
    503: "The search failed, took too long, or the server is stopping.",
}


def describe(settings: ServerSettings, *, secured: bool) -> dict[str, Any]:
    """Returns the OpenAPI 3.1 document of a server.

    Args:
        settings: Its limits.
        secured: Whether it asks for a token.
    """
    security: list[dict[str, list[str]]] = [{"token": []}] if secured else []
    found: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "asl-env search server", "version": asl_env.__version__},
        "paths": {
            "/retrieve": {"post": _retrieve(security)},
            "/health": {"get": _plain("Whether the server serves, and what.")},
            "/stats": {"get": _plain("Counters and histograms.") | {"security": security}},
            "/openapi.json": {"get": _plain("This document.")},
        },
        "components": {"schemas": _schemas(settings)},
    }
    if secured:
        scheme = {"type": "http", "scheme": "bearer"}
        found["components"]["securitySchemes"] = {"token": scheme}
    return found


def _retrieve(security: list[dict[str, list[str]]]) -> dict[str, Any]:
    request, reply = {"schema": _ref("Request")}, {"schema": _ref("Reply")}
    error = {JSON: {"schema": _ref("Error")}}
    return {
        "summary": "Search.",
        "description": "Replies in the form of the request: JSON to JSON, msgpack to msgpack.",
        "security": security,
        "requestBody": {"required": True, "content": {JSON: request, MSGPACK: request}},
        "responses": {
            "200": {"description": "What was found.", "content": {JSON: reply, MSGPACK: reply}},
            **{
                str(status): {"description": text, "content": error}
                for status, text in _ERRORS.items()
            },
        },
    }


def _plain(summary: str) -> dict[str, Any]:
    content = {JSON: {"schema": {"type": "object"}}}
    return {"summary": summary, "responses": {"200": {"description": summary, "content": content}}}


def _schemas(settings: ServerSettings) -> dict[str, Any]:
    query = {"type": "string", "maxLength": settings.max_query_chars}
    queries = {"type": "array", "items": query, "maxItems": settings.max_queries}
    common: dict[str, Any] = {
        "topk": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": settings.max_top_k,
            "default": settings.top_k,
        },
        "return_scores": {"type": ["boolean", "null"], "default": False},
    }
    text = {"type": "string"}
    return {
        "Request": {
            "oneOf": [
                _object({"queries": queries, **common}, ["queries"]),
                _object({"query": query, **common}, ["query"]),
            ]
        },
        "Document": _object({"id": text, "contents": text}, ["id", "contents"]),
        "Hit": _object(
            {"document": _ref("Document"), "score": {"type": ["number", "null"]}},
            ["document", "score"],
        ),
        "Reply": _object({"result": {"type": "array", "items": _result()}}, ["result"]),
        "Error": _object(
            {"error": _object({"type": text, "message": text}, ["type", "message"])}, ["error"]
        ),
    }


def _result() -> dict[str, Any]:
    """A list per query; gem's form has no outer list."""
    lists = [{"type": "array", "items": _ref(name)} for name in ("Hit", "Document")]
    return {"anyOf": [*lists, _ref("Hit")]}


def _object(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
