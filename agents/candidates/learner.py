"""The candidates learner: three seats, three small networks, MaskablePPO."""

from __future__ import annotations

import dataclasses
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asl_env.agents.candidates.settings import CandidateSettings
from asl_env.candidates.builder import MenuBuilder
from asl_env.candidates.menu import MAX_CANDIDATES, Menu, observation_space
from asl_env.episode import Chat, Role, Turn
from asl_env.errors import RunError
from asl_env.protocols import Dialect, Encoder, LearnCallback, Metrics

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asl_env.agents.candidates.network import CandidatePolicy

_FORMAT = 1


class CandidatesLearner:
    """Plays and learns every seat by choosing from a menu of candidate turns.

    One network per seat. All randomness of ``learn`` derives from ``seed``, the seat and the
    number of calls so far, which ``save`` keeps: a run that is killed and resumed is the run that
    was not killed.

    Args:
        seed: Seed of initial weights and learning.
        dialect: The dialect of the chats.
        settings: Hyper-parameters, or a mapping with some of them.
        encoder: Source of sense vectors; the offline static table by default.
    """

    def __init__(
        self,
        seed: int = 0,
        dialect: str | Dialect = "asl",
        settings: CandidateSettings | Mapping[str, Any] | None = None,
        encoder: Encoder | None = None,
    ) -> None:
        self.seed = seed
        if not isinstance(settings, CandidateSettings):
            settings = CandidateSettings(**(settings or {}))
        self.settings = settings
        self._builder = MenuBuilder(dialect, encoder)
        self._policies: dict[Role, CandidatePolicy] = {}
        self._calls = dict.fromkeys(Role, 0)

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Returns one turn per chat: the likeliest candidate, or a sample."""
        menus = [self._builder.menu(chat) for chat in chats]
        logits = self._logits(chats, menus)
        turns = []
        for chat, menu in zip(chats, menus, strict=True):
            scores = logits[chat.role, id(menu)]
            if not greedy:
                rng = np.random.default_rng([chat.seed, chat.turn])
                scores = scores + rng.gumbel(size=len(scores))
            turns.append(Turn(self._builder.write(menu, int(scores.argmax()))))
        return turns

    def _logits(
        self, chats: Sequence[Chat], menus: Sequence[Menu]
    ) -> dict[tuple[Role, int], NDArray[np.float64]]:
        """Logits of each distinct menu, one forward pass per seat."""
        import torch

        out: dict[tuple[Role, int], NDArray[np.float64]] = {}
        for role in Role:
            distinct = {
                id(menu): menu for chat, menu in zip(chats, menus, strict=True) if chat.role is role
            }
            if not distinct:
                continue
            batch = np.stack([menu.padded() for menu in distinct.values()])
            net = self._policy(role).mlp_extractor
            with torch.no_grad():
                flat = torch.from_numpy(batch.reshape(len(batch), -1))
                logits = net.forward_actor(flat).double().numpy()
            for (key, menu), row in zip(distinct.items(), logits, strict=True):
                out[role, key] = row[: len(menu.candidates)]
        return out

    def learn(
        self, role: Role, vector_env: Any, budget: int, callbacks: Sequence[LearnCallback] = ()
    ) -> Metrics:
        """Trains one seat with PPO.

        Args:
            role: The seat.
            vector_env: Vector environment of that seat (``gym.make_vec``).
            budget: Environment steps; rounded up to whole updates.
            callbacks: Called after every update; returning False ends the call.

        Returns:
            Mean reward of the episodes finished, share of invalid ones, entropy, steps.
        """
        from asl_env.agents.candidates.progress import ProgressCallback
        from asl_env.candidates.vector import CandidateVecEnv

        role = Role(role)
        environment = CandidateVecEnv(vector_env, self._builder, self.settings.blind)
        seed = int(
            np.random.SeedSequence(
                [self.seed, list(Role).index(role), self._calls[role]]
            ).generate_state(1)[0]
        )
        with _seeded(seed):
            model = self._algorithm(role, environment)
            environment.seed(seed)
            progress = ProgressCallback(callbacks)
            model.learn(total_timesteps=budget, callback=progress)
        self._calls[role] += 1
        return progress.summary()

    def _algorithm(self, role: Role, environment: Any) -> Any:
        from sb3_contrib import MaskablePPO
        from stable_baselines3.common.logger import Logger

        from asl_env.agents.candidates.network import CandidatePolicy

        s = self.settings
        samples = s.n_steps * environment.num_envs
        model = MaskablePPO(
            CandidatePolicy,
            environment,
            learning_rate=s.learning_rate,
            n_steps=s.n_steps,
            batch_size=min(s.batch_size, samples),
            n_epochs=s.n_epochs,
            gamma=s.gamma,
            gae_lambda=s.gae_lambda,
            clip_range=s.clip_range,
            ent_coef=s.ent_coef,
            vf_coef=s.vf_coef,
            max_grad_norm=s.max_grad_norm,
            policy_kwargs={"width": s.width, "prior_weight": s.prior_weight},
            device="cpu",
        )
        model.policy = self._policy(role)
        model.set_logger(Logger(folder=None, output_formats=[]))
        return model

    def _policy(self, role: Role) -> CandidatePolicy:
        policy = self._policies.get(role)
        if policy is None:
            policy = self._policies[role] = self._new_policy(role)
        return policy

    def _new_policy(self, role: Role) -> CandidatePolicy:
        from gymnasium import spaces

        from asl_env.agents.candidates.network import CandidatePolicy

        with _seeded(self.seed * 3 + list(Role).index(role)):
            return CandidatePolicy(
                observation_space(),
                spaces.Discrete(MAX_CANDIDATES),
                lambda _: self.settings.learning_rate,
                width=self.settings.width,
                prior_weight=self.settings.prior_weight,
            )

    def save(self, folder: Path) -> None:
        """Writes weights, optimiser state and counters (safetensors and JSON)."""
        from asl_env.agents.candidates.checkpoint import save_policy

        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for role in Role:
            save_policy(self._policy(role), folder / f"{role.value}.safetensors")
        record = {
            "format": _FORMAT,
            "seed": self.seed,
            "calls": {role.value: n for role, n in self._calls.items()},
            "settings": dataclasses.asdict(self.settings),
        }
        (folder / "candidates.json").write_text(json.dumps(record, indent=1), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restores what ``save`` wrote.

        Raises:
            RunError: If the folder holds no checkpoint of this learner, or a damaged one.
        """
        from asl_env.agents.candidates.checkpoint import load_policy

        folder = Path(folder)
        path = folder / "candidates.json"
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != _FORMAT:
                raise RunError(f"{path}: checkpoint format {record['format']}, need {_FORMAT}")
            self.seed = int(record["seed"])
            self.settings = CandidateSettings(**record["settings"])
            self._calls = {role: int(record["calls"][role.value]) for role in Role}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunError(f"{path}: not a readable candidates checkpoint ({error})") from error
        self._policies.clear()
        for role in Role:
            load_policy(self._policy(role), folder / f"{role.value}.safetensors")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Runs a block under a seed: SB3 draws from the global generators, which are put back after."""
    import torch
    from stable_baselines3.common.utils import set_random_seed

    numpy_state = np.random.get_state()  # noqa: NPY002 - SB3 uses the global generator
    python_state = random.getstate()
    with torch.random.fork_rng(devices=[]):
        set_random_seed(seed % 2**32)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
