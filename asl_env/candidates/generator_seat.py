"""The generator's menu: searches around a topic, and questions made from what was read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from asl_env.candidates.evidence import Search
from asl_env.candidates.menu import MAX_CANDIDATES, Candidate, Menu, MenuRows
from asl_env.candidates.phrase import (
    bridged_question,
    cloze,
    cloze_question,
    compare_question,
    measures,
    resolve,
    subject_name,
    wh_question,
)
from asl_env.candidates.reading import (
    Reading,
    Sentence,
    Span,
    content_stems,
    read_question,
)
from asl_env.text import normalize

#: The generator searches at most this often before it must write its question.
MAX_SEARCHES = 2
_MAX_QUERIES = 7
_MAX_BRIDGED = 12
_MAX_COMPARED = 8
#: Feature columns, in order.
COLUMNS = (
    "prior",
    "search_topic",
    "search_source",
    "search_bridge",
    "ask_wh",
    "ask_cloze",
    "ask_bridged",
    "no_search_yet",
    "searches",
    "harder",
    "easier",
    "depth",
    "harder_bridged",
    "easier_bridged",
    "name",
    "number",
    "year",
    "word",
    "title_in_sentence",
    "resolved",
    "span_is_title",
    "span_first",
    "span_last",
    "span_count",
    "sentence_length",
    "sentence_names",
    "position",
    "rank",
    "latest",
    "topic_match",
    "answer_length",
    "in_question",
    "other_spans",
    "list_like",
    "title_read",
    "source_bridged",
    "ask_compare",
    "spread",
)


class Source(NamedTuple):
    """What the chat's request says."""

    kind: str
    topic: str
    style: str
    question: str
    answer: str


class _Place(NamedTuple):
    reading: Reading
    sentence: Sentence
    rank: int
    position: int
    latest: bool


def generator_menu(source: Source, searches: Sequence[Search]) -> Menu:
    """Builds the generator's menu.

    Args:
        source: The request.
        searches: Searches made so far, with what was read.

    Returns:
        A menu with at least one candidate.
    """
    rows = MenuRows(COLUMNS)
    state = {
        "no_search_yet": float(not searches),
        "searches": len(searches) / MAX_SEARCHES,
        "harder": float(source.kind == "harder"),
        "easier": float(source.kind == "easier"),
        "depth": float(source.style == "depth"),
        "source_bridged": float("where X is" in source.question),
    }
    places = list(_places(searches))
    if len(searches) < MAX_SEARCHES:
        _add_searches(rows, source, searches, places, state)
    _add_bridged(rows, places, state)
    _add_comparisons(rows, places, state)
    _add_questions(rows, source, places, state)
    if not len(rows):
        rows.add(Candidate("final", "unknown", "What is unknown?"), ask_wh=1.0)
    return rows.menu()


def _places(searches: Sequence[Search]) -> Iterator[_Place]:
    seen: set[tuple[str, str]] = set()
    for number in range(len(searches) - 1, -1, -1):
        latest = number == len(searches) - 1
        for rank, reading in enumerate(searches[number].readings):
            for position, sentence in enumerate(reading.sentences[:10]):
                if (reading.title, sentence.text) not in seen:
                    seen.add((reading.title, sentence.text))
                    yield _Place(reading, sentence, rank, position, latest)


def _add_searches(
    rows: MenuRows,
    source: Source,
    searches: Sequence[Search],
    places: Sequence[_Place],
    state: dict[str, float],
) -> None:
    done = {search.query.lower() for search in searches}
    queries: list[tuple[str, str, float]] = [("search_topic", source.topic, 3.0)]
    if source.question:
        queries.append(("search_source", source.answer, 2.0))
        names = read_question(source.question).names[:2]
        queries.extend(("search_source", name.text, 2.5) for name in names)
    titles = {place.reading.title_key for place in places}
    bridges = {
        span.text: span
        for place in places
        if place.latest and place.rank == 0
        for span in place.sentence.spans
        if span.kind == "name" and span.key not in titles
    }
    queries.extend(("search_bridge", text, 0.6) for text in bridges)
    for column, query, prior in queries[:_MAX_QUERIES]:
        if not query.strip() or query.lower() in done:
            continue
        prior = prior if not searches else prior - 2.0
        rows.add(Candidate("search", query), prior=prior, **{column: 1.0}, **state)


def _add_questions(
    rows: MenuRows, source: Source, places: Sequence[_Place], state: dict[str, float]
) -> None:
    topic = frozenset(content_stems(source.topic))
    source_key = normalize(source.question)
    ranked: list[tuple[float, Candidate, dict[str, float]]] = []
    for place in places:
        for span in place.sentence.spans:
            if not _askable(place, span):
                continue
            values = _values(place, span, topic)
            score = _prior(values)
            wh = wh_question(place.sentence.text, place.reading.title, span)
            if wh is not None and normalize(wh) != source_key:
                asked = {**values, "ask_wh": 1.0, "in_question": float(span.key in normalize(wh))}
                ranked.append((score, Candidate("final", span.text, wh), asked))
            if span.kind != "word":
                blanked = cloze(place.sentence.text, place.reading.title, span)
                if blanked is not None:
                    asked = {**values, "ask_cloze": 1.0}
                    text = cloze_question(blanked)
                    ranked.append((score - 0.1, Candidate("final", span.text, text), asked))
    ranked.sort(key=lambda item: -item[0])
    for score, candidate, values in ranked[: MAX_CANDIDATES - len(rows)]:
        rows.add(candidate, prior=score, **values, **state)


