"""Lets the tests of this folder import the kit beside them, and writes run folders."""

import sys
from pathlib import Path

import pytest
import yaml

from asl_env.evaluation.records import encode, to_record

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def make_run(tmp_path):
    """Writes a run folder with the given ``(trajectory, reward)`` pairs."""

    def make(played, name="my-run", tasks=()):
        folder = tmp_path / name
        (folder / "tasks").mkdir(parents=True)
        recipe = {"name": "tiny", "about": "<b>a tiny one</b>", "rounds": 3, "dialect": "asl"}
        config = {"format": 1, "recipe": recipe, "corpus": "miniwiki", "agent": "x", "seed": 7}
        (folder / "config.yaml").write_text(yaml.safe_dump(config))
        with (folder / "trajectories.jsonl").open("wb") as file:
            for at, (episode, reward) in enumerate(played):
                place = {"round": 1 + at % 2, "phase": "solve", "chunk": 0}
                file.write(encode(to_record(episode, reward) | place))
        for number, made in enumerate(tasks, start=1):
            lines = b"".join(map(encode, made))
            (folder / "tasks" / f"round-{number:02d}.jsonl").write_bytes(lines)
        return folder

    return make
