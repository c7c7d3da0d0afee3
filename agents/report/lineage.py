"""Which question begat which: the self-made tasks of a run, their parents and their families."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from asl_env.agents.report.logs import lines
from asl_env.agents.report.page import folded, table

#: Families that are written out, largest first, and questions in each.
_FAMILIES, _MEMBERS = 30, 60
_KINDS = ("seed", "harder", "easier")


class Descent(NamedTuple):
    """A self-made task.

    Attributes:
        id: Its name.
        parent: The task of an earlier round that it varies, or ``None``.
        round: In which it was made.
        kind: ``seed``, ``harder`` or ``easier``.
        question: What it asks.
        answer: The generator's answer.
    """

    id: str
    parent: str | None
    round: int
    kind: str
    question: str
    answer: str


def read_lineage(folder: Path) -> list[Descent]:
    """Reads the tasks of all finished rounds of a run, in their order.

    A parent that was not made before its child (a damaged file) is left out, so that families are
    trees.

    Raises:
        RecordError: If a file cannot be read.
    """
    found: dict[str, Descent] = {}
    files = (folder / "tasks").glob("round-*.jsonl")
    for path in sorted(files, key=lambda path: (len(path.name), path.name)):  # 99 before 100
        for record in lines(path):
            metadata = record.get("metadata")
            about: Mapping[str, Any] = metadata if isinstance(metadata, dict) else {}
            parent = about.get("parent")
            name, answers = str(record.get("id")), record.get("golden_answers")
            number = about.get("round")
            found[name] = Descent(
                name,
                parent if isinstance(parent, str) and parent in found and parent != name else None,
                number if isinstance(number, int) else 0,
                str(about.get("kind") or ""),
                str(record.get("question")),
                str(answers[0]) if isinstance(answers, list) and answers else "",
            )
    return list(found.values())


def lineage_section(tasks: Sequence[Descent]) -> str:
    """Returns the counts per round and the largest families; empty without tasks."""
    if not tasks:
        return ""
    depth: dict[str, int] = {}
    for task in tasks:
        depth[task.id] = 0 if task.parent is None else depth[task.parent] + 1
    rows = []
    for number in sorted({task.round for task in tasks}):
        made = [task for task in tasks if task.round == number]
        kinds = Counter(task.kind for task in made)
        deepest = max(depth[task.id] for task in made)
        counts = [str(kinds[kind]) for kind in _KINDS]
        rows.append((str(number), str(len(made)), *counts, str(deepest)))
    columns = ("round", "tasks", "from seeds", "harder", "easier", "longest line of ancestors")
    return table("Where the tasks of a round come from", columns, rows) + _families(tasks)


def _families(tasks: Sequence[Descent]) -> str:
    children: dict[str, list[Descent]] = {}
    root: dict[str, Descent] = {}
    for task in tasks:
        root[task.id] = task if task.parent is None else root[task.parent]
        if task.parent is not None:
            children.setdefault(task.parent, []).append(task)
    sizes = Counter(founder.id for founder in root.values())
    by_name = {task.id: task for task in tasks}
    shown = [(by_name[name], size) for name, size in sizes.most_common(_FAMILIES) if size > 1]
    trees = [
        folded(f"{founder.question} ({size} questions)", _tree(founder, children, size))
        for founder, size in shown
    ]
    if not trees:
        return '<p class="soft">No question has begotten another yet.</p>'
    total = sum(size > 1 for size in sizes.values())
    note = f"The {len(trees)} largest of {total} families: every question above what it begat."
    return f'<p class="soft">{note}</p>' + "".join(trees)


def _tree(founder: Descent, children: Mapping[str, Sequence[Descent]], size: int) -> str:
    """A nested list, without recursion: a line of ancestors may be as long as the run."""
    parts, stack = ['<ul class="tree">'], [(founder, False)]
    written = 0
    while stack:
        task, closing = stack.pop()
        if closing:
            parts.append("</ul></li>" if children.get(task.id) else "</li>")
            continue
        if written >= _MEMBERS:
            continue
        written += 1
        about = f"round {task.round}, {task.kind}" if task.kind else f"round {task.round}"
        parts.append(
            f'<li><span class="soft">{escape(about)}</span> {escape(task.question)} '
            f"→ {escape(task.answer)}"
        )
        stack.append((task, True))
        if children.get(task.id):
            parts.append("<ul>")
            stack += [(child, False) for child in reversed(children[task.id])]
    more = size - written
    return "".join(parts) + (f"<li>and {more} more</li></ul>" if more else "</ul>")
