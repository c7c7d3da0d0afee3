"""Whether a question is about what its writer has read."""

from __future__ import annotations

import re

from asl_env.episode import Request, Trajectory
from asl_env.protocols import Dialect
from asl_env.text import normalize

#: What may stand before a name, and what may follow it; a name goes no further.
_BEFORE = "\"'“‘«(["
_AFTER = re.compile(r"(?:['’]s?)?[\"'”’»)\],;:?!]*$")
#: Ends a sentence, unless it is an initial ("J.") or an abbreviation ("U.S.").
_END = re.compile(r"(?!(?:\w\.)+$).*[.?!][\"'”’»)\]]*$")


def names_in(question: str) -> list[str]:
    """The names and numbers of a question: runs of words with a capital or a digit in front.

    The first word of a sentence is none, however it is written, nor is "I".

    Args:
        question: Any text.
    """
    return [name for _, name in named(question)]


def named(text: str) -> list[tuple[str, str]]:
    """Names and numbers as ``names_in`` finds them, each with the word in front of it.

    Args:
        text: Any text.
    """
    found: list[tuple[str, list[str]]] = [("", [])]
    opens = True
    for word in text.split():
        bare = _AFTER.sub("", word.lstrip(_BEFORE))
        ends = _END.match(word) is not None
        bare = bare.rstrip(".") if ends else bare
        if opens or bare == "I" or not bare or not (bare[0].isupper() or bare[0].isdigit()):
            found.append((word, []))
        else:
            found[-1][1].append(bare)
            if bare != word.lstrip(_BEFORE):
                found.append((word, []))
        opens = ends
    return [(before, " ".join(words)) for before, words in found if words]


def ungrounded(episode: Trajectory, dialect: Dialect) -> str | None:
    """What of a written question, or of its answer, is nowhere in what its writer has read.

    Names of the question may come from the request or from a passage; the answer must be in a
    passage. Compared is as by ``cover-em``: normalised, and whole words.

    Args:
        episode: A finished episode of the generator seat.
        dialect: How search results are written.

    Returns:
        The first name, number or answer that was made up; ``None`` if none was.
    """
    found = f" {normalize(_passages(episode, dialect))} "
    asked = found + f"{normalize(_request(episode))} "
    for name in names_in(episode.question or ""):
        if f" {normalize(name)} " not in asked and normalize(name):
            return name
    answer = episode.answer or ""
    return None if f" {normalize(answer)} " in found else answer


def _request(episode: Trajectory) -> str:
    request = episode.assignment
    assert isinstance(request, Request)
    return "\n".join((request.topic, request.source_question, request.source_answer))


def _passages(episode: Trajectory, dialect: Dialect) -> str:
    return "\n".join(
        passage.contents
        for message in episode.messages
        for passage in dialect.read_results(message) or ()
    )
