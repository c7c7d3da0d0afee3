"""Several folders in one report."""

import pytest
from reportkit import blocks, check, episodes, solved

from asl_env.agents.report.write import write_report
from asl_env.errors import RecordError, RunError
from asl_env.evaluation.records import encode


def with_accuracy(folder, *values):
    events = [
        {
            "event": "measured",
            "round": at,
            "metrics": {"round": at, "policy": {"n": 100, "true": value, "judged": 0.5}},
        }
        for at, value in enumerate(values)
    ]
    (folder / "events.jsonl").write_bytes(b"".join(map(encode, events)))
    return folder


def test_runs_of_a_recipe_are_one_curve(make_run, tmp_path):
    first = with_accuracy(make_run([solved(1)], "one"), 0.1, 0.2)
    second = with_accuracy(make_run([solved(2), solved(3)], "two"), 0.1, 0.4)
    path = write_report([first, second], tmp_path / "both.html")
    page = check(path)
    assert "Runs: the last measured round" in page.text and "tiny (2)" in page.text
    assert "true accuracy. tiny (2): 0.100 at round 0, 0.300 at round 1." in (
        path.read_text(encoding="utf-8").lower()
    )
    assert len(episodes(path)) == 3 and len(blocks(path, "shared")) == 2


def test_several_folders_are_reported_on_here(make_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folders = [make_run([solved(1)], name) for name in ("one", "two")]
    assert write_report(folders).resolve() == tmp_path / "report.html"


def test_no_folder_is_an_error():
    with pytest.raises(RunError, match="no folder to report on"):
        write_report([])


def test_a_wrong_folder_among_others_is_named(make_run, tmp_path):
    with pytest.raises(RecordError, match="neither a run folder nor"):
        write_report([make_run([]), tmp_path])
