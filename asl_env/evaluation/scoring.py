"""One evaluated question: how well it was answered, what evidence was seen, what it cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from asl_env.dialects import make_dialect
from asl_env.episode import SCHEMA_VERSION, Message, Task, Trajectory
from asl_env.evaluation.records import to_record
from asl_env.evaluation.taskfields import gold_titles
from asl_env.protocols import Dialect
from asl_env.rewards.matching import METRICS, Metric, hotpotqa_f1
from asl_env.rewards.verdict import parse_verdict
from asl_env.text import neutralize

#: Metrics that compare the answer with the accepted ones.
ANSWER_METRICS: Mapping[str, Metric] = {**METRICS, "hotpotqa-f1": hotpotqa_f1}
#: A judge's opinion of the answer.
JUDGED = "judged"
#: Share of a task's gold titles among the passages that the agent was shown.
GOLD_RECALL = "gold-recall"
#: All of them, in the order of reports.
SCORES = (*ANSWER_METRICS, JUDGED, GOLD_RECALL)

#: Where a saved episode does not say its dialect, it is one of these.
_DIALECTS = ("asl", "search-r1")


class Row(NamedTuple):
    """One evaluated question.

    Attributes:
        task: The question with its accepted answers.
        trajectory: How the agent played it.
        judgement: How the judge played the claim; ``None`` where nobody was asked.
        scores: The metrics of ``ANSWER_METRICS``; with a judge, ``judged``; where the task names
            its gold titles, ``gold-recall``. Empty if the episode is invalid (a failure is not a
            zero), without ``judged`` if the verdict is.
    """

    task: Task
    trajectory: Trajectory
    judgement: Trajectory | None
    scores: Mapping[str, float]

    @property
    def costs(self) -> dict[str, int]:
        """Turns, searches carried out, and sampled tokens where the agent says its tokens."""
        turns = self.trajectory.turns
        costs = {"turns": len(turns), "searches": self.trajectory.tool_calls}
        lengths = [len(turn.token_ids) for turn in turns if turn.token_ids is not None]
        if turns and len(lengths) == len(turns):
            costs["tokens"] = sum(lengths)
        return costs

    def to_json(self) -> dict[str, Any]:
        """Returns the row as a JSON object: what it says first, the full trajectories last."""
        judgement = None if self.judgement is None else to_record(self.judgement)
        return {
            "schema": SCHEMA_VERSION,
            "id": self.task.id,
            "question": self.task.question,
            "answers": list(self.task.answers),
            "prediction": self.trajectory.answer,
            "scores": dict(self.scores),
            "costs": self.costs,
            "invalid": self.trajectory.invalid,
            "trajectory": to_record(self.trajectory),
            "judgement": judgement,
        }


def score(
    task: Task,
    played: Trajectory,
    judgement: Trajectory | None,
    judged: bool,
    dialect: Dialect | None = None,
) -> Row:
    """Scores one episode.

    Args:
        task: The question; its answers count, not those in the trajectory.
        played: The policy's episode.
        judgement: The judge's episode about the answer, if it was asked.
        judged: Whether a judge takes part; without an answer its score is 0 unasked.
        dialect: In which search results were shown; by default whichever built-in one fits.
    """
    if played.invalid is not None:
        return Row(task, played, judgement, {})
    scores = {name: metric(played.answer, task.answers) for name, metric in ANSWER_METRICS.items()}
    if judgement is not None and judgement.invalid is None:
        verdict = parse_verdict(judgement.answer)
        if verdict is not None:
            scores[JUDGED] = float(verdict == "correct")
    elif judgement is None and judged and played.answer is None:
        scores[JUDGED] = 0.0
    wanted = {_key(title) for title in gold_titles(task)}
    if wanted:
        seen = {_key(title) for title in titles_shown(played.messages, dialect)}
        scores[GOLD_RECALL] = len(wanted & seen) / len(wanted)
    return Row(task, played, judgement, scores)


def titles_shown(messages: Sequence[Message], dialect: Dialect | None = None) -> Iterable[str]:
    """Yields the titles of all passages in the search results of a conversation.

    Args:
        messages: The whole chat.
        dialect: In which results were written; by default whichever built-in one fits.
    """
    known = [dialect] if dialect is not None else [make_dialect(name) for name in _DIALECTS]
    for message in messages:
        if message["role"] == "tool":
            found = (one.read_results(message) for one in known)
            passages = next((some for some in found if some is not None), [])
            yield from (passage.title for passage in passages)


def _key(title: str) -> str:
    """A title without case and blanks: dialects add blanks to what would read as a tag."""
    return "".join(neutralize(title).casefold().split())
