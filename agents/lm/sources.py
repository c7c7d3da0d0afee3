"""Where a language model is: names, folders, files and hub names, all brought to a local path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Literal

from asl_env.agents.lm import catalog
from asl_env.agents.lm.libraries import quiet, require
from asl_env.errors import LanguageModelError, did_you_mean

#: The package's own model.
NANO = "nano"

#: Files of PEFT adapters.
ADAPTER_CONFIG, ADAPTER_WEIGHTS = "adapter_config.json", "adapter_model.safetensors"

#: A name of the Hugging Face hub: ``owner/name``, or an old one without owner.
_HUB = re.compile(r"[\w.-]+(/[\w.-]+)?")
_WANTED = ("*.safetensors", "*.json", "*.txt", "*.model", "*.jinja")
_UNWANTED = ("consolidated*", "original/*", "onnx/*")
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pickle", "*.pkl")
_HUB_SECONDS = 10.0


@dataclass(frozen=True)
class Source:
    """A model on this machine.

    Attributes:
        kind: ``folder`` (a whole model), ``gguf`` (one file) or ``adapter`` (a PEFT folder).
        path: The folder or file.
        name: What to call it in messages.
    """

    kind: Literal["folder", "gguf", "adapter"]
    path: Path
    name: str


def known_models() -> list[str]:
    """Returns every name that needs neither a path nor the hub."""
    return [NANO, *catalog.MODELS]


def find(spec: str | Path) -> Source:
    """Finds a model; a hub name is downloaded unless it is in the hub's cache.

    Args:
        spec: ``nano``, a name of the catalogue, a folder, a ``.gguf`` file, or a hub name.

    Raises:
        LanguageModelError: If there is no such model, or it holds pickles only.
    """
    name = str(spec)
    path = Path(name).expanduser()
    if name == NANO:
        nano: Any = import_module("asl_env.agents.lm.nano")
        return _in_folder(nano.folder(), name)
    if name in catalog.MODELS:
        return _in_folder(catalog.folder_of(name), name)
    if path.is_dir():
        return _in_folder(path, name)
    if path.is_file():
        return _file(path)
    if isinstance(spec, Path) or _looks_like_a_path(name):
        known = did_you_mean(name, known_models())
        raise LanguageModelError(f"{name}: no such model folder or file{known}")
    return _on_hub(name)


def base_of(adapter: Source) -> Source:
    """Finds the model that an adapter was made for, as its configuration names it.

    Raises:
        LanguageModelError: If the configuration is damaged, or the base is not here.
    """
    name = base_name(adapter)
    beside = adapter.path / name
    if beside.is_dir() and not Path(name).is_absolute():
        return _in_folder(beside, name)
    if not Path(name).expanduser().exists():
        name = portable(name)
    try:
        return find(name)
    except LanguageModelError as error:
        raise LanguageModelError(
            f"adapter {adapter.name}: its base model cannot be loaded ({error}); give the base as "
            "the model and this folder as the adapter"
        ) from error


def base_name(adapter: Source) -> str:
    """Returns what an adapter's configuration calls its base.

    Raises:
        LanguageModelError: If the configuration is damaged or names none.
    """
    file = adapter.path / ADAPTER_CONFIG
    try:
        name = json.loads(file.read_bytes()).get("base_model_name_or_path")
    except (OSError, ValueError, AttributeError) as error:
        raise LanguageModelError(f"{file}: cannot be read ({error})") from error
    if not isinstance(name, str) or not name:
        raise LanguageModelError(f"{file}: field 'base_model_name_or_path' names no base; set it")
    return name


def portable(name: str) -> str:
    """Returns the model that a path of another machine stood for, or the name as it is.

    Adapters write down where their base lay: in the hub's cache (``models--owner--name/...``), in
    the folder of fetched models, or in this package.
    """
    parts = Path(name).parts
    for part in reversed(parts):
        if part.startswith("models--"):
            return part.removeprefix("models--").replace("--", "/", 1)
    return next((part for part in reversed(parts[-2:]) if part in known_models()), name)


def _looks_like_a_path(name: str) -> bool:
    return name.startswith(("/", ".", "~")) or name.endswith(".gguf") or not _HUB.fullmatch(name)


def _file(path: Path) -> Source:
    if path.suffix == ".gguf":
        return Source("gguf", path, str(path))
    if path.suffix in {pattern.removeprefix("*") for pattern in _PICKLES}:
        raise LanguageModelError(f"{path}: {_HOW_TO_CONVERT}")
    raise LanguageModelError(f"{path}: is no model; give its folder, or a .gguf file")


#: Why pickles are refused, and the way out.
_HOW_TO_CONVERT = (
    "pickled weights can run code and are not loaded; if you trust them, convert them once: "
    "python -c \"from transformers import AutoModelForCausalLM as M; M.from_pretrained('FROM', "
    "use_safetensors=False).save_pretrained('TO')\", and copy the tokenizer's files"
)


def _in_folder(folder: Path, name: str) -> Source:
    """Says what a folder holds by the names of its files."""

    def has(pattern: str) -> bool:
        return any(folder.glob(pattern))

    if has(ADAPTER_CONFIG):
        if not has(ADAPTER_WEIGHTS):
            reason = _HOW_TO_CONVERT_ADAPTER if has("*.bin") else f"{ADAPTER_WEIGHTS} is missing"
            raise LanguageModelError(f"{name}: {reason}")
        return Source("adapter", folder, name)
    if has("config.json"):
        if not has("*.safetensors"):
            reason = "it has no weights (*.safetensors)"
            raise LanguageModelError(f"{name}: {_HOW_TO_CONVERT if _pickled(has) else reason}")
        return Source("folder", folder, name)
    files = sorted(folder.glob("*.gguf"))
    if len(files) == 1:
        return Source("gguf", files[0], name)
    if files:
        raise LanguageModelError(f"{name}: holds {len(files)} GGUF files; give one of them")
    raise LanguageModelError(
        f"{name}: is no model: it has neither config.json, nor {ADAPTER_CONFIG}, nor a GGUF file"
    )


_HOW_TO_CONVERT_ADAPTER = (
    "pickled weights can run code and are not loaded; if you trust them, load the adapter with "
    "peft and save it again (save_pretrained writes safetensors)"
)


def _pickled(has: Callable[[str], bool]) -> bool:
    return any(has(pattern) for pattern in _PICKLES)


def _on_hub(name: str) -> Source:
    """Downloads a model from the hub, or finds it in the hub's cache.

    One short question goes first: transformers itself tries every file for many seconds when
    there is no network.
    """
    require("huggingface_hub")
    from huggingface_hub import snapshot_download

    unreachable = _ask_hub(name)
    try:
        with quiet():
            folder = snapshot_download(
                name,
                allow_patterns=list(_WANTED),
                ignore_patterns=list(_UNWANTED),
                local_files_only=unreachable is not None,
            )
    except Exception as error:  # whatever the hub's client raises: network, disk, an empty cache
        reason = unreachable or " ".join(str(error).split())[:200]
        known = did_you_mean(name, known_models())
        raise LanguageModelError(
            f"{name}: no such folder or file, and the model hub cannot be reached ({reason}){known}"
        ) from error
    return _in_folder(Path(folder), name)


def _ask_hub(name: str) -> str | None:
    """Asks the hub whether it has a model in a form that is loaded.

    Returns:
        Why the hub could not be asked, or ``None`` if it has the model.

    Raises:
        LanguageModelError: If the hub says that there is none, or has pickles only.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import GatedRepoError, HFValidationError, RepositoryNotFoundError

    try:
        about: Any = HfApi().model_info(name, timeout=_HUB_SECONDS)
    except GatedRepoError as error:
        raise LanguageModelError(
            f"{name}: the hub wants you to accept its terms first; do so in a browser, then run "
            "`hf auth login`"
        ) from error
    except (RepositoryNotFoundError, HFValidationError) as error:
        known = did_you_mean(name, known_models())
        raise LanguageModelError(
            f"{name}: no such folder or file, and no such model on the hub{known}"
        ) from error
    except Exception as error:  # its client raises the errors of whichever HTTP library it uses
        return " ".join(str(error).split())[:200] or type(error).__name__
    files = [Path(file.rfilename) for file in about.siblings or ()]

    def has(pattern: str) -> bool:
        return any(file.match(pattern) for file in files)

    if not has("*.safetensors") and _pickled(has):
        raise LanguageModelError(f"{name}: {_HOW_TO_CONVERT}")
    return None
