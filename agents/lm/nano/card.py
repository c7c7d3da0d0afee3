"""The model card of a warmed-up model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from asl_env.agents.lm.nano.settings import GIVEN_MODEL, WarmupSettings
from asl_env.agents.lm.nano.warmup import RECORD

_HEAD = """\
---
license: apache-2.0
language: en
library_name: transformers
tags: [asl-env, search-agent]
---

# {title}

{what}

## Data

{episodes:,} scripted episodes of the three seats in {worlds} freshly named worlds: MiniWiki's facts
with every name, number and code drawn anew, told in articles and searched with BM25. The players
are careless at times (`habits` in `{record}`), so that the model knows good and bad play alike and
the loop has something to sort out. Entities and wordings of the held-out questions appear in none.
Text and facts are asl-env's own (sources: `SOURCES.md` of MiniWiki); licence Apache-2.0.

## Training

{steps:,} steps over {tokens:,} tokens, seed {seed}. Mean loss per token said on episodes in two
other worlds: {validation_loss:.3f}. All settings are in `{record}`. Made with:

    {command}
"""

_NANO = """\
A Llama of {parameters:.1f} million parameters that plays the three seats of asl-env (generator,
policy, GRM) in the `asl` dialect over MiniWiki, trained from random weights. It is small enough to
learn on two cores (`asl train`). It knows nothing but how to search, read and copy,
and is of no use outside these environments."""

_GIVEN = """\
{model}, taught by imitation to play the three seats of asl-env (generator, policy, GRM) in the
`asl` dialect. Its licence is that of {model}."""


def write_card(folder: Path, record: Mapping[str, Any]) -> None:
    """Writes ``README.md``, and the record with what was measured."""
    (folder / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    (folder / "README.md").write_text("\n".join(_lines(folder, record)) + "\n", encoding="utf-8")


def _command(settings: Mapping[str, Any], model: str | None) -> str:
    """The command that made it; the card refers to the record for settings that were changed."""
    usual = WarmupSettings() if model is None else GIVEN_MODEL
    usual = replace(usual, seed=settings["seed"])
    chosen = "" if model is None else f" --model {model}"
    changed = json.loads(json.dumps(usual.record())) != json.loads(json.dumps(settings))
    more = f" --set ...    # the settings of {RECORD}" if changed else ""
    return f"asl warmup{chosen} --seed {settings['seed']} --out FOLDER{more}"


def _lines(folder: Path, record: Mapping[str, Any]) -> Iterator[str]:
    settings, model = record["settings"], record["model"]
    stages = settings["stages"]
    yield _HEAD.format(
        title="asl-env nano" if model is None else f"{model}, warmed up with asl-env",
        what=(
            _NANO.format(parameters=_parameters(folder) / 1e6)
            if model is None
            else _GIVEN.format(model=model)
        ),
        episodes=sum(stage["worlds"] * stage["episodes"] for stage in stages),
        worlds=sum(stage["worlds"] for stage in stages),
        record=RECORD,
        steps=record["steps"],
        tokens=record["tokens"],
        seed=settings["seed"],
        validation_loss=record["validation_loss"],
        command=_command(settings, model),
    )
    measured = record.get("measured")
    if measured:
        yield from _table(measured)


def _table(measured: Mapping[str, Any]) -> Iterator[str]:
    yield f"## Measured\n\nGreedy, {measured['questions']} questions, claims or requests each.\n"
    yield "| seat | on | |"
    yield "| --- | --- | --- |"
    for name, values in measured["policy"].items():
        yield f"| policy | {name} | {values['accuracy']:.3f} right |"
    yield f"| GRM | claims on held-out questions | {measured['grm']['accuracy']:.3f} right |"
    made = measured["generator"]
    yield f"| generator | seed topics | {made['formed']:.3f} well-formed |"
    yield f"| generator | seed topics | {made['valid']:.3f} with one right answer, the given one |"


def _parameters(folder: Path) -> int:
    from math import prod

    from safetensors import safe_open

    with safe_open(str(folder / "model.safetensors"), "pt") as file:
        return sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
