"""The same passage store in two places, without writing its bytes twice."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from asl_env.corpora.store import ATTRIBUTION, MANIFEST, PassageStore


def link_store(store: PassageStore, folder: Path) -> PassageStore:
    """Makes a store of the same files: hard links, or copies where there can be none.

    The files of a store are never changed once they are written, so both stay as they are even if
    one of them is removed or replaced.

    Args:
        store: The store.
        folder: The other place, which must not exist yet.

    Raises:
        OSError: If it cannot be written.
    """
    folder.mkdir(parents=True)
    for name in (*store.manifest["files"], ATTRIBUTION, MANIFEST):
        source, target = store.folder / name, folder / name
        if not source.exists():  # a store without attribution
            continue
        try:
            os.link(source, target)
        except OSError:
            shutil.copyfile(source, target)
    return PassageStore(folder)
