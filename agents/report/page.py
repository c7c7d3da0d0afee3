"""The building blocks of a report page; everything that is not markup is escaped.

The page may run one script and use one style sheet, both inside it and both named by their SHA-256
in its content security policy. Nothing can be loaded, sent or framed, and the script cannot turn
text into markup (``require-trusted-types-for``), whatever a model wrote.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Mapping, Sequence
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any

from asl_env.episode import Trajectory
from asl_env.evaluation.statistics import Estimate

Section = tuple[str, str]


@cache
def asset(name: str) -> str:
    """Returns the text of a file beside this module: style sheet or script."""
    return files(__package__).joinpath("assets", name).read_text(encoding="utf-8")


def head(title: str, facts: Mapping[str, str], links: Sequence[tuple[str, str]]) -> str:
    """Returns a page up to its first section.

    Args:
        title: Heading and window title.
        facts: Shown under the heading.
        links: Anchor and name of each section.
    """
    style, script = asset("report.css"), asset("browser.js")
    policy = (
        f"default-src 'none'; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    shown = "".join(f'<a href="#{anchor}">{escape(name)}</a>' for anchor, name in links)
    told = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
        f"<title>{escape(title)}</title><style>{style}</style></head><body>"
        f"<header><h1>{escape(title)}</h1><dl>{told}</dl>"
        f'<nav aria-label="sections">{shown}</nav></header><main>\n'
    )


def section(anchor: str, name: str, body: str) -> str:
    """Returns a section of a page."""
    return f'<section><h2 id="{anchor}">{escape(name)}</h2>{body}</section>\n'


def tail() -> str:
    """Returns what ends a page: the script, and the closing tags."""
    return f"<script>{asset('browser.js')}</script></body></html>\n"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def number(value: Any, digits: int = 3) -> str:
    """Writes a number for a table; what is missing becomes a dash."""
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "–"
    if isinstance(value, Estimate) and value.low == value.high:
        return number(value.mean, digits)
    if isinstance(value, Estimate):
        return f"{value.mean:.{digits}f} [{value.low:.{digits}f}, {value.high:.{digits}f}]"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def table(
    caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, left: bool = False
) -> str:
    """Returns a table; the first cell of a row is its heading. Empty without rows."""
    if not rows:
        return ""
    top = "".join(f'<th scope="col">{escape(column)}</th>' for column in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    kind = ' class="left"' if left else ""
    return (
        f'<div class="wide"><table{kind}><caption class="soft">{escape(caption)}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def figure(caption: str, svg: str) -> str:
    """Returns a chart with its caption; empty without a chart."""
    return f"<figure><figcaption>{escape(caption)}</figcaption>{svg}</figure>" if svg else ""


def charts(*figures: str) -> str:
    """Returns charts side by side; empty without any."""
    inner = "".join(figures)
    return f'<div class="charts">{inner}</div>' if inner else ""


def folded(summary: str, inner: str) -> str:
    """Returns something that opens on a click; empty without content."""
    return f"<details><summary>{escape(summary)}</summary>{inner}</details>" if inner else ""


def episode(summary: str, trajectory: Trajectory) -> str:
    """Returns an episode, folded: the chat as it was, without the system message.

    Args:
        summary: What is seen before it is opened.
        trajectory: The episode.
    """
    turns = [
        f'<div class="turn {escape(message["role"])}"><span class="soft">'
        f"{escape(message['role'])}</span><pre>{escape(message['content'])}</pre></div>"
        for message in trajectory.messages
        if message["role"] != "system"
    ]
    return folded(summary, "".join(turns))
