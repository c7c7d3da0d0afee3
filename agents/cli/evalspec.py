"""How ``asl eval`` asks: by a frozen spec, or by single options."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from asl_env.errors import SpecError

if TYPE_CHECKING:
    from asl_env.evaluation.spec import EvalSpec
    from asl_env.protocols import Retriever
    from asl_env.tool import SearchTool

#: What each option is where neither it nor a spec was given.
DEFAULTS: dict[str, Any] = {
    "dialect": "asl",
    "sample": False,
    "seed": 0,
    "max_turns": 9,
    "top_k": 3,
    "max_chars": None,
}


class Asking(NamedTuple):
    """Everything about an evaluation but the agent, the questions and the index.

    Attributes:
        dialect: Name of the dialect, for loading agents.
        arguments: For ``runner.evaluate``.
        top_k: Passages per search.
        max_chars: Characters per search; ``None`` for whole passages.
        spec: The spec, if it is by one.
    """

    dialect: str
    arguments: dict[str, Any]
    top_k: int
    max_chars: int | None
    spec: EvalSpec | None = None

    def tool(self, retriever: Retriever) -> SearchTool:
        """The search tool of the evaluation."""
        from asl_env.tool import SearchTool

        return SearchTool(retriever, top_k=self.top_k, max_chars=self.max_chars)

    def record(self) -> dict[str, Any]:
        """What the settings of the result say about it."""
        if self.spec is not None:
            return self.spec.record()
        record: dict[str, Any] = {"top_k": self.top_k}
        return record if self.max_chars is None else record | {"max_chars": self.max_chars}


def asking(spec: str | None, given: dict[str, Any], budget: int | None) -> Asking:
    """Settles how to ask.

    Args:
        spec: Name or file of a spec, if one was given.
        given: The options of ``DEFAULTS``; ``None`` where one was not given.
        budget: Characters per search that suit the agent, used without a spec.

    Raises:
        SpecError: If an option was given that the spec fixes, or the spec cannot be used.
    """
    if spec is not None:
        from asl_env.evaluation.spec import load_spec

        fixed = load_spec(spec)
        for name, value in given.items():
            if value is not None:
                option = f"--{name.replace('_', '-')}"
                raise SpecError(f"--spec {spec} fixes what {option} says; leave {option} out")
        return Asking(fixed.dialect, fixed.arguments(), fixed.top_k, fixed.max_chars, fixed)
    settled = {name: DEFAULTS[name] if value is None else value for name, value in given.items()}
    arguments = {
        "dialect": settled["dialect"],
        "greedy": not settled["sample"],
        "seed": settled["seed"],
        "max_turns": settled["max_turns"],
    }
    chars = settled["max_chars"] or budget
    return Asking(settled["dialect"], arguments, settled["top_k"], chars)
