"""Every code block of the README works; its set-up commands name what is there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, flags=re.DOTALL | re.MULTILINE)
PYTHON = [code for language, code in BLOCKS if language == "python"]
SHELL = [line for language, code in BLOCKS if language == "bash" for line in code.splitlines()]
SETUP = [line for line in SHELL if line.startswith("python3 -m venv")]
#: Budgets that make the loop a matter of seconds; a reader runs it as it stands.
SMALL = " ".join(
    f"--set {change}"
    for change in [
        *(f"{p}.{f}=64" for p in ("generate", "verify", "solve") for f in ("steps", "chunk_steps")),
        "generate.solves=2",
        "generate.verifications=1",
        "diagnostics.tasks_per_set=4",
        "diagnostics.claims=4",
        "diagnostics.votes=1",
        "diagnostics.probes=1",
    ]
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where a reader works: the README's files, and an environment called .venv."""
    place = tmp_path_factory.mktemp("reader")
    binaries = place / ".venv" / "bin"
    binaries.mkdir(parents=True)
    (binaries / "asl").symlink_to(Path(sys.executable).with_name("asl"))
    for code in PYTHON:
        named = re.match(r"# (\w+\.py)\n", code)
        if named:
            (place / named.group(1)).write_text(code, encoding="utf-8")
    return place


def run(command, folder):
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        shell=isinstance(command, str),
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout


def test_there_are_blocks_of_both_kinds_and_no_other():
    assert {language for language, _ in BLOCKS} == {"python", "bash"}
    assert len(PYTHON) >= 4 and len(SHELL) >= 5


@pytest.mark.parametrize("code", PYTHON, ids=range(len(PYTHON)))
def test_python_blocks_run(code, folder):
    run([sys.executable, "-c", code], folder)


@pytest.mark.parametrize(
    "line", [line for line in SHELL if line not in SETUP and " train" not in line]
)
def test_shell_blocks_run(line, folder):
    if "rescore" in line or "report" in line:  # they read what an earlier block wrote
        code = next(code for code in PYTHON if "runs/lexical-2hop" in code)
        run([sys.executable, "-c", code], folder)
    assert run(line, folder).strip()


@pytest.mark.slow
@pytest.mark.parametrize("line", [line for line in SHELL if line not in SETUP and " train" in line])
def test_training_with_ones_own_agent_runs(line, folder):
    run(f"{line} {SMALL}", folder)
    shutil.rmtree(folder / "runs" / "mine")


def test_there_are_two_set_up_commands_and_tools_find_them():
    assert len(SETUP) == 2
    for which, line in zip(("main", "test"), SETUP, strict=True):
        found = run([sys.executable, str(ROOT / "tools" / "readme_command"), which], ROOT)
        assert found == line + "\n"


def test_the_set_up_commands_differ_only_in_extra_and_end():
    main, test = SETUP
    assert main.replace("'.[llm]'", "'.[test]'").replace("asl train", "pytest") == test
    assert (ROOT / "constraints.txt").is_file()


def test_everything_declared_is_pinned():
    """The constraints name every requirement of pyproject.toml exactly."""
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    named = r"^(?:dependencies|llm|server|wiki|data|test) = \[(.*?)\]\n"
    arrays = re.findall(named, project, re.M | re.S)
    assert len(arrays) == 6
    wanted = {name.lower() for array in arrays for name in re.findall(r'"([\w-]+)', array)}
    wanted -= {"asl-env"}
    pinned = re.findall(r"^([\w-]+)==[\w.]+", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert wanted <= set(pinned)
    assert "torch==2.13.0\n" in (ROOT / "constraints.txt").read_text()


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#\s]+)", README)
    for target in targets:
        if not target.startswith("https://"):
            assert (ROOT / target).exists(), target
