"""The run folder: atomic state, append-only logs, rotated checkpoints, one owner at a time.

A commit replaces the whole state or nothing. In this order: the new checkpoint is written beside
the old ones, log lines are appended, then ``state.json`` (which names the checkpoint and the length
of each log) is renamed into place, then checkpoints no longer needed are removed. Whatever a killed
process wrote after its last ``state.json`` is cut off or written over by the next commit.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import yaml

from asl_env.agents.coevolution.lock import locked
from asl_env.errors import RunError
from asl_env.evaluation.records import recover

STATE = "state.json"
CONFIG = "config.yaml"
CHECKPOINTS = "checkpoints"
#: Raised when the content of a run folder changes meaning.
FORMAT = 1


class RunFolder:
    """A folder that holds one run.

    Args:
        path: The folder; made when the run begins.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)

    @property
    def begun(self) -> bool:
        """Whether a run was begun here."""
        return (self.path / CONFIG).exists()

    def checkpoint(self, name: str) -> Path:
        """Folder of a checkpoint."""
        return self.path / CHECKPOINTS / name

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Holds the folder for this process.

        Raises:
            RunError: If another process holds it, or it cannot be made.
        """
        if self.path.exists() and not self.path.is_dir():
            raise RunError(f"{self.path}: is a file; choose another folder with --out")
        with ExitStack() as stack:
            with self.writing("run.lock"):
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.path / "run.lock"))
            yield

    def begin(self, config: Mapping[str, Any]) -> None:
        """Writes the configuration of a new run.

        Raises:
            RunError: If the folder holds something else than a run that never began.
        """
        strangers = [item.name for item in self.path.iterdir() if item.name != "run.lock"]
        strangers = [name for name in strangers if not name.endswith(".part")]
        if self.begun:
            raise RunError(
                f"{self.path}: holds a run already; go on with: asl train --resume {self.path}, "
                "or choose another folder with --out"
            )
        if strangers:
            raise RunError(
                f"{self.path}: not empty (it holds {sorted(strangers)[0]!r}); choose a new folder"
            )
        text = yaml.safe_dump({"format": FORMAT, **config}, sort_keys=False, allow_unicode=True)
        self._replace(CONFIG, text.encode())

    def config(self) -> dict[str, Any]:
        """Reads the configuration.

        Raises:
            RunError: If there is no run, or it was written by another version.
        """
        path = self.path / CONFIG
        if not self.begun:
            raise RunError(f"{self.path}: no run was begun here; start one with asl train --out")
        try:
            data = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise RunError(f"{path}: cannot be read ({' '.join(str(error).split())})") from error
        if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
            raise RunError(f"{path}: not a run of format {FORMAT}; use the version that wrote it")
        return data

    def peek_state(self) -> dict[str, Any] | None:
        """Reads the last committed state, and touches nothing; another process may have the run.

        Returns:
            The state, or ``None`` if there is none yet.

        Raises:
            RunError: If it is damaged.
        """
        path = self.path / STATE
        if not path.exists():
            return None
        try:
            state: dict[str, Any] = json.loads(path.read_bytes())
            _ = state["logs"], state["checkpoint"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: damaged ({error}); the run cannot go on from it") from error
        return state

    def read_state(self) -> dict[str, Any] | None:
        """Reads the last committed state, and cuts the logs back to it.

        Returns:
            The state, or ``None`` if the run was killed before its first commit.

        Raises:
            RunError: If the state, a log or the checkpoint is damaged.
        """
        state = self.peek_state()
        if state is None:
            return None
        for name, length in state["logs"].items():
            self._cut(name, length)
        checkpoint = self.checkpoint(state["checkpoint"])
        if not checkpoint.is_dir():
            raise RunError(
                f"{checkpoint}: the checkpoint that {STATE} names is missing; "
                "put it back or begin a new run"
            )
        return state

    def commit(
        self,
        state: Mapping[str, Any],
        logs: Mapping[str, Sequence[bytes]],
        save: Callable[[Path], None],
        keep: Sequence[str],
        notes: Mapping[str, Sequence[bytes]] = {},
    ) -> dict[str, int]:
        """Makes a state durable, all or nothing.

        Args:
            state: JSON-serialisable; ``state["checkpoint"]`` names the checkpoint to write,
                ``state["logs"]`` holds the length in bytes of each log before this commit, and is
                updated in what is written.
            logs: New lines per log file.
            save: Writes the learners into an empty folder.
            keep: Checkpoints that stay besides the new one; all others are removed.
            notes: New lines of logs that are no part of the state (a kill may lose or cut the
                newest ones).

        Returns:
            The length of each log now.

        Raises:
            RunError: If the disk refuses (full, read-only); the folder stays as it was.
        """
        self._save_checkpoint(str(state["checkpoint"]), save)
        lengths = dict(state["logs"])
        for name, lines in logs.items():
            lengths[name] = self._append(name, lengths.get(name, 0), b"".join(lines))
        content = json.dumps({**state, "logs": lengths}, allow_nan=False)
        self._replace(STATE, content.encode())
        self.rotate([*keep, str(state["checkpoint"])])
        for name, lines in notes.items():
            self._note(name, b"".join(lines))
        return lengths

    def write(self, name: str, content: bytes) -> None:
        """Writes a file of the run atomically."""
        with self.writing(name):
            (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        self._replace(name, content)

    @contextmanager
    def writing(self, name: str) -> Iterator[None]:
        """Turns what the disk refuses into one line that says how to go on."""
        try:
            yield
        except OSError as error:
            raise RunError(self._refusal(name, error.strerror or str(error))) from error

    def _refusal(self, name: str, reason: str) -> str:
        return (
            f"{self.path / name}: cannot be written ({reason}); what was saved before is kept: "
            f"make room, then go on with: asl train --resume {self.path}"
        )

    def _replace(self, name: str, content: bytes) -> None:
        path = self.path / name
        part = path.with_name(path.name + ".part")
        with self.writing(name):
            try:
                with part.open("wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                part.replace(path)
            except OSError:
                part.unlink(missing_ok=True)
                raise
            _sync_folder(path.parent)

    def _append(self, name: str, offset: int, content: bytes) -> int:
        with self.writing(name), (self.path / name).open("ab") as file:
            file.truncate(offset)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return offset + len(content)

    def _note(self, name: str, content: bytes) -> None:
        with self.writing(name):
            recover(self.path / name)
            with (self.path / name).open("ab") as file:
                file.write(content)

    def _cut(self, name: str, length: int) -> None:
        path = self.path / name
        size = path.stat().st_size if path.exists() else 0
        if size < length:
            raise RunError(
                f"{path}: has {size} bytes but {STATE} counts {length}; "
                "it was cut by someone else, begin a new run"
            )
        if size > length:
            with self.writing(name):
                os.truncate(path, length)

    def _save_checkpoint(self, name: str, save: Callable[[Path], None]) -> None:
        final = self.checkpoint(name)
        part = final.with_name(final.name + ".part")
        with self.writing(f"{CHECKPOINTS}/{name}"):
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir(parents=True)
            try:
                save(part)
                _sync_tree(part)
            except Exception as error:
                shutil.rmtree(part, ignore_errors=True)
                if isinstance(error, OSError) or shutil.disk_usage(self.path).free > 1 << 20:
                    raise
                reason = self._refusal(f"{CHECKPOINTS}/{name}", "no space left on device")
                raise RunError(reason) from error
            shutil.rmtree(final, ignore_errors=True)
            part.replace(final)
            _sync_folder(final.parent)

    def rotate(self, keep: Sequence[str]) -> None:
        """Removes all checkpoints but those to keep, and what killed saves left."""
        for item in sorted((self.path / CHECKPOINTS).iterdir()):
            if item.name not in keep:
                shutil.rmtree(item, ignore_errors=True)


def _sync_folder(path: Path) -> None:
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_tree(path: Path) -> None:
    for item in sorted(path.rglob("*")):
        if item.is_file():
            with item.open("rb+") as file:
                os.fsync(file.fileno())
        elif item.is_dir():
            _sync_folder(item)
    _sync_folder(path)
