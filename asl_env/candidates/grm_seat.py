"""The GRM's menu: searches for evidence, and the two verdicts with what the evidence says."""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.candidates.evidence import (
    Found,
    Line,
    Search,
    gather_lines,
    gather_spans,
    kind_fit,
    number_of,
)
from asl_env.candidates.menu import Candidate, Menu, MenuRows
from asl_env.candidates.reading import Question, find_spans, read_question
from asl_env.candidates.vectors import SenseVectors
from asl_env.text import normalize

#: The judge searches at most this often before it must conclude.
MAX_SEARCHES = 2
#: Feature columns, in order. Evidence enters signed: +x in the row of "correct", -x in "wrong".
COLUMNS = (
    "prior",
    "search_question",
    "search_both",
    "search_answer",
    "search_name",
    "says_correct",
    "says_wrong",
    "no_search_yet",
    "searches",
    "bias",
    "found",
    "span",
    "coverage",
    "own",
    "focus",
    "sense",
    "score",
    "best_other",
    "margin",
    "order",
    "kind_fit",
    "kind_known",
    "gap",
    "gap_other",
    "asked",
    "title_asked",
    "title_met",
    "is_title",
    "empty",
    "words",
    "odd",
    "count",
    "name",
    "number",
    "year",
    "word",
    "uncovered",
    "best_coverage",
    "option",
    "direction",
    "option_order",
)
VERDICTS = {"correct": "conclusion: correct", "wrong": "conclusion: wrong"}
_ODD = frozenset("conclusion correct wrong answer judge please accept or verdict".split())


def grm_menu(text: str, answer: str, searches: Sequence[Search], sense: SenseVectors) -> Menu:
    """Builds the GRM's menu for a claim.

    Args:
        text: The question.
        answer: The proposed answer.
        searches: Searches made so far, with what was read.
        sense: Source of sense vectors.

    Returns:
        A menu that always holds both verdicts.
    """
    question = read_question(text)
    rows = MenuRows(COLUMNS)
    state = {"no_search_yet": float(not searches), "searches": len(searches) / MAX_SEARCHES}
    if len(searches) < MAX_SEARCHES:
        _add_searches(rows, question, answer, searches, state)
    lines = gather_lines(question, searches, sense)
    evidence = _weigh(question, answer, lines)
    lean = evidence.pop("lean")
    for name, sign in (("correct", 1.0), ("wrong", -1.0)):
        signed = {key: sign * value for key, value in evidence.items()}
        prior = sign * lean if searches else -3.0
        flag = {f"says_{name}": 1.0, "bias": sign, "prior": prior}
        rows.add(Candidate("final", VERDICTS[name]), **signed, **flag, **state)
    return rows.menu()


def _add_searches(
    rows: MenuRows,
    question: Question,
    answer: str,
    searches: Sequence[Search],
    state: dict[str, float],
) -> None:
    done = {search.query.lower() for search in searches}
    options = [("search_question", question.text), ("search_both", f"{question.text} {answer}")]
    if normalize(answer):
        options.append(("search_answer", answer))
    options.extend(("search_name", name.text) for name in question.names[:2])
    for column, query in options:
        if query.lower() in done:
            continue
        first = 3.0 if column == "search_both" else 1.0
        prior = first if not searches else -4.0
        rows.add(Candidate("search", query[:300]), prior=prior, **{column: 1.0}, **state)


def _weigh(question: Question, answer: str, lines: Sequence[Line]) -> dict[str, float]:
    """Evidence for and against an answer; ``lean`` is the hand-made judgement."""
    key = normalize(answer)
    spans = gather_spans(question, lines)
    mine = next((f for f in spans if f.span.key == key), None)
    other = next((f for f in spans if f.span.key != key and not f.asked), None)
    order = next((i for i, f in enumerate(spans) if f.span.key == key), len(spans))
    holding = next((line for line in lines if key and _holds(line, key)), None)
    line = mine.line if mine else holding
    values = _line_values(line)
    values.update(_answer_values(question, answer, key, mine))
    values["found"] = float(line is not None)
    values["order"] = 1.0 / (1 + order) if mine else 0.0
    values["best_other"] = other.score / 4 if other else 0.0
    values["gap_other"] = other.gap if other else 0.0
    score = mine.score if mine else (holding.score - 1.0 if holding else 0.0)
    values["score"] = score / 4
    values["margin"] = (score - (other.score if other else 0.0)) / 4
    values["best_coverage"] = max((x.coverage for x in lines), default=0.0)
    values["uncovered"] = 1.0 - values["best_coverage"]
    if question.options:
        numbers = {option.key: number_of(option.key, lines) for option in question.options}
        known = [value for value in numbers.values() if value is not None]
        value = numbers.get(key)
        if value is not None and len(known) == 2 and known[0] != known[1]:
            values["option_order"] = (1.0 if value == max(known) else -1.0) * question.direction
    values["lean"] = values["margin"] * 4 + 0.7 if line is not None else -2.0
    return values


def _holds(line: Line, key: str) -> bool:
    return f" {key} " in f" {normalize(line.sentence.text)} "


def _line_values(line: Line | None) -> dict[str, float]:
    if line is None:
        return {}
    return {
        "coverage": line.coverage,
        "own": line.own,
        "focus": line.focus,
        "sense": line.sense,
        "title_asked": line.title_asked,
        "title_met": line.title_met,
    }


def _answer_values(
    question: Question, answer: str, key: str, mine: Found | None
) -> dict[str, float]:
    words = key.split()
    span = mine.span if mine else next(iter(find_spans(answer[:200])), None)
    values = {
        "asked": float(bool(key) and f" {key} " in f" {question.key} "),
        "empty": float(not key),
        "words": min(len(words), 10) / 10,
        "odd": float(any(word in _ODD for word in words)),
        "option": float(any(key == option.key for option in question.options)),
        "direction": float(bool(question.options)) * question.direction,
        "kind_known": float(question.expected is not None),
    }
    if span is not None:
        values[span.kind] = 1.0
        values["kind_fit"] = kind_fit(question, span)
    if mine is not None:
        values["span"] = 1.0
        values["gap"] = mine.gap
        values["count"] = min(mine.count, 5) / 5
        values["is_title"] = float(mine.span.key == mine.line.reading.title_key)
    return values
