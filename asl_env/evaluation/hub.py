"""Question files on the Hugging Face hub, fetched once and then read like any other file.

A file is named ``hf:OWNER/NAME/PATH`` or, at a fixed revision, ``hf:OWNER/NAME@REVISION/PATH``.
The usual benchmarks have short names, which stand for FlashRAG's copies (Jin et al. 2024,
https://huggingface.co/datasets/RUC-NLPIR/FlashRAG_datasets): the splits that Search-R1 and its
successors report on. No code of a dataset is ever run: only the named file is read.
"""

from __future__ import annotations

import re
from pathlib import Path

from asl_env.errors import InvalidTaskError

PREFIX = "hf:"

_FLASHRAG = "RUC-NLPIR/FlashRAG_datasets"
#: Benchmarks by name, and the file that each stands for.
BENCHMARKS = {
    "nq": f"{PREFIX}{_FLASHRAG}/nq/test.jsonl",
    "triviaqa": f"{PREFIX}{_FLASHRAG}/triviaqa/test.jsonl",
    "popqa": f"{PREFIX}{_FLASHRAG}/popqa/test.jsonl",
    "hotpotqa": f"{PREFIX}{_FLASHRAG}/hotpotqa/dev.jsonl",
    "2wikimultihopqa": f"{PREFIX}{_FLASHRAG}/2wikimultihopqa/dev.jsonl",
    "musique": f"{PREFIX}{_FLASHRAG}/musique/dev.jsonl",
    "bamboogle": f"{PREFIX}{_FLASHRAG}/bamboogle/test.jsonl",
}

_NAME = r"[A-Za-z0-9][\w.-]*"
_ADDRESS = re.compile(
    rf"{PREFIX}(?P<repo>{_NAME}/{_NAME})(?:@(?P<revision>[\w.-]+))?/(?P<file>[^@\s]+)"
)


def fetch(address: str) -> Path:
    """Downloads a file of a dataset, or finds it in the hub's cache.

    Args:
        address: ``hf:OWNER/NAME[@REVISION]/PATH``.

    Returns:
        Where it lies on this machine.

    Raises:
        InvalidTaskError: If the address is none, the library is missing, or the file cannot be
            had; the message says how to go on with a file of one's own.
    """
    parts = _ADDRESS.fullmatch(address)
    if parts is None or ".." in Path(parts["file"]).parts:
        raise InvalidTaskError(
            f"{address!r} is no file on the hub; write hf:OWNER/NAME/PATH, for example "
            f"{BENCHMARKS['nq']}"
        )
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ImportError as error:
        raise InvalidTaskError(
            f"{address}: needs huggingface-hub; install it with pip install 'asl-env[data]'"
        ) from error
    try:
        found = hf_hub_download(
            parts["repo"], parts["file"], repo_type="dataset", revision=parts["revision"]
        )
    except (HfHubHTTPError, LocalEntryNotFoundError, OSError, ValueError) as error:
        why = " ".join(str(error).split())[:160]
        raise InvalidTaskError(
            f"{address}: cannot be fetched ({why}); get the file by other means and give its path"
        ) from error
    return Path(found)
