"""Stop strings: turns end exactly after the first one, whatever the server does with it."""

from __future__ import annotations

from collections.abc import Sequence


def first_stop(text: str, stops: Sequence[str], start: int = 0) -> int | None:
    """Returns where the stop string ends that is complete first, or ``None``.

    Args:
        text: A turn, or its beginning.
        stops: Stop strings.
        start: Only what begins here or later is looked at.
    """
    ends = [at + len(stop) for stop in stops if (at := text.find(stop, start)) >= 0]
    return min(ends, default=None)


class StopWatch:
    """Collects a turn piece by piece until a stop string is complete.

    Args:
        stops: Stop strings.

    Attributes:
        text: What was collected, cut exactly after the first stop string.
        stopped: Whether there was one; what comes after it is ignored.
        overrun: Whether something came after it.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = tuple(stops)
        self._overlap = max((len(stop) for stop in stops), default=1) - 1
        self._pieces: list[str] = []
        self._tail = ""
        self.stopped = False
        self.overrun = False

    @property
    def text(self) -> str:
        """What was collected so far."""
        return "".join(self._pieces)

    def add(self, piece: str) -> bool:
        """Takes a piece; returns whether the turn is over."""
        if self.stopped or not piece:
            self.overrun = self.overrun or bool(piece)
            return self.stopped
        window = self._tail + piece
        end = first_stop(window, self._stops)
        if end is not None:
            piece = piece[: end - len(self._tail)]
            self.stopped, self.overrun = True, end < len(window)
        self._pieces.append(piece)
        self._tail = window[-self._overlap :] if self._overlap else ""
        return self.stopped


def restore_stop(text: str, stops: Sequence[str], named: str | None = None) -> str:
    """Writes the stop string back that a server took out of the end of a turn.

    The server says that the turn ended by itself (``finish_reason`` is ``stop``). That is either
    a stop string, which the OpenAI API removes, or the model's end-of-turn token. Where the
    server does not name the string, an open tag decides: ``<answer>Lima`` was stopped by
    ``</answer>``. Servers that leave a part of it (``<answer>Lima</ans``) are completed.

    Args:
        text: The turn, without a complete stop string.
        stops: Stop strings.
        named: The stop string that ended the turn, if the server says so; empty if it says that
            it was none.

    Returns:
        The turn with its stop string, or as it is if it was ended by something else.
    """
    if named == "" or first_stop(text, stops) is not None:
        return text
    stop = named if named in stops else _open_tag(text, stops)
    if stop is None:
        return text
    for kept in range(len(stop) - 1, 0, -1):
        if text.endswith(stop[:kept]):
            return text + stop[kept:]
    return text + stop


def _open_tag(text: str, stops: Sequence[str]) -> str | None:
    """The closing tag among the stop strings whose opening tag comes last."""
    found = [
        (at, stop)
        for stop in stops
        if stop.startswith("</") and (at := text.rfind(f"<{stop[2:]}")) >= 0
    ]
    return max(found)[1] if found else None
