"""R-Zero's repetition penalty over the last questions, however they come in.

R-Zero (arXiv 2508.05004, section 3.2) clusters the B questions of a training batch by the distance
d_ij = 1 − BLEU(x_i, x_j) and takes λ·|C_k|/B from the reward of a question in cluster C_k. An
environment ends its episodes a few at a time: the batch here is the last B questions.
"""

from __future__ import annotations

from collections.abc import Sequence

from asl_env.rewards.clusters import EPSILON, cluster_sizes


class RecentQuestions:
    """Counts how many of the last B questions read like a question.

    Args:
        window: B, the number of questions that are compared.
        epsilon: Largest distance (1 − BLEU) of questions that read alike.
        recent: Questions that were asked before, oldest first.
    """

    def __init__(self, window: int, epsilon: float = EPSILON, recent: Sequence[str] = ()) -> None:
        self.window, self.epsilon = window, epsilon
        self._recent = list(recent)[-window:]

    def __call__(self, questions: Sequence[str]) -> list[float]:
        """Takes questions in and returns each one's |C_k|/B, itself included.

        Always divided by B: the first questions of a run are not penalised for being few. Of more
        than B questions at once, the newest B are compared, and the others count as alone.

        Args:
            questions: The new questions.
        """
        compared = [*self._recent, *questions][-max(1, self.window) :]
        sizes = cluster_sizes(compared, self.epsilon)
        self._recent = compared
        new = sizes[-len(questions) :] if questions else []
        left_out = len(questions) - len(new)
        return [size / self.window for size in [*([1] * left_out), *new]]
