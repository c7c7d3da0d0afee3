"""Comparisons pair the same questions, count wins, and refuse what is not alike."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asl_env.episode import Task
from asl_env.errors import RecordError, RunError
from asl_env.evaluation.comparison import Saved, compare_saved, read_saved, saved_of
from asl_env.evaluation.rescore import rescore
from asl_env.evaluation.runner import evaluate
from asl_env.lexical import LexicalAgent
from asl_env.protocols import ToolResult

TASKS = [Task(f"q{n}", f"What is number {n}?", (f"thing {n}",)) for n in range(4)]


class EmptyTool:
    """Finds nothing."""

    def run(self, calls):
        return [ToolResult(call, ()) for call in calls]


def saved(scores, **settings):
    """An evaluation whose question n has the n-th score as em."""
    names = [f"q{n}" for n in range(len(scores))]
    questions = {name: (f"{name}?", ("a",)) for name in names}
    em = [{} if score is None else {"em": score} for score in scores]
    return Saved("x", settings, questions, dict(zip(names, em, strict=True)))


def test_means_wins_losses_and_ties():
    found = compare_saved(saved([0, 0, 1, 1, 0]), saved([1, 1, 1, 0, 0])).metrics["em"]
    assert (found.first, found.second) == (0.4, 0.6)
    assert (found.wins, found.losses, found.ties) == (2, 1, 2)
    assert found.difference.mean == pytest.approx(0.2)
    # Two of three flips, either way: every pattern is at least as far from 0.
    assert found.difference.p_value == 1.0


def test_a_question_that_is_invalid_in_one_is_left_out_of_both():
    found = compare_saved(saved([1, None, 0, 1]), saved([1, 1, None, 0]))
    assert (found.questions, found.left_out) == (4, 2)
    assert found.metrics["em"].difference.n == 2
    with pytest.raises(RunError, match="no question is valid in both"):
        compare_saved(saved([None, 1]), saved([1, None]))


SCORE = st.sampled_from([0.0, 0.25, 2 / 3, 1.0])
PAIRS = st.lists(st.tuples(SCORE, SCORE), min_size=1, max_size=30)


@settings(max_examples=20)
@given(PAIRS)
def test_swapping_the_two_swaps_everything(pairs):
    old, new = (saved(list(scores)) for scores in zip(*pairs, strict=True))
    forth, back = (compare_saved(a, b).metrics["em"] for a, b in ((old, new), (new, old)))
    assert (forth.wins, forth.losses, forth.ties) == (back.losses, back.wins, back.ties)
    assert forth.difference.mean == pytest.approx(-back.difference.mean)
    assert forth.wins + forth.losses + forth.ties == len(pairs)


@settings(max_examples=20)
@given(PAIRS, st.randoms())
def test_the_order_of_the_rows_does_not_matter(pairs, random):
    old, new = (saved(list(scores)) for scores in zip(*pairs, strict=True))
    order = random.sample(list(new.scores), len(pairs))
    mixed = Saved("y", {}, new.questions, {name: new.scores[name] for name in order})
    assert compare_saved(old, mixed).metrics == compare_saved(old, new).metrics


def test_different_questions_are_refused_in_one_line():
    with pytest.raises(RunError, match=r"1 only in the first \(such as 'q2'\); evaluate both"):
        compare_saved(saved([1, 1, 1]), saved([1, 1]))
    with pytest.raises(RunError, match=r"1 only in the second \(such as 'q2'\)"):
        compare_saved(saved([1, 1]), saved([1, 1, 1]))


def test_other_accepted_answers_under_the_same_id_are_refused():
    one = saved([1])
    other = Saved("y", {}, {"q0": ("q0?", ("b",))}, one.scores)
    with pytest.raises(RunError, match="accept different things under the id 'q0'"):
        compare_saved(one, other)


def test_other_versions_of_the_metrics_are_refused():
    with pytest.raises(RunError, match=r"metric version 1, x of 2; compare with --rescore"):
        compare_saved(saved([1], metric_version=1), saved([1], metric_version=2))


def test_verdicts_of_different_judges_are_not_compared():
    judged = {"q0": {"em": 1.0, "judged": 1.0}}
    one, other = (
        Saved(name, {"judge": name}, {"q0": ("?", ("a",))}, judged) for name in ("a", "b")
    )
    assert set(compare_saved(one, other).metrics) == {"em"}
    assert set(compare_saved(one, one).metrics) == {"em", "judged"}


def test_settings_in_which_they_differ_are_told():
    old, new = saved([1], agent="a", top_k=3), saved([1], agent="b", top_k=5)
    assert compare_saved(old, new).remarks == ("top_k: 3 and 5",)


def test_what_an_evaluation_wrote_is_what_rescoring_finds(tmp_path):
    evaluate(LexicalAgent(), TASKS, tool=EmptyTool(), judge=LexicalAgent(), folder=tmp_path)
    read, again = read_saved(tmp_path), saved_of(rescore(tmp_path), str(tmp_path))
    assert read == again
    found = compare_saved(read, again)
    assert found.metrics["em"].ties == len(TASKS)
    assert json.loads(json.dumps(found.to_json()))["metrics"]["em"]["wins"] == 0


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 3}', "not a row of an evaluation"),
        ('{"id": "q", "question": "?", "answers": ["a"]}', "'scores' is not an object of numbers"),
        (
            '{"id": "q", "question": "?", "answers": ["a"], "scores": {"em": NaN}}',
            "'scores' is not an object of numbers",
        ),
        ("{", "not JSON"),
    ],
)
def test_a_hostile_row_is_named(tmp_path, line, said):
    (tmp_path / "rows.jsonl").write_text(line + "\n")
    with pytest.raises(RecordError, match=rf"rows\.jsonl:1: .*{re.escape(said)}"):
        read_saved(tmp_path)


def test_an_empty_or_a_doubled_file_is_refused(tmp_path):
    row = '{"id": "q", "question": "?", "answers": ["a"], "scores": {}}\n'
    (tmp_path / "rows.jsonl").write_text("")
    with pytest.raises(RecordError, match="is empty"):
        read_saved(tmp_path)
    (tmp_path / "rows.jsonl").write_text(row * 2)
    with pytest.raises(RecordError, match="'q' is there twice"):
        read_saved(tmp_path)
