"""Loading language models: from names, folders, GGUF files, adapters and the hub."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from asl_env.agents.lm import sources
from asl_env.agents.lm.catalog import make_plain
from asl_env.agents.lm.libraries import quiet, require
from asl_env.agents.lm.sources import Source
from asl_env.errors import LanguageModelError

if TYPE_CHECKING:
    import torch

#: What ``dtype`` may say.
DTYPES = ("auto", "float32", "bfloat16", "float16")

#: A limit that tokenizers give when they know none.
_NO_LIMIT = 10**9


@dataclass(frozen=True, eq=False)
class LanguageModel:
    """A causal language model with its tokenizer, ready to use.

    Attributes:
        model: A transformers model, or a PEFT model around one; in evaluation mode.
        tokenizer: Its tokenizer; it has a chat template.
        name: What to call it in messages and run folders.
        context: Tokens that a sequence may have.
        kind: ``full`` weights, or an ``adapter`` (trainable) on a frozen base.
        path: The folder or GGUF file of the whole model, for programs that load it themselves.
        adapter: The adapter's folder, if there is one.
    """

    model: Any
    tokenizer: Any
    name: str
    context: int
    kind: Literal["full", "adapter"] = "full"
    path: Path | None = None
    adapter: Path | None = None


def load_language_model(
    spec: str | Path,
    *,
    adapter: str | Path | None = None,
    dtype: str = "auto",
    device: str = "auto",
    template: str | Path | None = None,
) -> LanguageModel:
    """Loads a model; only safetensors and GGUF are read, never pickles, and no code is run.

    Args:
        spec: ``nano``; a name of the catalogue (``asl model list``); a folder with a whole model
            or a PEFT adapter, whose base is found from its configuration; a ``.gguf`` file; or a
            name of the Hugging Face hub.
        adapter: A PEFT adapter for the model.
        dtype: One of ``DTYPES``; ``auto`` is bfloat16 on a GPU (float16 on an old one) and
            float32 on the CPU.
        device: A torch device; ``auto`` takes the GPU if there is one.
        template: A Jinja chat template, as text, as a file or as a name of ``template.TEMPLATES``,
            in place of the tokenizer's own.

    Raises:
        LanguageModelError: If the model is not found, is no causal language model, has damaged or
            NaN weights, lacks a chat template, does not fit into memory, or the adapter belongs to
            another base; one line that says what to do.
    """
    require("transformers")
    if dtype not in DTYPES:
        raise LanguageModelError(f"no dtype {dtype!r}; known: {', '.join(DTYPES)}")
    source = sources.find(spec)
    extra = None if adapter is None else _adapter(adapter)
    if source.kind == "adapter":
        if extra is not None:
            raise LanguageModelError(f"{source.name}: is an adapter itself; give its base instead")
        source, extra = sources.base_of(source), source
    where = _device(device)
    tokenizer = _load_tokenizer(source, extra, template)
    with _one_line(source.name):
        model = _load_model(source, _dtype(dtype, where))
        if extra is not None:
            from asl_env.agents.lm.adapters import attach

            model = attach(model, extra, source)
        model = model.to(where).eval()
        _check_finite(model, source.name)
    _check_vocabulary(model, tokenizer, source.name)
    context = _context(model, tokenizer)
    if extra is None:
        return LanguageModel(model, tokenizer, source.name, context, "full", source.path)
    return LanguageModel(model, tokenizer, extra.name, context, "adapter", source.path, extra.path)


def _adapter(adapter: str | Path) -> Source:
    found = sources.find(adapter)
    if found.kind != "adapter":
        raise LanguageModelError(
            f"{adapter}: is a whole model, not an adapter; load it as the model"
        )
    return found


def _device(device: str) -> torch.device:
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        where = torch.device(device)
        torch.empty(1, device=where)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise LanguageModelError(f"device {device!r} cannot be used ({reason})") from error
    return where


def _dtype(dtype: str, device: torch.device) -> torch.dtype:
    import torch

    if dtype != "auto":
        found: torch.dtype = getattr(torch, dtype)
        return found
    if device.type == "cpu":
        return torch.float32
    old = device.type == "cuda" and not torch.cuda.is_bf16_supported()
    return torch.float16 if old else torch.bfloat16


def _load_tokenizer(source: Source, adapter: Source | None, template: str | Path | None) -> Any:
    """Loads the tokenizer (an adapter's own if it has one) and gives it its chat template."""
    from transformers import AutoTokenizer

    own = adapter is not None and (adapter.path / "tokenizer_config.json").is_file()
    folder = adapter.path if own and adapter is not None else source.path
    where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    if source.kind == "gguf" and not own:
        folder = source.path.parent
        # transformers takes a tokenizer.json beside the file in any case, but then loses the rest.
        if not (folder / "tokenizer.json").is_file():
            where["gguf_file"] = source.path.name
    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(folder, **where)
    except Exception as error:  # every tokenizer class raises its own
        reason = " ".join(str(error).split())[:200]
        raise LanguageModelError(f"{folder}: has no usable tokenizer ({reason})") from error
    if template is not None:
        tokenizer.chat_template = read_template(template)
    if not tokenizer.chat_template:
        raise LanguageModelError(
            f"{source.name}: its tokenizer has no chat template; pass --chat-template FILE "
            "(Jinja) or --chat-template chatml, or take an instruct model"
        )
    return tokenizer


def read_template(template: str | Path) -> str:
    """Returns a chat template that was given by name, as text or as a file.

    Raises:
        LanguageModelError: If the file cannot be read.
    """
    from asl_env.agents.lm.template import TEMPLATES

    text = str(template)
    if text in TEMPLATES:
        return TEMPLATES[text]
    if isinstance(template, str) and "{" in text:
        return text
    try:
        return Path(text).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise LanguageModelError(f"chat template {text}: cannot be read ({error})") from error


def _load_model(source: Source, dtype: torch.dtype) -> Any:
    """Loads the weights, and refuses what is no causal language model or is not complete."""
    from transformers import AutoConfig, AutoModelForCausalLM

    _check_room(source, dtype)
    where: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    folder = source.path
    if source.kind == "gguf":
        require("gguf")
        folder, where["gguf_file"] = source.path.parent, source.path.name
    with quiet():
        _check_causal(AutoConfig.from_pretrained(folder, **where), source.name)
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            folder, dtype=dtype, use_safetensors=True, output_loading_info=True, **where
        )
    model, about = loaded
    missing = sorted(about["missing_keys"])
    if missing:
        raise LanguageModelError(
            f"{source.name}: {len(missing)} weights are missing, the first is {missing[0]}; "
            "fetch or save the model again"
        )
    make_plain(model)
    # Adapters write this down as their base. (A name would mean the same on another machine, but
    # for a name peft asks the hub at every save, and ``sources.portable`` knows our paths.)
    model.config.name_or_path = model.name_or_path = str(source.path.absolute())
    return model


