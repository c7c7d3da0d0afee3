"""Wikitext to plain text and links, with mwparserfromhell (extra ``[wiki]``)."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.markup import bare, is_hard, reduce, tidy

#: Longest wikitext that is parsed, in characters; MediaWiki's own limit is 2 MiB.
MAX_WIKITEXT = 2 << 20

_DROPPED_TAGS = frozenset(
    "ce chem gallery graph hiero imagemap mapframe maplink math noinclude poem ref references "
    "score script section source style syntaxhighlight table templatestyles timeline".split()
)
_MEDIA = frozenset({"file", "image", "media", "category", "special"})
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z]{2,8})?")


class Prose(NamedTuple):
    """An article without markup.

    Attributes:
        text: Paragraphs, one per line.
        links: Titles of linked articles, each once, in order.
    """

    text: str
    links: tuple[str, ...]


def need_parser() -> Any:
    """Returns the mwparserfromhell module.

    Raises:
        CorpusError: With the command that installs it.
    """
    try:
        import mwparserfromhell
    except ImportError as error:
        raise CorpusError(
            "reading Wikipedia dumps needs mwparserfromhell; run `pip install 'asl-env[wiki]'`"
        ) from error
    return mwparserfromhell


def plain(wikitext: str, namespaces: frozenset[str] = frozenset()) -> Prose:
    """Strips an article down to its prose.

    Tables, templates (but for a few that only wrap text), references, comments, files,
    categories, headings and the sections of ``DROPPED_SECTIONS`` go; link texts stay.

    Args:
        wikitext: Source text of an article.
        namespaces: Lower-case names of the wiki's other namespaces; links into them go.

    Raises:
        CorpusError: If mwparserfromhell is missing.
        ValueError: If the text is too long or the parser gives up on it.
    """
    if len(wikitext) > MAX_WIKITEXT:
        raise ValueError(f"wikitext over {MAX_WIKITEXT:,} characters")
    parser = need_parser()
    walk = _Walk(parser.nodes, namespaces | _MEDIA)
    source = reduce(wikitext)
    for piece in source.split("\n\n") if is_hard(source) else [source]:
        if is_hard(piece):
            walk.out.append(bare(piece))
        else:
            try:
                walk.code(parser.parse(piece))
            except (parser.parser.ParserError, RecursionError) as error:
                raise ValueError("wikitext that cannot be parsed") from error
        walk.out.append("\n\n")
    return Prose(tidy("".join(walk.out)), tuple(dict.fromkeys(walk.links)))


def link_target(title: str) -> str:
    """Returns the title a link leads to: ``Dog breed`` for ``dog_breed#History``."""
    title = " ".join(html.unescape(title).partition("#")[0].replace("_", " ").split())
    return title[:1].upper() + title[1:]


class _Walk:
    """Collects text and links from a parsed tree."""

    def __init__(self, nodes: Any, namespaces: frozenset[str]) -> None:
        self.out: list[str] = []
        self.links: list[str] = []
        self._namespaces = namespaces
        self._visit: Mapping[type, Callable[[Any], None]] = {
            nodes.Text: lambda node: self.out.append(node.value),
            nodes.Wikilink: self._wikilink,
            nodes.ExternalLink: self._external,
            nodes.Tag: self._tag,
            nodes.Template: self._template,
            nodes.Heading: lambda node: self.out.append("\n"),
            nodes.HTMLEntity: lambda node: self.out.append(node.normalize() or " "),
        }

    def code(self, code: Any) -> None:
        """Walks over everything in a piece of wikicode."""
        for node in code.nodes:
            visit = self._visit.get(type(node))
            if visit is not None:
                visit(node)

    def _wikilink(self, node: Any) -> None:
        title = str(node.title).strip()
        prefix = title.partition(":")[0].strip() if ":" in title else ""
        shown = title.startswith(":")
        if prefix and not shown:
            bare = prefix.replace("_", " ").lower()
            if bare in self._namespaces or _LANGUAGE.fullmatch(prefix):
                return
        target = link_target(title)
        if target and not shown and "{" not in target and "[" not in target:
            self.links.append(target)
        if node.text is not None:
            self.code(node.text)
        else:
            self.out.append(title.lstrip(":"))

    def _external(self, node: Any) -> None:
        if node.title is not None:
            self.code(node.title)

    def _tag(self, node: Any) -> None:
        name = str(node.tag).strip().lower()
        if name in ("br", "li", "dd", "dt", "hr"):
            self.out.append(" ")
        if name in _DROPPED_TAGS or node.contents is None:
            return
        self.code(node.contents)

    def _template(self, node: Any) -> None:
        name = str(node.name).strip().lower().replace("_", " ")
        if name in _TEXTS:
            self.out.append(_TEXTS[name])
        elif name in _MEASURES:
            amounts = [str(p.value).strip() for p in node.params if not p.showkey]
            if all(len(a) < 20 for a in amounts[:2]) and len(amounts) > 1:
                self.out.append(" ".join(amounts[:2]))
        elif (position := _WRAPPERS.get(name)) is not None and node.has(position):
            self.code(node.get(position).value)


#: Templates that stand for a fixed text.
_TEXTS = {
    "snd": " – ",
    "spnd": " – ",
    "spaced ndash": " – ",
    "ndash": "–",
    "mdash": "—",
    "nbsp": " ",
    "'": "'",
    "'s": "'s",
    "circa": "c. ",
    "c.": "c. ",
}
#: Templates that convert a measure: number and unit are kept.
_MEASURES = frozenset({"convert", "cvt"})
#: Templates that only wrap text, and the parameter that holds it.
_WRAPPERS = {
    "lang": 2,
    "transl": 2,
    "nowrap": 1,
    "nobr": 1,
    "nobold": 1,
    "small": 1,
    "smaller": 1,
    "abbr": 1,
    "em": 1,
    "strong": 1,
    "nihongo": 1,
    "sic": 1,
    "as of": 1,
}
