"""The command line: quick help, one-line errors, exit codes that mean something."""

import json
import subprocess
import sys

import pytest

from asl_env.agents.cli import main as cli
from asl_env.corpora.errors import AslError
from asl_env.episode import Role
from asl_env.evaluation import records


def test_help_names_every_command_and_loads_none(asl):
    code, out, _ = asl("--help")
    assert code == 0
    assert all(name in out for name in cli.COMMANDS)
    code = (
        "import sys, time\nfrom asl_env.agents.cli.main import main\n"
        "try: main(['--help'])\nexcept SystemExit: pass\n"
        "assert not {'torch', 'asl_env.agents.cli.eval', 'scipy'} & set(sys.modules)\n"
        "print(time.process_time())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert float(done.stdout.splitlines()[-1]) < 1, "seconds of computing"


@pytest.mark.parametrize("name", list(cli.COMMANDS))
def test_every_command_has_help(name, asl):
    code, out, _ = asl(name, "--help")
    assert code == 0
    assert f"Usage: asl {name}" in out


def test_version(asl):
    from asl_env import __version__

    assert asl("--version")[:2] == (0, f"asl-env {__version__}\n")


def test_no_command_shows_the_overview(asl):
    code, out, err = asl()
    assert code == 2
    assert "rescore" in out + err
    assert "asl:" not in err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["evl"], "asl: no command 'evl'; did you mean 'eval'?\n"),
        (["eval", "--agent", "lexcal", "--limit", "1"], "did you mean 'lexical'?\n"),
        (["eval", "--tasks", "miniwiki-1hp"], "did you mean 'miniwiki-1hop'?\n"),
        (["eval", "--corpus", "miniwik", "--limit", "1"], "did you mean 'miniwiki'?\n"),
        (["rescore", "nowhere"], "nowhere: cannot be read (No such file or directory)\n"),
        (["warmup"], "Missing option '--out'; see asl warmup --help\n"),
        (["train", "--sed", "3"], "(Possible options: --seed, --set); see asl train --help\n"),
        (["train", "--rounds", "two"], "see asl train --help\n"),
        (["index", "buid"], "Did you mean 'build'?; see asl index --help\n"),
        (["--verson"], "(Possible options: --version); see asl --help\n"),
    ],
)
def test_a_mistake_is_one_line_with_exit_code_2(arguments, said, asl):
    code, out, err = asl(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith("asl: ") and err.endswith(said) and err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (AslError("two\nlines"), 2, "asl: two lines\n"),
        (KeyboardInterrupt(), 130, "asl: interrupted\n"),
        (OSError(28, "No space left on device", "runs/x"), 2, "asl: runs/x: No space left"),
    ],
)
def test_what_a_command_raises_becomes_one_line(error, code, said, monkeypatch, asl):
    import asl_env.agents.cli.doctor as doctor

    def examine():
        raise error

    monkeypatch.setattr(doctor, "examine", examine)
    left, _, err = asl("doctor")
    assert left == code
    assert err.startswith(said)


def test_eval_writes_rows_that_rescore_reads(tmp_path, asl):
    common = ["eval", "--tasks", "miniwiki-1hop", "--limit", 6, "--judge", "oracle"]
    code, out, err = asl(*common, "--agent", "oracle", "--out", tmp_path / "a")
    assert code == 0
    assert "exact match" in out and "1.000" in out and "judged" in out
    assert "rows.jsonl" in err
    code, out, _ = asl(*common, "--agent", "random", "--out", tmp_path / "b", "--json")
    told = json.loads(out)
    assert told["counts"]["tasks"] == 6
    assert told["settings"]["agent"] == "random"
    arguments = ["rescore", tmp_path / "a", "--against", tmp_path / "b", "--json"]
    code, out, _ = asl(*arguments)
    again = json.loads(out)
    assert again["metrics"]["em"]["mean"] == 1.0
    gain = 1.0 - told["metrics"]["em"]["mean"]
    assert again["difference"]["em"]["mean"] == pytest.approx(gain)


