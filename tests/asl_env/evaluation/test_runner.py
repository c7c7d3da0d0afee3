"""Evaluation scores answers, leaves failures out, and goes on exactly where it was killed."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from asl_env.dialects import make_dialect
from asl_env.episode import Role, Task, ToolCall, Turn
from asl_env.errors import (
    AgentError,
    InvalidTaskError,
    RecordError,
    RunError,
    SearchUnavailableError,
)
from asl_env.evaluation.rescore import rescore
from asl_env.evaluation.results import compare
from asl_env.evaluation.runner import evaluate, task_seed
from asl_env.prompts import read_claim
from asl_env.protocols import ToolResult

DIALECT = make_dialect("asl")
TASKS = [Task(f"q{n}", f"What is number {n}?", (f"thing {n}", f"item {n}")) for n in range(10)]


class EmptyTool:
    """Finds nothing."""

    def run(self, calls: list[ToolCall]) -> list[ToolResult]:
        return [ToolResult(call, ()) for call in calls]


class BrokenTool:
    """Fails for every search."""

    def run(self, calls: list[ToolCall]) -> list[ToolResult]:
        raise SearchUnavailableError("no connection")


class Knower:
    """Answers question n with "thing n" for n below a limit, else with something else."""

    def __init__(self, limit=6, searches=False):
        self.limit, self.searches, self.calls = limit, searches, 0

    def act(self, chats, *, greedy=False):
        self.calls += 1
        return [self._turn(chat) for chat in chats]

    def _turn(self, chat):
        question = chat.messages[1]["content"]
        number = int(question.removesuffix("?").split()[-1])
        if self.searches and chat.turn == 0 and number % 2:
            return DIALECT.write_search("anything")
        if number == 9:
            return "I do not know."
        return DIALECT.write_final(
            f"the thing {number}" if number < self.limit else "no idea, item"
        )


class Judge:
    """Believes every answer that has a number; says nonsense about question 8."""

    def act(self, chats, *, greedy=False):
        turns = []
        for chat in chats:
            assert chat.role is Role.GRM
            question, answer = read_claim(chat.messages[1]["content"])
            known = any(character.isdigit() for character in answer)
            said = f"conclusion: {'correct' if known else 'wrong'}"
            turns.append(Turn(DIALECT.write_final("perhaps" if "8" in question else said)))
        return turns


def test_scores_means_and_counts():
    result = evaluate(Knower(), TASKS, tool=EmptyTool(), judge=Judge())
    assert result.metrics["em"].mean == pytest.approx(0.6)
    assert result.metrics["cover-em"].mean == pytest.approx(0.6)
    # "no idea item" shares one word of three with "item n": 2 * 1 / (3 + 2), for three questions.
    assert result.metrics["f1"].mean == pytest.approx(0.6 + 0.3 * 0.4)
    # Question 8 has no verdict and is left out; question 9 has no answer and counts as wrong.
    assert result.metrics["judged"].n == 9
    assert result.metrics["judged"].mean == pytest.approx(6 / 9)
    assert result.counts == {
        "tasks": 10,
        "scored": 10,
        "invalid": 0,
        "truncated": 0,
        "unanswered": 1,
        "unjudged": 1,
    }


def test_a_failed_search_is_left_out_and_never_a_zero():
    result = evaluate(Knower(10, searches=True), TASKS, tool=BrokenTool())
    assert result.counts["invalid"] == 5
    assert result.metrics["em"].n == 5
    assert result.metrics["em"].mean == 1.0


def test_batch_size_and_order_change_no_row():
    one = evaluate(Knower(), TASKS, tool=EmptyTool(), batch_size=1)
    many = evaluate(Knower(), TASKS[::-1], tool=EmptyTool(), batch_size=64)
    assert one.rows == many.rows[::-1]
    assert task_seed(0, "q1") != task_seed(0, "q2") != task_seed(1, "q2")


def test_a_killed_evaluation_goes_on_where_it_was(tmp_path):
    class StoppedError(Exception):
        pass

    def kill(done, total):
        if done == 6:
            raise StoppedError

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    arguments = {"tool": EmptyTool(), "judge": Judge(), "batch_size": 2, "about": {"agent": "k"}}
    expected = evaluate(Knower(), TASKS, folder=whole, **arguments)
    with pytest.raises(StoppedError):
        evaluate(Knower(), TASKS, folder=cut, progress=kill, **arguments)
    with (cut / "rows.jsonl").open("ab") as file:
        file.write(b'{"schema": 1, "id": "q6", "que')
    knower = Knower()
    resumed = evaluate(knower, TASKS, folder=cut, **arguments)
    assert knower.calls == 2
    assert resumed == expected
    for name in ("rows.jsonl", "settings.json", "summary.json"):
        assert (cut / name).read_bytes() == (whole / name).read_bytes()


def test_a_folder_belongs_to_one_evaluation(tmp_path):
    evaluate(Knower(), TASKS, tool=EmptyTool(), folder=tmp_path)
    with pytest.raises(RunError, match="begun with seed = 0, now it is 1"):
        evaluate(Knower(), TASKS, tool=EmptyTool(), folder=tmp_path, seed=1)
    with pytest.raises(RunError, match="tasks_digest"):
        evaluate(Knower(), TASKS[1:], tool=EmptyTool(), folder=tmp_path)


def test_a_folder_that_is_a_file_is_named(tmp_path):
    (tmp_path / "x").write_text("")
    with pytest.raises(RunError, match="x: cannot be written"):
        evaluate(Knower(), TASKS, tool=EmptyTool(), folder=tmp_path / "x")


def test_rows_can_be_read_by_people_and_machines(tmp_path):
    evaluate(Knower(), TASKS, tool=EmptyTool(), judge=Judge(), folder=tmp_path)
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert rows[0]["prediction"] == "the thing 0"
    names = ("em", "cover-em", "f1", "hotpotqa-f1", "judged")
    assert rows[0]["scores"] == dict.fromkeys(names, 1.0)
    assert rows[0]["costs"] == {"turns": 1, "searches": 0}
    assert rows[0]["trajectory"]["role"] == "policy"
    assert rows[0]["judgement"]["answer"] == "conclusion: correct"


def test_an_agent_that_raises_keeps_what_was_done(tmp_path):
    class Fragile(Knower):
        def act(self, chats, *, greedy=False):
            if self.calls == 2:
                raise OSError("out of luck")
            return super().act(chats)

    with pytest.raises(AgentError, match=r"Fragile\.act raised OSError: out of luck"):
        evaluate(Fragile(), TASKS, tool=EmptyTool(), batch_size=2, folder=tmp_path)
    assert len((tmp_path / "rows.jsonl").read_text().splitlines()) == 4


def test_twins_and_nothing_are_refused():
    with pytest.raises(InvalidTaskError, match="two tasks have the id 'q0'"):
        evaluate(Knower(), [TASKS[0], TASKS[0]], tool=EmptyTool())
    with pytest.raises(InvalidTaskError, match="no task"):
        evaluate(Knower(), [], tool=EmptyTool())


def test_rescoring_gives_the_same_numbers(tmp_path):
    result = evaluate(Knower(), TASKS, tool=EmptyTool(), judge=Judge(), folder=tmp_path)
    assert rescore(tmp_path) == result
    assert rescore(tmp_path / "rows.jsonl").metrics == result.metrics


def test_rescoring_with_corrected_answers(tmp_path):
    evaluate(Knower(), TASKS, tool=EmptyTool(), folder=tmp_path)
    corrected = [Task(task.id, task.question, (*task.answers, "no idea item")) for task in TASKS]
    assert rescore(tmp_path, corrected).metrics["em"].mean == pytest.approx(0.9)
    with pytest.raises(RecordError, match="'q0' is not in the given tasks"):
        rescore(tmp_path, TASKS[1:])


def test_rescoring_needs_something_to_score(tmp_path):
    with pytest.raises(RecordError, match=r"rows\.jsonl: cannot be read"):
        rescore(tmp_path)
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(RecordError, match="is empty"):
        rescore(tmp_path)


def test_two_runs_are_compared_question_by_question():
    weak = evaluate(Knower(3), TASKS[:8], tool=EmptyTool())
    strong = evaluate(Knower(8), TASKS[::-1], tool=EmptyTool(), judge=Judge())
    differences = compare(weak, strong)
    assert set(differences) == {"em", "cover-em", "f1", "hotpotqa-f1"}
    assert differences["em"].n == 8
    assert differences["em"].mean == pytest.approx(5 / 8)


def test_an_agent_that_hangs_is_left_behind():
    class Hanging(Knower):
        def act(self, chats, *, greedy=False):
            morning.wait(60)
            return []

    morning = threading.Event()
    with pytest.raises(AgentError, match=r"Hanging\.act gave no turns within 0\.05 s"):
        evaluate(Hanging(), TASKS, tool=EmptyTool(), timeout=0.05)
    morning.set()


def test_a_full_disk_keeps_what_was_done(tmp_path):
    """A process that may write files of 9 kB at most stands in for a disk that fills up."""
    code = (
        "import resource, signal, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from test_runner import EmptyTool, Knower, TASKS, evaluate\n"
        "from asl_env.errors import RunError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, 9_000))\n"
        f"arguments = dict(batch_size=2, folder={str(tmp_path)!r})\n"
        "try: evaluate(Knower(), TASKS, tool=EmptyTool(), **arguments)\n"
        "except RunError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "rows.jsonl: cannot be written: File too large; make room and run" in done.stdout
    kept = (tmp_path / "rows.jsonl").read_bytes()
    assert kept.endswith(b"\n") and kept.count(b"\n") in range(2, 10, 2)
    knower = Knower()
    resumed = evaluate(knower, TASKS, tool=EmptyTool(), batch_size=2, folder=tmp_path)
    assert knower.calls == (10 - kept.count(b"\n")) / 2
    assert resumed.rows == evaluate(Knower(), TASKS, tool=EmptyTool()).rows


def test_time_is_kept_over_a_restart_and_is_no_part_of_the_result(tmp_path):
    result = evaluate(Knower(), TASKS[:4], tool=EmptyTool(), folder=tmp_path, batch_size=2)
    lines = (tmp_path / "times.jsonl").read_text().splitlines()
    assert [json.loads(line)["questions"] for line in lines] == [2, 2]
    (tmp_path / "times.jsonl").write_text('{"questions": 4, "seconds": 6}\n{"questions": "x"}\n{"q')
    again = evaluate(Knower(), TASKS[:4], tool=EmptyTool(), folder=tmp_path, batch_size=2)
    assert again.seconds == rescore(tmp_path).seconds == 1.5
    assert again == result
    assert evaluate(Knower(), TASKS, tool=EmptyTool()).seconds > 0


def test_costs_have_intervals():
    costs = evaluate(Knower(10, searches=True), TASKS, tool=EmptyTool()).costs
    assert set(costs) == {"turns", "searches"}
    assert costs["searches"].mean == 0.5
    assert costs["turns"].low < 1.5 < costs["turns"].high
