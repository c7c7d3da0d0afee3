"""The lexical baseline: plays every seat by word overlap, without learning or a model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from asl_env.candidates.builder import MenuBuilder
from asl_env.candidates.menu import PRIOR
from asl_env.episode import Chat, Turn
from asl_env.protocols import Dialect, Encoder


class LexicalAgent:
    """Takes the candidate with the best hand-made score; what learning has to beat.

    Args:
        dialect: The dialect of the chats.
        encoder: Source of sense vectors; the offline static table by default.
        temperature: Softness of sampling when not greedy; the scores are divided by it.
    """

    def __init__(
        self,
        dialect: str | Dialect = "asl",
        encoder: Encoder | None = None,
        temperature: float = 0.5,
    ) -> None:
        self._builder = MenuBuilder(dialect, encoder)
        self._temperature = temperature

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Returns one turn per chat: the best candidate, or a sample from the scores' softmax."""
        turns = []
        for chat in chats:
            menu = self._builder.menu(chat)
            scores = menu.features[:, PRIOR].astype(np.float64)
            if not greedy:
                rng = np.random.default_rng([chat.seed, chat.turn])
                scores = scores / self._temperature + rng.gumbel(size=len(scores))
            turns.append(Turn(self._builder.write(menu, int(scores.argmax()))))
        return turns
