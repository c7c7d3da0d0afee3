"""Reading: sentences, spans and word stems of passages and questions, cached per text."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from asl_env.corpora.passages import Passage
from asl_env.text import normalize

SpanKind = Literal["name", "number", "year", "word"]

STOPWORDS = frozenset(
    "a an the of in on at to by for from with and or as is are was were be been being it its he "
    "his she her they their them him this that these those which who whom whose what when where "
    "how why many much did do does has have had not no than then there here into over under about "
    "also such some any each both all one two most more very can could will would may might must "
    "shall should i you we us our your if but so because while during between among through up "
    "down out off only own same other another said says i.e e.g fills blank article ____".split()
)
_WORD = re.compile(r"\w+(?:[-'’]\w+)*")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’]?\s+(?=[\"“‘(]?[A-Z0-9])")
_ABBREVIATION = re.compile(
    r"(?:(?<!\d )\b[A-Z]|\b(?:St|Mt|Dr|Mr|Mrs|Jr|Sr|No|vs|etc|ca|approx))\.$"
)
#: Capital letters of the Latin alphabets, as a character class (``re`` has no ``\\p{Lu}``).
_CAPITAL = "".join(
    chr(c) for c in (*range(0x41, 0x250), *range(0x1E00, 0x1F00)) if chr(c).isupper()
)
_NAME = re.compile(
    rf"['‘’]?[{_CAPITAL}][\w'’.\-]*"
    r"(?:(?:\s+|,\s(?=[A-Z]{2}\b))"
    r"(?:(?:of|de|the|la|von|van|da|del|al|el|and|dos|di|du|des|bin|ibn|le|min|for)\s+){0,2}"
    rf"['‘’]?[{_CAPITAL}][\w'’.\-]*)*"
)
_NUMBER = re.compile(r"(?<![\w.+])-?\d[\d,]*(?:\.\d+)?(?![\w])")
_MIXED = re.compile(rf"[{_CAPITAL}]\w+ ([a-z]\w+) [{_CAPITAL}]\w+")
_CODE = re.compile(r"(?<![\w.])(?:\.[a-z]{2,3}|\+\d[\d-]*|[A-Z]\w+(?:/[A-Z]\w+)+)\b")
_YEAR = re.compile(r"^[12]\d{3}$")
_QUOTED = re.compile(r"[\"“]([^\"”]{2,80})[\"”]")
_LEADING = frozenset(
    "It Its He His She Her They Their The This That These Those In On At As A An With From By For "
    "Of There Both Most Many Some One When While After Before Since And But Also Among To What "
    "Which Who Where How Whose Is Are Was Were Did Does Do If Fill Name".split()
)


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """A light English stem: enough to let "lies" meet "lie" and "rivers" meet "river"."""
    word = word.lower().replace("’", "'").removesuffix("'s").removesuffix("s'")
    for suffix in ("ies", "ing", "ed", "es", "s", "ly"):
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            word = word[: -len(suffix)]
            break
    return word.removesuffix("e")


def words(text: str) -> list[str]:
    """Words of a text, in order, as written."""
    return _WORD.findall(text)


def content_stems(text: str) -> tuple[str, ...]:
    """Stems of the words that carry meaning, in order, repeats kept."""
    return tuple(stem(w) for w in content_words(text))


def content_words(text: str) -> list[str]:
    """Words that carry meaning, in order, as written."""
    return [w for w in _WORD.findall(text) if w.lower() not in STOPWORDS]


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a sentence that can be an answer.

    Attributes:
        text: As written.
        key: Normalised text, by which equal answers meet.
        kind: ``name``, ``number``, ``year`` or ``word``.
        start: Character offset in the sentence.
        left: Stems of the two words before it, nearest first.
        right: Stems of the two words after it, nearest first.
        inner: Whether it is only a part of a longer name.
    """

    text: str
    key: str
    kind: SpanKind
    start: int
    left: tuple[str, ...] = ()
    right: tuple[str, ...] = ()
    inner: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with what the features need of it."""

    text: str
    stems: frozenset[str]
    spans: tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """A passage that has been read."""

    title: str
    title_key: str
    title_stems: frozenset[str]
    sentences: tuple[Sentence, ...]


def split_sentences(text: str) -> list[str]:
    """Splits prose into sentences; abbreviations and initials do not end one."""
    out: list[str] = []
    for piece in _SENTENCE_END.split(" ".join(text.split())):
        if out and _ABBREVIATION.search(out[-1]):
            out[-1] = f"{out[-1]} {piece}"
        elif piece:
            out.append(piece)
    return out


def _trim_name(text: str, start: int) -> tuple[str, int]:
    """Drops leading function words ("The", "It") and trailing punctuation of a name match."""
    while True:
        first, _, rest = text.partition(" ")
        if first in _LEADING and rest:
            lead = len(text) - len(rest.lstrip())
            text, start = rest.lstrip(), start + lead
            for joint in ("of ", "the ", "and "):
                if text.startswith(joint):
                    text, start = text[len(joint) :], start + len(joint)
        else:
            break
    text = text.rstrip(".,'’-")
    for tail in ("'s", "’s"):
        text = text.removesuffix(tail)
    return ("" if text in _LEADING else text), start


def find_spans(sentence: str) -> list[Span]:
    """All spans of a sentence that can be answers: quotations, names, codes, numbers, words."""
    found: dict[tuple[str, int], Span] = {}

    def add(text: str, kind: SpanKind, start: int) -> None:
        key = normalize(text)
        if key and (key, start) not in found:
            left = tuple(stem(w) for w in reversed(_WORD.findall(sentence[:start][-40:])[-2:]))
            right = tuple(stem(w) for w in _WORD.findall(sentence[start + len(text) :][:40])[:2])
            found[key, start] = Span(text, key, kind, start, left, right)

    for match in _QUOTED.finditer(sentence):
        add(match.group(1).rstrip(".,"), "name", match.start(1))
    for match in _NAME.finditer(sentence):
        text, start = _trim_name(match.group(), match.start())
        if text:
            add(text, "name", start)
            if ", " in text:
                add(text.partition(", ")[0], "name", start)
            if " and " in text:
                left, _, right = text.partition(" and ")
                add(left, "name", start)
                add(right, "name", start + len(left) + 5)
    for match in _CODE.finditer(sentence):
        add(match.group(), "word", match.start())
    for match in _NUMBER.finditer(sentence):
        text = match.group().rstrip(",")
        add(text, "year" if _YEAR.match(text) else "number", match.start())
    _add_words(sentence, add)
    return _mark_inner(list(found.values()))


def _mark_inner(spans: list[Span]) -> list[Span]:
    """Marks the spans that lie inside a longer name of the same sentence."""
    names = [(s.start, s.start + len(s.text)) for s in spans if s.kind == "name" or "/" in s.text]
    return [
        replace(span, inner=True)
        if any(
            a <= span.start and span.start + len(span.text) <= b and b - a > len(span.text)
            for a, b in names
        )
        else span
        for span in spans
    ]


def _add_words(sentence: str, add: Callable[[str, SpanKind, int], None]) -> None:
    """Adds lower-case content words, and runs of two of them or of a name and one of them."""
    previous: re.Match[str] | None = None
    for match in _MIXED.finditer(sentence):
        if match.group(1) not in STOPWORDS:
            add(match.group(), "name", match.start())
    for match in _WORD.finditer(sentence):
        word = match.group()
        lower = word[0].islower() and word not in STOPWORDS and len(word) > 1
        if lower:
            add(word, "word", match.start())
            if previous is not None and match.start() - previous.end() == 1:
                text = sentence[previous.start() : match.end()]
                add(text, "word", previous.start())
        usable = lower or (word[0].isupper() and word not in _LEADING)
        previous = match if usable else None


def read(title: str, text: str) -> Reading:
    """Reads one passage."""
    sentences = tuple(
        Sentence(s, frozenset(content_stems(s)), tuple(find_spans(s)))
        for s in split_sentences(text)[:40]
    )
    return Reading(title, normalize(title), frozenset(content_stems(title)), sentences)


class Reader:
    """Reads passages and remembers the latest ``size`` of them."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._cache: OrderedDict[tuple[str, str], Reading] = OrderedDict()

    def __call__(self, passage: Passage) -> Reading:
        """Returns the reading of a passage, from memory if it was read before."""
        key = (passage.title, passage.text)
        reading = self._cache.get(key)
        if reading is None:
            reading = read(*key)
            self._cache[key] = reading
            if len(self._cache) > self._size:
                self._cache.popitem(last=False)
        else:
            self._cache.move_to_end(key)
        return reading


