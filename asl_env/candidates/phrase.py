"""Phrasing: questions made from sentences that were read, on any corpus.

Four surface forms: a wh-word in the place of the answer ("Warsaw lies on what?"), a cloze
(`What fills the blank in "Warsaw lies on the ____."?`), a bridged cloze, whose subject is itself
described by a cloze, and a comparison of two subjects ("Which has more lakes, Lyon or Nice?").
"""

from __future__ import annotations

import math
import re

from asl_env.candidates.reading import Span

_PRONOUN = re.compile(r"^(?:It|He|She|They|This)(?= [a-z])")
_POSSESSIVE = re.compile(r"^(?:Its|His|Her|Their)\b")
_PARENTHESIS = re.compile(r"\s*\([^)]*\)$")
#: Nouns by which articles speak of their own subject ("people live in the place").
_DESCRIPTION = re.compile(
    r"\b[Tt]he (?:country|state|territory|nation|city|town|place|village|region|river|mountain|"
    r"peak|lake|island|sea|desert|element|substance|metal|planet|moon|star|language|currency|"
    r"airport|novel|book|play|poem|film|song|album|work|author|writer|poet|scientist|physicist|"
    r"chemist|painter|composer|explorer|philosopher|company|band|species|building|university)\b"
    r"(?=[.,;]|$|['’]s\b| (?:is|was|has|had|are|were|lies|stands|falls|uses|in the|on the)\b)"
)


def subject_name(title: str) -> str:
    """The title without a disambiguating parenthesis."""
    return _PARENTHESIS.sub("", title)


def resolve(sentence: str, title: str, start: int = 0) -> tuple[str, int]:
    """Puts the article's title in place of a pronoun or description of its subject.

    Args:
        sentence: A sentence of the article.
        title: The article's title.
        start: Offset of a span of the sentence.

    Returns:
        The sentence and where the span now starts.
    """
    name = subject_name(title)
    if not name or name.lower() in sentence.lower():
        return sentence, start
    match, new = _POSSESSIVE.match(sentence), f"{name}'s"
    if match is None:
        match, new = _PRONOUN.match(sentence), name
    if match is None:
        match = _DESCRIPTION.search(sentence)
    if match is None:
        return sentence, start
    moved = start + len(new) - len(match.group()) if start >= match.end() else start
    return sentence[: match.start()] + new + sentence[match.end() :], moved


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
    text, start = resolve(sentence, title, span.start)
    end = start + len(span.text)
    if text[start:end] != span.text:
        return None
    before = re.sub(r"\b(?:the|The|a|an) $", "", text[:start])
    body = f"{before}{_wh_word(span, not before.strip())}{text[end:]}"
    body = body.rstrip(" .!;")
    return f"{body}?"


def cloze(sentence: str, title: str, span: Span) -> str | None:
    """The resolved sentence with ``____`` in the place of the span, or ``None``."""
    text, start = resolve(sentence, title, span.start)
    end = start + len(span.text)
    if text[start:end] != span.text:
        return None
    return f"{text[:start]}____{text[end:]}"


def cloze_question(blanked: str) -> str:
    """`What fills the blank in "Warsaw lies on the ____."?`."""
    return f'What fills the blank in "{blanked}"?'


_COUNTED = re.compile(
    r"(?<![\w.])(\d[\d,]*(?:\.\d+)?) "
    r"(?!kilo|met(?:re|er)|kelvin|minute|year|hour|mile|degree)([a-z]+s|people)\b"
)
_DATED = re.compile(r"\bwas ((?:first )?[a-z]+(?:ed|en|rn|ought|ound))\b[^.]*\b([12]\d{3})\b")
#: Units that count the same thing.
_SAME = {"people": "inhabitants", "residents": "inhabitants", "citizens": "inhabitants"}


def measures(sentence: str, title: str) -> list[tuple[str, float]]:
    """What a sentence says in numbers about its article's subject.

    Returns:
        Pairs of a measure and its value: ``("inhabitants", 1860281.0)`` for counted things,
        ``("was founded", 1300.0)`` for dated events. Numbers too large for a float are left out.
    """
    text, _ = resolve(sentence, title)
    if subject_name(title) not in text:
        return []
    found = [
        (_SAME.get(m.group(2), m.group(2)), float(m.group(1).replace(",", "")))
        for m in _COUNTED.finditer(text)
    ]
    found.extend((f"was {m.group(1)}", float(m.group(2))) for m in _DATED.finditer(text))
    return [(measure, value) for measure, value in found if math.isfinite(value)]


def compare_question(measure: str, more: bool, a: str, b: str) -> str:
    """Asks which has more or fewer of something, or which of two events was later or earlier."""
    if measure.startswith("was "):
        return f"Which {measure} {'later' if more else 'earlier'}, {a} or {b}?"
    return f"Which has {'more' if more else 'fewer'} {measure}, {a} or {b}?"


def bridged_question(outer: str, inner: str, bridge: str) -> str | None:
    """A two-hop cloze: the bridge entity of the outer cloze is what fills the inner one.

    Args:
        outer: A cloze that names the bridge ("The Vistula rises in the ____.").
        inner: A cloze whose blank is the bridge ("Warsaw lies on the ____.").
        bridge: The entity.
    """
    if bridge not in outer or bridge in inner or f"{bridge} (" in outer:
        return None
    masked = outer.replace(bridge, "X", 1)
    return f'What fills the blank in "{masked}", where X is what fills the blank in "{inner}"?'
