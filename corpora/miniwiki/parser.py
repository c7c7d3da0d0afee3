"""Reads questions: canonical text in, all its meanings out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import chain, islice

from asl_env.corpora.miniwiki.grammar import Best, Grammar, Hop
from asl_env.corpora.miniwiki.meanings import Contest, Extreme, Meaning, Named, Step
from asl_env.corpora.miniwiki.names import Names
from asl_env.corpora.miniwiki.reading import BLANK, HERE

#: Phrases nested deeper than this are outside the language.
MAX_DEPTH = 6

#: Phrases looked at per question; what needs more is outside the language.
_MAX_PHRASES = 400

#: Places at which a comparison is cut, a pronoun is read or a question word is replaced.
_MAX_PLACES = 8

_TAIL = " .?!;:,'"
_HEADER = re.compile(r"(?:fill in the blank:|what fills the blank in) *")
_ARTICLE = "in the article "
_ABOUT = re.compile(r"(?:about|on|titled) ")
_BINDING = re.compile(r" where ([xyz]) is (?:the answer to:? |(?=what fills the blank in ))")
_DESCRIBED = re.compile(r"\[(?:the one that fits:)?(.*)\]")
_PRONOUN = re.compile(r"\b(?:(its|his|her|their)|it|he|she|they|(the|this)(?= ))\b")
_MOST_WORDS = 3
_QUESTION_WORD = re.compile(r"\b(?:what number|(which|what)|(where|when)|whom?|how many)\b")
_PLACED = ("", "in ", "on ", "at ")

Meanings = tuple[Meaning, ...]


def _merged(layers: Iterable[Meanings]) -> Meanings:
    return tuple(dict.fromkeys(chain.from_iterable(layers)))


class Parser:
    """Reads one question; made anew for each.

    Args:
        grammar: The rules.
        names: The names and literals a slot may hold.
    """

    def __init__(self, grammar: Grammar, names: Names) -> None:
        self._grammar = grammar
        self._names = names
        self._known: dict[str, Meanings] = {}
        self._bound: dict[str, Meanings] = {}
        self._here: Meanings = ()
        self._nearest = True
        self._phrases = 0

    def read(self, text: str) -> Iterator[Meanings]:
        """All meanings of a canonical question, those of the plainest reading first.

        Args:
            text: The canonical question.

        Yields:
            The meanings under one way of reading (question, cloze ...), perhaps none; the later
            ones count only where the facts know nothing about the earlier.
        """
        parts = _BINDING.split(text)
        if len(parts) > 2 * MAX_DEPTH:
            return
        while len(parts) > 1:
            described, variable = parts.pop().strip(_TAIL), parts.pop()
            meanings = _merged(self._in_article(described))
            if not meanings or variable in self._bound:
                return
            self._bound[variable] = meanings
            self._known.clear()
        yield from self._in_article(parts[0].strip(_TAIL))

    def _in_article(self, text: str) -> Iterator[Meanings]:
        """A statement, perhaps with the article it is taken from."""
        self._here = ()
        if not text.startswith(_ARTICLE):
            yield from self._statement(text, 0)
            return
        rest = text[len(_ARTICLE) :]
        for cut in islice(re.finditer("[,:] ", rest), _MAX_PLACES):
            title = rest[: cut.start()]
            here = self._titled(title) or self._titled(_ABOUT.sub("", title, count=1))
            for self._nearest in (True, False) if here else ():
                self._here = here
                self._known.clear()
                yield from self._statement(rest[cut.end() :], 0)

    def _titled(self, title: str) -> Meanings:
        """What the article of this title (or about the thing so described) is about."""
        ids = self._names.titled(title)
        return (Named(ids),) if ids else self._thing(title, 0)

    def _statement(self, text: str, depth: int) -> Iterator[Meanings]:
        """A question, a cloze, or a sentence with a question word in the place of its blank."""
        header = _HEADER.match(text)
        if header is not None:
            yield from self._cloze(text[header.end() :].strip(_TAIL), depth)
            return
        yield self._question(text, depth)
        yield from self._cloze(text, depth) if BLANK in text else self._in_place(text, depth)

    def _question(self, text: str, depth: int) -> Meanings:
        grammar = self._grammar
        found: list[Meaning] = []
        for rule, slot in grammar.questions.match(text):
            found.extend(self._apply(rule, slot, depth))
        for duel, slot in grammar.duels.match(text):
            for left, right in self._cuts(slot, duel.joint, depth):
                found.append(Contest(left, right, duel.measure, duel.most))
        for _, slot in grammar.carriers.match(text):
            found.extend(self._noun(slot.strip(_TAIL), depth))
        return tuple(dict.fromkeys(found))

    def _cuts(self, slot: str, joint: str, depth: int) -> Iterator[tuple[Meaning, Meaning]]:
        """Every way to read ``A joint B``."""
        at = slot.find(joint)
        for _ in range(_MAX_PLACES):
            if at < 0:
                return
            for left in self._thing(slot[:at], depth + 1):
                for right in self._thing(slot[at + len(joint) :], depth + 1):
                    yield left, right
            at = slot.find(joint, at + 1)

    def _thing(self, text: str, depth: int) -> Meanings:
        """A name, a variable, a description in brackets or a noun phrase."""
        text = text.strip(_TAIL)
        if text in self._bound:
            return self._bound[text]
        if text == HERE:
            return self._here
        if text not in self._known:
            self._phrases += 1
            if depth > MAX_DEPTH or self._phrases > _MAX_PHRASES:
                return ()
            ids = self._names.entities(text)
            self._known[text] = (self._named(ids),) if ids else self._described(text, depth)
        return self._known[text]

    def _named(self, ids: frozenset[str]) -> Named:
        """Of several namesakes the one the article is about, if it is among them.

        Where that one has no answer, the sentence may yet be about a namesake.
        """
        for here in self._here if self._nearest else ():
            if isinstance(here, Named) and ids & here.values:
                return Named(ids & here.values)
        return Named(ids)

    def _described(self, text: str, depth: int) -> Meanings:
        brackets = _DESCRIBED.fullmatch(text)
        if brackets is not None:
            return _merged(self._statement(brackets.group(1).strip(_TAIL), depth + 1))
        return self._noun(text, depth)

    def _noun(self, text: str, depth: int) -> Meanings:
        found: list[Meaning] = []
        for rule, slot in self._grammar.nouns.match(text):
            found.extend(self._apply(rule, slot, depth))
        return tuple(dict.fromkeys(found))

    def _apply(self, rule: Hop | Best, slot: str, depth: int) -> Iterator[Meaning]:
        hop = rule.hop if isinstance(rule, Best) else rule
        for of in self._filling(hop, slot, depth):
            step = Step(hop.relation, hop.forward, of)
            yield Extreme(step, rule.measure, rule.most) if isinstance(rule, Best) else step

    def _filling(self, hop: Hop, slot: str, depth: int) -> Meanings:
        """What the slot of a hop may mean: a literal where the relation has literals."""
        if not hop.forward:
            literals = self._names.literals(hop.relation, slot.strip(_TAIL))
            if literals:
                return (Named(literals),)
        return self._thing(slot, depth + 1)

    def _cloze(
        self, text: str, depth: int, types: frozenset[str] | None = None
    ) -> Iterator[Meanings]:
        """A sentence with a blank; pronouns stand for what the article is about."""
        for variant in self._spelled_out(text):
            found = {
                Step(hop.relation, hop.forward, of, types): None
                for hop, slot in self._grammar.clozes.match(variant)
                for of in self._filling(hop, slot, depth)
            }
            if found:
                yield tuple(found)

    def _spelled_out(self, text: str) -> Iterator[str]:
        """The text with a pronoun or description made explicit; last, the text as it is."""
        for found in islice(_PRONOUN.finditer(text), _MAX_PLACES) if self._here else ():
            head, tail = text[: found.start()], text[found.end() :]
            if found.group(1):
                yield f"{head}{HERE}'s{tail}"
            elif found.group(2):
                words = self._description(tail)
                if words:
                    yield f"{head}{HERE}{tail[len(words) + 1 :]}"
            else:
                yield f"{head}{HERE}{tail}"
        yield text

    def _description(self, tail: str) -> str:
        """What describes the article's subject at the beginning; empty if nothing does."""
        for here in self._here:
            ids = here.values if isinstance(here, Named) else frozenset()
            for words in self._names.descriptions(ids):
                if tail.startswith(words, 1) and not tail[len(words) + 1 :][:1].isalnum():
                    return words
        return ""

    def _in_place(self, text: str, depth: int) -> Iterator[Meanings]:
        """A sentence in which a question word (and its noun) stands for the blank."""
        for found in islice(_QUESTION_WORD.finditer(text), _MAX_PLACES):
            head, tail = text[: found.start()], text[found.end() :]
            if found.group(1):
                yield from self._which(head, tail, depth)
                continue
            for link in _PLACED if found.group(2) else ("",):
                yield from self._cloze(f"{head}{link}{BLANK}{tail}", depth)

    def _which(self, head: str, tail: str, depth: int) -> Iterator[Meanings]:
        """``which river``: the noun keeps only answers of its type."""
        if head.endswith((" the ", " a ", " an ")):
            head = head[: head.rstrip().rfind(" ") + 1]
        words = tail.split(" ", _MOST_WORDS + 1)[1 : _MOST_WORDS + 1]
        for count in range(len(words), -1, -1):
            noun = " ".join(words[:count]).rstrip(_TAIL)
            types = self._names.kinds(noun) if count else None
            if count and types is None:
                continue
            rest = tail[len(noun) + 1 :] if count else tail
            yield from self._cloze(f"{head}{BLANK}{rest}", depth, types or None)