def _check_causal(config: Any, name: str) -> None:
    """Refuses encoders and sequence-to-sequence models, which transformers would fit new heads."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES as KNOWN

    kinds = list(getattr(config, "architectures", None) or [])
    known: dict[str, Any] = dict(KNOWN)
    causal = {
        one
        for names in known.values()
        for one in (names if isinstance(names, list | tuple) else (names,))
    }
    if getattr(config, "is_encoder_decoder", False) or config.model_type not in known:
        what = kinds[0] if kinds else config.model_type
    elif kinds and not causal.intersection(kinds):
        what = kinds[0]
    else:
        return
    raise LanguageModelError(f"{name}: {what} is no causal language model; take one that is")


def _check_room(source: Source, dtype: torch.dtype) -> None:
    """Refuses weights that cannot fit, where the system would kill the process without a word."""
    from asl_env.agents.lm.memory import available, readable

    if source.kind == "gguf":  # at least: a weight takes four bytes of the file at most
        numbers = source.path.stat().st_size // 4
    else:
        # A checkpoint may hold the optimiser's state beside the model.
        files = list(source.path.glob("model*.safetensors")) or source.path.glob("*.safetensors")
        numbers = sum(_numbers_in(file) for file in files)
    needed = numbers * dtype.itemsize
    free = available("cpu")
    if free is not None and needed > free:
        raise LanguageModelError(
            f"{source.name}: its weights need {readable(needed)} and {readable(free)} are free; "
            "take a smaller model, or --dtype bfloat16"
        )


def _numbers_in(file: Path) -> int:
    """Counts the numbers in a safetensors file by its header, which comes first."""
    with file.open("rb") as opened:
        size = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(min(size, file.stat().st_size)))
    shapes = (entry["shape"] for name, entry in header.items() if name != "__metadata__")
    return sum(math.prod(shape) for shape in shapes)


@contextmanager
def _one_line(name: str) -> Iterator[None]:
    """Turns what loading raises into one line."""
    import torch

    try:
        yield
    except LanguageModelError:
        raise
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise LanguageModelError(_no_memory(name)) from error
    except Exception as error:  # safetensors, transformers and peft have errors of their own
        reason = " ".join(str(error).split())
        if "allocate memory" in reason or "out of memory" in reason.lower():
            raise LanguageModelError(_no_memory(name)) from error
        raise LanguageModelError(
            f"{name}: cannot be loaded ({type(error).__name__}: {reason[:200]})"
        ) from error


def _no_memory(name: str) -> str:
    return f"{name}: out of memory while loading; take a smaller model, or --dtype bfloat16"


def _check_finite(model: Any, name: str) -> None:
    """Refuses NaN and infinite weights: everything they touch becomes NaN, without an error."""
    import torch

    with torch.no_grad():
        for key, value in model.named_parameters():
            if value.is_floating_point() and not torch.isfinite(value).all():
                raise LanguageModelError(
                    f"{name}: weight {key} holds NaN or infinite numbers; fetch the model again, "
                    "or go back to an earlier checkpoint"
                )


def _check_vocabulary(model: Any, tokenizer: Any, name: str) -> None:
    """Refuses a tokenizer whose ordinary tokens, or those of its template, have no embedding.

    Tokens that it adds and nobody writes (a padding token of its class) do no harm.
    """
    rows = model.get_input_embeddings().weight.shape[0]
    written = tokenizer.encode(str(tokenizer.chat_template), add_special_tokens=False)
    highest = max(tokenizer.vocab_size - 1, *written)
    if highest >= rows:
        raise LanguageModelError(
            f"{name}: its tokenizer writes token {highest:,} and its embeddings have {rows:,} "
            "rows; they do not belong together"
        )


def _context(model: Any, tokenizer: Any) -> int:
    """Tokens that a sequence may have: the smaller of the model's and the tokenizer's limits."""
    config = model.config.get_text_config()
    limits = [
        getattr(config, "max_position_embeddings", None),
        getattr(tokenizer, "model_max_length", None),
    ]
    known = [int(limit) for limit in limits if limit and limit < _NO_LIMIT]
    return min(known, default=_NO_LIMIT)
