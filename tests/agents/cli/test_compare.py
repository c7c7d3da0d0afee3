"""``asl compare``: a table for people, JSON for machines, one line for what cannot be compared."""

import json

import pytest


@pytest.fixture
def runs(tmp_path, monkeypatch, asl):
    """Two evaluations of three questions, "bad" and "good", and one of two, "short"."""
    (tmp_path / "players.py").write_text(
        "class Good:\n"
        "    def act(self, chats, *, greedy=False):\n"
        "        return ['<answer>Oslo</answer>' for chat in chats]\n"
        "class Bad:\n"
        "    def act(self, chats, *, greedy=False):\n"
        "        return ['<answer>Rome</answer>' for chat in chats]\n"
    )
    lines = [f'{{"id": "{n}", "question": "Where is {n}?", "answer": "Oslo"}}\n' for n in range(3)]
    (tmp_path / "t.jsonl").write_text("".join(lines))
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, agent, limit in (("bad", "Bad", 3), ("good", "Good", 3), ("short", "Good", 2)):
        arguments = [
            "eval",
            "--agent",
            f"players:{agent}",
            "--tasks",
            "t.jsonl",
            "--corpus",
            "null",
        ]
        code, _, err = asl(*arguments, "--limit", limit, "--out", name)
        assert code == 0, err
    return tmp_path


@pytest.mark.parametrize("more", [[], ["--rescore"]])
def test_wins_and_differences_for_machines(runs, more, asl):
    code, out, _ = asl("compare", "bad", "good", "--json", *more)
    told = json.loads(out)
    assert code == 0
    assert (told["first"], told["second"], told["questions"]) == ("bad", "good", 3)
    em = told["metrics"]["em"]
    assert (em["first"], em["second"], em["wins"], em["losses"], em["ties"]) == (0, 1, 3, 0, 0)
    assert em["difference"]["mean"] == 1.0
    assert em["difference"]["p_value"] == pytest.approx(0.25)


def test_a_table_for_people(runs, asl):
    code, out, _ = asl("compare", "good", "bad")
    assert code == 0
    assert "bad minus good" in out and "-1.000" in out and "0/3" in out
    assert "3 questions\n" in out


def test_other_questions_are_refused(runs, asl):
    code, out, err = asl("compare", "good", "short")
    assert (code, out) == (2, "")
    assert err.count("\n") == 1 and "1 only in the first" in err


def test_other_metric_versions_are_refused_until_both_are_rescored(runs, asl):
    settings = json.loads((runs / "bad/settings.json").read_text())
    (runs / "bad/settings.json").write_text(json.dumps(settings | {"metric_version": 0}))
    code, _, err = asl("compare", "bad", "good")
    assert code == 2 and "compare with --rescore" in err
    assert asl("compare", "bad", "good", "--rescore")[0] == 0
