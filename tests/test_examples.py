"""Every example runs as its reader would run it, with a small budget."""

import bz2
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
#: A budget with which every phase of the loop does something in seconds.
TINY = [
    f"{phase}.{field}"
    for phase in ("generate", "verify", "solve")
    for field in ("steps=64", "chunk_steps=64", "num_envs=8")
] + [
    "generate.solves=2",
    "generate.verifications=1",
    "diagnostics.tasks_per_set=4",
    "diagnostics.claims=4",
    "diagnostics.votes=1",
    "diagnostics.probes=1",
]


def run(*command, cwd, timeout=240):
    """Runs a command to its end and returns what it printed."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def example(name, *arguments, cwd):
    return run(sys.executable, EXAMPLES / name, *arguments, cwd=cwd)


def test_every_example_is_tested_and_short():
    tested = set(
        re.findall(r'^    out = example\(\s*"(\w+\.py)"', Path(__file__).read_text(), re.M)
    )
    assert tested == {path.name for path in EXAMPLES.glob("*.py")}
    for path in EXAMPLES.glob("*.py"):
        assert path.read_text(encoding="utf-8").count("\n") < 120, path.name


def test_random_agent(tmp_path):
    out = example("random_agent.py", "--episodes", 2, cwd=tmp_path)
    assert out.count("question: ") == 2
    assert "mean reward of 2 episodes" in out


def test_custom_reward(tmp_path):
    out = example("custom_reward.py", cwd=tmp_path)
    rewards = [float(found) for found in re.findall(r"reward (-?[\d.]+)", out)]
    assert rewards == [1.0, 1.0, 0.9, 0.8]


def test_custom_agent(tmp_path):
    out = example("custom_agent.py", "--limit", 5, cwd=tmp_path)
    assert "em " in out and "f1 " in out


def test_evaluate_offline(tmp_path):
    out = example("evaluate_offline.py", "--limit", 6, "--judge", "oracle", cwd=tmp_path)
    assert "random: 6 questions" in out
    assert "lexical minus random" in out and "p = " in out
    again = example("evaluate_offline.py", "--limit", 6, "--judge", "oracle", cwd=tmp_path)
    assert again == out


def test_build_wikipedia_index(tmp_path):
    pages = "".join(
        f"<page><title>{title}</title><ns>0</ns><id>{n}</id><revision><id>{n}</id>"
        f"<model>wikitext</model><format>text/x-wiki</format><text>{text}</text>"
        "</revision></page>"
        for n, (title, text) in enumerate(
            {
                "Oslo": "'''Oslo''' is the [[capital city]] of [[Norway]]. " + "It has parks. " * 9,
                "Bergen": "'''Bergen''' is a rainy town by the sea. " + "It has rain. " * 9,
            }.items(),
            start=1,
        )
    )
    dump = tmp_path / "tiny-pages-articles.xml.bz2"
    dump.write_bytes(
        bz2.compress(
            '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.10/" version="0.10">'
            f"<siteinfo><sitename>Wikipedia</sitename></siteinfo>{pages}</mediawiki>".encode()
        )
    )
    out = example(
        "build_wikipedia_index.py", "--dump", dump, "--out", tmp_path / "out", cwd=tmp_path
    )
    assert "2 passages; left out: nothing" in out
    assert re.search(r"[\d.]+  Oslo: Oslo is the capital city", out)


@pytest.mark.slow
def test_sb3_ppo(tmp_path):
    out = example("sb3_ppo.py", "--steps", 64, "--n-steps", 32, "--episodes", 2, cwd=tmp_path)
    assert "after 64 steps" in out


@pytest.mark.slow
def test_coevolve(tmp_path):
    changes = [part for change in TINY for part in ("--set", change)]
    out = example("coevolve.py", "--rounds", 1, *changes, cwd=tmp_path)
    assert "round 0: held-out accuracy" in out and "round 1: held-out accuracy" in out
    assert (tmp_path / "runs" / "coevolve" / "report.html").is_file()


@pytest.mark.slow
def test_a_custom_agent_takes_a_seat_of_the_loop(tmp_path):
    changes = [part for change in TINY for part in ("--set", change)]
    asl = Path(sys.executable).with_name("asl")
    seat = "policy=custom_agent:TitleAgent"
    arguments = ["--agent", seat, "--rounds", 1, "--out", tmp_path / "run", *changes]
    run(asl, "train", *arguments, cwd=EXAMPLES)
    assert "TitleAgent" in (tmp_path / "run" / "config.yaml").read_text()
