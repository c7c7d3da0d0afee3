"""The policy's menu: queries from the question and from what was read, and answer spans."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.candidates.evidence import (
    ASKED_DIMENSIONS,
    Found,
    Line,
    Search,
    gather_lines,
    gather_spans,
    number_of,
)
from asl_env.candidates.menu import FEATURES, Candidate, Menu, MenuRows
from asl_env.candidates.reading import Question, content_words, read_question, stem
from asl_env.candidates.vectors import DIMENSIONS, SenseVectors

#: A candidate agent searches at most this often before it must answer.
MAX_SEARCHES = 3
_MAX_NAMES = 3
_MAX_BRIDGES = 7
_MAX_ANSWERS = 32
_MAX_WORDS = 3
#: Feature columns, in order; the products of the sense vectors follow them.
COLUMNS = (
    "prior",
    "search_question",
    "search_focus",
    "search_name",
    "search_bridge",
    "search_word",
    "answer_span",
    "answer_option",
    "no_search_yet",
    "searches",
    "coverage",
    "own",
    "focus",
    "sense",
    "title_asked",
    "title_sought",
    "title_met",
    "asked",
    "is_title",
    "name",
    "number",
    "year",
    "word",
    "kind_fit",
    "gap",
    "count",
    "rank",
    "latest",
    "position",
    "behind_best",
    "uncovered",
    "best_coverage",
    "has_options",
    "direction",
    "title_read",
    "head_in_line",
    "names",
    "option_order",
    "first",
    "length",
    "left_of_names",
    "yes",
    "inner",
    "title_known",
    "sense_behind",
    "own_behind",
)
#: Columns that compare the question's words with the text's: hidden in part of the training
#: episodes, so that a policy does not lean on copied wording alone.
OVERLAP = tuple(
    COLUMNS.index(name) for name in ("prior", "coverage", "own", "focus", "gap", "behind_best")
)
if len(COLUMNS) + DIMENSIONS + ASKED_DIMENSIONS > FEATURES:
    raise ImportError("the policy seat has more feature columns than a menu holds")


def policy_menu(text: str, searches: Sequence[Search], sense: SenseVectors) -> Menu:
    """Builds the policy's menu.

    Args:
        text: The question.
        searches: Searches made so far, with what was read.
        sense: Source of sense vectors.

    Returns:
        A menu with at least one candidate.
    """
    question = read_question(text)
    lines = gather_lines(question, searches, sense)
    spans = gather_spans(question, lines)
    rows = MenuRows(COLUMNS)
    state = _state(question, searches, lines)
    if len(searches) < MAX_SEARCHES:
        _add_searches(rows, question, searches, spans, state)
    _add_options(rows, question, lines, state)
    if not lines or not (question.options or question.yes_no):
        _add_answers(rows, question, spans, state)
    if not len(rows):
        rows.add(Candidate("final", "unknown"), answer_span=1.0)
    return rows.menu()


def _state(
    question: Question, searches: Sequence[Search], lines: Sequence[Line]
) -> dict[str, float]:
    covered: set[str] = set()
    for line in lines:
        if line.title_asked or line.title_met or line.title_sought:
            covered |= question.stems & (line.sentence.stems | line.reading.title_stems)
    total = max(len(question.stems), 1)
    return {
        "no_search_yet": float(not searches),
        "searches": len(searches) / MAX_SEARCHES,
        "uncovered": 1.0 - len(covered) / total,
        "best_coverage": max((line.coverage for line in lines), default=0.0),
        "has_options": float(bool(question.options)),
        "direction": float(question.direction),
        "names": len(question.names) / 4,
        "title_known": float(any(line.title_asked for line in lines)),
    }


def _add_searches(
    rows: MenuRows,
    question: Question,
    searches: Sequence[Search],
    spans: Sequence[Found],
    state: dict[str, float],
) -> None:
    done = {search.query.lower() for search in searches}
    read_titles = {r.title_key for search in searches for r in search.readings}
    if question.text.lower() not in done:
        prior = 4.0 if not searches else -2.0
        rows.add(Candidate("search", question.text), prior=prior, search_question=1.0, **state)
    names = question.options or question.names
    focus = _focus_query(question)
    if focus and focus.lower() not in done:
        rows.add(
            Candidate("search", focus),
            prior=4.5 if not searches else -1.0,
            search_focus=1.0,
            **state,
        )
    for order, name in enumerate(names[:_MAX_NAMES]):
        if name.text.lower() in done:
            continue
        rows.add(
            Candidate("search", name.text),
            prior=_name_prior(bool(searches), name.key in read_titles, bool(question.options)),
            search_name=1.0,
            first=float(order == 0),
            title_read=float(name.key in read_titles),
            length=len(name.key) / 20,
            **state,
        )
    if not names:
        _add_word_searches(rows, question, done, bool(searches), state)
    _add_bridges(rows, question, spans, done, read_titles, state)


def _add_bridges(
    rows: MenuRows,
    question: Question,
    spans: Sequence[Found],
    done: set[str],
    read_titles: set[str],
    state: dict[str, float],
) -> None:
    """Offers queries that follow a name found in what was read."""
    added = 0
    for found in spans:
        if added == _MAX_BRIDGES:
            break
        if found.span.kind != "name" or found.asked:
            continue
        query = _bridge_query(question, found)
        if query.lower() in done:
            continue
        rows.add(
            Candidate("search", query),
            found.line.product,
            prior=found.score - 0.9 + 1.5 * (state["uncovered"] > 0.45),
            search_bridge=1.0,
            title_read=float(found.span.key in read_titles),
            **_span_values(question, found, added, spans[0].score),
            **state,
        )
        added += 1


def _focus_query(question: Question) -> str:
    """The entities twice, so that their own articles come first, and what is asked of them."""
    if not question.names or question.options:
        return ""
    names = " ".join(name.text for name in question.names if not name.inner)
    rest = [w for w in content_words(question.text) if w[0].islower()]
    return " ".join([names, names, *rest])


def _name_prior(searched: bool, read: bool, option: bool) -> float:
    if not searched:
        return 5.0 if option else 2.0
    if read:
        return -2.0
    return 6.5 if option else 1.5


def _add_word_searches(
    rows: MenuRows, question: Question, done: set[str], searched: bool, state: dict[str, float]
) -> None:
    """Offers the last content words of a question without names ("the melting point of gold")."""
    for order, word in enumerate(reversed(content_words(question.text)[-_MAX_WORDS:])):
        if word.lower() not in done:
            rows.add(
                Candidate("search", word),
                prior=1.2 - 0.4 * order if searched else 1.0 - 0.2 * order,
                search_word=1.0,
                first=float(order == 0),
                length=len(word) / 20,
                **state,
            )


def _bridge_query(question: Question, found: Found) -> str:
    """The span, with the words of the question that its line does not yet cover."""
    covered = found.line.sentence.stems | found.line.reading.title_stems
    rest = [w for w in content_words(question.text) if stem(w) not in covered and w.islower()]
    return " ".join([found.span.text, *rest[:5]])


def _span_values(question: Question, found: Found, order: int, best: float) -> dict[str, float]:
    line, span = found.line, found.span
    return {
        **_line_values(line),
        "asked": float(found.asked),
        "is_title": float(span.key == line.reading.title_key),
        span.kind: 1.0,
        "kind_fit": found.kind_fit,
        "gap": found.gap,
        "count": min(found.count, 5) / 5,
        "rank": line.rank / 3,
        "latest": float(line.latest),
        "position": min(line.position, 8) / 8,
        "behind_best": min(best - found.score, 4.0) / 4,
        "head_in_line": float(bool(question.head) and question.head in line.sentence.stems),
        "first": float(order == 0),
        "length": len(span.key) / 20,
        "sense_behind": line.sense_behind,
        "own_behind": line.own_behind,
        "left_of_names": float(span.start == 0),
        "inner": float(span.inner),
    }


def _line_values(line: Line) -> dict[str, float]:
    return {
        "coverage": line.coverage,
        "own": line.own,
        "focus": line.focus,
        "sense": line.sense,
        "title_asked": line.title_asked,
        "title_sought": line.title_sought,
        "title_met": line.title_met,
    }


def _add_options(
    rows: MenuRows, question: Question, lines: Sequence[Line], state: dict[str, float]
) -> None:
    """Adds the alternatives of an "A or B" question, ordered by the numbers read about them."""
    if question.yes_no:
        for text in ("yes", "no"):
            rows.add(
                Candidate("final", text),
                prior=2.5 * bool(lines) + 0.1 * (text == "yes"),
                answer_span=1.0,
                answer_option=1.0,
                yes=1.0 if text == "yes" else -1.0,
                **state,
            )
    values = [number_of(option.key, lines) for option in question.options]
    known = [v for v in values if v is not None]
    best = _line_values(lines[0]) if lines else {}
    for option, value in zip(question.options, values, strict=True):
        order = 0.0
        if value is not None and len(known) == len(values) and min(known) != max(known):
            order = (1.0 if value == max(known) else -1.0) * question.direction
        rows.add(
            Candidate("final", option.text),
            prior=(7.0 if order else 3.0) + order if lines else 0.0,
            answer_span=1.0,  # what is learned of answering holds for options too
            answer_option=1.0,
            option_order=order,
            first=float(option is question.options[0]),
            **best,
            **state,
        )


def _add_answers(
    rows: MenuRows, question: Question, spans: Sequence[Found], state: dict[str, float]
) -> None:
    for order, found in enumerate(spans[:_MAX_ANSWERS]):
        rows.add(
            Candidate("final", found.span.text),
            found.line.product,
            prior=found.score,
            answer_span=1.0,
            **_span_values(question, found, order, spans[0].score),
            **state,
        )
