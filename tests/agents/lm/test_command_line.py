"""Language models on the command line: trained, resumed, evaluated; slips are explained."""

import json
from pathlib import Path

import pytest

from asl_env.agents.cli import teams
from asl_env.agents.cli.main import main
from asl_env.agents.cli.teams import default_agent, default_recipe, is_language_model
from asl_env.agents.coevolution.recipefile import load_recipe
from asl_env.agents.coevolution.variants import rebase

SETTINGS = [
    "generate.steps=8", "generate.chunk_steps=8", "generate.num_envs=4", "generate.group_size=2",
    "generate.solves=2", "generate.verifications=1", "verify.enabled=false", "solve.steps=16",
    "solve.chunk_steps=8", "solve.num_envs=4", "solve.group_size=2", "solve.tasks=labelled.jsonl",
    "solve.reward=em", "requests.seeds=4", "requests.minimum=2", "diagnostics.sets=null",
    "diagnostics.tasks_per_set=2", "diagnostics.claims=2", "diagnostics.votes=1",
    "diagnostics.probes=0", "max_turns=2", "learner.max_new_tokens=8",
    "learner.learning_rate=0.001", "generate.enabled=false",
]  # fmt: skip
SMALL = [part for setting in SETTINGS for part in ("--set", setting)]


def asl(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


@pytest.fixture
def here(tiny, tmp_path, monkeypatch):
    """A folder with a corpus, questions, and a tiny model."""
    monkeypatch.chdir(tmp_path)
    passage = {"id": "1", "title": "Peru", "text": "The capital of Peru is Lima."}
    Path("towns.jsonl").write_text(json.dumps(passage) + "\n")
    asked = {
        "eval": "What is the capital of Peru?",
        "labelled": "Which town do Peruvians rule from?",
    }
    for name, question in asked.items():
        task = {"id": "t", "question": question, "golden_answers": ["Lima"]}
        Path(f"{name}.jsonl").write_text(json.dumps(task) + "\n")
    tiny.model.save_pretrained("tiny-model")
    tiny.tokenizer.save_pretrained("tiny-model")
    return tmp_path


WORLD = ["--corpus", "towns.jsonl", "--held-out", "eval.jsonl"]


def test_a_model_is_trained_resumed_and_evaluated(here, capsys):
    assert asl("train", *WORLD, "--model", "tiny-model", *SMALL, "--rounds", 1, "--out", "r") == 0
    told = capsys.readouterr().err
    assert "tiny-model" in told  # what it will cost
    assert asl("train", "--resume", "r", "--rounds", 2) == 0
    events = [json.loads(line) for line in Path("r/events.jsonl").read_text().splitlines()]
    learnt = [e["metrics"]["learner"] for e in events if e["event"] == "chunk"]
    assert len(learnt) == 4
    assert all(one["updates"] >= 1 for one in learnt)
    assert asl("eval", "--agent", "r", "--tasks", "eval.jsonl", "--corpus", "towns.jsonl") == 0


def test_the_recipe_follows_from_who_learns():
    assert default_recipe(["nano"]) == "asl-nano"
    assert default_recipe(["candidates"]) == "asl"
    assert default_recipe(["candidates", "grm=model:x"]) == "asl-nano"
    assert load_recipe("asl-nano").solve.group_size > 1


@pytest.mark.parametrize(
    ("corpus", "recipe", "agent"),
    [
        ("miniwiki", None, "nano"),
        ("towns.jsonl", None, "candidates"),
        ("miniwiki", "asl", "candidates"),
        ("miniwiki", "r-zero", "candidates"),
        ("towns.jsonl", "asl-nano", "nano"),
    ],
)
def test_who_learns_follows_from_corpus_and_recipe(corpus, recipe, agent):
    assert default_agent(corpus, recipe and load_recipe(recipe)) == agent


def test_a_rival_on_the_base_of_language_models_is_for_them():
    assert default_agent("miniwiki", rebase(load_recipe("r-zero"), "asl-nano")) == "nano"


def test_the_default_says_how_to_do_without_it(here, monkeypatch, capsys):
    monkeypatch.setattr(teams, "LIBRARIES", ("no_such_library",))
    assert asl("train", "--out", "r") == 2
    told = capsys.readouterr().err
    assert "no_such_library is missing: pip install 'asl-env[llm]', or do without" in told
    assert "--agent candidates" in told
    assert not Path("r").exists()


def test_what_counts_as_a_language_model(here):
    assert is_language_model("nano")
    assert is_language_model("model:whatever/it-is")
    assert is_language_model("tiny-model")
    assert not is_language_model("candidates")
    assert not is_language_model(".")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--agent", "nano", "--model", "nano"], "both say who plays all seats"),
        (["--model", "no-such-model-here"], "no-such-model-here"),
        (["--model", "tiny-model", "--set", "learner.lerning_rate=1"], "did you mean 'learning_r"),
        (["--model", "tiny-model", "--set", "solve.group_size=1"], "group_size of at least 2"),
        (["--agent", "polcy=nano"], "no seat 'polcy'; did you mean 'policy'?"),
    ],
)
def test_slips_are_one_line(here, capsys, arguments, said):
    assert asl("train", *WORLD, *SMALL, *arguments) == 2
    lines = [one for one in capsys.readouterr().err.splitlines() if one.startswith("asl: ")]
    assert len(lines) == 1
    assert said in lines[0]
