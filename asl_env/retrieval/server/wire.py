r"""The wire forms: what clients of three systems send, and what they read in the reply.

==========  =======================================  =============================================
form        request                                  ``result`` of the reply
==========  =======================================  =============================================
Search-R1   JSON, ``queries``: a list                a list per query
SkyRL       JSON, ``query``: a text                  a list with one list
gem         msgpack, ``query``: a text               one flat list
==========  =======================================  =============================================

All take ``topk`` and ``return_scores``. A hit is ``{"document": {"id", "contents"}, "score"}``;
without scores it is the document alone, except for gem, which always reads ``document``. The
contents are ``"Title"\ntext``, as in wiki-18. JSON may be sent under any content type that does not
name another: gem's client and ``curl -d`` name none or a wrong one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from asl_env.errors import did_you_mean
from asl_env.protocols import Hit
from asl_env.retrieval.server.refusal import invalid, unreadable
from asl_env.retrieval.server.settings import ServerSettings

JSON, MSGPACK = "application/json", "application/msgpack"

_FIELDS = ("queries", "query", "topk", "return_scores")
#: First bytes of a msgpack map; no JSON text begins with one.
_MAP_BYTES = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))


@dataclass(frozen=True)
class SearchRequest:
    """A request that was understood.

    Attributes:
        queries: What to look for; may be empty.
        k: Passages per query.
        scores: Whether the reply has scores.
        single: The request had one ``query`` in place of ``queries``.
        packed: Request and reply are msgpack.
    """

    queries: tuple[str, ...]
    k: int
    scores: bool
    single: bool
    packed: bool

    @property
    def media_type(self) -> str:
        """Content type of the reply."""
        return MSGPACK if self.packed else JSON


def read_request(body: bytes, content_type: str, settings: ServerSettings) -> SearchRequest:
    """Reads a request of any form.

    Args:
        body: The whole body.
        content_type: What the client calls it; may be empty.
        settings: The limits.

    Raises:
        RefusedError: 400 if it is no message, 422 if a field is wrong or over a limit.
    """
    packed = _is_packed(body, content_type)
    message = _unpack(body) if packed else _parse(body)
    if not isinstance(message, dict):
        raise unreadable("the body must be an object with the field 'queries' or 'query'")
    for name in message:
        if name not in _FIELDS:
            raise invalid(f"unknown field {name!r:.80}{did_you_mean(str(name)[:80], _FIELDS)}")
    single = "query" in message
    if single == ("queries" in message):
        raise invalid("send either 'queries' (a list of texts) or 'query' (one text)")
    queries = _queries(message, single, settings)
    k = _top_k(message.get("topk"), settings)
    if len(queries) * k > settings.max_hits:
        raise invalid(
            f"{len(queries)} queries of topk {k} ask for more than {settings.max_hits} passages; "
            "send fewer queries per request"
        )
    scores = message.get("return_scores", False)
    if scores is not None and not isinstance(scores, bool):
        raise invalid("'return_scores' must be true or false")
    return SearchRequest(queries, k, bool(scores), single, packed)


def write_reply(request: SearchRequest, found: Sequence[Sequence[Hit]]) -> bytes:
    """Writes the reply to a request.

    Args:
        request: What was asked.
        found: Hits per query, in order.

    Raises:
        ValueError: If a score is not a finite number, or a text is no Unicode.
    """
    bare = not request.scores and not (request.packed and request.single)
    lists = [[_hit(hit, request.scores, bare) for hit in hits] for hits in found]
    result = lists[0] if request.packed and request.single else lists
    if request.packed:
        import msgpack

        return cast(bytes, msgpack.packb({"result": result}))
    # Pure ASCII, so that no text whatsoever can make an invalid reply.
    return json.dumps({"result": result}, allow_nan=False, separators=(",", ":")).encode()


def _hit(hit: Hit, scores: bool, bare: bool) -> dict[str, Any]:
    document = {"id": hit.passage.id, "contents": hit.passage.contents}
    if bare:
        return document
    return {"document": document, "score": float(hit.score) if scores else None}


def _is_packed(body: bytes, content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    if "msgpack" in kind:
        return True
    return not kind.endswith("json") and bool(body) and body[0] in _MAP_BYTES


def _parse(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise unreadable("the body is neither JSON nor a msgpack map") from None


def _unpack(body: bytes) -> Any:
    import msgpack

    try:
        return msgpack.unpackb(body, raw=False)
    except Exception:  # broken bytes raise a dozen kinds, some of them not msgpack's own
        raise unreadable("the body is no msgpack message") from None


def _queries(message: Mapping[str, Any], single: bool, settings: ServerSettings) -> tuple[str, ...]:
    found = [message["query"]] if single else message["queries"]
    if not isinstance(found, list):
        raise invalid("'queries' must be a list of texts")
    if len(found) > settings.max_queries:
        raise invalid(
            f"{len(found)} queries in one request; this server takes {settings.max_queries}"
        )
    return tuple(_query(query, where, single, settings) for where, query in enumerate(found))


def _query(query: object, where: int, single: bool, settings: ServerSettings) -> str:
    name = "'query'" if single else f"'queries[{where}]'"
    if not isinstance(query, str):
        raise invalid(f"{name} must be a text")
    if len(query) > settings.max_query_chars:
        raise invalid(
            f"{name} has {len(query)} characters; this server takes {settings.max_query_chars}"
        )
    # Halves of surrogate pairs are legal in JSON and in no index; some analysers choke on them.
    return query if query.isascii() else query.encode("utf-8", "replace").decode("utf-8")


def _top_k(given: object, settings: ServerSettings) -> int:
    if given is None:
        return settings.top_k
    if not isinstance(given, int) or isinstance(given, bool):
        raise invalid("'topk' must be a whole number")
    if not 1 <= given <= settings.max_top_k:
        raise invalid(f"'topk' must be from 1 to {settings.max_top_k}")
    return given
