"""How much memory there is."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

_MEMINFO = Path("/proc/meminfo")
#: Limit and use of a container (cgroup version 2).
_GROUP = Path("/sys/fs/cgroup")


def available(device: str = "cpu") -> int | None:
    """Returns the bytes that are free.

    Args:
        device: ``cpu``, or a CUDA device.

    Returns:
        Bytes, or ``None`` where nobody can tell.
    """
    if device.startswith("cuda"):
        import torch

        free, _ = torch.cuda.mem_get_info(torch.device(device))
        return int(free)
    if device != "cpu":
        return None
    known = [size for size in (_of_system(), _of_container()) if size is not None]
    return min(known, default=None)


def readable(size: float) -> str:
    """Writes a number of bytes as a person would: ``7.0 GB``."""
    return f"{size / 1e9:.1f} GB" if size >= 1e8 else f"{size / 1e6:.0f} MB"


def _of_system() -> int | None:
    try:
        psutil: Any = import_module("psutil")  # comes with peft and accelerate
        return int(psutil.virtual_memory().available)
    except ImportError:
        pass
    try:
        for line in _MEMINFO.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _of_container() -> int | None:
    try:
        limit = int((_GROUP / "memory.max").read_text())
        used = int((_GROUP / "memory.current").read_text())
        rows = (row.split() for row in (_GROUP / "memory.stat").read_text().splitlines())
        # Pages of files that were read count as used, and are given up when memory is short.
        files = sum(int(row[1]) for row in rows if row[0] == "inactive_file")
    except (OSError, ValueError, IndexError):  # no container, or "max": no limit
        return None
    return max(0, limit - used + files)
