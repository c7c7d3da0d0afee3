"""Kills real runs with SIGKILL at chosen instants, resumes them, and compares what is left.

A run passes thousands of instants: each turn that an agent takes, each update of the learner, and
before and after each file that is synced, renamed or removed. The driver counts them in one
undisturbed run, then repeats the run in child processes that kill themselves at one of them (and
once more after resuming), and prints the children's folders as JSON for the test to compare.

    crash_driver.py FOLDER KILLS
"""

import json
import os
import shutil
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import tiny

from asl_env.agents.coevolution.callbacks import LoopCallback
from asl_env.agents.coevolution.loop import CoEvolution

RECIPE = tiny.make_recipe(
    "generate.steps=48", "generate.chunk_steps=24", "verify.steps=32", "verify.chunk_steps=16",
    "solve.steps=48", "solve.chunk_steps=24", "diagnostics.tasks_per_set=2",
    "diagnostics.claims=2", "diagnostics.votes=1", "diagnostics.probes=0",
)  # fmt: skip


class Clock(LoopCallback):
    """Counts instants; at the deadline the process dies."""

    def __init__(self, deadline=None):
        self.deadline = deadline
        self.now = 0
        self.names = []

    def tick(self, name):
        self.now += 1
        self.names.append(name)
        if self.now == self.deadline:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, module, name):
        real = getattr(module, name)

        def watched(*args, **kwargs):
            self.tick(f"before {name}")
            # Syncing guards against power cuts, not against kills; it would only cost time here.
            result = None if name == "fsync" else real(*args, **kwargs)
            self.tick(f"after {name}")
            return result

        setattr(module, name, watched)

    def on_update(self, state, metrics):
        self.tick(f"update {state.phase}")

    def on_save(self, state):
        self.tick(f"saved {state.phase}")


class DoomedLearner(tiny.TinyLearner):
    def __init__(self, clock):
        super().__init__(seed=3)
        self.clock = clock

    def act(self, chats, *, greedy=False):
        self.clock.tick(f"act {chats[0].role}")
        return super().act(chats, greedy=greedy)


def run(folder, clock):
    for module, name in ((os, "fsync"), (os, "replace"), (shutil, "rmtree"), (os, "truncate")):
        clock.around(module, name)
    learner = DoomedLearner(clock)
    loop = CoEvolution(RECIPE, folder, learner, tiny.make_world(), seed=5, callbacks=[clock])
    loop.run()


def in_child(folder, deadline=None):
    """Runs in a forked child; returns its exit status (negative for a signal) and its instants."""
    notes = Path(f"{folder}.instants")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            clock = Clock(deadline)
            run(folder, clock)
            notes.write_text(json.dumps(clock.names))
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    names = json.loads(notes.read_text()) if notes.exists() else []
    return os.waitstatus_to_exitcode(status), names


def main():
    base, kills = Path(sys.argv[1]), int(sys.argv[2])
    status, names = in_child(base / "whole")
    assert status == 0
    total = len(names)
    # Some kinds of instant, the end of the last save, and the rest spread over the run.
    firsts = [names.index(name) + 1 for name in dict.fromkeys(names)]
    spread = [1 + round(i * (total - 1) / max(1, kills - 1)) for i in range(kills)]
    deadlines = sorted({*spread, *firsts[:: max(1, len(firsts) // kills)], total - 2})
    rows = []
    for deadline in deadlines:
        folder = base / f"killed-{deadline}"
        first, _ = in_child(folder, deadline)
        second, _ = in_child(folder, 1 + deadline * 7 % 60)
        last = in_child(folder)[0] if second != 0 else 0
        rows.append({"folder": str(folder), "at": names[deadline - 1], "first": first,
                     "second": second, "last": last})  # fmt: skip
    print(json.dumps({"instants": total, "kinds": sorted(set(names)), "rows": rows}))


if __name__ == "__main__":
    main()
