"""Agents by name: built-in ones, checkpoints, classes of the user's own, plugins."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from asl_env.agents.coevolution.runfolder import CHECKPOINTS, STATE, RunFolder
from asl_env.agents.coevolution.team import MANIFEST
from asl_env.episode import Role
from asl_env.errors import AgentError, RunError, did_you_mean
from asl_env.plugins import load_plugin, plugin_names
from asl_env.protocols import Agent, Dialect

_log = logging.getLogger(__name__)

#: Entry-point group: a name and a callable that takes the dialect and returns an agent.
GROUP = "asl_env.agents"

#: File of a candidates checkpoint, of one of language models, and of a model in itself.
CANDIDATES = "candidates.json"
LANGUAGE_MODELS = "grpo.json"
MODEL_FILES = ("config.json", "adapter_config.json")

#: ``model:NAME_OR_PATH`` is a language model, ``endpoint:URL#MODEL`` one behind a server.
MODEL = "model:"
ENDPOINT = "endpoint:"


def _random(dialect: str | Dialect) -> Agent:
    from asl_env.agents.scripted import RandomAgent

    return RandomAgent(dialect)


def _lexical(dialect: str | Dialect) -> Agent:
    from asl_env.lexical import LexicalAgent

    return LexicalAgent(dialect)


def _oracle(dialect: str | Dialect) -> Agent:
    from asl_env.agents.scripted import OracleAgent

    return OracleAgent(dialect)


def _candidates(dialect: str | Dialect) -> Agent:
    from asl_env.agents.candidates.learner import CandidatesLearner

    return CandidatesLearner(dialect=dialect)


def _nano(dialect: str | Dialect) -> Agent:
    return _language_model("nano", dialect)


BUILT_IN: dict[str, Callable[[str | Dialect], Agent]] = {
    "random": _random,
    "lexical": _lexical,
    "oracle": _oracle,
    "candidates": _candidates,
    "nano": _nano,
}


def known_agents() -> list[str]:
    """Returns every name that ``load_agent`` accepts."""
    return sorted({*BUILT_IN, *plugin_names(GROUP)})


def load_agent(
    spec: str | Path | Agent, *, dialect: str | Dialect = "asl", role: Role = Role.POLICY
) -> Agent:
    """Returns the agent that a specification stands for.

    Args:
        spec: An agent (returned as it is); ``random``, ``lexical``, ``oracle``, ``nano`` or
            ``candidates`` (untrained); ``model:NAME_OR_PATH``, a language model as
            ``load_language_model`` takes it, or its folder or GGUF file; ``endpoint:URL#MODEL``, a
            model behind an OpenAI-compatible server; a run folder (its last checkpoint) or a
            checkpoint's folder; a class or object of one's own as ``my_module:MyAgent``, looked up
            from the current folder; or a name from the entry-point group ``asl_env.agents``.
        dialect: The dialect of the chats.
        role: Whose agent to take where a checkpoint holds several.

    Raises:
        AgentError: If the name is unknown, the module or class cannot be loaded, or what was
            found has no ``act``.
        LanguageModelError: If a language model cannot be loaded.
        RunError: If a checkpoint is missing or damaged.
    """
    if not isinstance(spec, str | Path):
        return _checked(spec, type(spec).__name__)
    name = str(spec)
    if name in BUILT_IN:
        return BUILT_IN[name](dialect)
    if name.startswith(MODEL):
        return _language_model(name.removeprefix(MODEL), dialect)
    if name.startswith(ENDPOINT):
        from asl_env.agents.endpoint.agent import EndpointAgent
        from asl_env.agents.endpoint.spec import parse_endpoint

        return EndpointAgent(parse_endpoint(name), dialect=dialect)
    plugin = load_plugin(GROUP, name)
    if plugin is not None:
        return _checked(plugin(dialect), name)
    path = Path(name).expanduser()
    if path.exists():
        return _from_folder(path, dialect, role)
    if ":" in name:
        return _from_module(name)
    known = did_you_mean(name, known_agents())
    raise AgentError(f"no agent, run folder or module:Class {name!r}{known}")


def load_class(spec: str) -> Any:
    """Returns what ``my_module:MyAgent`` names; modules are found in the current folder too.

    Raises:
        AgentError: If the module cannot be imported, or has nothing of that name.
    """
    module_name, _, attribute = spec.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        found: Any = import_module(module_name)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module_name}.".startswith(f"{error.name}."):
            raise AgentError(f"{spec}: importing failed: {error}; install it") from error
        raise AgentError(f"{spec}: {error}; run from the folder of {module_name}.py") from error
    except Exception as error:
        raise AgentError(f"{spec}: importing failed: {type(error).__name__}: {error}") from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            raise AgentError(f"{spec}: no {part!r} in it{did_you_mean(part, vars(found))}")
        found = getattr(found, part)
    return found


def _from_module(spec: str) -> Agent:
    found = load_class(spec)
    if isinstance(found, type):
        try:
            found = found()
        except Exception as error:
            raise AgentError(f"{spec}: {type(error).__name__}: {error}") from error
    return _checked(found, spec)


def _from_folder(path: Path, dialect: str | Dialect, role: Role) -> Agent:
    from asl_env.agents.candidates.learner import CandidatesLearner

    if path.suffix == ".gguf":
        return _language_model(path, dialect)
    folder = _checkpoint(path)
    if any((folder / name).is_file() for name in MODEL_FILES):
        return _language_model(folder, dialect)
    if not any((folder / name).is_file() for name in (CANDIDATES, LANGUAGE_MODELS)):
        folder = _member(folder, role)
    if (folder / LANGUAGE_MODELS).is_file():
        return _language_model(model_folder(folder, role), dialect)
    learner = CandidatesLearner(dialect=dialect)
    learner.load(folder)
    return learner


def _language_model(spec: str | Path, dialect: str | Dialect) -> Agent:
    from asl_env.agents.lm.checks import open_agent

    agent, warnings = open_agent(spec, dialect=dialect)
    for line in warnings:
        _log.warning("%s", line)
    return agent


def model_folder(checkpoint: Path, role: Role) -> Path:
    """The folder of the model that plays a seat, inside a checkpoint of language models.

    Raises:
        RunError: If the checkpoint is damaged or has no model for the seat.
    """
    path = checkpoint / LANGUAGE_MODELS
    try:
        names: list[str] = json.loads(path.read_bytes())["models"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path}: damaged ({error})") from error
    for name in names:
        if name == "model" or role.value in name.split("+"):
            return checkpoint / name
    raise RunError(f"{checkpoint}: holds no model for the {role} seat")


def _checkpoint(path: Path) -> Path:
    """The last checkpoint of a run folder; any other folder is taken for a checkpoint itself."""
    if not (path / STATE).is_file():
        if (path / CHECKPOINTS).is_dir():
            raise RunError(f"{path}: the run has no {STATE} yet; let it finish its first chunk")
        return path
    try:
        name: str = json.loads((path / STATE).read_bytes())["checkpoint"]
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(f"{path / STATE}: damaged ({error})") from error
    return RunFolder(path).checkpoint(name)


def _member(folder: Path, role: Role) -> Path:
    """The folder of a seat's agent inside a checkpoint of the loop."""
    try:
        manifest: dict[str, dict[str, Any]] = json.loads((folder / MANIFEST).read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{folder}: no run and no checkpoint ({error})") from error
    for name, entry in manifest.items():
        if name == "all" or role.value in name.split("+"):
            if not entry["saved"]:
                raise RunError(f"{folder}: the {role} agent ({entry['class']}) saved nothing")
            known = (CANDIDATES, LANGUAGE_MODELS)
            if any((folder / name / file).is_file() for file in known):
                return folder / name
            raise RunError(
                f"{folder / name}: was saved by {entry['class']}; load it with a class of your own"
            )
    raise RunError(f"{folder}: holds no agent for the {role} seat")


def _checked(agent: Any, name: str) -> Agent:
    if not callable(getattr(agent, "act", None)):
        raise AgentError(
            f"{name}: an agent needs a method act(chats, *, greedy); see docs/agents.md"
        )
    found: Agent = agent
    return found
