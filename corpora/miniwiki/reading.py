"""Canonical spelling of questions, templates and names, so that all three can be compared."""

from __future__ import annotations

import re
import unicodedata

#: Longest question that is read at all, in characters; longer ones are outside the language.
MAX_CHARS = 1000

#: How a blank is written after canonicalisation.
BLANK = "____"

#: Stands for "the entity this article is about" after canonicalisation (a private character).
HERE = "\ue000"

_CHARACTERS = str.maketrans(
    {
        **dict.fromkeys('"“”„‟«»″', None),
        **dict.fromkeys("‘’‚‛`´′ʼ", "'"),
        **dict.fromkeys("‐‑‒–—−", "-"),
        HERE: None,
    }
)
_BLANKS = re.compile(r"_{2,}|\[blank\]|<blank>", re.IGNORECASE)
_ARTICLE_BLANK = re.compile(r"\b(?:the|an?) (?=____)")
_SPACED_POINT = re.compile(r" (?=[,.?!;:](?: |$))")
_TAIL = " .?!;:,'"
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_GROUPED = re.compile(r"(?<=\d)[,  '](?=\d{3}(?!\d))")
_NOT_WORD = re.compile(r"[^\w\s.+-]|(?<!\d)[.+-]|[.+-](?!\d)")


def canonical(text: str) -> str:
    """Rewrites a question, template or name so that spelling variants become equal.

    Case, quotation marks, dashes, spacing, the final full stop and an article before a blank do
    not count: ``Warsaw lies on the "___" .`` and ``warsaw lies on ____`` are the same.

    Args:
        text: Any string.

    Returns:
        The canonical string; idempotent.
    """
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    text = " ".join(text.translate(_CHARACTERS).casefold().split())
    if "_" in text or "blank" in text:
        text = _ARTICLE_BLANK.sub("", _BLANKS.sub(BLANK, text))
    return _SPACED_POINT.sub("", text).strip(_TAIL)


def comparable(answer: str) -> str:
    """Normalises an answer for comparison: case, accents, articles, punctuation, 1,234 = 1234.

    Args:
        answer: Any string.

    Returns:
        The normalised string; empty if nothing is left.
    """
    plain = _GROUPED.sub("", answer.casefold())
    if not plain.isascii():
        decomposed = unicodedata.normalize("NFKD", plain)
        plain = "".join(c for c in decomposed if not unicodedata.combining(c))
    return " ".join(_ARTICLE.sub(" ", _NOT_WORD.sub(" ", plain)).split())


def number(text: str) -> float | None:
    """Reads a plain number, grouped by commas or not; ``None`` if it is none."""
    try:
        value = float(_GROUPED.sub("", text.strip()))
    except ValueError:
        return None
    return value if abs(value) != float("inf") and value == value else None
