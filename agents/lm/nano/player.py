"""What scripted players of all seats share: a world, chance, habits, and ways to search."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from asl_env.agents.lm.nano.habits import Habits
from asl_env.agents.lm.nano.plans import Plan, Planner, wide_bank
from asl_env.agents.lm.nano.worlds import NamedWorld
from asl_env.corpora.miniwiki.facts import Fact
from asl_env.corpora.miniwiki.prose import Sentence
from asl_env.corpora.passages import Passage
from asl_env.dialects.asl import AslDialect
from asl_env.episode import Claim, Request, Task

if TYPE_CHECKING:
    import numpy as np

#: Plays one episode: yields its turns, is sent what each search showed.
Script = Generator[str, Sequence[Passage], None]


class Part(NamedTuple):
    """What is played, by which script, and the facts that the script needs to be shown."""

    assignment: Task | Claim | Request
    script: Script
    facts: tuple[Fact, ...] = ()


class Player:
    """A scripted player of any seat.

    Args:
        world: Where it plays.
        rng: All chance.
        habits: How careless it is.
        every_wording: Whether questions come in rare wordings too.
    """

    def __init__(
        self,
        world: NamedWorld,
        rng: np.random.Generator,
        habits: Habits,
        *,
        every_wording: bool = False,
    ) -> None:
        self.world = world
        self.planner = Planner(world.facts, wide_bank(rare=every_wording))
        self._dialect = AslDialect()
        self._rng = rng
        self._habits = habits

    def _look_up(
        self, plan: Plan, number: int, think: str
    ) -> Generator[str, Sequence[Passage], tuple[Sentence | None, Sequence[Passage]]]:
        """Searches for one hop, twice if need be; the sentence that settles it, and what showed."""
        queries = [plan.queries[number], plan.names[number]]
        if self._does(self._habits.names_only):
            queries.reverse()
        for attempt, query in enumerate(queries):
            shown = yield self._search(query, think)
            sentence = self._find(plan.fact(number), shown)
            if sentence is not None or attempt or self._does(self._habits.gives_up):
                return sentence, shown
            think = "It is not there. Again."
        raise AssertionError("there are two queries")

    def _search(self, query: str, think: str) -> str:
        return self._dialect.write_search(query, "" if self._does(self._habits.slips) else think)

    def _final(self, answer: str, *, question: str | None = None, think: str) -> str:
        if self._does(self._habits.slips):
            think = ""
        if question is not None and self._does(self._habits.slips):
            question = question.rstrip("?")
        return self._dialect.write_final(answer, question, think)

    def _find(self, fact: Fact, shown: Sequence[Passage]) -> Sentence | None:
        """The first sentence shown that states a fact."""
        return next((sentence for told, sentence in self._told(shown) if told == fact), None)

    def _told(self, shown: Sequence[Passage]) -> list[tuple[Fact, Sentence]]:
        """The facts that passages state, as far as the passages were not cut."""
        return [
            (sentence.fact, sentence)
            for passage in shown
            for sentence in self.world.sentences[passage.id]
            if sentence.fact is not None and sentence.text in passage.text
        ]

    def _does(self, share: float) -> bool:
        # What never or always happens takes no chance: a new habit leaves the play of others alone.
        return share >= 1.0 or (share > 0.0 and bool(self._rng.random() < share))

    def _below(self, count: int) -> int:
        return int(self._rng.random() * count)

    def _shuffle(self, items: list[tuple[Fact, Sentence]]) -> None:
        self._rng.shuffle(items)
