"""The house rules that a machine can hold: import direction, lazy imports, sizes, no leftovers."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
FLOORS = {"corpora": "asl_env.corpora", "asl_env": "asl_env", "agents": "asl_env.agents"}
LIBRARY = sorted(path for folder in FLOORS for path in (ROOT / folder).rglob("*.py"))
SCRIPTS = sorted(
    path
    for folder in ("examples", "benchmarks", "tools", "tests")
    for path in (ROOT / folder).rglob("*.py")
)
#: What each floor may import of ours: itself and what lies below.
MAY_IMPORT = {
    "corpora": ("asl_env.corpora",),
    "asl_env": ("asl_env", "asl_env.corpora"),
    "agents": ("asl_env", "asl_env.corpora", "asl_env.agents"),
}
HEAVY = "torch faiss sentence_transformers transformers bm25s rank_bm25 numba sklearn scipy".split()


def short(path):
    return path.relative_to(ROOT).as_posix()


def imported(path):
    """Yields the dotted names that a file imports; ``from a import b`` counts as ``a.b``."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{short(path)}:{node.lineno} imports relatively"
            yield from (f"{node.module}.{name.name}" for name in node.names)


def floor_of(name):
    """Returns the folder that a dotted name lives in, or ``None`` if it is not ours."""
    for folder in ("corpora", "agents"):
        if f"{name}.".startswith(f"asl_env.{folder}."):
            return folder
    return "asl_env" if f"{name}.".startswith("asl_env.") else None


@pytest.mark.parametrize("path", LIBRARY, ids=short)
def test_imports_go_one_way(path):
    allowed = MAY_IMPORT[path.relative_to(ROOT).parts[0]]
    for name in imported(path):
        floor = floor_of(name)
        assert floor is None or FLOORS[floor] in allowed, f"{short(path)} imports {name}"


def test_the_folders_are_imported_by_their_installed_names():
    for path in (*LIBRARY, *SCRIPTS):
        for name in imported(path):
            assert name.split(".")[0] not in {"agents", "corpora"}, f"{short(path)} imports {name}"


def test_the_library_prints_nothing():
    for path in LIBRARY:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id != "print", f"{short(path)}:{node.lineno} prints"


def test_every_folder_with_code_is_packaged():
    listed = set(
        re.findall(r'^    "(asl_env[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.M)
    )
    found = {
        ".".join((FLOORS[init.relative_to(ROOT).parts[0]], *init.relative_to(ROOT).parts[1:-1]))
        for folder in FLOORS
        for init in (ROOT / folder).rglob("__init__.py")
    }
    assert listed == found


def test_no_path_of_a_machine_is_written_down():
    texts = [*LIBRARY, *SCRIPTS, *ROOT.glob("*.md"), *ROOT.glob("*.toml"), ROOT / ".ci" / "run"]
    texts += [*(ROOT / "docs").rglob("*.md"), *(ROOT / "agents").rglob("*.yaml")]
    for path in texts:
        found = re.search(r"/(?:work|root|home|Users)/\w+", path.read_text(encoding="utf-8"))
        assert found is None, f"{short(path)} names {found.group()}"


def test_files_and_functions_are_of_readable_size():
    for path in LIBRARY:
        text = path.read_text(encoding="utf-8")
        assert text.count("\n") < 400, f"{short(path)} has 400 lines or more"
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
                assert lines < 40, f"{short(path)}: {node.name} has {lines} lines of code"


def run_alone(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_a_package_loads_nothing_heavy():
    packages = re.findall(r'^    "(asl_env[\w.]*)",$', (ROOT / "pyproject.toml").read_text(), re.M)
    code = f"import sys\nfor name in {packages}: __import__(name)\nprint(*sys.modules)"
    assert not set(HEAVY) & set(run_alone(code))


def test_making_and_resetting_an_environment_loads_nothing_heavy():
    code = (
        "import sys, gymnasium as gym, asl_env\n"
        "gym.make('ASLSearch-v0').reset(seed=0)\n"
        "print(*sys.modules)"
    )
    assert not set(HEAVY) & set(run_alone(code))
