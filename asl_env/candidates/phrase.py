"""Phrasing: questions made from sentences that were read, on any corpus.

Three surface forms: a wh-word in the place of the answer ("Warsaw lies on what?"), a cloze
(`What fills the blank in "Warsaw lies on the ____."?`) and a bridged cloze, whose subject is
itself described by a cloze.
"""

from __future__ import annotations

import re

from asl_env.candidates.reading import Span

_PRONOUN = re.compile(r"^(It|He|She|They|This|The [a-z]+(?: [a-z]+)?)(?= [a-z])")
_POSSESSIVE = re.compile(r"^(Its|His|Her|Their|The [a-z]+(?: [a-z]+)?['’]s)\b")
_DESCRIPTION = re.compile(r"\s*\([^)]*\)$")


def subject_name(title: str) -> str:
    """The title without a disambiguating parenthesis."""
    return _DESCRIPTION.sub("", title)


def resolve(sentence: str, title: str) -> tuple[str, int]:
    """Puts the article's title in place of a leading pronoun or description.

    Returns:
        The sentence and by how many characters everything behind the subject moved.
    """
    name = subject_name(title)
    if not name:
        return sentence, 0
    match = _POSSESSIVE.match(sentence)
    if match:
        new = f"{name}'s"
        return new + sentence[match.end() :], len(new) - match.end()
    match = _PRONOUN.match(sentence)
    if match and name.lower() not in sentence.lower():
        return name + sentence[match.end() :], len(name) - match.end()
    return sentence, 0


def _wh_word(span: Span, at_start: bool) -> str:
    if span.kind == "year":
        return "Which year" if at_start else "which year"
    if span.kind == "number":
        return "What number" if at_start else "what number"
    return "What" if at_start else "what"


def wh_question(sentence: str, title: str, span: Span) -> str | None:
    """Puts a wh-word in the place of the span: "Warsaw lies on what?".

    Returns:
        The question, or ``None`` if the span does not survive the resolved subject.
    """
    text, shift = resolve(sentence, title)
    start = span.start + shift
    end = start + len(span.text)
    if start < 0 or text[start:end] != span.text:
        return None
    before = re.sub(r"\b(?:the|The|a|an|an?d the) $", "", text[:start])
    body = f"{before}{_wh_word(span, not before.strip())}{text[end:]}"
    body = body.rstrip(" .!;")
    return f"{body}?"


def cloze(sentence: str, title: str, span: Span) -> str | None:
    """The resolved sentence with ``____`` in the place of the span, or ``None``."""
    text, shift = resolve(sentence, title)
    start = span.start + shift
    end = start + len(span.text)
    if start < 0 or text[start:end] != span.text:
        return None
    return f"{text[:start]}____{text[end:]}"


def cloze_question(blanked: str) -> str:
    """`What fills the blank in "Warsaw lies on the ____."?`."""
    return f'What fills the blank in "{blanked}"?'


def bridged_question(outer: str, inner: str, bridge: str) -> str | None:
    """A two-hop cloze: the bridge entity of the outer cloze is what fills the inner one.

    Args:
        outer: A cloze that names the bridge ("The Vistula rises in the ____.").
        inner: A cloze whose blank is the bridge ("Warsaw lies on the ____.").
        bridge: The entity.
    """
    if bridge not in outer or bridge in inner:
        return None
    masked = outer.replace(bridge, "X", 1)
    return f'What fills the blank in "{masked}", where X is what fills the blank in "{inner}"?'
