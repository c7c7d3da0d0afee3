"""Files of faiss indexes: opening them mapped, and writing inverted lists as a stream."""

from __future__ import annotations

import os
import shutil
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from asl_env.errors import BadIndexError

#: Classes of faiss by the kind of index that they are.
FLAT = ("IndexFlat", "IndexFlatIP", "IndexFlatL2")
_KINDS = {
    **dict.fromkeys(FLAT, "faiss-flat"),
    "IndexHNSWFlat": "faiss-hnsw",
    "IndexIVFPQ": "faiss-ivfpq",
    "IndexIVFScalarQuantizer": "faiss-ivfsq8",
}

#: What faiss writes in place of inverted lists when an index has none.
_NO_LISTS = b"il00"


def open_faiss(path: Path) -> Any:
    """Opens an index, mapped where this faiss can: inverted lists always, others from 1.11 on.

    Raises:
        BadIndexError: If it cannot be read.
    """
    import faiss

    try:
        with path.open("rb") as file:
            inverted = file.read(2) == b"Iw"
        flags = faiss.IO_FLAG_MMAP if inverted else getattr(faiss, "IO_FLAG_MMAP_IFC", 0)
        return faiss.read_index(str(path), flags)
    except OSError as error:
        raise BadIndexError(f"{path}: cannot be read ({error.strerror or error})") from error
    except RuntimeError as error:
        raise BadIndexError(f"{path}: cannot be read by faiss; is it cut short?") from error


def save_faiss(index: Any, path: Path) -> None:
    """Writes an index to a file, which appears complete or not at all.

    Raises:
        OSError: If the file cannot be written.
    """
    import faiss

    unfinished = path.with_name(f"{path.name}.{os.getpid()}.unfinished")
    try:
        faiss.write_index(index, str(unfinished))
        unfinished.replace(path)
    except RuntimeError as error:
        raise OSError(f"faiss could not write {path.name} (is the disk full?)") from error
    finally:
        unfinished.unlink(missing_ok=True)


def kind_of(index: Any) -> str | None:
    """Returns the kind of an index, as ``DENSE_KINDS`` names it; ``None`` for any other."""
    return _KINDS.get(type(index).__name__)


def link_file(source: Path, target: Path) -> None:
    """Puts a file at another place: a hard link, or a copy where there can be none."""
    try:
        os.link(source.resolve(), target)
    except OSError:
        shutil.copyfile(source, target)


def merge_lists(trained: Path, parts: Sequence[Path], path: Path) -> None:
    """Joins indexes with inverted lists, list by list, into one file that faiss reads.

    Only one list is in memory at a time. The bytes are those that ``faiss.write_index`` writes of
    an index with everything in it: header and quantisers, then ``ilar``, the number of lists, the
    size of a code, ``full``, the lengths of the lists, and codes and numbers of each list. (faiss'
    own merging makes a second file whose path is written into the first; such an index cannot be
    moved without faiss talking on standard output.)

    Args:
        trained: The index before anything was added.
        parts: The same with the passages of one stretch each, in order.
        path: The file to write.
    """
    import faiss

    opened = [open_faiss(part) for part in parts]
    empty: Any = faiss.read_index(str(trained))
    lists, size = empty.nlist, empty.code_size
    lengths = np.array([[each.invlists.list_size(n) for each in opened] for n in range(lists)])
    empty.ntotal = int(lengths.sum())
    with path.open("wb") as file:
        file.write(_head(empty))
        file.write(b"ilar" + struct.pack("<QQ", lists, size) + b"full" + struct.pack("<Q", lists))
        file.write(lengths.sum(axis=1).astype("<u8").tobytes())
        for number in range(lists):
            for width, getter in ((size, "get_codes"), (1, "get_ids")):
                for each, length in zip(opened, lengths[number].tolist(), strict=True):
                    if length:
                        start = getattr(each.invlists, getter)(number)
                        file.write(faiss.rev_swig_ptr(start, length * width).tobytes())


def set_probes(path: Path, probes: int) -> None:
    """Writes into a file of ``merge_lists`` how many lists a search visits."""
    index = open_faiss(path)
    index.nprobe = probes
    head = _head(index)
    with path.open("r+b") as file:
        file.write(head)


def _head(index: Any) -> bytes:
    """What stands before the inverted lists in the file of an index; takes its lists away."""
    import faiss

    index.replace_invlists(None)
    data: bytes = faiss.serialize_index(index).tobytes()
    if not data.endswith(_NO_LISTS):
        raise BadIndexError("this version of faiss writes inverted lists in a way that is unknown")
    return data[: -len(_NO_LISTS)]
