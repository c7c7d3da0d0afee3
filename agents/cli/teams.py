"""Who plays in ``asl train``: agents by name, for all seats or for one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_env.agents.loading import LANGUAGE_MODELS, MODEL, MODEL_FILES, load_agent
from asl_env.episode import Role
from asl_env.errors import AgentError, AslError, did_you_mean

if TYPE_CHECKING:
    from asl_env.agents.coevolution.recipe import Recipe
    from asl_env.agents.lm.learner import GRPOLearner
    from asl_env.protocols import Agent

#: The recipe of a run whose command line names none: language models learn with few, costly
#: episodes, candidates with many cheap ones.
RECIPES = {"language models": "asl-nano", "candidates": "asl"}
#: The one corpus that the nano model can read.
NANO_READS = "miniwiki"
#: What language models learn with.
LIBRARIES = ("trl", "peft", "accelerate", "datasets")


def is_language_model(spec: str) -> bool:
    """Whether an agent's name stands for a language model that can learn."""
    if spec == "nano" or spec.startswith(MODEL):
        return True
    path = Path(spec)
    return path.suffix == ".gguf" or any(
        (path / name).is_file() for name in (*MODEL_FILES, LANGUAGE_MODELS)
    )


def default_recipe(specs: list[str]) -> str:
    """The recipe that suits the agents."""
    names = [spec.partition("=")[2] or spec for spec in specs]
    learns = any(is_language_model(name) for name in names)
    return RECIPES["language models" if learns else "candidates"]


def default_agent(corpus: str, recipe: Recipe | None) -> str:
    """The agent of a run whose command line names none.

    Args:
        corpus: Where is searched.
        recipe: The recipe, if one was chosen: one with settings for language models wants one.

    Raises:
        AgentError: If that is the nano model, and what it learns with is not installed.
    """
    from asl_env.agents.lm.libraries import require

    if (corpus != NANO_READS) if recipe is None else (not recipe.learner):
        return "candidates"
    try:
        require(*LIBRARIES)
    except AslError as error:
        raise AgentError(f"{error}, or do without a language model: --agent candidates") from error
    return "nano"


def make_team(
    specs: list[str], recipe: Recipe, seed: int, options: Mapping[str, Any]
) -> dict[str, Agent]:
    """The agent of each seat (``lexical`` where none is named); equal names share one object.

    Args:
        specs: Names as ``load_agent`` takes them, or ``seat=name``.
        recipe: Dialect, and the settings of learners.
        seed: Of learners.
        options: ``adapter`` and ``chat_template`` of language models.

    Raises:
        AgentError: If a seat or an agent is unknown.
    """
    names = [role.value for role in Role]
    everywhere, single = "lexical", {}
    for spec in specs:
        seat, equals, name = spec.partition("=")
        if not equals or seat.startswith((MODEL, "endpoint:")):
            everywhere = spec
        elif seat in names:
            single[seat] = name
        else:
            raise AgentError(f"--agent {spec}: no seat {seat!r}{did_you_mean(seat, names)}")
    team: dict[str, Agent] = {}
    made: dict[tuple[str, str], Agent] = {}
    for seat in names:
        spec = single.get(seat, everywhere)
        # A run folder may hold another agent for each seat.
        key = (spec, seat if Path(spec).exists() and not is_language_model(spec) else "")
        if key not in made:
            made[key] = _agent(spec, recipe, Role(seat), seed, options)
        team[seat] = made[key]
    return team


def _agent(spec: str, recipe: Recipe, role: Role, seed: int, options: Mapping[str, Any]) -> Agent:
    if is_language_model(spec):
        return _language_model(spec.removeprefix(MODEL), recipe, seed, options)
    if spec == "candidates":
        from asl_env.agents.candidates.learner import CandidatesLearner

        return CandidatesLearner(seed=seed, dialect=recipe.dialect)
    return load_agent(spec, dialect=recipe.dialect, role=role)


def _language_model(
    spec: str, recipe: Recipe, seed: int, options: Mapping[str, Any]
) -> GRPOLearner:
    from asl_env.agents.lm.checks import check_context
    from asl_env.agents.lm.learner import GRPOLearner
    from asl_env.agents.lm.libraries import require
    from asl_env.agents.lm.loading import load_language_model
    from asl_env.agents.lm.settings import GRPOSettings

    require(*LIBRARIES)
    settings = GRPOSettings.of(recipe.learner)
    adapter = options.get("adapter")
    # Steps of AdamW are smaller than what bfloat16 resolves; adapters are float32 on any base.
    whole = settings.lora is None and adapter is None
    loaded = load_language_model(
        spec,
        adapter=adapter,
        template=options.get("chat_template"),
        dtype="float32" if whole else "auto",
    )
    check_context(loaded, recipe.dialect)
    return GRPOLearner(loaded, seed=seed, dialect=recipe.dialect, settings=settings)


def cost(team: Mapping[str, Agent], recipe: Recipe) -> list[str]:
    """What training a language model will take, in lines for a person; none for other agents."""
    from asl_env.agents.lm.estimate import Plan, estimate
    from asl_env.agents.lm.learner import GRPOLearner

    seats = [(Role(seat), one) for seat, one in team.items() if isinstance(one, GRPOLearner)]
    if not seats:
        return []
    role, learner = seats[0]
    model = learner.model_of(role)
    if model.name == "nano":  # made for this; there is nothing to decide
        return []
    settings = learner.settings
    length = min(settings.max_length or model.context, 1024)
    updates = sum(
        phase.steps // (2 * phase.num_envs)
        for phase in (recipe.generate, recipe.verify, recipe.solve)
        if phase.enabled
    )
    plan = Plan(
        "train",
        batch=max(1, settings.micro_batch_tokens // length),
        length=length,
        new_tokens=settings.max_new_tokens,
        count=recipe.rounds * updates,
        lora_rank=None if settings.lora is None else settings.lora.rank,
        checkpointing=settings.gradient_checkpointing,
    )
    return estimate(model, plan).lines()
