"""A search tool that shows little: drills for reading the right sentence."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from asl_env.agents.lm.nano.worlds import NamedWorld
from asl_env.corpora.miniwiki.facts import Fact
from asl_env.episode import ToolCall
from asl_env.protocols import Hit, ToolResult
from asl_env.tool import SearchTool

if TYPE_CHECKING:
    import numpy as np

#: Passages shown, and sentences of each besides those that are wanted.
_PASSAGES, _OTHERS = 2, 4


class ThinTool:
    """Searches, then leaves out most of what was found, but not what the player needs.

    A few sentences are far fewer tokens than a real result and hold one that matters: more of them
    fit into a step, and the right one is easier to find.

    Args:
        world: Where to search.
        wanted: Facts that stay.
        rng: Chooses what else stays.
    """

    def __init__(
        self, world: NamedWorld, wanted: Collection[Fact], rng: np.random.Generator
    ) -> None:
        self._world = world
        self._tool = SearchTool(world.tool.retriever, top_k=world.tool.top_k, cache_size=0)
        self._wanted = frozenset(wanted)
        self._rng = rng

    def run(self, calls: Sequence[ToolCall]) -> list[ToolResult]:
        """Carries out calls."""
        return [
            result._replace(hits=self._thinned(result.hits)) for result in self._tool.run(calls)
        ]

    def _thinned(self, hits: Sequence[Hit]) -> list[Hit]:
        ranked = sorted(hits, key=lambda hit: not self._needed(hit))  # stable
        count = 1 + int(self._rng.random() * _PASSAGES)
        kept = [hit for hit in hits if hit in ranked[:count]]
        return [hit._replace(passage=hit.passage._replace(text=self._text(hit))) for hit in kept]

    def _needed(self, hit: Hit) -> bool:
        return any(s.fact in self._wanted for s in self._world.sentences[hit.passage.id] if s.fact)

    def _text(self, hit: Hit) -> str:
        sentences = self._world.sentences[hit.passage.id]
        others = 1 + int(self._rng.random() * _OTHERS)
        chosen = set(self._rng.permutation(len(sentences))[:others].tolist())
        return " ".join(
            sentence.text
            for number, sentence in enumerate(sentences)
            if number in chosen or sentence.fact in self._wanted
        )
