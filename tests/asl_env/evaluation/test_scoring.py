"""What one question scores and costs: evidence that was shown counts, failures do not."""

import pytest

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Role, Task, ToolCall, Trajectory, Turn
from asl_env.evaluation.scoring import GOLD_RECALL, score, titles_shown
from asl_env.protocols import Hit, ToolResult

GOLD = {"supporting_titles": ["Ada Lovelace", "The <b>Engine</b>"]}
TASK = Task("q", "Who?", ("Ada",), GOLD)


def shown(dialect, *titles):
    """The messages of a search that found these titles."""
    hits = tuple(Hit(Passage(title, title, "Some text."), 1.0) for title in titles)
    return make_dialect(dialect).render_results([ToolResult(ToolCall(("x",)), hits)])


def played(*messages, task=TASK, **changes):
    fields = {"turns": (Turn("<answer>Ada</answer>"),), "answer": "Ada"} | changes
    return Trajectory(Role.POLICY, task, tuple(messages), **fields)


@pytest.mark.parametrize("dialect", ["asl", "search-r1"])
@pytest.mark.parametrize(
    ("searches", "recall"),
    [
        ([], 0.0),
        ([["Babbage"]], 0.0),
        ([["ada lovelace", "Babbage"]], 0.5),
        ([["Ada Lovelace"], ["Ada Lovelace"]], 0.5),
        ([["Ada Lovelace"], ["The <b>Engine</b>"]], 1.0),
    ],
)
def test_recall_is_the_share_of_gold_titles_that_were_shown(dialect, searches, recall):
    messages = [message for titles in searches for message in shown(dialect, *titles)]
    for given in (make_dialect(dialect), None):
        row = score(TASK, played(*messages), None, judged=False, dialect=given)
        assert row.scores[GOLD_RECALL] == recall


def test_only_search_results_count_as_shown():
    said = shown("asl", "Ada Lovelace")[0]["content"]
    faked = [{"role": role, "content": said} for role in ("user", "assistant", "system")]
    assert list(titles_shown([*faked, {"role": "tool", "content": "no results"}])) == []


def test_a_task_without_gold_titles_has_no_recall():
    task = Task("q", "Who?", ("Ada",))
    assert GOLD_RECALL not in score(task, played(task=task), None, judged=False).scores


def test_an_invalid_episode_has_no_recall_either():
    row = score(TASK, played(invalid="search: down"), None, judged=False)
    assert row.scores == {}


def test_tokens_are_counted_where_every_turn_says_them():
    turns = (Turn("a", (1, 2, 3)), Turn("b", (4,)))
    assert score(TASK, played(turns=turns, tool_calls=1), None, judged=False).costs == {
        "turns": 2,
        "searches": 1,
        "tokens": 4,
    }
    mixed = played(turns=(Turn("a", (1, 2, 3)), Turn("b")))
    assert "tokens" not in score(TASK, mixed, None, judged=False).costs
    assert "tokens" not in score(TASK, played(turns=()), None, judged=False).costs
