"""``asl train``: sets a run up, shows it, stops on Ctrl-C, goes on with --resume."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import tiny
import yaml

from asl_env.agents.cli.main import main
from asl_env.agents.coevolution.recipefile import load_recipe, recipe_names

SETTINGS = [
    "generate.steps=64", "generate.chunk_steps=32", "generate.num_envs=8", "generate.solves=4",
    "generate.verifications=2", "generate.threshold=0.5", "verify.steps=32",
    "verify.chunk_steps=32", "verify.num_envs=8", "verify.plateau=null", "solve.steps=64",
    "solve.chunk_steps=32", "solve.num_envs=8", "solve.plateau=null", "requests.seeds=16",
    "requests.minimum=8", "diagnostics.tasks_per_set=6", "diagnostics.claims=6",
    "diagnostics.votes=2", "diagnostics.probes=1", "max_turns=4",
]  # fmt: skip
#: The phases of each recipe for candidates.
PHASES = {
    name: [
        phase
        for phase in ("generate", "verify", "solve")
        if getattr(load_recipe(name), phase).enabled
    ]
    for name in recipe_names()
}
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a corpus, an evaluation set, and other labelled questions."""
    monkeypatch.chdir(tmp_path)
    passages = [{"id": p.id, "title": p.title, "text": p.text} for p in tiny.PASSAGES]
    tasks = [{"id": t.id, "question": t.question, "golden_answers": list(t.answers)}
             for t in tiny.make_world().held_out["towns"]]  # fmt: skip
    labelled = [{**one, "question": f"Which town is {one['golden_answers'][0]}?"} for one in tasks]
    files = {"towns": passages, "eval": tasks, "labelled": labelled}
    for name, rows in files.items():
        Path(f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


WORLD = ["--corpus", "towns.jsonl", "--held-out", "eval.jsonl", "--agent", "tiny:TinyLearner"]


def asl(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


def test_a_run_prints_a_row_per_round_and_where_it_is(here, capsys):
    assert asl("train", *WORLD, *SMALL, "--rounds", 2) == 0
    told = capsys.readouterr()
    rows = [line.split() for line in told.err.splitlines() if re.match(r"\s+\d ", line)]
    assert [row[0] for row in rows] == ["0", "1", "2"]
    assert "runs/asl-1" in told.out
    assert (here / "runs" / "asl-1" / "state.json").exists()
    assert "<html" in (here / "runs" / "asl-1" / "report.html").read_text()


def test_the_next_run_gets_the_next_folder(here):
    Path("runs/asl-1").mkdir(parents=True)
    assert asl("train", *WORLD, *SMALL, "--rounds", 1) == 0
    assert (here / "runs" / "asl-2" / "state.json").exists()


def test_machines_get_one_json_object(here, capsys):
    assert asl("train", *WORLD, *SMALL, "--rounds", 1, "--out", "mine", "--json") == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert (result["run"], result["rounds"]) == ("mine", 1)
    assert [metrics["round"] for metrics in result["history"]] == [0, 1]
    assert 0.0 <= result["history"][1]["policy"]["true"] <= 1.0
    assert told.err == ""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The `render_mode` attribute")
@pytest.mark.parametrize("name", sorted({*recipe_names()} - {"asl-nano"}))
def test_every_recipe_runs_with_candidates(here, name):
    place = ["--corpus", "towns.jsonl", "--held-out", "eval.jsonl", "--agent", "candidates"]
    sizes = [one for one in SETTINGS if not one.startswith("verify.") or "verify" in PHASES[name]]
    labels = {
        "search-r1": "solve.tasks=labelled.jsonl",
        "asl-real-data": "verify.real.path=labelled.jsonl",
    }
    if name == "search-r1":
        sizes = [one for one in sizes if not one.startswith("generate.")]
    changes = [part for one in [*sizes, *([labels[name]] if name in labels else [])]
               for part in ("--set", one)]  # fmt: skip
    assert asl("train", "--recipe", name, *place, *changes, "--rounds", 1, "--out", "run") == 0
    begun = [json.loads(line) for line in Path("run/events.jsonl").read_text().splitlines()]
    assert [e["phase"] for e in begun if e["event"] == "phase-skipped" and e["reason"] == "disabled"
            ] == [p for p in ("generate", "verify", "solve") if p not in PHASES[name]]  # fmt: skip
    state = json.loads(Path("run/state.json").read_text())
    assert (state["round"], state["rollouts"]["measured"]["policy"] > 0) == (2, True)


def test_a_recipe_can_be_put_on_another_base(here, capsys):
    base = load_recipe("asl", SETTINGS).model_copy(update={"name": "small"})
    Path("small.yaml").write_text(yaml.safe_dump(base.model_dump(mode="json")))
    put = ["--recipe", "r-zero", "--on", "small.yaml"]
    assert asl("train", *WORLD, *put, "--rounds", 1, "--out", "run") == 0
    config = yaml.safe_load(Path("run/config.yaml").read_text())["recipe"]
    assert (config["name"], config["judge"]) == ("r-zero-on-small", "majority")
    assert config["solve"]["steps"] == 64
    assert asl("train", "--resume", "run", "--rounds", 2) == 0
    assert asl("train", "--resume", "run", "--on", "small.yaml") == 2
    assert "leave --on away" in capsys.readouterr().err


def test_resuming_needs_only_the_folder(here, capsys):
    assert asl("train", *WORLD, *SMALL, "--rounds", 1, "--seed", 7, "--out", "parts") == 0
    assert asl("train", "--resume", "parts", "--rounds", 2) == 0
    assert asl("train", *WORLD, *SMALL, "--rounds", 2, "--seed", 7, "--out", "whole") == 0
    parts, whole = Path("parts/events.jsonl").read_bytes(), Path("whole/events.jsonl").read_bytes()
    assert parts == whole


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--resume", "run", "--set", "solve.steps=99"], "'recipe.solve.steps' was 64 and is now"),
        (["--resume", "run", "--seed", "3"], "field 'seed' was 0 and is now 3"),
        (["--resume", "run", "--agent", "lexical"], "field 'setup.agent' was"),
        (["--resume", "run", "--out", "else"], "leave --out away"),
        (["--resume", "nowhere"], "no run was begun here"),
        (["--out", "run", *WORLD, *SMALL], "holds a run already"),
        (["--recipe", "asll"], "did you mean 'asl'?"),
        (["--set", "solve.stepz=3"], "did you mean 'steps'?"),
        (["--agent", "judge=lexical", "--corpus", "towns.jsonl"], "no seat 'judge'"),
        (["--corpus", "miniwikki"], "did you mean 'miniwiki'?"),
    ],
)  # fmt: skip
def test_mistakes_are_one_line(here, capsys, arguments, expected):
    Path("run").mkdir()
    if "run" in arguments:
        Path("run").rmdir()
        assert asl("train", *WORLD, *SMALL, "--rounds", 1, "--out", "run") == 0
    capsys.readouterr()
    assert asl("train", *arguments) == 2
    told = capsys.readouterr().err
    assert expected in told
    assert told.count("\n") == 1


def test_a_configuration_without_a_field_is_named(here, capsys):
    Path("mine").mkdir()
    Path("mine/config.yaml").write_text("format: 1\n")
    assert asl("train", "--resume", "mine") == 2
    assert capsys.readouterr().err.startswith("asl: mine/config.yaml: field 'recipe' is missing;")


def test_ctrl_c_says_how_to_go_on(here):
    # What a shell starts in the background ignores Ctrl-C, and so do its children.
    heed = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    code = f"{heed}; from asl_env.agents.cli.main import main; main()"
    tests = str(Path(tiny.__file__).parent)
    with subprocess.Popen(
        [sys.executable, "-c", code, "train", *WORLD, *SMALL, "--out", "run", "--rounds", "50"],
        stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": tests},
    ) as process:  # fmt: skip
        deadline = time.monotonic() + 60
        while not Path("run/state.json").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert re.search(r"stopped; all is saved up to .*asl train --resume run", told)
    assert "Traceback" not in told
    done = json.loads(Path("run/state.json").read_text())["round"]
    assert asl("train", "--resume", "run", "--rounds", max(done, 1)) == 0
