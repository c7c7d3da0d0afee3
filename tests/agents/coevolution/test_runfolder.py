"""The run folder: all or nothing, one owner, and one clear line for whatever goes wrong."""

import json
import os
import signal
import subprocess
import sys

import pytest

from asl_env.agents.coevolution.runfolder import RunFolder
from asl_env.errors import RunError


def saver(text):
    return lambda folder: (folder / "weights").write_text(text)


def commit(folder, name, lines, state=None, keep=()):
    before = state or {"logs": {}}
    folder.commit({**before, "checkpoint": name}, {"events.jsonl": lines}, saver(name), keep=keep)
    return folder.read_state()


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "run")
    with folder.owned():
        folder.begin({"seed": 1})
        yield folder


def test_a_new_run_remembers_its_configuration(folder):
    assert folder.config() == {"seed": 1}
    assert folder.read_state() is None


def test_a_second_run_in_the_same_folder_is_refused(folder):
    with pytest.raises(RunError, match=r"holds a run already; go on with: asl train --resume"):
        folder.begin({"seed": 2})


def test_a_folder_with_other_things_is_refused(tmp_path):
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(RunError, match=r"not empty \(it holds 'thesis.tex'\)"):
        RunFolder(tmp_path).begin({})


def test_a_commit_appends_lines_and_replaces_the_state(folder):
    state = commit(folder, "a", [b"1\n", b"2\n"])
    state = commit(folder, "b", [b"3\n"], state, keep=["a"])
    assert (folder.path / "events.jsonl").read_bytes() == b"1\n2\n3\n"
    assert state["logs"] == {"events.jsonl": 6}
    assert (folder.checkpoint("b") / "weights").read_text() == "b"


def test_old_checkpoints_are_removed_unless_kept(folder):
    state = commit(folder, "a", [])
    state = commit(folder, "b", [], state, keep=["a"])
    commit(folder, "c", [], state, keep=["a"])
    assert sorted(item.name for item in (folder.path / "checkpoints").iterdir()) == ["a", "c"]


def test_what_was_written_after_the_last_state_is_cut_off(folder):
    commit(folder, "a", [b"1\n"])
    with (folder.path / "events.jsonl").open("ab") as file:
        file.write(b'{"half a li')
    folder.read_state()
    assert (folder.path / "events.jsonl").read_bytes() == b"1\n"


def test_a_log_shorter_than_the_state_says_is_not_silently_accepted(folder):
    commit(folder, "a", [b"1234\n"])
    os.truncate(folder.path / "events.jsonl", 2)
    with pytest.raises(RunError, match=r"has 2 bytes but state.json counts 5"):
        folder.read_state()


def test_a_damaged_state_names_the_file(folder):
    commit(folder, "a", [])
    (folder.path / "state.json").write_text('{"logs": ')
    with pytest.raises(RunError, match=r"state.json: damaged"):
        folder.read_state()


def test_a_missing_checkpoint_is_named(folder):
    commit(folder, "a", [])
    (folder.checkpoint("a") / "weights").unlink()
    folder.checkpoint("a").rmdir()
    with pytest.raises(RunError, match=r"the checkpoint that state.json names is missing"):
        folder.read_state()


def test_a_run_of_another_format_is_refused(folder):
    (folder.path / "config.yaml").write_text("format: 99\n")
    with pytest.raises(RunError, match="not a run of format 1"):
        folder.config()


def test_a_file_is_no_run_folder_and_stays(tmp_path):
    path = tmp_path / "notes.txt"
    path.write_text("mine")
    with pytest.raises(RunError, match="is a file; choose another folder"), RunFolder(path).owned():
        pass
    assert path.read_text() == "mine"


def test_an_empty_folder_holds_no_run(tmp_path):
    with pytest.raises(RunError, match="no run was begun here"):
        RunFolder(tmp_path).config()


def test_learners_that_fail_to_save_leave_the_last_state(folder):
    commit(folder, "a", [b"1\n"])

    def full(path):
        (path / "weights").write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(RunError, match=r"No space left on device.*asl train --resume") as caught:
        folder.commit({"logs": {}, "checkpoint": "b"}, {"events.jsonl": [b"2\n"]}, full, keep=[])
    assert "\n" not in str(caught.value)
    assert folder.read_state()["checkpoint"] == "a"
    assert [item.name for item in (folder.path / "checkpoints").iterdir()] == ["a"]


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("x")
    with (
        pytest.raises(RunError, match=r"run.lock: cannot be written"),
        RunFolder(tmp_path / "file" / "run").owned(),
    ):
        pass


HOLDER = """
import sys, time
from asl_env.agents.coevolution.runfolder import RunFolder
with RunFolder(sys.argv[1]).owned():
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_until_the_first_is_dead(tmp_path):
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with (
            pytest.raises(RunError, match=rf"another run is writing here \(process {holder.pid}\)"),
            RunFolder(tmp_path).owned(),
        ):
            pass
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert (tmp_path / "run.lock").read_text() == f"{holder.pid}\n"
    with RunFolder(tmp_path).owned():
        assert (tmp_path / "run.lock").read_text() == f"{os.getpid()}\n"


LIMITED = """
import resource, sys
from asl_env.agents.coevolution.runfolder import RunFolder
from asl_env.errors import RunError
folder = RunFolder(sys.argv[1])
state = folder.read_state()
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
try:
    folder.commit({**state, "checkpoint": "b", "pool": "x" * 3000},
                  {"events.jsonl": [b"y" * 2000]}, lambda path: None, keep=[])
except RunError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("limit", "file"), [(1000, "events.jsonl"), (2500, "state.json")], ids=["log", "state"]
)
def test_a_disk_that_takes_no_more_gives_one_line_and_a_resumable_folder(folder, limit, file):
    commit(folder, "a", [b"1\n"])
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(folder.path), str(limit)],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.count("\n") == 1
    assert f"{file}: cannot be written (File too large)" in done.stdout
    assert "asl train --resume" in done.stdout
    state = folder.read_state()
    assert state["checkpoint"] == "a"
    assert (folder.path / "events.jsonl").read_bytes() == b"1\n"
    assert json.loads((folder.path / "state.json").read_text()) == state
