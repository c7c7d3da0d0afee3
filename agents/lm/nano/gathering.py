"""Gathers the episodes of a warm-up, world by world, on several processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from asl_env.agents.lm.nano.episodes import episodes
from asl_env.agents.lm.nano.imitation import Corpus, encode
from asl_env.agents.lm.nano.settings import Stage, WarmupSettings
from asl_env.episode import Trajectory

if TYPE_CHECKING:
    from asl_env.agents.lm.template import ChatTemplate

#: Called with how much is done and how much there is to do.
Progress = Callable[[int, int], None]

#: The stage that a world which is for the tokenizer, or for validation, counts as.
TOKENIZER, VALIDATION = -1, -2


def play_world(
    settings: WarmupSettings, stage: Stage, place: int, number: int
) -> Iterator[Trajectory]:
    """The episodes of one world.

    Args:
        settings: Seed and habits.
        stage: Episodes per world, share of thin ones.
        place: Number of the stage, or what else the world is for.
        number: Number of the world; all chance follows from seed, place and number.
    """
    rng = np.random.default_rng([settings.seed, place % 2**32, number])
    return episodes(
        rng,
        stage.episodes,
        stage.episodes,
        stage.habits or settings.habits,
        stage.thin,
        stage.openings,
        stage.every_wording,
        stage.comparisons,
    )


def texts(settings: WarmupSettings) -> Iterator[str]:
    """What the tokenizer is trained on."""
    for number in range(settings.tokenizer_worlds):
        for episode in play_world(settings, settings.stages[0], TOKENIZER, number):
            yield from (message["content"] for message in episode.messages)


def gather(
    settings: WarmupSettings,
    stage: Stage,
    place: int,
    tokenizer: Path,
    processes: int,
    progress: Progress,
) -> Corpus:
    """Plays and encodes the worlds of a stage, however many processes there are.

    Args:
        settings: Seed and habits.
        stage: What is played.
        place: Number of the stage, or ``VALIDATION``.
        tokenizer: Folder of the tokenizer.
        processes: Side by side.
        progress: Told after each world.
    """
    jobs = [(settings, stage, place, number, str(tokenizer)) for number in range(stage.worlds)]
    parts: list[Corpus] = []
    if processes < 2:
        for job in jobs:
            parts.append(_encoded(job))
            progress(len(parts), len(jobs))
        return _joined(parts)
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for part in pool.map(_encoded, jobs):
            parts.append(part)
            progress(len(parts), len(jobs))
    return _joined(parts)


def _encoded(job: tuple[WarmupSettings, Stage, int, int, str]) -> Corpus:
    settings, stage, place, number, folder = job
    return encode(play_world(settings, stage, place, number), _template(folder), stage.stress)


@cache
def _template(folder: str) -> ChatTemplate:
    """The chat template of a tokenizer's folder, opened once per process."""
    from transformers import AutoTokenizer

    from asl_env.agents.lm.template import ChatTemplate

    return ChatTemplate(AutoTokenizer.from_pretrained(folder))


def _joined(parts: Sequence[Corpus]) -> Corpus:
    starts = [np.zeros(1, np.int64)]
    for part in parts:
        starts.append(part.starts[1:] + starts[-1][-1])
    return Corpus(
        np.concatenate([part.ids for part in parts]),
        np.concatenate([part.said for part in parts]),
        np.concatenate(starts),
    )
