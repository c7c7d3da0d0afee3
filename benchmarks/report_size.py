"""A report with very many episodes: time and memory to write it, its size, and what Chromium takes.

    python benchmarks/report_size.py runs/first --episodes 50000

Episodes are those of a run folder, again and again, with search results exchanged for other
passages of MiniWiki and names of their own, so that they do not compress as copies would. The
report is written by a process of its own. Chromium (``--browser``) measures from the start of the
navigation; without one that part is left out. Prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from asl_env.corpora.miniwiki.prose import passages
from asl_env.dialects import make_dialect
from asl_env.evaluation.records import encode, read_objects
from asl_env.protocols import Hit, ToolCall, ToolResult

NAMES = ("chromium-headless-shell", "chromium", "google-chrome")
#: Milliseconds until the browser has done what is asked for.
PATIENCE = 600_000


def many(source: Path, count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Yields so many records made from the run's own."""
    rng = np.random.default_rng(seed)
    records = [record for _, record in read_objects(source / "trajectories.jsonl")]
    found, dialect = list(passages()), make_dialect("asl")
    for number in range(count):
        record = json.loads(json.dumps(records[int(rng.integers(len(records)))]))
        record["assignment"]["id"] += f"-{number}"
        record["round"] = 1 + number * 20 // count
        for message in record["messages"]:
            if message["role"] == "tool":
                chosen = [found[int(at)] for at in rng.integers(len(found), size=3)]
                hits = tuple(Hit(passage, 1.0) for passage in chosen)
                result = ToolResult(ToolCall(("anything",)), hits)
                message["content"] = dialect.render_results([result])[0]["content"]
        yield record


def write(folder: Path) -> dict[str, float]:
    """Writes the report in a process of its own; returns seconds, memory and size."""
    started = time.perf_counter()
    asl = Path(sys.executable).with_name("asl")
    subprocess.run([asl, "report", folder], check=True, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    unit = 1 if sys.platform == "darwin" else 1024  # getrusage counts in bytes there
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    size = (folder / "report.html").stat().st_size
    return {"write, s": seconds, "peak memory, MB": peak / 1e6, "file, MB": size / 1e6}


def look(path: Path, browser: str) -> dict[str, float]:
    """Opens the report and searches in it; returns seconds."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=browser)
        page = chromium.new_page()
        page.set_default_timeout(PATIENCE)
        # Only locators: the page's policy forbids to evaluate expressions again and again.
        counted = re.compile(r"^[\d,]+ of")
        started = time.perf_counter()

        def lap() -> float:
            nonlocal started
            before, started = started, time.perf_counter()
            return started - before

        page.goto(path.resolve().as_uri())
        page.locator("#count", has_text=counted).wait_for()
        found = {"open, s": lap()}
        everything = page.inner_text("#count")
        lap()
        page.fill("input[name=words]", "country")
        page.locator("#count", has_text=counted, has_not_text=everything).wait_for()
        found["search, s"] = lap()
        page.focus("#list")
        lap()
        page.keyboard.press("Enter")
        page.wait_for_selector("#episode .turn")
        found["open an episode, s"] = lap()
        few = page.inner_text("#count")
        page.select_option("select[name=where]", "all")
        page.locator("#count", has_text=counted, has_not_text=few).wait_for()
        found["search in everything said, s"] = lap()
        chromium.close()
    return found


def main() -> None:
    """Makes the run folder, writes its report, opens it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("run", type=Path, help="a run folder with episodes")
    parser.add_argument("--episodes", type=int, default=50_000)
    parser.add_argument("--browser", default=next(filter(None, map(shutil.which, NAMES)), None))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for name in ("config.yaml", "events.jsonl", "timing.jsonl"):
            shutil.copy(arguments.run / name, folder)
        with (folder / "trajectories.jsonl").open("wb") as file:
            for record in many(arguments.run, arguments.episodes):
                file.write(encode(record))
        size = (folder / "trajectories.jsonl").stat().st_size
        found = {"episodes": arguments.episodes, "trajectories.jsonl, MB": size / 1e6}
        found |= write(folder)
        if arguments.browser is not None:
            found |= look(folder / "report.html", arguments.browser)
    found = {name: round(value, 3) for name, value in found.items()}
    machine = f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}"
    print(json.dumps({"machine": machine, **found}))


if __name__ == "__main__":
    main()