def _askable(place: _Place, span: Span) -> bool:
    """Whether a question after a span is likely to have one answer.

    The sentence must be about the article's subject, which must come before the answer (numbers
    may come first); a lower-case word must end the sentence.
    """
    text, start = resolve(place.sentence.text, place.reading.title, span.start)
    at = text.find(subject_name(place.reading.title))
    if at < 0 or span.key in place.reading.title_key or span.inner:
        return False
    if at > start and span.kind not in ("number", "year"):
        return False
    if span.kind == "word" and len(text) - start - len(span.text) > 1:
        return False
    return not _in_parentheses(place.sentence.text, span)


def _in_parentheses(sentence: str, span: Span) -> bool:
    """Whether a span is (part of) a disambiguating parenthesis: "Cartagena (Colombia)"."""
    before = sentence[: span.start]
    return before.count("(") > before.count(")")


def _add_comparisons(rows: MenuRows, places: Sequence[_Place], state: dict[str, float]) -> None:
    """Compares two articles by a number that both state in the same words."""
    stated: dict[str, list[tuple[str, float, _Place]]] = {}
    for place in places:
        for measure, value in measures(place.sentence.text, place.reading.title):
            stated.setdefault(measure, []).append((subject_name(place.reading.title), value, place))
    added = 0
    for measure, entries in stated.items():
        for (a, x, place), (b, y, _) in combinations(entries, 2):
            if a == b or x == y or added == _MAX_COMPARED:
                continue
            for more in (True, False):
                answer = a if (x > y) == more else b
                rows.add(
                    Candidate("final", answer, compare_question(measure, more, a, b)),
                    prior=1.0,
                    ask_compare=1.0,
                    spread=min(abs(x - y) / max(abs(x), abs(y)), 1.0),
                    rank=place.rank / 3,
                    **state,
                )
            added += 1


def _values(place: _Place, span: Span, topic: frozenset[str]) -> dict[str, float]:
    sentence, reading = place.sentence, place.reading
    name = subject_name(reading.title)
    title_there = bool(name) and name.lower() in sentence.text.lower()
    end = span.start + len(span.text)
    kinds = [s for s in sentence.spans if s.kind == span.kind and s.key != span.key]
    rest = sentence.text[end:]
    return {
        span.kind: 1.0,
        "title_in_sentence": float(title_there),
        "resolved": float(not title_there),
        "span_is_title": float(span.key == reading.title_key or span.text == name),
        "span_first": float(span.start == 0),
        "span_last": float(len(rest) <= 2),
        "span_count": min(sentence.text.count(span.text), 3) / 3,
        "sentence_length": min(len(sentence.text), 300) / 300,
        "sentence_names": min(len(sentence.spans), 12) / 12,
        "position": min(place.position, 8) / 8,
        "rank": place.rank / 3,
        "latest": float(place.latest),
        "topic_match": float(bool(topic & (reading.title_stems | sentence.stems))),
        "answer_length": len(span.key) / 20,
        "other_spans": min(len(kinds), 6) / 6,
        "list_like": float(rest.startswith((",", " and ")) or ", " in sentence.text[: span.start]),
    }


def _prior(values: dict[str, float]) -> float:
    """A hand-made preference for short, unambiguous sentences about the article's subject."""
    return (
        1.0
        + 0.8 * values["title_in_sentence"]
        + 0.4 * values["resolved"]
        - 2.0 * values["span_is_title"]
        - 1.2 * values.get("word", 0.0)
        - 0.8 * values["list_like"]
        - 0.6 * values["other_spans"]
        - 0.5 * values["sentence_length"]
        + 0.4 * values["span_last"]
        - 0.4 * values["rank"]
    )


def _add_bridged(rows: MenuRows, places: Sequence[_Place], state: dict[str, float]) -> None:
    """Joins two sentences: one names the article that the other is about."""
    by_title: dict[str, list[_Place]] = {}
    for place in places:
        by_title.setdefault(normalize(subject_name(place.reading.title)), []).append(place)
    added = 0
    for inner in places:
        for bridge in inner.sentence.spans:
            own = bridge.key == inner.reading.title_key or _in_parentheses(
                inner.sentence.text, bridge
            )
            for outer in by_title.get(bridge.key, ()) if not own else ():
                if added == _MAX_BRIDGED:
                    return
                added += _join(rows, inner, bridge, outer, state)


def _join(
    rows: MenuRows, inner: _Place, bridge: Span, outer: _Place, state: dict[str, float]
) -> int:
    blanked = cloze(inner.sentence.text, inner.reading.title, bridge)
    spans = [s for s in outer.sentence.spans if s.key != bridge.key and _askable(outer, s)]
    if blanked is None or not spans:
        return 0
    span = spans[-1]
    outer_cloze = cloze(outer.sentence.text, outer.reading.title, span)
    question = outer_cloze and bridged_question(outer_cloze, blanked, bridge.text)
    if not question or span.text in question:
        return 0
    values = _values(outer, span, frozenset())
    extra = {
        "ask_bridged": 1.0,
        "harder_bridged": state["harder"],
        "easier_bridged": state["easier"],
    }
    prior = _prior(values) - 0.8 + 1.2 * state["harder"]
    rows.add(Candidate("final", span.text, question), prior=prior, **values, **extra, **state)
    return 1
