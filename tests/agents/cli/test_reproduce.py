"""``asl reproduce``: what it would run, and what it refuses."""

import json

import pytest

from asl_env.agents.cli.main import main


def asl(*arguments):
    with pytest.raises(SystemExit) as end:
        main([str(argument) for argument in arguments])
    return end.value.code


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def runs(capsys, *arguments):
    assert asl("reproduce", *arguments, "--plan", "--json") == 0
    return json.loads(capsys.readouterr().out)["runs"]


def test_a_plan_names_every_run_and_its_state(capsys):
    planned = runs(capsys, "hacking")
    assert {run["run"] for run in planned} == {
        f"{arm}-{seed}" for arm in ("asl", "frozen-grm") for seed in range(5)
    }
    assert {run["state"] for run in planned} == {"to do"}


def test_seeds_are_the_first_registered_ones_or_development_seeds(capsys):
    assert {run["run"] for run in runs(capsys, "hacking", "--seeds", 1)} == {
        "asl-0",
        "frozen-grm-0",
    }
    assert {run["run"] for run in runs(capsys, "4", "--development", 1)} == {
        "asl-100",
        "frozen-grm-100",
    }
    assert len(runs(capsys, "--quick")) == 32


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hackin"], "no claim 'hackin'; did you mean 'hacking'?"),
        (["--learner", "nanno"], "no learner 'nanno'; did you mean 'nano'?"),
        (["--quick", "--results", "there"], "--results is for evidence"),
        (["--development", "2", "--results", "there"], "--results is for evidence"),
        (["--seeds", "6"], "--seeds 6: only 5 are registered"),
    ],
)
def test_mistakes_are_answered_by_one_line(arguments, said, capsys):
    assert asl("reproduce", *arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1


@pytest.mark.slow
def test_a_quick_run_passes_through_everything_and_is_no_evidence(tmp_path, capsys):
    arguments = ["reproduce", "hacking", "--quick", "--json", "--out", "tried"]
    assert asl(*arguments) == 0
    told = capsys.readouterr()
    result = json.loads(told.out)
    assert result["evidence"] is False
    assert "no evidence" in told.err
    assert [claim["claim"] for claim in result["claims"]] == ["hacking"]
    assert result["claims"][0]["verdict"] == "undecided"  # two seeds decide nothing
    rows = (tmp_path / "tried" / "results" / "candidates" / "asl.jsonl").read_text().splitlines()
    assert not any(json.loads(row)["evidence"] for row in rows)
    assert asl(*arguments) == 0
    assert json.loads(capsys.readouterr().out) == result
