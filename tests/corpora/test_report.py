"""Counting what was kept and what was bad."""

from __future__ import annotations

import json

from asl_env.corpora.report import ReadReport


def test_problems_are_counted_by_kind_with_their_first_places() -> None:
    report = ReadReport(seen=1200, kept=1190)
    for place in (3, 5, 8, 13, 21, 34, 55):
        report.add("broken JSON", place)
    report.add("empty text", 2)
    assert report.bad == 8
    assert report.lines() == [
        "7 x broken JSON (lines 3, 5, 8, 13, 21, ...)",
        "1 x empty text (line 2)",
    ]


def test_a_byte_order_mark_costs_no_passage() -> None:
    report = ReadReport()
    report.add("byte order mark", 1)
    assert report.bad == 0
    assert len(report.lines()) == 1


def test_the_report_is_plain_data() -> None:
    report = ReadReport(unit="page", seen=3, kept=2)
    report.add("broken XML", 2)
    report.tally("redirects")
    report.tally("redirects")
    assert json.loads(json.dumps(report.to_json())) == {
        "unit": "page",
        "seen": 3,
        "kept": 2,
        "tallies": {"redirects": 2},
        "problems": {"broken XML": {"count": 1, "first": [2]}},
    }
