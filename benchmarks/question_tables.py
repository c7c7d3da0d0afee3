"""The tables of real questions in Markdown: means with intervals, and differences from lexical."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from question_results import Record, Results

from asl_env.evaluation.statistics import bootstrap_mean, paired_difference

#: What every agent is compared with, question by question.
BASELINE = "lexical"
#: The order of rows; anybody else comes after.
ORDER = ("random", BASELINE, "candidates", "candidates-trained", "nano", "nano-trained")
_MEANS = {"em": "exact match", "f1": "F1", "cover-em": "cover match", "gold-recall": "gold titles"}
_COSTS = {"searches": "searches", "tokens": "tokens"}


def tables(results: Results) -> str:
    """All tables: the sets, then one per spec and set."""
    sets = results.sets()
    parts = [set_table(sets)]
    for spec in results.specs():
        for name, about in sets.items():
            agents = results.agents(spec, name, about["ids"])
            if agents:
                head = f"### {name}, {spec}: {len(about['ids']):,} questions"
                parts.append(f"{head}\n\n{agent_table(agents)}")
                parts += [pair_table(agents)] if len(agents) > 1 and BASELINE in agents else []
    return "\n\n".join(parts)


def set_table(sets: dict[str, Record]) -> str:
    """How much of each set can be asked over the passages."""
    rows = []
    for name, about in sets.items():
        total, evidence = about["questions"], about["evidence"]
        shown = "none named" if evidence is None else _share(evidence, total)
        asked = f"{len(about['ids']):,}"
        rows.append((name, f"{total:,}", shown, _share(about["answers"], total), asked))
    columns = ("set", "questions", "gold titles among the passages", "an answer in some passage")
    return _table((*columns, "asked"), rows)


def agent_table(agents: dict[str, Record]) -> str:
    """Scores and costs of the agents on one set."""
    rows = []
    for agent in _sorted(agents):
        record, cells = agents[agent], [f"`{agent}`"]
        for name in _MEANS:
            values = [v for v in record["columns"].get(name, ()) if v is not None]
            cells.append(str(bootstrap_mean(values)) if values else "–")
        for name in _COSTS:
            values = [v for v in record["columns"].get(name, ()) if v is not None]
            cells.append(f"{sum(values) / len(values):.1f}" if values else "–")
        seconds = record["seconds"]
        cells.append("–" if seconds is None else f"{seconds:.3f}")
        rows.append((*cells, str(record["counts"]["unanswered"]), str(record["counts"]["invalid"])))
    columns = ("agent", *_MEANS.values(), *_COSTS.values(), "s", "no answer", "invalid")
    return _table(columns, rows)


def pair_table(agents: dict[str, Record]) -> str:
    """Differences from the baseline, question by question."""
    rows = []
    for agent in _sorted(agents):
        if agent == BASELINE:
            continue
        for name in ("em", "f1"):
            old, new = _pairs(agents[BASELINE], agents[agent], name)
            found = paired_difference(old, new)
            won = sum(b > a for a, b in zip(old, new, strict=True))
            lost = sum(b < a for a, b in zip(old, new, strict=True))
            interval = f"{found.mean:+.3f} [{found.low:+.3f}, {found.high:+.3f}]"
            p_value = f"{found.p_value:.4f}" if found.p_value >= 0.0001 else "<0.0001"
            rows.append((f"`{agent}`", _MEANS[name], interval, p_value, f"{won}/{lost}"))
    columns = (f"against `{BASELINE}`", "metric", "difference [95 %]", "p", "won/lost")
    return _table(columns, rows)


def _pairs(old: Record, new: Record, name: str) -> tuple[list[float], list[float]]:
    """The scores of the questions that are valid in both."""
    both = zip(old["columns"][name], new["columns"][name], strict=True)
    pairs = [(a, b) for a, b in both if a is not None and b is not None]
    return [a for a, _ in pairs], [b for _, b in pairs]


def _sorted(agents: dict[str, Record]) -> Iterator[str]:
    yield from (name for name in ORDER if name in agents)
    yield from (name for name in agents if name not in ORDER)


def _share(part: int, whole: int) -> str:
    return f"{part:,} ({100 * part / whole:.0f} %)"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
