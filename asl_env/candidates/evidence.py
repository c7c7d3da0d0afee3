"""Evidence: how well sentences that were read, and spans in them, fit a question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asl_env.candidates.reading import Question, Reading, Sentence, Span
from asl_env.candidates.vectors import SenseVectors

#: Sentences that are scored per question, and those whose spans are looked at.
MAX_SENTENCES = 90
MAX_SPAN_SENTENCES = 14
#: Leading dimensions of the question's own vector among the features of a line.
ASKED_DIMENSIONS = 24


@dataclass(frozen=True, slots=True)
class Search:
    """A search that was made: its query and what was read."""

    query: str
    readings: tuple[Reading, ...]


@dataclass(slots=True)
class Line:
    """A sentence in its place, with its fit to the question.

    Attributes:
        coverage: Share of the question's stems found in the sentence or its title.
        own: The same for the sentence alone.
        focus: Share of the sentence's stems found in the question.
        sense: Cosine of the sense vectors of question and sentence.
        product: Element-wise product of the two vectors, from which a bilinear match is learned,
            and the leading dimensions of the question's, from which the kind of answer is.
        title_asked: 1 if the article's title stands in the question.
        title_sought: 1 if the article's title stands in the latest query.
        sense_behind: How far ``sense`` is behind that of the best line.
        own_behind: How far ``own`` is behind that of the best line.
        title_met: 1 if the title was a span of an article read earlier (a hop).
    """

    sentence: Sentence
    reading: Reading
    search: int
    rank: int
    position: int
    latest: bool
    coverage: float = 0.0
    own: float = 0.0
    focus: float = 0.0
    sense: float = 0.0
    product: NDArray[np.float32] | None = None
    title_asked: float = 0.0
    title_sought: float = 0.0
    title_met: float = 0.0
    score: float = 0.0
    sense_behind: float = 0.0
    own_behind: float = 0.0


@dataclass(slots=True)
class Found:
    """A span with the line it was found in and its hand-made score."""

    span: Span
    line: Line
    score: float
    count: int
    gap: float
    kind_fit: float
    asked: bool


def gather_lines(question: Question, searches: Sequence[Search], sense: SenseVectors) -> list[Line]:
    """Scores every sentence that was read against the question, best first."""
    lines = _collect(searches)
    if not lines:
        return []
    vectors = sense([line.sentence.text for line in lines])
    asked = sense([question.text])[0]
    products = vectors * asked
    total = max(len(question.stems), 1)
    latest_key = f" {searches[-1].query.lower()} "
    met = _names(searches[:-1])
    for line, product in zip(lines, products, strict=True):
        stems, title = line.sentence.stems, line.reading.title_stems
        both = len(question.stems & (stems | title))
        line.coverage = both / total
        line.own = len(question.stems & stems) / total
        line.focus = len(question.stems & stems) / max(len(stems), 1)
        line.product = np.concatenate([product, asked[:ASKED_DIMENSIONS]])
        line.sense = float(product.sum())
        key = line.reading.title_key
        line.title_asked = float(bool(key) and f" {key} " in f" {question.key} ")
        line.title_sought = float(bool(key) and line.reading.title.lower() in latest_key)
        line.title_met = float(key in met and not line.title_asked)
        line.score = (
            2.0 * line.coverage
            + 3.0 * line.sense
            + 0.5 * line.focus
            + 3.0 * line.title_asked
            + 0.3 * line.title_sought
            + 0.3 * line.title_met
            - 0.05 * line.rank
            - 0.02 * line.position
        )
    best_sense = max(line.sense for line in lines)
    best_own = max(line.own for line in lines)
    for line in lines:
        line.sense_behind = best_sense - line.sense
        line.own_behind = best_own - line.own
    lines.sort(key=lambda line: -line.score)
    return lines


def _names(searches: Sequence[Search]) -> set[str]:
    """Every name that some searches showed."""
    return {
        span.key
        for search in searches
        for reading in search.readings
        for sentence in reading.sentences
        for span in sentence.spans
    }


def _collect(searches: Sequence[Search]) -> list[Line]:
    seen: set[tuple[str, str]] = set()
    lines: list[Line] = []
    last = len(searches) - 1
    for number in range(last, -1, -1):
        for rank, reading in enumerate(searches[number].readings):
            for position, sentence in enumerate(reading.sentences):
                if (reading.title, sentence.text) not in seen and len(lines) < MAX_SENTENCES:
                    seen.add((reading.title, sentence.text))
                    lines.append(Line(sentence, reading, number, rank, position, number == last))
    return lines


def kind_fit(question: Question, span: Span) -> float:
    """How well a span's kind fits what the question expects: 1 fits, 0 unknown, -1 does not."""
    if question.expected is None:
        return 0.0
    return 1.0 if span.kind == question.expected else -1.0


def gap_fit(question: Question, span: Span) -> float:
    """Share of the (up to two by two) neighbours of the blank that the span also has."""
    before, after = question.before[:2], question.after[:2]
    hits = 0
    if before and span.left:
        hits = before[0] == span.left[0]
        hits += before[1:] == span.left[1:2] != ()
    if after and span.right:
        hits += after[0] == span.right[0]
        hits += after[1:] == span.right[1:2] != ()
    return hits / max(len(before) + len(after), 1)


def gather_spans(question: Question, lines: Sequence[Line]) -> list[Found]:
    """Scores the spans of the best lines; equal spans are merged into their best occurrence."""
    best: dict[str, Found] = {}
    asked_text = f" {question.key} "
    for line in lines[:MAX_SPAN_SENTENCES]:
        for span in line.sentence.spans:
            gap = gap_fit(question, span)
            fit = kind_fit(question, span)
            asked = f" {span.key} " in asked_text
            score = (
                line.score
                + 1.0 * gap
                + 1.0 * fit
                - (2.0 if asked else 0.0)
                - (0.8 if span.kind == "word" else 0.0)
                - (0.7 if span.start == 0 and " " not in span.text else 0.0)
                - (0.6 if span.key == line.reading.title_key else 0.0)
            )
            old = best.get(span.key)
            if old is None:
                best[span.key] = Found(span, line, score, 1, gap, fit, asked)
            else:
                count = old.count + 1
                if score > old.score:
                    best[span.key] = Found(span, line, score, count, gap, fit, asked)
                else:
                    old.count = count
    return sorted(best.values(), key=lambda found: -found.score)


def number_of(key: str, lines: Sequence[Line]) -> float | None:
    """The number in the best line about an entity, or ``None``."""
    for line in lines:
        if key in line.reading.title_key:
            for span in line.sentence.spans:
                if span.kind in ("number", "year"):
                    return float(span.text.replace(",", ""))
    return None
