"""The benchmark on real questions: what is asked, what is kept, what is printed."""

import json
import sys
from pathlib import Path

import pytest

from asl_env.agents.candidates.learner import CandidatesLearner
from asl_env.agents.lm.nano.episodes import MAX_CHARS
from asl_env.errors import AgentError, AslError
from asl_env.evaluation.spec import load_spec

ROOT = Path(__file__).resolve().parents[2]
PASSAGES = {
    "Lima": "Lima is the capital of Peru. It was founded by Francisco Pizarro.",
    "Francisco Pizarro": "Francisco Pizarro was born in Trujillo.",
    "Oslo": "Oslo is the capital of Norway.",
}
TITLED = [
    ("h1", "Where was the founder of Lima born?", "Trujillo", ["Lima", "Francisco Pizarro"]),
    ("h2", "Are Lima and Oslo both capitals?", "yes", ["Lima", "Oslo"]),
    ("h3", "Who founded Quito?", "nobody here knows", ["Quito"]),
]
PLAIN = [("What is the capital of Norway?", "Oslo"), ("Who wrote Hamlet?", "Shakespeare")]


@pytest.fixture
def data(tmp_path):
    """A folder like the real one, with two sets of a few questions."""
    folder = tmp_path / "data"
    folder.mkdir()
    passages = [
        {"id": str(n), "contents": f'"{title}"\n{text}'}
        for n, (title, text) in enumerate(PASSAGES.items())
    ]
    titled = [
        {
            "id": name,
            "question": question,
            "golden_answers": [answer],
            "metadata": {"supporting_titles": titles},
        }
        for name, question, answer, titles in TITLED
    ]
    plain = [{"question": question, "answer": [answer]} for question, answer in PLAIN]
    files = {"passages": passages, "hotpotqa-dev": titled, "nq-open-dev": plain}
    for name, rows in files.items():
        lines = "".join(f"{json.dumps(row)}\n" for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    return folder


@pytest.fixture
def run(data, tmp_path, monkeypatch, capsys):
    """Runs the script and returns what it printed."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import questions

    def call(*words):
        options = ["--results", tmp_path / "results", "--out", tmp_path / "runs", *words]
        monkeypatch.setattr(sys, "argv", ["questions.py", *map(str, options)])
        questions.main()
        return capsys.readouterr().out

    return call


SETS = ("--sets", "hotpotqa-dev", "nq-open-dev", "--agents", "random", "lexical")


def test_only_questions_with_evidence_are_asked(data, run, tmp_path):
    run("--data", data, *SETS)
    asked = {
        path.stem: json.loads(path.read_text()) for path in (tmp_path / "results/sets").iterdir()
    }
    assert asked["hotpotqa-dev"]["ids"] == ["h1", "h2"]
    assert asked["hotpotqa-dev"]["evidence"] == 2
    assert asked["nq-open-dev"]["ids"] == ["nq-open-dev-1"]
    assert asked["nq-open-dev"]["answers"] == 1
    assert asked["nq-open-dev"]["evidence"] is None


def test_an_answer_does_not_stand_in_two_passages(run, monkeypatch):
    from question_sets import Evidence

    from asl_env.corpora.passages import Passage
    from asl_env.episode import Task

    evidence = Evidence([Passage("1", "", "red ink"), Passage("2", "", "blue paper")])
    assert evidence.has_answer(Task("t", "?", ("Red ink",)))
    assert not evidence.has_answer(Task("t", "?", ("ink blue",)))
    assert not evidence.has_answer(Task("t", "?", ("re",)))


def test_results_hold_numbers_and_no_text(data, run, tmp_path):
    run("--data", data, *SETS)
    for path in (tmp_path / "results").rglob("*.json"):
        text = path.read_text(encoding="utf-8")
        assert "capital" not in text
        assert "Trujillo" not in text
        assert str(tmp_path) not in text
    saved = json.loads((tmp_path / "results/asl-v1/hotpotqa-dev/lexical.json").read_text())
    assert len(saved["columns"]["em"]) == len(saved["columns"]["searches"]) == 2
    assert saved["settings"]["spec"] == "asl-v1"


def test_tables_compare_with_the_lexical_agent_and_are_drawn_again(data, run):
    printed = run("--data", data, *SETS)
    assert "### hotpotqa-dev, asl-v1: 2 questions" in printed
    assert "| `random` | exact match |" in printed
    again = run("--table")
    assert again in printed


def test_what_is_done_is_not_done_again(data, run, tmp_path):
    run("--data", data, *SETS)
    times = tmp_path / "runs/asl-v1/hotpotqa-dev/lexical/times.jsonl"
    before = times.read_bytes()
    run("--data", data, *SETS, "--spec", "asl-v1", "searchr1-v1")
    assert times.read_bytes() == before
    assert (tmp_path / "results/searchr1-v1/nq-open-dev/lexical.json").exists()


def test_results_of_other_questions_are_left_out(data, run, tmp_path):
    run("--data", data, *SETS)
    trial = ("--data", data, "--sets", "hotpotqa-dev", "--agents", "random", "--limit", "1")
    printed = run(*trial, "--out", tmp_path / "trial")
    part = printed.split("### hotpotqa-dev")[1].split("###")[0]
    assert "1 questions" in part
    assert "lexical" not in part


def test_a_run_of_another_kind_is_refused(data, run, tmp_path):
    learner = CandidatesLearner(seed=0)
    (tmp_path / "run").mkdir()
    learner.save(tmp_path / "run")
    sets = ("--data", data, "--sets", "nq-open-dev", "--agents")
    printed = run(*sets, "lexical", "candidates", "--candidates", tmp_path / "run")
    assert "| `candidates-trained` |" in printed
    with pytest.raises(AgentError, match="is a CandidatesLearner, not a LanguageModelAgent"):
        run(*sets, "nano", "--nano", tmp_path / "run")


def test_another_checkpoint_is_measured_anew(data, run, tmp_path):
    sets = ("--data", data, "--sets", "nq-open-dev", "--agents", "candidates", "--candidates")
    for seed in (0, 1):
        (tmp_path / f"run{seed}").mkdir()
        CandidatesLearner(seed=seed).save(tmp_path / f"run{seed}")
    run(*sets, tmp_path / "run0")
    run(*sets, tmp_path / "run0")
    with pytest.raises(AslError, match="weights"):
        run(*sets, tmp_path / "run1")


def test_a_set_of_which_nothing_can_be_asked_is_left_out(data, run):
    (data / "nq-open-dev.jsonl").write_text('{"question": "Who is it?", "answer": ["Nobody"]}\n')
    assert "### hotpotqa-dev" in run("--data", data, *SETS)
    with pytest.raises(AslError, match="nothing of nq-open-dev can be asked"):
        run("--data", data, "--sets", "nq-open-dev", "--agents", "random")


@pytest.mark.parametrize("limit", ["-1", "0", "x"])
def test_a_limit_is_a_number_of_questions(data, run, limit, capsys):
    with pytest.raises(SystemExit):
        run("--data", data, *SETS, f"--limit={limit}")
    assert "is no number of questions" in capsys.readouterr().err


def test_the_spec_for_nano_is_asl_v1_with_shorter_results():
    spec = load_spec(ROOT / "benchmarks" / "specs" / "asl-600.yaml")
    changed = {"name": "asl-600", "about": spec.about, "max_chars": MAX_CHARS}
    assert spec == load_spec("asl-v1").model_copy(update=changed)
