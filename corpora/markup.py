"""Passes over wikitext that need time proportional to its length, whatever it holds.

mwparserfromhell reads well-formed wikitext well, but goes over the rest of the page again for
everything that is opened and never closed: a hundred kilobytes of ``<div>`` take it hours. These
passes take out what is not prose before it parses (which also makes it twice as fast), tell how
hard the rest is, and do without it for paragraphs that are too hard.
"""

from __future__ import annotations

import html
import re

#: Sections that hold no prose, with everything below them.
DROPPED_SECTIONS = frozenset(
    {
        "bibliography",
        "citations",
        "discography",
        "external links",
        "filmography",
        "footnotes",
        "further reading",
        "gallery",
        "notes",
        "notes and references",
        "references",
        "references and notes",
        "see also",
        "sources",
        "works cited",
    }
)

_REF = re.compile(r"<(/?)ref\b([^<>]{0,1000})>", re.IGNORECASE)
_TABLE = re.compile(r"^[ \t:*#]*(\{\||\|\}(?!\}))", re.MULTILINE)
_MARK = re.compile(
    r"\[\[|\]\]|\[(?=https?:|ftp:|//|mailto:)|\]|\{\{+|\}\}+|</?[A-Za-z][^<>]{0,300}>?|\n"
)
_INNERMOST_TEMPLATE = re.compile(r"\{\{[^{}]{0,5000}\}\}")
_SIMPLE_LINK = re.compile(r"\[\[([^\[\]|]{1,300})(?:\|([^\[\]]{0,1000}))?\]\]")
_VOID_TAGS = frozenset("br hr img li dd dt td th tr wbr".split())
_QUOTES = re.compile(r"(?<=\w)''(?='s\b)|'{5}|'{2,3}")
_LIST_MARKS = re.compile(r"^[*#:;]+", re.MULTILINE)
_HEADING = re.compile(r"^==([^=\n]{1,200})==[ \t]*$", re.MULTILINE)
_LEFT_OVER_TAG = re.compile(r"</?[A-Za-z][^<>]{0,300}>")
_LEFT_OVER_LINE = re.compile(r"^[ \t]*(?:\{[{|]|\||!).*$", re.MULTILINE)
_LEFT_OVER_MARK = re.compile(r"\{\{+|\}\}+|\[\[|\]\]|'''+|''|__[A-Z]{3,30}__|\|\}")
_SEPARATORS_IN_BRACKETS = re.compile(r"\((?:\s*[;,:–])+\s*|\(\s+")
_SPACE_BEFORE_STOP = re.compile(r"\s+([,;:.)])")
_EMPTY_BRACKETS = re.compile(r"\(\s*\)|\[\s*\]")
_COMMAS = re.compile(r",(?:\s*,)+")
_DEPTH = 40
_MAX_MARKS = 30_000
_MAX_WORK = 4_000_000


def reduce(text: str) -> str:
    """Removes comments, references, tables, sections without prose, and list and quote marks."""
    text = drop_tables(drop_sections(drop_references(drop_comments(text))))
    return _LIST_MARKS.sub(" ", _QUOTES.sub("", text))


def drop_comments(text: str) -> str:
    """Removes ``<!-- ... -->`` in one pass; an unclosed comment reaches to the end."""
    parts, at = [], 0
    while (start := text.find("<!--", at)) >= 0:
        parts.append(text[at:start])
        end = text.find("-->", start + 4)
        at = end + 3 if end >= 0 else len(text)
    parts.append(text[at:])
    return "".join(parts)


def drop_references(text: str) -> str:
    """Removes ``<ref>...</ref>`` and ``<ref/>`` in one pass; this also halves the parser's work.

    An opening tag without a closing one loses only the tag.
    """
    parts, at, opened = [], 0, -1
    for mark in _REF.finditer(text):
        if mark.group(1):
            if opened >= 0:
                at, opened = mark.end(), -1
        elif mark.group(2).endswith("/"):
            if opened < 0:
                parts.append(text[at : mark.start()])
                at = mark.end()
        else:
            if opened >= 0:
                parts.append(text[opened : mark.start()])
            else:
                parts.append(text[at : mark.start()])
            at = opened = mark.end()
    parts.append(text[at:])
    return "".join(parts)


