"""Which questions become tasks: length, form, duplicates, contamination."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from asl_env.agents.coevolution.recipe import FilterSpec
from asl_env.text import normalize

Rejection = Literal["short", "form", "answer", "leak", "duplicate", "contaminated"]


class TaskFilter:
    """Decides on questions one by one.

    The paper keeps questions longer than 20 characters that end with a question mark and, against
    the name of its function, removes no duplicates; here duplicates go, and so do questions that
    overlap with the held-out sets.

    Args:
        spec: The thresholds.
        held_out: Questions that must never be trained on.
    """

    def __init__(self, spec: FilterSpec, held_out: Iterable[str] = ()) -> None:
        self._spec = spec
        self._held_out: set[str] = set()
        self._grams: dict[tuple[str, ...], set[int]] = {}
        for number, question in enumerate(held_out):
            text = normalize(question)
            self._held_out.add(text)
            for gram in ngrams(text, spec.ngram):
                self._grams.setdefault(gram, set()).add(number)

    def reject(self, question: str, answer: str, seen: Iterable[str]) -> Rejection | None:
        """Why a question cannot become a task.

        Args:
            question: The question.
            answer: Its answer.
            seen: Normalised questions that are tasks already (a set or the keys of a dict).

        Returns:
            The first reason, or ``None`` if it can.
        """
        spec, text, reply = self._spec, normalize(question), normalize(answer)
        if len(question) <= spec.min_chars:
            return "short"
        if not question.endswith(spec.suffix):
            return "form"
        if not reply:
            return "answer"
        if spec.reject_leaks and f" {reply} " in f" {text} ":
            return "leak"
        if spec.deduplicate and text in seen:
            return "duplicate"
        return "contaminated" if self.contaminated(text) else None

    def contaminated(self, text: str) -> bool:
        """Whether a normalised question equals a held-out one, or shares too many n-grams."""
        if text in self._held_out:
            return True
        grams = ngrams(text, self._spec.ngram)
        shared: dict[int, int] = {}
        for gram in grams:
            for number in self._grams.get(gram, ()):
                shared[number] = shared.get(number, 0) + 1
        return any(count >= self._spec.overlap * len(grams) for count in shared.values())


def ngrams(text: str, size: int) -> Sequence[tuple[str, ...]]:
    """The distinct word n-grams of a normalised text, in order; none if it is shorter."""
    words = text.split()
    return list(dict.fromkeys(zip(*(words[i:] for i in range(size)), strict=False)))
