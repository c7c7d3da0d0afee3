"""Reports are complete, well-formed, load nothing, and escape whatever a model wrote."""

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest
import yaml

from asl_env.agents.report.charts import Line, line_chart
from asl_env.agents.report.write import write_report
from asl_env.episode import Role, Task, Trajectory, Turn
from asl_env.errors import RecordError, RunError
from asl_env.evaluation import evaluate
from asl_env.evaluation.records import encode, to_record
from asl_env.protocols import ToolResult

EVIL = '<script>alert("x")</script>&amp;</pre>'
VOID = {"meta", "rect", "circle", "path"}


class Checker(HTMLParser):
    """Follows the tags of a page; knows its text."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], "", set()

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        assert not {"src", "onclick", "onload"} & {name for name, _ in attrs}
        assert all(value.startswith("#") for name, value in attrs if name == "href")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.add(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


def check(path):
    """Parses a report; fails if it is not well-formed or would load something."""
    html = path.read_text(encoding="utf-8")
    checker = Checker()
    checker.feed(html)
    checker.close()
    assert checker.open == [] and "script" not in checker.tags
    assert "://" not in html and "default-src 'none'" in html
    return checker


def measured(number, judged, true):
    matrix = {"true_accept": 5, "false_accept": number, "true_reject": 4, "false_reject": 1}
    policy = {"n": 24, "judged": judged, "true": true, "f1": true, "sets": {EVIL: {"true": true}}}
    grm = {"accuracy": 0.9, "kappa": None, "false_accept": 0.1, "matrix": matrix | {"invalid": 2}}
    metrics = {"round": number, "policy": policy, "grm": grm, "hacks": {"probes": {EVIL: 0.5}}}
    if number:
        metrics["tasks"] = {"count": 7, "difficulty": 0.4, "oracle": {"valid": 0.75}}
    return {"event": "measured", "round": number, "metrics": metrics}


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "my-run"
    folder.mkdir()
    recipe = {"name": "tiny", "about": EVIL, "rounds": 3}
    config = {"format": 1, "recipe": recipe, "corpus": "miniwiki", "agent": "x", "seed": 7}
    (folder / "config.yaml").write_text(yaml.safe_dump(config))
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
    played = Trajectory(
        Role.POLICY,
        Task("t", "Where?", ("Oslo",)),
        ({"role": "user", "content": "Where?"}, {"role": "assistant", "content": EVIL}),
        (Turn(EVIL),),
        EVIL,
    )
    line = encode(to_record(played) | {"round": 1, "phase": "solve"})
    (folder / "trajectories.jsonl").write_bytes(line * 9)
    return folder


def test_a_run_report_says_what_happened(run):
    page = check(write_report(run))
    for said in ("my-run", "2.0 minutes", "1 of 3", "judged minus true accuracy", "5 events"):
        assert said in page.text
    assert page.text.count(EVIL) >= 5, "what was written is shown as it was written"
    assert page.text.count("policy, round 1") == 3, "the newest episodes of a seat"


def test_charts_have_numbers_and_words(run):
    html = write_report(run).read_text(encoding="utf-8")
    assert "judged: 0.400 at round 0, 0.900 at round 1." in html
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="', html)) >= 6


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
