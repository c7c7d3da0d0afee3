"""Rollouts of a language model: ours, TRL's ``environment_factory``, and a plain loop.

    python benchmarks/rollouts.py                        # the nano model
    python benchmarks/rollouts.py --model smollm2-135m --episodes 8 --batch 8 --turns 3 --repeats 3
    python benchmarks/rollouts.py --json rollouts.json

Multi-turn search episodes over MiniWiki (``--turns``: searches, and an answer at the end), the same
tasks, model object, chat template, tool, temperature and processor for all:

* ``ours``: ``LanguageModelAgent`` and the vector environment through ``rollout.collect``, token
  records and rewards included.
* ``trl``: ``GRPOTrainer`` with an environment class, generation by transformers. Only what TRL
  does for a rollout is called: ``reset``, ``_generate`` (prompts, generation, tool loop) and
  ``get_reward``; no log-probabilities, loss or step. Its tokenizer gets the response template of
  TRL's Qwen3 with this model's marks, since TRL knows the templates of some models only.
* ``plain``: per turn the whole chat through ``apply_chat_template`` and, left-padded,
  ``model.generate``; then decode, parse, search.

Equal work is forced by a hook on the model (``Forcing``) that changes the logits of the newest
position in all three alike: some places of a turn are free (drawn from the model's own
distribution over tokens of small letters), the others have one possible token. So each turn is a
well-formed tool call, the last one an answer, with thoughts and a query of the model's own, and
has ``--new-tokens`` tokens. ours ends a turn at the stop string; where the rivals must then sample
the end-of-turn token (neither stops at strings), ours samples one free token more. As all turns
are equally long, no row ever waits for a longer one: what ours saves by letting finished rows
leave does not count here.

The script stops unless openings, episodes, turns and sampled tokens agree. Systems take turns
within each repetition; rates are medians, ratios medians of the ratios within a repetition.
``by cpu`` is the same by processor time, which other programs on the machine disturb less;
``forwarded`` is the number of token positions that went through the model, padding included.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import torch
from rollout_systems import DIALECT, TEMPLATE, Ours, Plain, Trl, World, marks_of

from asl_env.agents.lm.libraries import quiet
from asl_env.agents.lm.loading import LanguageModel, load_language_model

#: Free tokens of a query or an answer; the other free tokens of a turn are thoughts.
QUERY_TOKENS = 8
System = Ours | Trl | Plain


class Played(NamedTuple):
    """What one system did in one measurement."""

    episodes: int
    turns: int
    tokens: int
    seconds: float
    cpu: float
    forwarded: int


class Forcing:
    """Makes every turn equally long and well-formed by changing the logits of the newest token.

    A forward pass over several positions begins a turn, one over a single position goes on with it;
    all rows are at the same place, which is what makes this possible for any engine.

    Args:
        lm: The model.
        turns: Turns of an episode; the last one answers, the others search.
        length: Tokens of a turn.

    Attributes:
        forwarded: Token positions that went through the model, padding included.
    """

    def __init__(self, lm: LanguageModel, turns: int, length: int) -> None:
        self._tokenizer, self._turns, self._length = lm.tokenizer, turns, length
        self._device = lm.model.device
        self._vocabulary = lm.model.get_input_embeddings().num_embeddings
        size = min(self._vocabulary, len(lm.tokenizer))
        pieces = lm.tokenizer.batch_decode([[token] for token in range(size)])
        letters = re.compile(" ?[a-z]+")
        self._free = self._only([n for n, piece in enumerate(pieces) if letters.fullmatch(piece)])
        self.forwarded = 0
        self._plans: list[list[torch.Tensor]] = []
        lm.model.register_forward_hook(self._hook, with_kwargs=True)

    @contextmanager
    def on(self, ends: bool) -> Iterator[None]:
        """Forces turns within a block; ``ends`` if they finish with the end-of-turn token."""
        search = DIALECT.write_search("QQ", think="TT")
        final = DIALECT.write_final("QQ", think="TT")
        self._plans = [self._plan(search, ends)] * (self._turns - 1) + [self._plan(final, ends)]
        self.forwarded, self._turn, self._place, self._decoded = 0, -1, 0, True
        try:
            yield
        finally:
            self._plans = []

    def _only(self, tokens: list[int]) -> torch.Tensor:
        mask = torch.full((self._vocabulary,), -torch.inf)
        mask[tokens] = 0.0
        return mask.to(self._device)

    def _plan(self, text: str, ends: bool) -> list[torch.Tensor]:
        """One mask per place of a turn."""
        parts = [
            self._tokenizer(part, add_special_tokens=False)["input_ids"]
            for part in re.split("TT|QQ", text)
        ]
        if ends:
            parts[-1] = [*parts[-1], self._tokenizer.eos_token_id]
        head, middle, tail = ([self._only([token]) for token in part] for part in parts)
        thoughts = self._length - QUERY_TOKENS - sum(map(len, parts))
        if thoughts < 1:
            raise SystemExit(f"--new-tokens must be at least {self._length + 1 - thoughts}")
        query = [self._free] * QUERY_TOKENS
        return [*head, *[self._free] * thoughts, *middle, *query, *tail]

    def _hook(self, model: Any, args: Any, kwargs: dict[str, Any], out: Any) -> None:
        if not self._plans:
            return
        rows, columns = kwargs["input_ids"].shape
        self.forwarded += rows * columns
        if columns > 1:
            self._turn += self._decoded
            self._place, self._decoded = 0, False
        else:
            self._place, self._decoded = self._place + 1, True
        out.logits[:, -1] += self._plans[self._turn % self._turns][self._place]


def measure(system: System, forcing: Forcing, episodes: int, group: int) -> Played:
    """Plays once, against the clock."""
    with forcing.on(system.ends):
        started, cpu = time.perf_counter(), time.process_time()
        counts = system.play(episodes, group)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        spent = time.perf_counter() - started, time.process_time() - cpu
        return Played(*counts, *spent, forcing.forwarded)


def check(results: dict[str, Played], options: argparse.Namespace) -> None:
    """Stops unless all systems did the work that was asked for."""
    turns = options.episodes * options.turns
    wanted = (options.episodes, turns, turns * options.new_tokens)
    for name, played in results.items():
        done = (played.episodes, played.turns, played.tokens)
        if done != wanted:
            raise SystemExit(f"{name}: episodes, turns, tokens are {done}, not {wanted}")


def table(group: int, runs: list[dict[str, Played]]) -> None:
    """Prints medians over the repetitions of one workload."""
    print(f"\nGroups of {group}:\n")
    print("| | episodes | turns | tokens | forwarded | tokens/s | episodes/s | ours is | by cpu |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, first in runs[0].items():
        seconds = statistics.median(run[name].seconds for run in runs)
        wall = [run[name].seconds / run["ours"].seconds for run in runs]
        cpu = [run[name].cpu / run["ours"].cpu for run in runs]
        print(
            f"| {name} | {first.episodes} | {first.turns} | {first.tokens:,} | "
            f"{first.forwarded:,} | {first.tokens / seconds:,.0f} | "
            f"{first.episodes / seconds:.2f} | {spread(wall)} | {spread(cpu)} |"
        )


def spread(ratios: list[float]) -> str:
    """Writes the median, the least and the greatest of some ratios."""
    return f"{statistics.median(ratios):.2f} x ({min(ratios):.2f} to {max(ratios):.2f})"


def machine(lm: LanguageModel, options: argparse.Namespace) -> None:
    """Prints what this runs on."""
    device = lm.model.device
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    found = re.search("model name\\s*: (.*)", info.read_text()) if info.exists() else None
    name = torch.cuda.get_device_name() if device.type == "cuda" else found[1] if found else name
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")
    libraries = ", ".join(f"{one} {version(one)}" for one in ("torch", "transformers", "trl"))
    print(
        f"{name}, {os.cpu_count()} cores, load {load:.1f}, {torch.get_num_threads()} threads, "
        f"Python {platform.python_version()}, {libraries}"
    )
    print(
        f"{lm.name} ({lm.model.num_parameters() / 1e6:.1f} M, {lm.model.dtype}), {options.turns} "
        f"turns of {options.new_tokens} tokens, {options.batch} episodes at once, temperature "
        f"{options.temperature:g}, {options.repeats} repetitions"
    )


def arguments() -> argparse.Namespace:
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="nano", help="a name or folder (default: nano)")
    parser.add_argument("--episodes", type=int, default=64, help="per measurement")
    parser.add_argument("--batch", type=int, default=32, help="episodes at once")
    parser.add_argument("--groups", type=int, nargs="+", default=[8, 1], help="group sizes")
    parser.add_argument("--turns", type=int, default=4, help="the last one answers")
    parser.add_argument("--new-tokens", type=int, default=64, help="per turn")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--json", type=Path, help="write every measurement to this file")
    options = parser.parse_args()
    sizes = (options.episodes % options.batch, *(options.batch % one for one in options.groups))
    if any(sizes):
        parser.error("--episodes must be a multiple of --batch, and that of all --groups")
    return options


def run(
    systems: dict[str, System], forcing: Forcing, options: argparse.Namespace
) -> dict[int, list[dict[str, Played]]]:
    """Measures the systems by turns; a first round, which is not kept, warms up."""
    results: dict[int, list[dict[str, Played]]] = {group: [] for group in options.groups}
    names = list(systems)
    for name in names:
        measure(systems[name], forcing, options.batch, options.groups[0])
    for repeat in range(options.repeats):
        for group in options.groups:
            found = {}
            for name in names[repeat % 3 :] + names[: repeat % 3]:
                found[name] = measure(systems[name], forcing, options.episodes, group)
            check(found, options)
            results[group].append({name: found[name] for name in names})
    return results


def main() -> None:
    """Measures every system and prints the tables."""
    options = arguments()
    torch.set_num_threads(options.threads)
    warnings.simplefilter("ignore")
    world = World(options.turns, options.new_tokens, options.batch, options.temperature)
    with quiet(), tempfile.TemporaryDirectory() as folder:
        lm = load_language_model(options.model)
        opened, closed = marks_of(lm)
        lm.tokenizer.chat_template = TEMPLATE.replace("OPEN", opened).replace("CLOSE", closed)
        systems = {
            "ours": Ours(lm, world),
            "trl": Trl(lm, world, folder),
            "plain": Plain(lm, world),
        }
        if len({tuple(system.opening(world.tasks[0])) for system in systems.values()}) > 1:
            raise SystemExit("the openings differ")
        machine(lm, options)
        results = run(systems, Forcing(lm, options.turns, options.new_tokens), options)
    for group, runs in results.items():
        table(group, runs)
    if options.json:
        rows = {
            g: [{n: p._asdict() for n, p in one.items()} for one in results[g]] for g in results
        }
        options.json.write_text(json.dumps(rows, indent=1))


if __name__ == "__main__":
    main()
