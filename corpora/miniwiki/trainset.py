"""The embedded training questions: drawn once, kept as a data file that opens in no time.

``questions.training_tasks`` draws as many as one likes, but has to build the oracle first. These
are for whoever wants some at once; no held-out entity and no held-out wording is in them.
``tools/build_trainset.py`` writes the file anew when facts or templates change.
"""

from __future__ import annotations

import gzip
import json
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asl_env.corpora.miniwiki.questions import QuestionRecord

#: The data file.
FILE = "train-miniwiki.jsonl.gz"
#: Questions per number of hops.
SIZES = {1: 1000, 2: 1000}

_SEED = 20_251


@cache
def load() -> tuple[dict[str, Any], ...]:
    """Reads the questions.

    Returns:
        Records with ``id``, ``question``, ``golden_answers`` and ``metadata`` (``hops``,
        ``kind``, ``chain``, ``entities``, ``subjects``), always in the same order.
    """
    data = (files("asl_env.corpora.miniwiki.data") / FILE).read_bytes()
    return tuple(json.loads(line) for line in gzip.decompress(data).splitlines())


def build() -> list[QuestionRecord]:
    """Draws the questions anew; deterministic."""
    import numpy as np

    from asl_env.corpora.miniwiki.questions import training_tasks

    drawn: list[QuestionRecord] = []
    for hops, size in SIZES.items():
        drawn += training_tasks(np.random.default_rng([_SEED, hops]), size, hops)
    return drawn
