"""``asl reproduce``: what it would run, and what it refuses."""

import json

import pytest

from asl_env.agents.coevolution.lock import locked


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def runs(asl):
    def planned(*arguments):
        code, out, _ = asl("reproduce", *arguments, "--plan", "--json")
        assert code == 0
        return json.loads(out)["runs"]

    return planned


def test_a_plan_names_every_run_and_its_state(runs):
    planned = runs("hacking")
    assert {run["run"] for run in planned} == {
        f"{arm}-{seed}" for arm in ("asl", "frozen-grm") for seed in range(5)
    }
    assert {run["state"] for run in planned} == {"to do"}


def test_seeds_are_the_first_registered_ones_or_development_seeds(runs):
    assert {run["run"] for run in runs("hacking", "--seeds", 1)} == {
        "asl-0",
        "frozen-grm-0",
    }
    assert {run["run"] for run in runs("4", "--development", 1)} == {
        "asl-100",
        "frozen-grm-100",
    }
    assert len(runs("--quick")) == 32


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["hackin"], "no claim 'hackin'; did you mean 'hacking'?"),
        (["--learner", "nanno"], "no learner 'nanno'; did you mean 'nano'?"),
        (["--quick", "--results", "there"], "--results is for evidence"),
        (["--development", "2", "--results", "there"], "--results is for evidence"),
        (["--seeds", "6"], "--seeds 6: only 5 are registered"),
        (["--quick", "--development", "2"], "--quick brings its own seeds"),
        (["--plan", "--background"], "--plan lists runs at once"),
        (["--out", "a-file"], "a-file: is a file; choose a folder with --out"),
    ],
)
def test_mistakes_are_answered_by_one_line(arguments, said, asl, tmp_path):
    (tmp_path / "a-file").touch()
    code, _, told = asl("reproduce", *arguments)
    assert code == 2
    assert said in told
    assert told.count("\n") == 1


def test_a_damaged_run_is_one_line_in_a_plan(asl, tmp_path):
    folder = tmp_path / "runs" / "asl-0"
    folder.mkdir(parents=True)
    (folder / "state.json").write_text("{")
    code, _, told = asl("reproduce", "hacking", "--plan", "--out", "runs")
    assert code == 2
    assert "state.json: damaged" in told
    assert told.count("\n") == 1


def test_nothing_is_left_to_the_background_beside_a_process_that_is_at_it(asl, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    with locked(folder / "run.lock"):
        code, out, told = asl("reproduce", "--background", "--out", "runs")
    assert (code, out) == (2, "")
    assert told.count("\n") == 1
    assert not (folder / "reproduce.log").exists()


@pytest.mark.slow
def test_a_quick_run_passes_through_everything_and_is_no_evidence(tmp_path, asl):
    arguments = ["reproduce", "hacking", "--quick", "--json", "--out", "tried"]
    code, out, told = asl(*arguments)
    assert code == 0
    result = json.loads(out)
    assert result["evidence"] is False
    assert "no evidence" in told
    assert [claim["claim"] for claim in result["claims"]] == ["hacking"]
    assert result["claims"][0]["verdict"] == "undecided"  # two seeds decide nothing
    assert {arm["arm"] for arm in result["arms"]} == {"asl", "frozen-grm"}
    assert all(arm["rollouts"] > max(arm["policy"]) >= 2 * 16 for arm in result["arms"])
    rows = (tmp_path / "tried" / "results" / "candidates" / "asl.jsonl").read_text().splitlines()
    assert not any(json.loads(row)["evidence"] for row in rows)
    code, out, _ = asl(*arguments)
    assert code == 0
    assert json.loads(out) == result
