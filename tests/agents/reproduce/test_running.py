"""Running claims for real in a small world: plan, processes, kills, results, verdicts, figures."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ET
from dataclasses import replace

import pytest
import tiny

from asl_env.agents.reproduce.claim import Arm, Check, Claim, Point, Slope, gain
from asl_env.agents.reproduce.figures import claim_figure
from asl_env.agents.reproduce.jobs import drawn_tasks, plan
from asl_env.agents.reproduce.outcome import judge, read_results
from asl_env.agents.reproduce.page import arm_table, outcome_table
from asl_env.agents.reproduce.results import distil, write_results
from asl_env.agents.reproduce.running import Runner
from asl_env.agents.reproduce.setting import Setting
from asl_env.errors import RecordError, RunError
from asl_env.evaluation.records import encode

pytestmark = pytest.mark.slow

SMALL = (
    "generate.steps=96", "generate.chunk_steps=32", "generate.num_envs=8", "generate.solves=4",
    "generate.verifications=1", "generate.threshold=0.0", "generate.accept=gate",
    "verify.steps=32", "verify.chunk_steps=32", "verify.num_envs=8", "solve.episodes=24",
    "solve.steps=256", "solve.chunk_steps=32", "solve.num_envs=8", "requests.seeds=16",
    "requests.topics=titles", "diagnostics.tasks_per_set=6", "diagnostics.claims=6",
    "diagnostics.votes=1", "diagnostics.probes=0", "max_turns=4",
)  # fmt: skip
ASL = Arm("asl", "the loop", "asl")
FEW, MORE = (
    Arm(f"tasks-{n}", f"{n} tasks", "asl", ("generate.enabled=false", "verify.enabled=false"),
        tasks_from="asl", tasks=n)
    for n in (2, 4)
)  # fmt: skip
CLAIM = Claim(
    1,
    "tiny",
    "It rises.",
    "In the tiny world.",
    (ASL, FEW, MORE),
    (
        Check("rises", "true accuracy rises", gain("asl", since=0), 0.02),
        Check("slope", "more is better", Slope((Point(FEW.name), Point(MORE.name))), 0.01, False),
    ),
    (Point("asl"), Point("asl", "judged")),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with the files of the tiny world."""
    folder = tmp_path_factory.mktemp("claims")
    passages = [{"id": p.id, "title": p.title, "text": p.text} for p in tiny.PASSAGES]
    tasks = [{"id": t.id, "question": t.question, "golden_answers": list(t.answers)}
             for t in tiny.make_world().held_out["towns"]]  # fmt: skip
    for name, rows in (("towns.jsonl", passages), ("eval.jsonl", tasks)):
        (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def setting(place):
    options = ("--corpus", str(place / "towns.jsonl"), "--held-out", str(place / "eval.jsonl"))
    return Setting("tiny", "candidates", None, 1, SMALL, (), (2, 4), (0, 1, 2),
                   options=options)  # fmt: skip


@pytest.fixture(scope="module")
def finished(place, setting):
    """All jobs, run two at a time, and what was told of them."""
    jobs, told = plan([CLAIM], setting, place / "runs"), []
    Runner(jobs, 2, lambda job, seconds, good: told.append((job.name, good))).run()
    return jobs, told


def test_every_job_is_run_once_and_donors_come_first(finished):
    jobs, told = finished
    assert sorted(told) == sorted((job.name, True) for job in jobs)
    names = [name for name, _ in told]
    assert names.index("asl-0") < names.index("tasks-2-0")
    assert all(job.done for job in jobs)


def test_jobs_that_are_done_are_not_run_again(finished):
    jobs, _ = finished
    Runner(jobs, 2, lambda *_: pytest.fail("ran again")).run()


def test_given_tasks_are_nested_and_drawn_by_the_seed(finished):
    donor = next(job for job in finished[0] if job.name == "asl-0").folder
    few, more = (drawn_tasks(donor, count, 0) for count in (2, 4))
    assert more[:2] == few
    assert drawn_tasks(donor, 10**6, 0)[:4] == more


def test_results_hold_what_tables_and_figures_need(finished, setting, tmp_path):
    jobs, _ = finished
    paths = write_results(jobs, tmp_path)
    assert {path.name for path in paths} == {"asl.jsonl", "tasks-2.jsonl", "tasks-4.jsonl"}
    rows = [json.loads(line) for line in (tmp_path / "tiny" / "asl.jsonl").open()]
    assert [(row["seed"], row["round"]) for row in rows] == [
        (s, r) for s in range(3) for r in (0, 1)
    ]
    assert rows[1]["rollouts"]["played"]["policy"] >= 24
    assert rows[1]["cpu"] > 0 and rows[1]["seconds"] > 0
    results = read_results([CLAIM], setting, tmp_path)
    (outcome,) = judge([CLAIM], setting, results)
    rises, slope = (finding for _, finding in outcome.findings)
    expected = [rows[2 * n + 1]["true"] - rows[2 * n]["true"] for n in range(3)]
    assert rises.seeds == 3
    assert rises.positive == sum(value > 0 for value in expected)
    assert slope.seeds == 3
    assert outcome.verdict == rises.verdict
    assert "| rises |" in outcome_table([outcome])
    assert arm_table([CLAIM], results).count("\n") == 4
    drawing = claim_figure(replace(CLAIM, arms=(ASL,)), results)
    assert ET.fromstring(drawing).tag.endswith("svg")
    assert "asl, judged" in drawing


def test_results_of_other_seeds_stay(finished, setting, tmp_path):
    jobs = [job for job in finished[0] if job.arm.name == "asl"]
    write_results(jobs, tmp_path)
    path = tmp_path / "tiny" / "asl.jsonl"
    whole = path.read_text()
    write_results(jobs[1:2], tmp_path)
    assert path.read_text() == whole


def test_results_of_another_description_are_refused(finished, setting, tmp_path):
    write_results(finished[0], tmp_path)
    with pytest.raises(RecordError, match="another description of this arm"):
        read_results([CLAIM], replace(setting, rounds=2), tmp_path)


def test_seeds_that_are_not_registered_do_not_count(finished, setting, tmp_path):
    write_results(finished[0], tmp_path)
    fewer = replace(setting, seeds=(0, 1))
    (outcome,) = judge([CLAIM], fewer, read_results([CLAIM], fewer, tmp_path))
    assert outcome.findings[0][1].seeds == 2
    assert outcome.verdict == "undecided"


def test_a_folder_with_another_run_is_refused(finished, place, setting):
    other = plan([CLAIM], replace(setting, changes=(*SMALL, "solve.episodes=8")), place / "runs")
    with pytest.raises(RunError, match=r"field 'recipe.solve.episodes' was 24 and is now 8"):
        other[0].prepare()


def test_a_job_that_fails_is_named_with_its_log_and_the_others_are_run(place, setting, tmp_path):
    broken = replace(setting, options=("--corpus", "no-such-file"), seeds=(0,))
    told = []
    with pytest.raises(RunError, match=r"asl-0 failed; see .*asl-0.log"):
        jobs = plan([CLAIM], broken, tmp_path)
        Runner(jobs, 1, lambda job, seconds, good: told.append((job.name, good))).run()
    assert told == [("asl-0", False)]
    assert "no-such-file" in (tmp_path / "logs" / "asl-0.log").read_text()


def test_a_job_that_cannot_be_prepared_stops_no_other(finished, place, setting, tmp_path):
    jobs, told = plan([CLAIM], replace(setting, seeds=(0,)), tmp_path), []
    shutil.copytree(finished[0][0].folder, tmp_path / "asl-0")
    for path in (tmp_path / "asl-0" / "tasks").glob("*.jsonl"):
        path.write_text("")
    with pytest.raises(RunError, match=r"tasks-2-0 failed \(and 1 more\)"):
        Runner(jobs, 1, lambda job, seconds, good: told.append((job.name, good))).run()
    assert told == [("tasks-2-0", False), ("tasks-4-0", False)]
    assert "made no tasks" in (tmp_path / "logs" / "tasks-2-0.log").read_text()


def test_tasks_and_results_hold_whatever_a_model_says(finished, setting, tmp_path):
    folder, odd = tmp_path / "donor" / "tasks", "one\u2028two \ud800"
    folder.mkdir(parents=True)
    row = {"id": "r1-t0", "question": odd, "golden_answers": [odd]}
    (folder / "round-01.jsonl").write_bytes(encode(row))
    (drawn,) = drawn_tasks(folder.parent, 5, 0)
    assert drawn["question"] == odd
    job = next(job for job in finished[0] if job.name == "tasks-2-0")
    assert {row["given"] for row in distil(job)} == {2}


def test_processes_get_the_threads_they_are_told(finished):
    assert Runner(finished[0], 1, lambda *_: None, threads=3).environment["OMP_NUM_THREADS"] == "3"


def test_what_was_killed_goes_on_even_beside_an_orphan(place, setting, tmp_path):
    (job,) = plan([replace(CLAIM, arms=(ASL,))], replace(setting, seeds=(5,)), tmp_path)
    orphan = subprocess.Popen(job.prepare(), stdout=subprocess.DEVNULL)
    while not (job.folder / "state.json").exists():
        assert orphan.poll() is None, "the run ended before its first save"
        time.sleep(0.05)
    os.kill(orphan.pid, signal.SIGSTOP)
    killer = subprocess.Popen(
        [sys.executable, "-c", f"import time, os; time.sleep(2); os.kill({orphan.pid}, 9)"]
    )
    reaper = threading.Thread(target=orphan.wait)
    reaper.start()
    Runner([job], 1, lambda *_: None).run()  # waits until nobody holds the folder
    killer.wait()
    reaper.join()
    assert job.done
