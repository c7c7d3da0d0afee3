"""A run that is killed anywhere and resumed is the run that was not killed, byte for byte."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DRIVER = Path(__file__).with_name("crash_driver.py")


def contents(folder):
    """Every file of a run folder that is part of its outcome."""
    aside = ("timing.jsonl", "run.lock")
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in files if path.name not in aside
    }


def check(tmp_path, kills):
    done = subprocess.run(
        [sys.executable, str(DRIVER), str(tmp_path), str(kills)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    expected = contents(tmp_path / "whole")
    assert {"events.jsonl", "state.json", "trajectories.jsonl", "config.yaml"} <= set(expected)
    for row in report["rows"]:
        assert row["first"] == -signal.SIGKILL, row
        assert row["last"] == 0, row
        assert contents(Path(row["folder"])) == expected, row
    return report


def test_a_killed_run_resumes_to_the_same_bytes(tmp_path):
    report = check(tmp_path, kills=6)
    assert {
        "act generator", "act grm", "act policy", "update generate", "update verify",
        "update solve", "before replace", "after replace", "saved verify", "saved solve",
        "saved measure", "saved generate",
    } <= set(report["kinds"])  # fmt: skip


@pytest.mark.slow
def test_a_run_killed_at_a_hundred_instants_resumes_to_the_same_bytes(tmp_path):
    report = check(tmp_path, kills=100)
    assert len(report["rows"]) >= 100
    assert report["instants"] > 300
