"""Makes the environments known by name."""

from __future__ import annotations

import gymnasium as gym

#: Gymnasium id of each single-seat environment, and module and class prefix behind it.
SEATS = {
    "ASLSearch-v0": "search:ASLSearch",
    "ASLGenerate-v0": "generate:ASLGenerate",
    "ASLVerify-v0": "verify:ASLVerify",
}
#: PettingZoo id of the game of all three.
COEVOLUTION = "ASLCoevolution-v0"


def register() -> None:
    """Registers every environment that is not registered yet; imports none of them."""
    for name, entry in SEATS.items():
        if name not in gym.registry:
            gym.register(
                name,
                entry_point=f"asl_env.envs.{entry}Env",
                vector_entry_point=f"asl_env.envs.{entry}VectorEnv",
            )
    _register_with_pettingzoo()


def _register_with_pettingzoo() -> None:
    import pettingzoo

    if not hasattr(pettingzoo, "register"):  # older than 1.27: import the factories instead
        return
    for kind, factory, registry in (
        ("aec", "env", pettingzoo.aec_registry),
        ("parallel", "parallel_env", pettingzoo.parallel_registry),
    ):
        if COEVOLUTION not in registry:
            pettingzoo.register(kind, COEVOLUTION, f"asl_env.envs.coevolution:{factory}")
