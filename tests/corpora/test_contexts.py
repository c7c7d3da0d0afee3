"""HotpotQA-style contexts, as one big JSON list or as lines."""

from __future__ import annotations

import bz2
import json
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

from asl_env.corpora import contexts
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.formats import detect_format, read_passages
from asl_env.corpora.passages import Passage
from asl_env.corpora.report import ReadReport

QUESTIONS = [
    {"_id": "q1", "context": [["Abel", ["Abel is a city.", " It is old."]], ["Bela", ["B."]]]},
    {"_id": "q2", "context": [["Bela", ["B."]], ["Bela", ["Another."]], ["Empty", []]]},
]
PASSAGES = [
    Passage("0", "Abel", "Abel is a city. It is old."),
    Passage("1", "Bela", "B."),
    Passage("2", "Bela", "Another."),
]


def read(path: Path) -> tuple[list[Passage], ReadReport]:
    report = ReadReport()
    return list(read_passages(path, "hotpotqa", report=report)), report


def put(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_a_list_and_lines_give_the_same_different_paragraphs(tmp_path: Path) -> None:
    whole = put(tmp_path / "a.json", QUESTIONS)
    lines = put(tmp_path / "b.jsonl", "\n".join(json.dumps(q) for q in QUESTIONS))
    pretty = put(tmp_path / "c.json", json.dumps(QUESTIONS, indent=2))
    for path in (whole, lines, pretty):
        assert detect_format(path) == "hotpotqa"
        assert read(path)[0] == PASSAGES


def test_the_form_of_hugging_face_is_read_too(tmp_path: Path) -> None:
    context = {"title": ["Abel", "Bela"], "sentences": [["A."], ["B."]]}
    passages, _ = read(put(tmp_path / "x.jsonl", {"context": context}))
    assert [(p.title, p.text) for p in passages] == [("Abel", "A."), ("Bela", "B.")]


def test_musique_keeps_its_paragraphs_as_objects(tmp_path: Path) -> None:
    paragraphs = [
        {"idx": 0, "title": "Abel", "paragraph_text": "A.", "is_supporting": True},
        {"idx": 1, "title": "Bela", "paragraph_text": "B.", "is_supporting": False},
    ]
    path = put(tmp_path / "m.jsonl", {"id": "2hop__1", "question": "?", "paragraphs": paragraphs})
    assert detect_format(path) == "hotpotqa"
    passages, report = read(path)
    assert [(p.title, p.text) for p in passages] == [("Abel", "A."), ("Bela", "B.")]
    assert not report.lines()


def test_flashrag_keeps_the_context_in_its_metadata(tmp_path: Path) -> None:
    record = {"id": "dev_0", "metadata": {"context": {"title": ["A"], "sentences": [["B.", "C."]]}}}
    path = put(tmp_path / "f.jsonl", record)
    assert detect_format(path) == "hotpotqa"
    assert [(p.title, p.text) for p in read(path)[0]] == [("A", "B. C.")]


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        ({"paragraphs": ["x"]}, "no list of {title, paragraph_text} in 'paragraphs'"),
        ({"paragraphs": [{"title": "A"}]}, "no list of [title, sentences] in 'context'"),
        (7, "not a JSON object"),
        ({"question": "x"}, "no field 'context'"),
        ({"context": "x"}, "field 'context' is not a list"),
        ({"context": [["T"]]}, "no list of [title, sentences] in 'context'"),
        ({"context": [[1, ["s"]]]}, "no list of [title, sentences] in 'context'"),
        ({"context": {"title": 1}}, "no list of [title, sentences] in 'context'"),
        ({"context": [["T", [1]]]}, "a sentence in 'context' is not text"),
    ],
)
def test_bad_records_are_counted(record: Any, kind: str, tmp_path: Path) -> None:
    passages, report = read(put(tmp_path / "x.json", [QUESTIONS[0], record, QUESTIONS[1]]))
    assert passages == PASSAGES
    assert report.unit == "record"
    assert report.problems[kind].first == [2]


@pytest.mark.parametrize("broken", ['{"context": nonsense}', '{"a" "b"}', '{"x": [1,,2]}'])
def test_after_a_broken_record_the_next_one_is_found(broken: str, tmp_path: Path) -> None:
    first, second = map(json.dumps, QUESTIONS)
    passages, report = read(put(tmp_path / "x.json", f"[{first}, {broken}, {second}]"))
    assert passages == PASSAGES
    assert report.problems["broken JSON"].first == [2]
    assert report.seen == 3


@pytest.mark.parametrize("cut", [3, 40, 100])
def test_a_list_that_is_cut_off_keeps_what_it_has(cut: int, tmp_path: Path) -> None:
    text = json.dumps([QUESTIONS[0]] * 3)
    passages, report = read(put(tmp_path / "x.json", text[:-cut]))
    assert passages == PASSAGES[:2]
    assert report.problems["broken JSON"].count == 1


def test_records_longer_than_a_chunk_are_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(contexts, "_CHUNK", 7)
    path = put(tmp_path / "x.json", "\ufeff  [ " + json.dumps(QUESTIONS)[1:])
    assert read(path)[0] == PASSAGES
    compressed = tmp_path / "y"
    compressed.write_bytes(bz2.compress(json.dumps(QUESTIONS).encode()))
    assert read(compressed)[0] == PASSAGES


def test_bytes_that_are_not_utf8_cost_only_their_paragraph(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(json.dumps(QUESTIONS).encode().replace(b"B.", b"\xff"))
    passages, report = read(path)
    assert [p.title for p in passages] == ["Abel", "Bela"]
    assert report.problems["broken Unicode"].count == 1


def test_memory_does_not_grow_with_the_list(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    record = json.dumps({"context": [["T", ["word " * 2_000]]]})
    path.write_text("[" + ",\n".join([record] * 2_000) + "]")
    tracemalloc.start()
    passages, report = read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (len(passages), report.seen) == (1, 2_000)
    assert path.stat().st_size > 20_000_000
    assert peak < 10_000_000


def test_nesting_that_is_too_deep_is_broken_json(tmp_path: Path) -> None:
    path = put(tmp_path / "x.json", "[" * 200_000)
    with pytest.raises(CorpusError, match="no good passage"):
        read(path)
