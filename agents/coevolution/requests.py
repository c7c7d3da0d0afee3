"""What the generator is asked for: seed topics, then harder and easier variants of questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np

from asl_env.agents.coevolution.recipe import RequestSpec
from asl_env.episode import Request, Task


def seed_requests(topics: Sequence[str], round_number: int) -> list[Request]:
    """One request per distinct topic.

    Args:
        topics: Seed topics, in any order; repeated ones count once.
        round_number: For the requests' names.
    """
    return [
        Request(
            id=f"r{round_number}-seed-{number}",
            kind="seed",
            topic=topic,
            provenance={"round": round_number},
        )
        for number, topic in enumerate(dict.fromkeys(topics))
    ]


def rewrites(
    tasks: Sequence[Task],
    accuracy: Mapping[str, float],
    spec: RequestSpec,
    round_number: int,
) -> list[Request]:
    """Asks for harder variants of what the policy solves and easier ones of what it does not.

    Args:
        tasks: Tasks of the round that just ended.
        accuracy: Share of right answers per task id; tasks that were not played have none and
            give no request.
        spec: Thresholds.
        round_number: The round that just ended: its number decides between width and depth.

    Returns:
        Requests of the next round, one per played task, in the tasks' order; none if the recipe
        wants no rewrites.
    """
    if not spec.rewrites:
        return []
    style: Literal["width", "depth"] = "width" if round_number <= spec.width_rounds else "depth"
    requests = []
    for task in tasks:
        share = accuracy.get(task.id)
        if share is None:
            continue
        kind: Literal["harder", "easier"] = "harder" if share >= spec.harder_from else "easier"
        requests.append(
            Request(
                id=f"r{round_number + 1}-{kind}-{task.id}",
                kind=kind,
                topic=str(task.provenance.get("topic", "")),
                style=style,
                source_question=task.question,
                source_answer=task.answers[0],
                provenance={"round": round_number + 1, "parent": task.id, "accuracy": share},
            )
        )
    return requests


def mix_seeds(
    requests: Sequence[Request],
    topics: Sequence[str],
    spec: RequestSpec,
    round_number: int,
    rng: np.random.Generator,
) -> list[Request]:
    """Adds seed requests where rewrites are few, or where the recipe wants a share of them.

    Args:
        requests: Rewrites of the last round (none in round 1).
        topics: Seed topics.
        spec: ``minimum`` and ``seed_share``.
        round_number: The round that begins.
        rng: Chooses the topics.

    Returns:
        The rewrites, then the seeds. Never fewer than there are rewrites; all topics if there are
        no rewrites.
    """
    seeds = seed_requests(topics, round_number)
    if not requests:
        return seeds
    share = round(len(requests) * spec.seed_share / (1.0 - spec.seed_share))
    wanted = min(len(seeds), max(spec.minimum - len(requests), share))
    chosen = sorted(rng.choice(len(seeds), size=wanted, replace=False).tolist()) if wanted else []
    return [*requests, *(seeds[index] for index in chosen)]