_EXPECTED: tuple[tuple[re.Pattern[str], SpanKind], ...] = (
    (re.compile(r"\b(?:when|which year|what year|in what year|year)\b", re.I), "year"),
    (re.compile(r"\bhow (?:many|much|high|long|large|tall|big|far|old)\b", re.I), "number"),
    (re.compile(r"\b(?:what number|population|what area|what elevation)\b", re.I), "number"),
    (re.compile(r"\b(?:who|whom|whose|where)\b", re.I), "name"),
)
_MORE = re.compile(
    r"\b(larger|more|greater|higher|highest|largest|longer|longest|later|latest|most|"
    r"heavier|heaviest|bigger|biggest|farther|younger|taller|tallest)\b",
    re.I,
)
_LESS = re.compile(
    r"\b(smaller|smallest|fewer|less|least|lower|lowest|shorter|shortest|earlier|earliest|first|"
    r"lighter|lightest|older|oldest|nearer|closer)\b",
    re.I,
)
_HEAD = re.compile(r"\b(?:which|what|whose)\s+(?:is\s+|was\s+|are\s+)?(?:the\s+)?([\w-]+)", re.I)


@dataclass(frozen=True, slots=True)
class Question:
    """What a question asks, as far as its surface tells.

    Attributes:
        text: The question.
        key: Normalised text.
        stems: Content stems.
        names: Entity mentions, in order.
        options: The alternatives of an "A or B" question; empty otherwise.
        expected: Kind of the answer that the wh-phrase asks for, or ``None``.
        head: Stem of the noun asked for ("which river"), or "".
        direction: +1 asks for the larger or later, -1 for the smaller or earlier, 0 neither.
        before: Stems left of the blank or wh-word, nearest first (at most 3).
        after: Stems right of it, nearest first (at most 3).
        yes_no: Whether it asks for a yes or a no.
    """

    text: str
    key: str
    stems: frozenset[str]
    names: tuple[Span, ...]
    options: tuple[Span, ...]
    expected: SpanKind | None
    head: str
    direction: int
    before: tuple[str, ...]
    after: tuple[str, ...]
    yes_no: bool


