"""The frame of the trajectory browser; its script fills it from the blocks of the catalog."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from asl_env.agents.report.part import Part

#: Filters by what the index knows of an episode: column and label.
_FILTERS = {
    "run": "Run",
    "seat": "Seat",
    "round": "Round",
    "phase": "Phase",
    "kind": "Kind",
    "state": "Ended",
}


def browser(parts: Sequence[Part], count: int) -> str:
    """Returns the section's HTML.

    Args:
        parts: Their sample episodes are shown until the script has started, and where none runs.
        count: Number of episodes.
    """
    filters = "".join(
        f'<label>{label}<select name="{name}"><option value="">any</option></select></label>'
        for name, label in _FILTERS.items()
    )
    samples = "".join(
        (f"<h3>{escape(part.title)}</h3>" if len(parts) > 1 else "") + part.samples
        for part in parts
    )
    return f"""
<div id="browser" hidden>
<form id="filters" role="search" aria-label="Find episodes">
<label class="long">Search<input type="search" name="words" autocomplete="off" spellcheck="false"
 aria-describedby="hint" placeholder="words, or &quot;a phrase&quot;"></label>
<label>Look in<select name="where"><option value="row">question, answer, id</option>
<option value="all">everything said (slower)</option></select></label>
{filters}
<label>Measure<select name="measure"><option value="">none</option></select></label>
<label>from<input type="number" name="low" step="any"></label>
<label>to<input type="number" name="high" step="any"></label>
<label>Order<select name="order"><option value="">as played</option>
<option value="up">measure, rising</option><option value="down">measure, falling</option>
</select></label>
<button type="reset">Clear</button>
</form>
<p class="soft" id="hint">All words must occur; <code>id:NAME</code> finds a task and its children.
In the list: arrow keys, Page Up and Down, Home, End; Enter opens; Escape returns to the list.</p>
<p id="count" role="status"></p>
<div class="panes">
<div id="list" role="listbox" tabindex="0" aria-label="Episodes"><div id="rows"
 role="presentation"></div></div>
<article id="episode" tabindex="-1" aria-label="Episode"><p class="soft">Choose an episode from the
list.</p></article>
</div>
</div>
<p id="loading" hidden role="status">Reading the index of {count:,} episodes …</p>
<noscript><p>Scripts are off. The browser of all {count:,} episodes needs one; these are some of
them.</p></noscript>
<div id="samples">{samples}</div>
"""