def test_a_class_of_ones_own_is_evaluated(tmp_path, monkeypatch, asl):
    (tmp_path / "agent_of_mine.py").write_text(
        "class Agent:\n"
        "    def act(self, chats, *, greedy=False):\n"
        "        return ['<answer>Warsaw</answer>' for chat in chats]\n"
    )
    (tmp_path / "t.jsonl").write_text(
        '{"question": "Capital of Poland?", "answer": "Warsaw"}\n{"question": \n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    code, out, err = asl("eval", "--agent", "agent_of_mine:Agent", "--tasks", "t.jsonl")
    assert code == 0 and "1.000" in out
    assert "t.jsonl: left out 1 x broken JSON (record 2)" in err


def test_doctor_says_what_there_is(asl):
    code, out, _ = asl("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(out)["findings"]}
    assert code == 0
    assert findings["Python"]["state"] == findings["numpy"]["state"] == "ok"
    assert findings["corpus miniwiki"]["found"] == "embedded"


def test_doctor_finds_what_is_wrong(monkeypatch, asl):
    import asl_env.agents.cli.doctor as doctor

    monkeypatch.setattr(
        doctor,
        "requires",
        lambda name: [
            "numpy>=99",
            "no-such-package-here>=1",
            'another-missing-one; extra == "wiki"',
            'other-system; sys_platform == "nowhere"',
        ],
    )
    code, out, _ = asl("doctor", "--json")
    findings = {finding["what"]: finding for finding in json.loads(out)["findings"]}
    assert code == 1
    assert findings["numpy"]["advice"] == "pip install 'numpy>=99'"
    assert findings["no-such-package-here"]["state"] == "problem"
    assert findings["another-missing-one [wiki]"]["state"] == "optional"
    assert findings["another-missing-one [wiki]"]["advice"] == "pip install 'asl-env[wiki]'"
    assert "other-system" not in findings


def test_a_person_plays_the_policy(tmp_path, monkeypatch, asl):
    type_in(monkeypatch, "", "searhc anything", "search anything", "<answer>unheard of</answer>")
    code, out, _ = asl("play", "--seed", 3, "--out", tmp_path / "t.jsonl")
    assert code == 0
    assert out.count("search WORDS") == 2, "at the beginning, and after what was no command"
    assert "[1] " in out
    assert "Wrong. You said 'unheard of'; accepted: " in out
    (record,) = records.read(tmp_path / "t.jsonl")
    assert record.trajectory.role is Role.POLICY
    assert record.trajectory.tool_calls == 1


def test_a_person_plays_the_judge(monkeypatch, asl):
    verdicts = []
    for verdict in ("correct", "wrong"):
        type_in(monkeypatch, f"answer {verdict}")
        verdicts.append(asl("play", "--seat", "grm", "--seed", 1)[1])
    assert sorted("Right" in said for said in verdicts) == [False, True]


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("ask What is the capital of Poland? => Warsaw", "one right answer in MiniWiki; yours is"),
        ("ask What is the capital of Poland? => Oslo", "yours is wrong"),
        ("ask What is love? => Warsaw", "oracle does not understand"),
    ],
)
def test_a_person_plays_the_generator(typed, said, monkeypatch, asl):
    type_in(monkeypatch, typed)
    assert said in asl("play", "--seat", "generator")[1]


def test_the_end_of_the_input_ends_the_episode(monkeypatch, asl):
    type_in(monkeypatch)
    code, out, _ = asl("play")
    assert code == 0 and "without an answer" in out


def type_in(monkeypatch, *typed):
    """Lets a person type these lines, then close the input."""
    left = list(typed)

    def read():
        if not left:
            raise EOFError
        return left.pop(0)

    monkeypatch.setattr("builtins.input", read)


def test_a_file_of_passages_is_searched_as_it_is(tmp_path, monkeypatch, asl):
    (tmp_path / "p.jsonl").write_text(
        '{"id": "1", "title": "Narvik", "text": "Narvik is a harbour town."}\n'
        '{"id": "2", "title": "Bergen", "text": "Bergen is a rainy city."}\n'
    )
    type_in(monkeypatch, "search rainy city", "answer Bergen")
    code, out, _ = asl("play", "--corpus", tmp_path / "p.jsonl")
    assert code == 0 and "[1] Bergen" in out


def test_two_evaluations_do_not_share_a_folder(tmp_path, asl):
    from asl_env.agents.coevolution.lock import locked

    with locked(tmp_path / ".lock"):
        arguments = ["eval", "--agent", "random", "--limit", 2, "--out", tmp_path]
        code, _, err = asl(*arguments)
    assert code == 2
    assert "another run is writing here" in err
    assert not (tmp_path / "rows.jsonl").exists()


def test_bars_leave_nothing_behind_in_a_pipe(asl):
    said = "asl: no corpus 'wiki-19' to get; did you mean 'wiki-18'?\n"
    assert asl("corpus", "get", "wiki-19") == (2, "", said)