_YES_NO = re.compile(r"^(?:is|are|was|were|do|does|did|has|have|had|can)\b", re.I)
_GAP = re.compile(
    r"\b(?:which year|how many|what number|(?:what|which)(?: \w+)?(?=\?)|what|who|where|when)",
    re.I,
)


_OPTIONS = tuple(
    re.compile(pattern, re.I)
    for pattern in (
        r"\bbetween (?P<a>[^,?]+?) and (?P<b>[^,?]+)[,?]",
        r"^of (?P<a>[^,?]+?) (?:and|or) (?P<b>[^,?]+),",
        r"[,:] (?P<a>[^,?]+?),? or (?P<b>[^,?]+)\?",
    )
)
_ARTICLE = re.compile(r"^(?:the|an?) ", re.I)


def _read_options(text: str) -> tuple[Span, ...]:
    """The two alternatives of a comparison; empty for any other question."""
    for pattern in _OPTIONS:
        match = pattern.search(text)
        if match:
            pair = [_ARTICLE.sub("", match.group(g).strip()) for g in ("a", "b")]
            return tuple(
                Span(part, normalize(part), "name", text.find(part))
                for part in pair
                if normalize(part)
            )
    if " or " not in text:
        return ()
    left, _, right = text.partition(" or ")
    before = [s for s in find_spans(left) if s.kind == "name"]
    after = [s for s in find_spans(right) if s.kind == "name"]
    if not before or not after:
        return ()
    last = max(before, key=lambda s: (s.start + len(s.text), len(s.text)))
    first = min(after, key=lambda s: (s.start, -len(s.text)))
    shift = len(left) + 4
    return last, Span(first.text, first.key, "name", first.start + shift)


@lru_cache(maxsize=20_000)
def read_question(text: str) -> Question:
    """Reads a question."""
    names = tuple(s for s in find_spans(text) if s.kind == "name")
    expected = next((kind for pattern, kind in _EXPECTED if pattern.search(text)), None)
    head = _HEAD.search(text)
    more, less = bool(_MORE.search(text)), bool(_LESS.search(text))
    options = _read_options(text)
    gap = re.search("____", text) or _GAP.search(text)
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    if gap:
        left, right = text[: gap.start()], text[gap.end() :]
        before = tuple(stem(w) for w in reversed(words(left)[-3:]))
        after = tuple(stem(w) for w in words(right)[:3])
    return Question(
        text,
        normalize(text),
        frozenset(content_stems(text)),
        names,
        options,
        expected,
        stem(head.group(1)) if head and head.group(1).lower() not in STOPWORDS else "",
        int(more) - int(less),
        before,
        after,
        bool(_YES_NO.match(text)) and not options,
    )
