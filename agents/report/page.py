"""The building blocks of a report page; everything that is not markup is escaped."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from asl_env.episode import Trajectory

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --page: #fcfcfb;
  --rule: #dfe3e8; --box: #f2f4f6; --c0: #1d5fc4; --c1: #b4500b; --c2: #0b7a53; --c3: #7a3fb0; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ee; --soft: #a3adba; --page: #14181d;
  --rule: #333c47; --box: #1d232a; --c0: #7fb0ff; --c1: #ffae6b; --c2: #5fd3a6; --c3: #cfa4ff; } }
body { font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 62rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
p, dd { max-width: 44rem; } .soft, dt { color: var(--soft); } nav a { margin-right: .9rem; }
a { color: var(--c0); } .charts { display: grid; gap: 1rem 2rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr)); }
figure { margin: 0; } figcaption { font-weight: 600; margin-bottom: .2rem; }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif; fill: var(--soft); }
svg .grid { stroke: var(--rule); } svg .line { fill: none; stroke: currentColor; stroke-width: 2; }
svg g { fill: currentColor; } svg .name { font-weight: 600; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); }
.c3 { color: var(--c3); } .c1 .line { stroke-dasharray: 7 4; } .c2 .line { stroke-dasharray: 2 3; }
.c3 .line { stroke-dasharray: 9 3 2 3; } .wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid var(--rule); }
caption { text-align: left; padding-top: 1rem; } tbody th { font-weight: 500; }
th:first-child, td:first-child { text-align: left; } thead th { color: var(--soft); }
.left td, .left th { text-align: left; vertical-align: top; } td { overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1.2rem; } dd { margin: 0; }
details { margin: .4rem 0; } summary { cursor: pointer; }
.turn { border-left: 3px solid var(--rule); margin: .5rem 0; padding: .1rem .8rem; }
.turn.assistant { border-color: var(--c0); } .turn pre { white-space: pre-wrap; margin: .2rem 0;
  overflow-wrap: anywhere; font: 13px/1.45 ui-monospace, monospace; }
.alarm { border: 2px solid var(--c1); border-radius: .4rem; padding: .5rem .9rem; }
"""


def page(title: str, facts: Mapping[str, str], sections: Sequence[tuple[str, str]]) -> str:
    """Assembles a page.

    Args:
        title: Heading and window title.
        facts: Shown under the heading.
        sections: Headings with their HTML; empty ones are left out.

    Returns:
        A complete HTML document that loads nothing.
    """
    shown = [(f"s{at}", name, body) for at, (name, body) in enumerate(sections) if body]
    links = "".join(f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name, _ in shown)
    facts_html = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    body = "".join(
        f'<section><h2 id="{anchor}">{escape(name)}</h2>{inner}</section>'
        for anchor, name, inner in shown
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><dl>{facts_html}</dl>"
        f'<nav aria-label="sections">{links}</nav></header>'
        f"<main>{body}</main></body></html>\n"
    )


def number(value: Any, digits: int = 3) -> str:
    """Writes a number for a table; what is missing becomes a dash."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: bool = False
) -> str:
    """Returns a table; the first cell of a row is its heading. Empty without rows."""
    if not rows:
        return ""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    kind = ' class="left"' if left else ""
    return (
        f'<div class="wide"><table{kind}><caption class="soft">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def figure(caption: str, svg: str) -> str:
    """Returns a chart with its caption; empty without a chart."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{svg}</figure>" if svg else ""


def folded(summary: str, inner: str) -> str:
    """Returns something that opens on a click; empty without content."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>" if inner else ""


def episode(summary: str, trajectory: Trajectory, *, prompts: bool = False) -> str:
    """Returns an episode, folded: the chat as it was.

    Args:
        summary: What is seen before it is opened.
        trajectory: The episode.
        prompts: Show the system message too.
    """
    turns = [
        f'<div class="turn {escape(message["role"])}"><span class="soft">'
        f"{escape(message['role'])}</span><pre>{escape(message['content'])}</pre></div>"
        for message in trajectory.messages
        if prompts or message["role"] != "system"
    ]
    return folded(summary, "".join(turns))
