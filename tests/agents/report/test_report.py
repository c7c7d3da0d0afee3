"""Reports are complete, well-formed, load nothing, and escape whatever a model wrote."""

import re
from itertools import pairwise

import pytest
from reportkit import EVIL, check

from asl_env.agents.report.charts import Line, line_chart
from asl_env.agents.report.write import write_report
from asl_env.episode import Role, Task, Trajectory, Turn
from asl_env.errors import RecordError, RunError
from asl_env.evaluation import evaluate
from asl_env.evaluation.records import encode
from asl_env.protocols import ToolResult


def measured(number, judged, true):
    matrix = {"true_accept": 5, "false_accept": number, "true_reject": 4, "false_reject": 1}
    policy = {"n": 24, "judged": judged, "true": true, "f1": true, "sets": {EVIL: {"true": true}}}
    grm = {"accuracy": 0.9, "kappa": None, "false_accept": 0.1, "matrix": matrix | {"invalid": 2}}
    metrics = {"round": number, "policy": policy, "grm": grm, "hacks": {"probes": {EVIL: 0.5}}}
    if number:
        metrics["tasks"] = {"count": 7, "difficulty": 0.4, "oracle": {"valid": 0.75}}
    return {"event": "measured", "round": number, "metrics": metrics}


@pytest.fixture
def run(make_run):
    played = Trajectory(
        Role.POLICY,
        Task("t", "Where?", ("Oslo",)),
        ({"role": "user", "content": "Where?"}, {"role": "assistant", "content": EVIL}),
        (Turn(EVIL),),
        EVIL,
    )
    folder = make_run([(played, None)] * 9)
    chunk = {"event": "chunk", "round": 1, "phase": "solve", "chunk": 0, "steps": 32}
    events = [
        measured(0, 0.4, 0.4),
        chunk | {"metrics": {"reward": 1.25, "score": 1.0}},
        {"event": "phase-ended", "round": 1, "phase": "solve", "reason": EVIL},
        measured(1, 0.9, 0.5),
        {"event": "alarm", "round": 1, "why": "gap", "value": 0.4, "limit": 0.15},
    ]
    (folder / "events.jsonl").write_bytes(b"".join(map(encode, events)))
    (folder / "timing.jsonl").write_bytes(encode({"seconds": 90.0}) + encode({"seconds": 30.0}))
    return folder


def test_a_run_report_says_what_happened(run):
    page = check(write_report(run))
    for said in (
        "my-run",
        "<b>a tiny one</b>",
        "2.0 minutes",
        "1 of 3",
        "judged minus true accuracy",
        "5 events",
    ):
        assert said in page.text
    assert page.text.count(EVIL) >= 4, "what was written is shown as it was written"
    assert len(re.findall("policy, round [12]", page.text)) == 3, "the newest episodes of a seat"


def test_charts_have_numbers_and_words(run):
    html = write_report(run).read_text(encoding="utf-8")
    assert "judged: 0.400 at round 0, 0.900 at round 1." in html
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="', html)) == 5


def test_the_same_run_gives_the_same_report(run):
    assert write_report(run).read_bytes() == write_report(run).read_bytes()


def test_a_run_that_has_just_begun_has_a_report(run):
    for log in ("events.jsonl", "timing.jsonl", "trajectories.jsonl"):
        (run / log).unlink()
    assert "0 of 3" in check(write_report(run)).text


def test_an_evaluation_has_a_report(tmp_path):
    class Agent:
        def act(self, chats, *, greedy=False):
            return [f"<answer>{EVIL if 'q0' in str(chat) else 'Oslo'}</answer>" for chat in chats]

    class Tool:
        def run(self, calls):
            return [ToolResult(call, ()) for call in calls]

    tasks = [Task(f"q{n}", f"q{n}: where is {EVIL}?", ("Oslo",)) for n in range(3)]
    evaluate(Agent(), tasks, tool=Tool(), folder=tmp_path)
    page = check(write_report(tmp_path, tmp_path / "page.html"))
    assert "0.667" in page.text and "accepted: Oslo" in page.text


def test_a_folder_without_either_is_named(tmp_path):
    with pytest.raises(RecordError, match="neither a run folder nor"):
        write_report(tmp_path)


def test_a_log_that_cannot_be_read_is_named(run):
    (run / "events.jsonl").unlink()
    (run / "events.jsonl").mkdir()
    with pytest.raises(RecordError, match=r"events\.jsonl: cannot be read"):
        write_report(run)
    assert not list(run.glob("*.part"))


def test_a_place_that_cannot_be_written_is_named(run):
    with pytest.raises(RunError, match=r"nowhere/x\.html: cannot be written"):
        write_report(run, run / "nowhere" / "x.html")


def test_a_broken_log_is_named_by_line(run):
    with (run / "events.jsonl").open("ab") as file:
        file.write(b"{broken\n")
    with pytest.raises(RecordError, match=r"events\.jsonl:6: not JSON"):
        write_report(run)


def test_a_chart_leaves_gaps_for_what_is_missing():
    line = Line("a", [0.1, None, float("nan"), 0.4, 0.5])
    svg = line_chart("t", [0, 1, 2, 3, 4], [line])
    assert svg.count("<circle") == 3
    assert re.search(r'class="line" d="M[\d.]+ [\d.]+M[\d.]+ [\d.]+L', svg)


def test_a_chart_without_values_is_empty():
    assert line_chart("t", [0, 1], [Line("a", [None, None])]) == ""
    assert line_chart("t", [], []) == ""


def test_labels_at_the_end_of_lines_do_not_overlap():
    svg = line_chart("t", [0, 1], [Line(name, [0.5, 0.5]) for name in "abcd"])
    places = sorted(float(y) for y in re.findall(r'class="name" x="\d+" y="([\d.]+)"', svg))
    assert all(below - above >= 15 for above, below in pairwise(places))


def test_values_beyond_the_axis_widen_it():
    assert 'text-anchor="end">1.8<' in line_chart("t", [0, 1], [Line("a", [0.0, 1.8])])
