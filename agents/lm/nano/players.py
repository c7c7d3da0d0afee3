"""Scripted play for the three seats, by players who know the world and are not always careful.

A careful player restates the question in the plainest words, searches hop by hop, states what it
has found, and goes on. A careless one stops early, asks badly, guesses, or judges by looks.
Imitating a mixture leaves a model with every habit it needs, and with something to learn: which of
its habits pay.
"""

from __future__ import annotations

from asl_env.agents.lm.nano.asker import Asker
from asl_env.agents.lm.nano.judge import Judge
from asl_env.agents.lm.nano.solver import Solver


class Players(Solver, Judge, Asker):
    """Plays every seat of one world; the arguments are those of ``Player``."""
