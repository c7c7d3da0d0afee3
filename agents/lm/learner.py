"""The language-model learner: GRPO on TRL, one backbone in three roles or one model per role."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from asl_env.agents.lm.agent import LanguageModelAgent
from asl_env.agents.lm.brain import Brain, ModelSpec, make_brains
from asl_env.agents.lm.collapse import Detector, make_detectors
from asl_env.agents.lm.progress import Phase
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.lm.settings import GRPOSettings
from asl_env.episode import Chat, Role, Turn
from asl_env.errors import AslError, LanguageModelError, RunError
from asl_env.protocols import Dialect, LearnCallback, Metrics

if TYPE_CHECKING:
    from asl_env.agents.lm.loading import LanguageModel

_FORMAT = 1
_RECORD = "grpo.json"


class GRPOLearner:
    """Plays every seat with a language model and trains it with GRPO (arXiv:2402.03300).

    An update plays groups of episodes of the same assignment and raises the probability of what
    earned more than the group's mean. Rollouts are ours, token by token; loss, optimiser step and
    everything below are TRL's and accelerate's. All randomness of ``learn`` derives from ``seed``,
    the seat and the number of calls so far, which ``save`` keeps: a run that is killed and resumed
    is the run that was not killed.

    Args:
        model: One model for all seats (the paper's way), or a mapping with one per seat: a name, a
            folder, or a ``LanguageModel``, which is then trained in place.
        seed: Seed of new adapters and of learning.
        dialect: The dialect of the chats.
        settings: Hyper-parameters, or a mapping with some of them.
        agent_options: Further arguments of ``LanguageModelAgent``.

    Raises:
        LanguageModelError: If a model cannot be loaded or a setting is unknown or impossible.
    """

    def __init__(
        self,
        model: ModelSpec | Mapping[Any, ModelSpec] = "nano",
        *,
        seed: int = 0,
        dialect: str | Dialect = "asl",
        settings: GRPOSettings | Mapping[str, Any] | None = None,
        agent_options: Mapping[str, Any] | None = None,
    ) -> None:
        self.seed = seed
        self.settings = GRPOSettings.of(settings)
        self._dialect = dialect
        self._agent_options = dict(agent_options or {})
        with _seeded(seed):
            self._brains = make_brains(model, self.settings)
        self._calls = dict.fromkeys(Role, 0)
        self._detectors = self._new_detectors()
        self._agent = self._new_agent()

    def model_of(self, role: Role) -> LanguageModel:
        """The model that plays a seat, as it is trained."""
        return self._brains[role].language_model

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Returns one turn per chat: the likeliest, or a sample."""
        return self._agent.act(chats, greedy=greedy)

    def forget(self) -> None:
        """Drops what the agent keeps of running chats."""
        self._agent.forget()

    def learn(
        self, role: Role, vector_env: Any, budget: int, callbacks: Sequence[LearnCallback] = ()
    ) -> Metrics:
        """Trains one seat.

        Args:
            role: The seat.
            vector_env: Vector environment of that seat, in groups of at least two.
            budget: Environment steps; rounded up to whole updates.
            callbacks: Called after every update with its metrics; returning False ends the call.

        Returns:
            Means over the updates (reward, entropy, group spread ...), counts and seconds.

        Raises:
            LanguageModelError: If the groups are too small, the loss is not finite, or memory runs
                out; the weights are those before the update.
        """
        role = Role(role)
        if vector_env.group_size < 2:
            raise LanguageModelError(
                "GRPO compares episodes of the same assignment; give the vector environment (or "
                f"the recipe's phase) a group_size of at least 2, not {vector_env.group_size}"
            )
        seed = int(
            np.random.SeedSequence(
                [self.seed, list(Role).index(role), self._calls[role]]
            ).generate_state(1)[0]
        )
        self._agent.forget()
        with _seeded(seed), self._out_of_memory():
            vector_env.reset(seed=seed)
            summary = self._train(role, vector_env, budget, callbacks, seed)
        self._calls[role] += 1
        return summary

    def _train(
        self,
        role: Role,
        vector_env: Any,
        budget: int,
        callbacks: Sequence[LearnCallback],
        seed: int,
    ) -> Metrics:
        from asl_env.agents.lm.trl_trainer import Report, trainer_of

        brain, settings = self._brains[role], self.settings.of_seat(role)
        detectors = self._detectors[role]
        template = self._agent.template_of(role)
        phase = Phase(self._agent, vector_env, template, settings, budget, callbacks, detectors)

        def tell() -> bool:
            self._agent.forget()
            return phase.updated(trainer.last_update(), trainer.left)

        model = brain.language_model
        size = {"rows": phase.rows, "group_size": vector_env.group_size, "seed": seed % 2**31}
        try:
            with trainer_of(
                model.model,
                model.tokenizer,
                settings,
                size,
                phase.batch,
                brain.optimizer(settings),
                brain.reference,
            ) as trainer:
                trainer.add_callback(Report(tell))
                trainer.train()
        finally:
            self._agent.forget()
        return phase.summary()

    @contextmanager
    def _out_of_memory(self) -> Iterator[None]:
        """Makes one line of what torch says when memory runs out."""
        try:
            yield
        except LanguageModelError:
            raise
        except (RuntimeError, MemoryError, AslError) as error:
            causes = (error, error.__cause__)
            if any(_is_out_of_memory(one) for one in causes):
                s = self.settings
                raise LanguageModelError(
                    f"out of memory while learning; lower micro_batch_tokens={s.micro_batch_tokens}"
                    f" or max_new_tokens={s.max_new_tokens}, set gradient_checkpointing or lora, "
                    "or use fewer environments at a time"
                ) from error
            raise

    def _new_detectors(self) -> dict[Role, list[Detector]]:
        return {role: make_detectors(self.settings.collapse) for role in Role}

    def _new_agent(self) -> LanguageModelAgent:
        sampling = {
            role: Sampling(
                temperature=self.settings.of_seat(role).temperature,
                max_new_tokens=self.settings.max_new_tokens,
            )
            for role in self._brains
        }
        models = {role: brain.language_model for role, brain in self._brains.items()}
        return LanguageModelAgent(
            models, dialect=self._dialect, sampling=sampling, **self._agent_options
        )

    def _distinct(self) -> list[Brain]:
        return list({id(brain): brain for brain in self._brains.values()}.values())

    def save(self, folder: Path) -> None:
        """Writes models (Hugging Face folders), optimiser state and counters; nothing is pickled.

        One model for all seats lies in ``model``, others in folders named after their seats.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for brain in self._distinct():
            brain.save(folder / brain.name, self.settings)
        record = {
            "format": _FORMAT,
            "seed": self.seed,
            "calls": {role.value: n for role, n in self._calls.items()},
            "settings": self.settings.as_dict(),
            "models": [brain.name for brain in self._distinct()],
            "collapse": {
                role.value: {one.name: one.state() for one in detectors}
                for role, detectors in self._detectors.items()
            },
        }
        (folder / _RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")

    def load(self, folder: Path) -> None:
        """Restores what ``save`` wrote into a learner of the same models.

        Raises:
            RunError: If the folder holds no checkpoint of this learner, or a damaged one.
        """
        folder = Path(folder)
        path = folder / _RECORD
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            if record["format"] != _FORMAT:
                raise RunError(f"{path}: checkpoint format {record['format']}, need {_FORMAT}")
            settings = GRPOSettings.of(record["settings"])
            self._check_same(path, settings, record["models"])
            self.settings = settings
            self.seed = int(record["seed"])
            self._calls = {role: int(record["calls"][role.value]) for role in Role}
            self._detectors = self._new_detectors()
            for role, detectors in self._detectors.items():
                for detector in detectors:
                    detector.restore(record["collapse"][role.value][detector.name])
        except (OSError, ValueError, KeyError, TypeError, LanguageModelError) as error:
            raise RunError(f"{path}: not a readable GRPO checkpoint ({error})") from error
        for brain in self._distinct():
            brain.load(folder / brain.name, self.settings)
        self._agent = self._new_agent()

    def _check_same(self, path: Path, settings: GRPOSettings, models: list[str]) -> None:
        own = [brain.name for brain in self._distinct()]
        if models != own:
            raise RunError(f"{path}: holds {', '.join(models)}, this learner {', '.join(own)}")
        if settings.lora != self.settings.lora or bool(settings.beta) != bool(self.settings.beta):
            raise RunError(f"{path}: was saved with other settings of lora or beta; use the same")

    def __deepcopy__(self, memo: dict[int, Any]) -> GRPOLearner:
        """A copy with its own weights and an agent of its own, which remembers nothing."""
        new = object.__new__(type(self))
        memo[id(self)] = new
        new.__dict__.update(self.__dict__)
        new._agent_options = dict(self._agent_options)
        new._brains = copy.deepcopy(self._brains, memo)
        new._calls = dict(self._calls)
        new._detectors = copy.deepcopy(self._detectors, memo)
        new._agent = new._new_agent()
        return new


def _is_out_of_memory(error: BaseException | None) -> bool:
    import torch

    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    text = str(error)
    return isinstance(error, RuntimeError) and (
        "out of memory" in text or "not enough memory" in text or "can't allocate memory" in text
    )


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """Runs a block under a seed; TRL seeds the global generators, which are put back after."""
    import torch

    numpy_state = np.random.get_state()  # noqa: NPY002 - accelerate seeds the global generator
    python_state = random.getstate()
    with torch.random.fork_rng():
        torch.manual_seed(seed % 2**63)
        try:
            yield
        finally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
