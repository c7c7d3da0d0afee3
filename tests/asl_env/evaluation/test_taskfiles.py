"""The same records out of every file form, and one clear line for what is damaged."""

import json

import pytest

from asl_env.corpora.report import ReadReport
from asl_env.errors import CorpusError, InvalidTaskError
from asl_env.evaluation.taskfiles import records
from asl_env.evaluation.tasks import read_tasks

ROWS = [
    {"id": "a", "question": "Where?", "golden_answers": ["Oslo", "Christiania"]},
    {"id": "b", "question": "Who?", "golden_answers": ["Łukasz"]},
]


def parquet(path, rows):
    arrow = pytest.importorskip("pyarrow")
    from pyarrow.parquet import write_table

    write_table(arrow.Table.from_pylist(rows), path)
    return path


def read(path):
    return [record for _, record in records(path, ReadReport())]


@pytest.mark.parametrize(
    "text",
    [
        "\n".join(json.dumps(row) for row in ROWS),
        json.dumps(ROWS),
        json.dumps(ROWS, indent=2),
        json.dumps({"Domain": "Web", "Data": ROWS}, indent=4),
    ],
    ids=["lines", "list", "list over lines", "wrapped"],
)
def test_every_json_form_gives_the_same_records(tmp_path, text):
    path = tmp_path / "t.json"
    path.write_text(text, encoding="utf-8")
    assert read(path) == ROWS


def test_parquet_gives_the_same_records(tmp_path):
    assert read(parquet(tmp_path / "t.parquet", ROWS)) == ROWS


def test_parquet_is_recognised_by_content_and_read_in_batches(tmp_path):
    rows = [{"id": n, "question": "Where?", "answer": "Oslo"} for n in range(1_300)]
    path = parquet(tmp_path / "t.data", rows)
    assert [number for number, _ in records(path, ReadReport())] == list(range(1, 1_301))
    assert len(read_tasks(path)) == 1_300


def test_a_search_r1_parquet_file(tmp_path):
    row = {
        "id": "test_0",
        "question": "who wrote it?",
        "golden_answers": ["Ada"],
        "data_source": "nq",
        "prompt": [{"role": "user", "content": "Answer. Question: who wrote it?\n"}],
        "reward_model": {"style": "rule", "ground_truth": {"target": ["Ada"]}},
        "extra_info": {"split": "test", "index": 0},
    }
    bare = {key: row[key] for key in ("data_source", "prompt", "reward_model", "extra_info")}
    (task,) = read_tasks(parquet(tmp_path / "whole.parquet", [row]))
    assert (task.id, task.question, task.answers) == ("nq_test_0", "who wrote it?", ("Ada",))
    (task,) = read_tasks(parquet(tmp_path / "bare.parquet", [bare]))
    assert (task.id, task.question, task.answers) == ("nq_0", "who wrote it?", ("Ada",))


def test_popqa_as_a_table(tmp_path):
    path = tmp_path / "test.tsv"
    path.write_text(
        "id\tsubj\tquestion\tpossible_answers\n"
        '42\tAda\tWhat is Ada\'s occupation?\t"[""poet"", ""writer""]"\n',
        encoding="utf-8",
    )
    (task,) = read_tasks(path)
    assert (task.id, task.answers) == ("42", ("poet", "writer"))


def test_bamboogle_as_a_table(tmp_path):
    path = tmp_path / "b.csv"
    path.write_text('Question,Answer\n"Who, then?",Ada\nWhere?\n', encoding="utf-8")
    found = read_tasks(path)
    assert [(task.id, task.question) for task in found] == [("b-1", "Who, then?")]
    assert found.report.lines() == ["1 x no answer (field 'golden_answers') (record 2)"]


@pytest.mark.parametrize("cut", [8, 60, -4])
def test_a_damaged_parquet_file_is_one_line(tmp_path, cut):
    path = parquet(tmp_path / "t.parquet", ROWS)
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(
        InvalidTaskError, match=r"t\.parquet: a damaged or cut Parquet file"
    ) as told:
        read(path)
    assert "\n" not in str(told.value)


def test_deep_nesting_is_a_broken_line_not_a_crash(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text("[" * 3 + "\n", encoding="utf-8")
    with pytest.raises(InvalidTaskError, match="not a JSON list"):
        read(path)
    path.write_text('{"a":' * 100_000 + "\n" + json.dumps(ROWS[0]), encoding="utf-8")
    report = ReadReport(unit="record")
    assert [record for _, record in records(path, report)] == ROWS[:1]
    assert report.lines() == ["1 x broken JSON (record 1)"]


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(CorpusError, match="gone"):
        read(tmp_path / "gone")
