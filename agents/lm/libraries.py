"""What this part of the package needs from outside: that it is there, and that it is silent."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from importlib import import_module
from typing import Any

from asl_env.errors import LanguageModelError


def require(*names: str) -> None:
    """Checks that libraries are installed.

    Raises:
        LanguageModelError: One line that says how to install what is missing.
    """
    from importlib.util import find_spec

    for name in names:
        if find_spec(name) is None:
            raise LanguageModelError(f"{name} is missing: pip install 'asl-env[llm]'")


@contextmanager
def quiet() -> Iterator[None]:
    """Turns off transformers' progress bars and remarks, and turns them on again afterwards."""
    from transformers.utils import logging as remarks

    logging: Any = remarks
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings(), _no_gguf_bar():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def _no_gguf_bar() -> Iterator[None]:
    """Hides the bar of transformers' GGUF reader (5.x), which listens to no setting."""
    try:
        reader: Any = import_module("transformers.modeling_gguf_pytorch_utils")
        bar = reader.tqdm
    except (ImportError, AttributeError):  # other versions read GGUF elsewhere
        yield
        return
    reader.tqdm = partial(bar, disable=True)
    try:
        yield
    finally:
        reader.tqdm = bar
