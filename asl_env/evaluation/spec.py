"""Frozen evaluation specs: everything but the agent and the questions, under one name for ever.

    spec = load_spec("asl-v1")
    evaluate(agent, tasks, tool=spec.tool(retriever), **spec.arguments(), about=spec.record())

Two results with the same spec name were asked in the same words, searched equally often and were
scored by the same rules. A spec is therefore never edited: a change is a new name. A test holds
their digests.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.dialects.registry import GRAMMAR_VERSION
from asl_env.episode import Action, Message, Role
from asl_env.errors import AslError, SpecError, did_you_mean
from asl_env.evaluation.scoring import SCORES
from asl_env.protocols import Dialect, Retriever, ToolResult
from asl_env.rewards.matching import METRIC_VERSION
from asl_env.tool import SearchTool

_MAX_BYTES = 1 << 20


class EvalSpec(BaseModel):
    """How questions are asked and scored.

    Attributes:
        name: By which results refer to it.
        about: What it is for, and where its numbers come from; for people.
        dialect: How turns are read and results are written.
        grammar_version: Of the built-in dialects' parsers and renderers.
        prompt: The system message, word for word.
        greedy: Take the most likely turn; otherwise sample, as the agent is set.
        seed: Of sampling agents.
        max_turns: Assistant turns per question at most, the answer included.
        top_k: Passages per search, unless a call says otherwise.
        max_chars: Characters of titles and texts per search; ``None`` for whole passages.
        metric_version: Of the metrics.
        headline: The metric that is quoted first.
        index_digest: Of the index to be searched; ``None`` leaves it open, and results record it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.-]*$")]
    about: str
    dialect: str
    grammar_version: int
    prompt: Annotated[str, Field(min_length=1)]
    greedy: bool
    seed: int
    max_turns: Annotated[int, Field(ge=1)]
    top_k: Annotated[int, Field(ge=1, le=20)]
    max_chars: Annotated[int, Field(ge=1)] | None
    metric_version: int
    headline: str
    index_digest: str | None

    @model_validator(mode="after")
    def _known(self) -> EvalSpec:
        make_dialect(self.dialect)
        if self.headline not in SCORES:
            hint = did_you_mean(self.headline, SCORES)
            raise SpecError(f"field 'headline': no metric {self.headline!r}{hint}")
        return self

    @property
    def digest(self) -> str:
        """Sixteen hex digits that change with any field but ``about``."""
        fields = self.model_dump(exclude={"about"})
        text = json.dumps(fields, sort_keys=True, ensure_ascii=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def arguments(self) -> dict[str, Any]:
        """The arguments of ``runner.evaluate`` that the spec decides."""
        return {
            "dialect": PromptedDialect(make_dialect(self.dialect), self.prompt),
            "greedy": self.greedy,
            "seed": self.seed,
            "max_turns": self.max_turns,
        }

    def record(self) -> dict[str, Any]:
        """What the settings of a result say about the spec."""
        return {
            "spec": self.name,
            "spec_digest": self.digest,
            "grammar_version": self.grammar_version,
            "top_k": self.top_k,
            "headline": self.headline,
        }

    def tool(self, retriever: Retriever) -> SearchTool:
        """The search tool as the spec wants it."""
        return SearchTool(retriever, top_k=self.top_k, max_chars=self.max_chars)

    def check_index(self, digest: str | None) -> None:
        """Refuses another index than the one that the spec names, if it names one.

        Raises:
            SpecError: If it is another, or nobody knows which it is.
        """
        if self.index_digest is not None and digest != self.index_digest:
            raise SpecError(
                f"spec {self.name}: searches the index {self.index_digest}, this one is "
                f"{digest or 'unknown'}; give that index with --index"
            )


class PromptedDialect:
    """A dialect whose policy seat gets a fixed system message; all else is the dialect's own.

    Args:
        dialect: The dialect.
        prompt: The system message of the policy seat.
    """

    def __init__(self, dialect: Dialect, prompt: str) -> None:
        self.name = dialect.name
        self.stop = dialect.stop
        self._dialect = dialect
        self._prompt = prompt

    def system_prompt(self, role: Role) -> str:
        """The fixed message for the policy, the dialect's for the other seats."""
        return self._prompt if role is Role.POLICY else self._dialect.system_prompt(role)

    def parse(self, text: str, role: Role) -> Action:
        """Parses one assistant turn."""
        return self._dialect.parse(text, role)

    def starts_with_think(self, text: str) -> bool:
        """Whether a turn starts with a closed think block."""
        return self._dialect.starts_with_think(text)

    def render_results(self, results: Sequence[ToolResult]) -> list[Message]:
        """The messages that carry results back."""
        return self._dialect.render_results(results)

    def read_results(self, message: Message) -> list[Passage] | None:
        """Inverse of ``render_results`` for one message."""
        return self._dialect.read_results(message)

    def write_search(self, query: str, think: str = "") -> str:
        """Writes an assistant turn that searches."""
        return self._dialect.write_search(query, think)

    def write_final(self, answer: str, question: str | None = None, think: str = "") -> str:
        """Writes an assistant turn that ends the episode."""
        return self._dialect.write_final(answer, question, think)


def spec_names() -> list[str]:
    """Names of the specs in the package."""
    folder = resources.files("asl_env.evaluation.specs")
    return sorted(item.name[:-5] for item in folder.iterdir() if item.name.endswith(".yaml"))


def load_spec(source: str | Path) -> EvalSpec:
    """Loads a spec.

    Args:
        source: A name, or the path of a YAML file.

    Raises:
        SpecError: If there is none of that name, a field is wrong, or it was written for another
            version of the metrics or the dialects.
    """
    text = _text(source)
    try:
        fields = yaml.safe_load(text)
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(f"spec {source}: not YAML ({' '.join(str(error).split())})") from error
    if not isinstance(fields, dict):
        raise SpecError(f"spec {source}: a mapping of fields was expected")
    try:
        spec = EvalSpec(**fields)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or "it"
        hint = did_you_mean(where, EvalSpec.model_fields) if "extra" in first["type"] else ""
        raise SpecError(f"spec {source}: field {where!r}: {first['msg']}{hint}") from error
    except (AslError, TypeError) as error:
        raise SpecError(f"spec {source}: {error}") from error
    return _readable(spec)


def _text(source: str | Path) -> str:
    names = spec_names()
    if str(source) in names:
        folder = resources.files("asl_env.evaluation.specs")
        return (folder / f"{source}.yaml").read_text(encoding="utf-8")
    path = Path(source)
    if not path.is_file():
        raise SpecError(
            f"no evaluation spec or file {str(source)!r}{did_you_mean(str(source), names)}"
        )
    try:
        with path.open("rb") as file:
            return file.read(_MAX_BYTES).decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(f"{path}: cannot be read ({error}); write it as UTF-8 YAML") from error


def _readable(spec: EvalSpec) -> EvalSpec:
    """Refuses what this version would ask or score otherwise than the spec says."""
    versions = {"metric_version": METRIC_VERSION, "grammar_version": GRAMMAR_VERSION}
    for name, here in versions.items():
        wanted = getattr(spec, name)
        if wanted != here:
            raise SpecError(
                f"spec {spec.name}: needs {name} {wanted}, this asl-env has {here}; "
                "use the spec's successor, or the asl-env that it was written for"
            )
    return spec