def drop_sections(text: str) -> str:
    """Removes the sections of ``DROPPED_SECTIONS`` with their subsections."""
    parts, at, dropping = [], 0, False
    for heading in _HEADING.finditer(text):
        if not dropping:
            parts.append(text[at : heading.start()])
        at = heading.start()
        dropping = heading.group(1).strip().lower() in DROPPED_SECTIONS
    if not dropping:
        parts.append(text[at:])
    return "".join(parts)


def drop_tables(text: str) -> str:
    """Removes ``{| ... |}`` in one pass; the parser needs exponential time for unclosed ones.

    An unclosed table loses only its opening mark (``tidy`` removes the rows).
    """
    kept: list[str] = []
    opened: list[int] = []
    at = 0
    for mark in _TABLE.finditer(text):
        if mark.group(1) == "{|":
            if not opened:
                kept.append(text[at : mark.start()])
                at = mark.end()
            opened.append(mark.start())
        elif opened:
            opened.pop()
            if not opened:
                at = mark.end()
    kept.append(text[at:])
    return _TABLE.sub("", "".join(kept)) if opened else "".join(kept)


def tidy(text: str) -> str:
    """Removes left-over markup of broken constructs and the gaps that stripping leaves."""
    text = _LEFT_OVER_LINE.sub("", text)
    text = _LEFT_OVER_TAG.sub("", text)
    text = _LEFT_OVER_MARK.sub("", html.unescape(text))
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return "\n".join(out for line in lines if (out := _mend(line)))


def _mend(line: str) -> str:
    line = _SEPARATORS_IN_BRACKETS.sub("(", line)
    line = _SPACE_BEFORE_STOP.sub(r"\1", line)
    line = _COMMAS.sub(",", _EMPTY_BRACKETS.sub("", line))
    line = " ".join(_SPACE_BEFORE_STOP.sub(r"\1", line).split())
    return line if any(c.isalnum() for c in line) else ""


def is_hard(text: str) -> bool:
    """Whether parsing may take more than a few seconds.

    The parser's time is about ``length * (1 + marks that are never closed)``, and grows with the
    number of marks.
    """
    opened, unclosed = _marks(text)
    return opened > _MAX_MARKS or unclosed * len(text) > _MAX_WORK


def _marks(text: str) -> tuple[int, int]:
    """Counts marks that open something, and those of them that nothing closes."""
    opened = unclosed = 0
    stack: list[str] = []
    for mark in _MARK.finditer(text):
        token = mark.group().lower()
        if token == "\n":
            while stack and stack[-1] == "url":
                stack.pop()
                unclosed += 1
            continue
        if token[0] == "<" and not token.endswith(">"):
            opened, unclosed = opened + 1, unclosed + 1
            continue
        kind, closing, times = _kind(token)
        if not closing:
            opened += times
            stack.extend([kind] * times)
            continue
        for _ in range(times):
            if kind in stack[-_DEPTH:]:
                while stack.pop() != kind:
                    unclosed += 1
    return opened, unclosed + len(stack)


def _kind(token: str) -> tuple[str, bool, int]:
    """Returns what a token marks, whether it closes it, and how many it stands for."""
    if token[0] in "{}":
        return "{{", token[0] == "}", len(token) // 2
    if token in ("[[", "]]"):
        return "[[", token == "]]", 1
    if token[0] in "[]":
        return "url", token == "]", 1
    name = token.strip("</> ").split()[0] if token.strip("</> ") else ""
    void = token.endswith("/>") or name in _VOID_TAGS
    return name, token.startswith("</"), 0 if void else 1


def bare(text: str) -> str:
    """Strips a paragraph without understanding it: for what is too broken to be parsed."""
    for _ in range(5):
        text = _INNERMOST_TEMPLATE.sub("", text)
    return _SIMPLE_LINK.sub(lambda link: link.group(2) or link.group(1), text)
