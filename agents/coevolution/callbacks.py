"""What looks on while a run goes: progress, TensorBoard, whatever a user brings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asl_env.agents.coevolution.state import RunState


class LoopCallback:
    """Looks on; every method may be overridden, none has to be.

    Nothing a callback does may change the run. An exception that it raises ends the run, which
    can be resumed from its last save.
    """

    def on_start(self, state: RunState) -> None:
        """The run begins, or goes on from ``state``."""

    def on_event(self, event: Mapping[str, Any]) -> None:
        """An event was noted; it is durable only after the next ``on_save``."""

    def on_update(self, state: RunState, metrics: Mapping[str, Any]) -> None:
        """A learner made an update, inside a chunk."""

    def on_save(self, state: RunState) -> None:
        """The state was saved; a killed run goes on from here."""

    def on_end(self) -> None:
        """The run is over, or was interrupted."""


class TensorBoardLog(LoopCallback):
    """Writes scalars for TensorBoard, by environment steps of the whole run.

    What a killed run wrote after its last save is hidden when the run goes on.

    Args:
        folder: Where the event files go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None
        self._pending: list[Mapping[str, Any]] = []

    def on_start(self, state: RunState) -> None:
        """Opens the writer."""
        from torch.utils.tensorboard import SummaryWriter

        purge = state.steps + 1 if state.commits else None
        self._writer = SummaryWriter(str(self._folder), purge_step=purge)

    def on_event(self, event: Mapping[str, Any]) -> None:
        """Keeps the event until it is durable."""
        self._pending.append(event)

    def on_save(self, state: RunState) -> None:
        """Writes the scalars of the saved events."""
        for event in self._pending:
            if event["event"] in ("chunk", "measured"):
                prefix = event.get("phase", "measure")
                for name, value in scalars(event["metrics"], prefix):
                    self._writer.add_scalar(name, value, state.steps)
        self._pending.clear()
        self._writer.flush()

    def on_end(self) -> None:
        """Closes the writer."""
        if self._writer is not None:
            self._writer.close()


def scalars(metrics: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, float]]:
    """Yields ``(prefix/name, number)`` of nested metrics; what is not a number is passed over."""
    for name, value in metrics.items():
        key = f"{prefix}/{name}".replace(" ", "_")
        if isinstance(value, Mapping):
            yield from scalars(value, key)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            yield key, float(value)
