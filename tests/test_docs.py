"""The guide states only what works: code runs, commands and options exist, links lead somewhere."""

import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from asl_env.agents.cli.main import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted((ROOT / "docs").glob("*.md"))
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", flags=re.DOTALL | re.MULTILINE)
CODE = [
    pytest.param(code, id=f"{page.stem}-{number}")
    for page in PAGES
    for number, (language, code) in enumerate(BLOCK.findall(page.read_text(encoding="utf-8")))
    if language == "python"
]


@pytest.fixture
def usage(monkeypatch, capsys):
    """The help of a command, without line breaks inside."""
    monkeypatch.setenv("COLUMNS", "200")

    @cache
    def read(*command):
        with pytest.raises(SystemExit):
            main([*command, "--help"])
        return capsys.readouterr().out

    return read


@pytest.mark.parametrize("code", CODE)
def test_code_runs(code, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_commands_and_their_options_exist(usage):
    texts = [page.read_text(encoding="utf-8") for page in PAGES]
    blocks = [code for text in texts for kind, code in BLOCK.findall(text) if kind == "bash"]
    lines = [line for block in blocks for line in block.splitlines() if line.startswith("asl ")]
    lines += [line for text in texts for line in re.findall(r"`(asl \w[^`]*)`", text)]
    assert len(lines) > 20
    for line in lines:
        words = line.split()[1:]
        command = words[:2] if words[0] in ("corpus", "index", "model") else words[:1]
        shown = usage(*command)
        for option in re.findall(r"(?<=\s)--[a-z-]+", line):
            assert option in shown, f"{line}: no {option}"


def test_links_lead_somewhere():
    for page in (*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"):
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            if "://" in path:
                continue
            found = (page.parent / path).resolve() if path else page
            assert found.exists(), f"{page.name}: {target}"
            if anchor:
                heads = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
                slugs = [re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads]
                assert anchor in slugs, f"{page.name}: {target}"


def test_files_that_are_named_exist():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for name in re.findall(
            r"`((?:agents|asl_env|corpora|benchmarks|tools|examples)/[\w/.]+)`", text
        ):
            assert (ROOT / name).exists(), f"{page.name}: {name}"


def test_every_page_is_in_the_guide():
    guide = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    for page in PAGES:
        assert page.name == "index.md" or f"({page.name})" in guide


def test_environment_cards_are_those_of_the_classes():
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / "env_cards")],
        capture_output=True,
        text=True,
        check=True,
    )
    page = (ROOT / "docs" / "environments.md").read_text(encoding="utf-8")
    assert done.stdout == page, "run: python tools/env_cards > docs/environments.md"


def test_every_benchmark_is_listed():
    page = (ROOT / "docs" / "benchmarks.md").read_text(encoding="utf-8")
    for script in (ROOT / "benchmarks").glob("*.py"):
        assert f"benchmarks/{script.name}" in page
