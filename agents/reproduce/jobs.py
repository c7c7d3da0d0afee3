"""From claims to runs: one ``asl train`` run folder per arm and seed."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from asl_env.agents.coevolution.recipe import Recipe
from asl_env.agents.coevolution.recipefile import first_difference, load_recipe
from asl_env.agents.coevolution.runfolder import RunFolder
from asl_env.agents.coevolution.seeds import generator
from asl_env.agents.coevolution.variants import rebase
from asl_env.agents.reproduce.claim import Arm, Claim
from asl_env.agents.reproduce.setting import Setting
from asl_env.errors import RunError
from asl_env.evaluation.records import encode, read_objects

#: What a process of its own begins with; the words of the command line follow.
START = "from asl_env.agents.cli.main import main; main()"


@dataclass(frozen=True)
class Job:
    """An arm on a seed.

    Attributes:
        arm: The arm.
        seed: The seed.
        setting: Budget and learner.
        root: Folder of all jobs.
    """

    arm: Arm
    seed: int
    setting: Setting
    root: Path

    @property
    def name(self) -> str:
        """``arm-seed``, the name of the run folder."""
        return f"{self.arm.name}-{self.seed}"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.root / self.name

    @property
    def donor(self) -> Path | None:
        """The run folder whose tasks and GRM the job needs, or ``None``."""
        return None if self.arm.tasks_from is None else self.root / str(self.needs)

    @property
    def needs(self) -> str | None:
        """Name of the job that must be over before, or ``None``."""
        return None if self.arm.tasks_from is None else f"{self.arm.tasks_from}-{self.seed}"

    @cached_property
    def recipe(self) -> Recipe:
        """The complete recipe."""
        setting, recipe = self.setting, load_recipe(self.arm.recipe)
        if setting.base is not None:
            recipe = rebase(recipe, setting.base)
        own = [f"name={self.arm.name}", f"about={json.dumps(self.arm.about)}"]
        changes = [*own, f"rounds={setting.rounds}", *setting.changes, *self.arm.changes]
        if self.donor is not None:
            changes += ["rounds=1", f"solve.tasks={json.dumps(str(self.tasks))}", *setting.given]
        return load_recipe(recipe, changes)

    @property
    def tasks(self) -> Path:
        """The file with the tasks that the job is given."""
        return self.root / "data" / f"{self.name}.jsonl"

    @property
    def agents(self) -> list[str]:
        """Who plays, as ``asl train --agent`` takes it."""
        judge = [] if self.donor is None else [f"grm={self.donor}"]
        return [self.setting.agent, *judge]

    @property
    def digest(self) -> str:
        """Identifies what is run, whatever the seed and the folder; results carry it."""
        # Fields that recipes gain later, with defaults that change nothing, change no digest.
        recipe = self.recipe.model_dump(mode="json", exclude={"about"}, exclude_defaults=True)
        if self.donor is not None:
            recipe["solve"]["tasks"] = f"{self.arm.tasks} of {self.arm.tasks_from}"
        told = [recipe, self.setting.agent, *self.setting.options]
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]

    @property
    def done(self) -> bool:
        """Whether the run is over."""
        state = RunFolder(self.folder).peek_state()
        return state is not None and bool(state.get("round", 0) > self.recipe.rounds)

    def prepare(self) -> list[str]:
        """Writes what the run needs and says how it is begun or resumed.

        Returns:
            The command.

        Raises:
            RunError: If the folder holds another run, or the donor made no tasks.
        """
        start = [sys.executable, "-c", START, "train", "--json"]
        if RunFolder(self.folder).begun:
            self.check()
            return [*start, "--resume", str(self.folder)]
        if self.donor is not None:
            rows = drawn_tasks(self.donor, self.arm.tasks, self.seed)
            write_whole(self.tasks, b"".join(map(encode, rows)))
        recipe = self.root / "recipes" / f"{self.name}.yaml"
        text = json.dumps(self.recipe.model_dump(mode="json"), indent=1)
        write_whole(recipe, text.encode())
        agents = [part for agent in self.agents for part in ("--agent", agent)]
        command = [*start, "--recipe", str(recipe), "--seed", str(self.seed), *agents]
        return [*command, "--out", str(self.folder), *self.setting.options]

    def check(self) -> None:
        """Refuses a folder whose run is not this job's.

        Raises:
            RunError: With the first field that differs.
        """
        saved = RunFolder(self.folder).config()
        wanted = {"seed": self.seed, "recipe": self.recipe.model_dump(mode="json")}
        found = {name: saved.get(name) for name in wanted}
        difference = first_difference(found, wanted, ignore=("recipe.about",))
        if difference is not None:
            raise RunError(f"{self.folder}: {difference}; choose another folder with --out")


def drawn_tasks(donor: Path, count: int, seed: int) -> list[Mapping[str, Any]]:
    """Draws tasks that a run has made; more of them contain fewer of them.

    Args:
        donor: A finished run.
        count: How many; all there are if they are fewer.
        seed: Of the draw.

    Returns:
        Lines of a task file.

    Raises:
        RunError: If the run made none.
    """
    rows = [
        row
        for path in sorted((donor / "tasks").glob("round-*.jsonl"))
        for _, row in read_objects(path)
    ]
    if not rows:
        raise RunError(f"{donor}: made no tasks, so nothing can be trained on them")
    order = generator(seed, "drawn tasks").permutation(len(rows))[:count]
    return [rows[index] for index in order.tolist()]


def plan(claims: Sequence[Claim], setting: Setting, root: Path) -> list[Job]:
    """All runs that claims need, each once: seed by seed, so that results come in for all arms.

    Args:
        claims: The claims.
        setting: Budget and seeds.
        root: Folder of the run folders.
    """
    arms = {arm.name: arm for claim in claims for arm in claim.arms}
    return [Job(arm, seed, setting, root) for seed in setting.seeds for arm in arms.values()]


def write_whole(path: Path, content: bytes) -> None:
    """Writes a file that is complete or not there, with the folders it is in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    part.write_bytes(content)
    part.replace(path)
