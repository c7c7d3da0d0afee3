"""Task files in the forms that benchmarks come in, and what happens to bad records."""

import bz2
import gzip
import json

import pytest

from asl_env.errors import InvalidTaskError
from asl_env.evaluation.tasks import load_tasks, read_tasks


def write(path, *records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


def test_flashrag(tmp_path):
    path = write(
        tmp_path / "dev.jsonl",
        {
            "id": "hotpotqa-1",
            "question": "Who?",
            "golden_answers": ["Łukasz", "Lukasz"],
            "metadata": {"type": "bridge"},
        },
    )
    (task,) = load_tasks(path)
    assert (task.id, task.question, task.answers) == ("hotpotqa-1", "Who?", ("Łukasz", "Lukasz"))
    assert task.provenance == {"metadata": {"type": "bridge"}}


def test_nq_open_has_no_ids(tmp_path):
    path = write(
        tmp_path / "nq.jsonl",
        {"question": "when?", "answer": ["1972", "December 1972"]},
        {"question": "who?", "answer": ["Scott"]},
    )
    assert [task.id for task in read_tasks(path)] == ["nq-1", "nq-2"]


def test_bamboogle_has_one_answer_as_a_string(tmp_path):
    path = write(tmp_path / "b.jsonl", {"idx": 7, "question": "Which?", "answer": "Titan IIIE"})
    (task,) = read_tasks(path)
    assert (task.id, task.answers) == ("7", ("Titan IIIE",))


def test_hotpotqa_is_one_json_list(tmp_path):
    path = tmp_path / "hotpot.json"
    record = {"_id": "5a", "question": "Where?", "answer": "Oslo", "context": [["T", ["long"]]]}
    path.write_text(json.dumps([record | {"type": "bridge"}]), encoding="utf-8")
    (task,) = read_tasks(path)
    assert (task.id, task.answers, task.provenance) == ("5a", ("Oslo",), {"type": "bridge"})


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress])
def test_compressed_files_are_read(tmp_path, pack):
    path = tmp_path / "t.jsonl.packed"
    path.write_bytes(pack(b'{"question": "Where?", "answer": "Oslo"}\n'))
    assert len(load_tasks(path)) == 1


def test_bad_records_are_left_out_and_told(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(
        b'{"id": "a", "question": "Where?", "answer": "Oslo"}\n'
        b'{"id": "b", "question": \n'
        b'{"id": "c", "question": " ", "answer": "Oslo"}\n'
        b'{"id": "d", "question": "Where?"}\n'
        b'{"id": "e", "question": "Where?", "answer": ["The", "..."]}\n'
        b'{"id": "a", "question": "Again?", "answer": "Oslo"}\n'
        b'["a list"]\n'
        b'{"id": "f", "question": "Caf\xe9?", "answer": "Oslo"}\n'
        b'{"id": "g", "question": "Year?", "answer": [1905, "the"]}\n'
    )
    found = read_tasks(path)
    assert [(task.id, task.answers) for task in found] == [("a", ("Oslo",)), ("g", ("1905",))]
    assert found.report.lines() == [
        "1 x broken JSON (record 2)",
        "1 x no question (field 'question') (record 3)",
        "1 x no answer (field 'golden_answers') (record 4)",
        "1 x answers that normalise to nothing (field 'golden_answers') (record 5)",
        "1 x id that was used before (record 6)",
        "1 x not a JSON object (record 7)",
        "1 x not UTF-8 (record 8)",
    ]


def test_a_file_without_one_usable_task_is_refused(tmp_path):
    path = write(tmp_path / "t.jsonl", {"question": "Where?", "answer": "the"})
    with pytest.raises(InvalidTaskError, match=r"t\.jsonl: no usable task .*normalise to nothing"):
        read_tasks(path)


def test_an_empty_file_is_refused(tmp_path):
    with pytest.raises(InvalidTaskError, match="the file is empty"):
        read_tasks(write(tmp_path / "t.jsonl"))


def test_a_list_that_is_cut_short_is_refused(tmp_path):
    path = tmp_path / "t.json"
    path.write_text('[{"question": "Where?"', encoding="utf-8")
    with pytest.raises(InvalidTaskError, match="not a JSON list"):
        read_tasks(path)


def test_a_limit_draws_the_same_tasks_every_time(tmp_path):
    records = [{"id": f"{n:03}", "question": "Where?", "answer": "Oslo"} for n in range(100)]
    path = write(tmp_path / "t.jsonl", *records)
    drawn = [task.id for task in load_tasks(path, limit=10)]
    assert drawn == sorted(drawn) == [task.id for task in load_tasks(path, limit=10)]
    assert len(set(drawn)) == 10 and drawn[-1] > "050"
    assert len(load_tasks(path, limit=1000)) == 100


def test_an_unknown_name_gets_a_hint():
    with pytest.raises(InvalidTaskError, match="'miniwiki-2hops'; did you mean 'miniwiki-2hop'"):
        load_tasks("miniwiki-2hops")


def test_miniwiki_sets_come_by_name():
    found = load_tasks("miniwiki-2hop", limit=5)
    assert len(found) == 5
    assert all(task.answers and task.question.endswith("?") for task in found)


def test_a_benchmark_is_read_from_where_the_hub_puts_it(tmp_path, monkeypatch):
    from asl_env.evaluation import hub

    file = write(tmp_path / "test.jsonl", {"id": "test_0", "question": "Who?", "answer": "Ada"})
    asked = []
    monkeypatch.setattr(hub, "fetch", lambda address: asked.append(address) or file)
    assert load_tasks("popqa").name == "popqa"
    assert len(load_tasks("hf:someone/questions@v2/test.jsonl")) == 1
    assert asked == [hub.BENCHMARKS["popqa"], "hf:someone/questions@v2/test.jsonl"]


def test_a_misspelt_benchmark_gets_a_hint():
    with pytest.raises(InvalidTaskError, match="did you mean 'hotpotqa'"):
        load_tasks("hotpot-qa")
