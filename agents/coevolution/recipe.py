"""Recipes: complete, strict statements of an experiment. Every threshold is a field."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from asl_env.agents.coevolution.plateau import PlateauRule

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)]


class Strict(BaseModel):
    """Base of all parts of a recipe: frozen, and unknown fields are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class PlateauSpec(Strict):
    """Ends a phase when its score stops rising (see ``plateau.PlateauRule``).

    Attributes:
        window: Updates looked back on; 200 (GRM) and 400 (policy) in the paper.
        ratio: Relative improvement below which the phase has stopped rising.
        max_updates: Cap on updates, for phases whose score stays at zero.
    """

    window: Annotated[int, Field(ge=4)]
    ratio: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 0.005
    max_updates: Count | None = None

    def rule(self) -> PlateauRule:
        """The rule itself."""
        return PlateauRule(self.window, self.ratio, self.max_updates)


class PhaseSpec(Strict):
    """What every phase has.

    Attributes:
        enabled: A disabled phase is passed over.
        train: Whether the seat learns; otherwise it only plays.
        steps: Environment steps (assistant turns) of the phase at most.
        chunk_steps: Steps between two saves; what a killed run repeats at most.
        num_envs: Episodes played side by side.
        group_size: Consecutive environments that get the same assignment.
        plateau: Ends the phase early; ``None`` runs the whole budget.
        episodes: Ends the phase after the update with which so many episodes are finished, so
            that recipes can be compared at equal rollouts; ``None`` for no such limit.
    """

    enabled: bool = True
    train: bool = True
    steps: Count
    chunk_steps: Count
    num_envs: Count = 32
    group_size: Count = 1
    plateau: PlateauSpec | None = None
    episodes: Count | None = None

    @model_validator(mode="before")
    @classmethod
    def _no_budget_where_nothing_is_played(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("enabled") is False:
            return {"steps": 1, "chunk_steps": 1, "num_envs": 1} | data
        return data

    @model_validator(mode="after")
    def _consistent(self) -> PhaseSpec:
        if self.chunk_steps > self.steps:
            raise ValueError(f"chunk_steps {self.chunk_steps} is more than steps {self.steps}")
        if self.num_envs > self.chunk_steps:
            raise ValueError(f"num_envs {self.num_envs} is more than chunk_steps")
        if self.num_envs % self.group_size:
            raise ValueError(f"num_envs {self.num_envs} is not a multiple of group_size")
        return self


class EnoughSpec(Strict):
    """Ends the generate phase once there are *more* tasks than this (paper: 2000, then 5000)."""

    first_round: Count
    later: Count

    def limit(self, round_number: int) -> int:
        """The number of tasks that must be exceeded in a round."""
        return self.first_round if round_number <= 1 else self.later


class RepetitionSpec(Strict):
    """The repetition penalty of ``r-zero`` over the last questions (see ``rewards.repetition``).

    Attributes:
        weight: λ, the weight of the share of questions that read like one.
        distance: Largest BLEU distance of questions that read alike.
        window: B, how many questions are compared.
    """

    weight: Annotated[float, Field(ge=0.0, allow_inf_nan=False)] = 1.0
    distance: Share = 0.5
    window: Count = 64


class GenerateSpec(PhaseSpec):
    """The generate phase.

    Attributes:
        reward: A generator reward by name (``asl``, ``absolute-zero``, ``r-zero`` ...).
        solves: Attempts of the policy at each question.
        verifications: Votes of the GRM on the generator's own answer.
        threshold: Share of those votes that must be in favour (the verification gate).
        gate_from: First round with the verification gate; earlier ones take every valid question.
        enough: Ends the phase when there are more tasks; ``None`` runs the whole budget.
        accept: Which questions become tasks: those with a ``positive`` reward (paper), or every
            question whose ``gate`` was passed, unanimous ones too.
        accuracy: Only questions with a share of correct solves inside this closed interval.
        answer: Answer of the task: the ``generator``'s, or the ``majority`` of the solves.
        repetition: Penalty of ``r-zero``; ``None`` compares the questions that end in one step.
        grounded: Names in a question, and its answer, must have been read; others are not valid.
    """

    reward: str = "asl"
    solves: Annotated[int, Field(ge=2)] = 10
    verifications: Annotated[int, Field(ge=0)] = 5
    threshold: Share = 0.8
    gate_from: Count = 1
    enough: EnoughSpec | None = None
    accept: Literal["positive", "gate"] = "positive"
    accuracy: tuple[Share, Share] = (0.0, 1.0)
    answer: Literal["generator", "majority"] = "generator"
    repetition: RepetitionSpec | None = None
    grounded: bool = False

    @model_validator(mode="after")
    def _interval(self) -> GenerateSpec:
        if self.repetition is not None and self.reward != "r-zero":
            raise ValueError(f"repetition goes with reward 'r-zero', not {self.reward!r}")
        if self.accuracy[0] > self.accuracy[1]:
            raise ValueError(f"accuracy {list(self.accuracy)} is not an interval [low, high]")
        return self


class RealSpec(Strict):
    """Late injection of real verification data into the verify phase.

    Attributes:
        path: JSONL of questions with golden answers, or the name of a task set of the corpus.
        share: Share of the phase's claims that are real.
        start_round: First round that gets them.
    """

    path: str
    share: Share
    start_round: Count = 1


class VerifySpec(PhaseSpec):
    """The verify phase.

    Attributes:
        labels: Where a judged solve's label comes from: ``reference`` (rule match with the
            generator's answer), ``self`` (the GRM's own earlier verdict), ``majority`` (of its
            verdicts on that answer), ``real`` (only the ``real`` data).
        balance: As many correct as wrong claims per question.
        own_answers: Count the generator's own answer among the solves, labelled correct, so that
            there are claims before the policy solves anything (``reference`` only).
        agreed: Only questions whose commonest solved answer is the generator's own, so that
            fewer labels are wrong (``reference`` only).
        near_misses: Claim of every such question also something that is like its answer and that
            its writer read, labelled wrong (``reference`` only).
        until_round: Last round in which the GRM learns; ``None`` for all.
        max_claims: Newest claims kept; ``None`` keeps all of the round.
        real: Real verification data mixed in late.
    """

    labels: Literal["reference", "self", "majority", "real"] = "reference"
    balance: bool = True
    own_answers: bool = False
    agreed: bool = False
    near_misses: bool = False
    until_round: Count | None = None
    max_claims: Count | None = None
    real: RealSpec | None = None

    @model_validator(mode="after")
    def _has_source(self) -> VerifySpec:
        if self.labels == "real" and self.real is None:
            raise ValueError("labels 'real' needs the field 'real'")
        for name in ("own_answers", "agreed", "near_misses"):
            if getattr(self, name) and self.labels != "reference":
                raise ValueError(f"{name} goes with labels 'reference', not {self.labels!r}")
        return self


class SolveSpec(PhaseSpec):
    """The solve phase.

    Attributes:
        reward: ``grm``, a rule (``em``, ``cover-em``, ``f1``), or ``coin``, which is chance.
        votes: Verdicts of the GRM per answer (``grm`` only).
        tasks: ``generated``, or a task set of the corpus or JSONL file with labelled tasks.
        min_tasks: With fewer tasks of this round, those of earlier rounds are added.
    """

    reward: Literal["grm", "em", "cover-em", "f1", "coin"] = "grm"
    votes: Count = 1
    tasks: str = "generated"
    min_tasks: Count = 32


class RequestSpec(Strict):
    """What the generator is asked for.

    Attributes:
        topics: Seed topics: the corpus's ``topics`` (for MiniWiki phrases such as "rivers in
            Europe", elsewhere article titles), its article ``titles``, or half of ``both``.
        seeds: Seed topics at most, drawn once per run.
        rewrites: Ask for variants of the last round's questions; otherwise for seeds alone.
        harder_from: Accuracy from which a question gets a harder variant, else an easier one.
        width_rounds: Rounds whose questions are varied in width; later ones in depth.
        minimum: With fewer rewrites than this, seed requests are mixed in.
        seed_share: Share of seed requests mixed in anyway.
    """

    topics: Literal["topics", "titles", "both"] = "topics"
    seeds: Count = 256
    rewrites: bool = True
    harder_from: Share = 0.5
    width_rounds: Annotated[int, Field(ge=0)] = 1
    minimum: Count = 64
    seed_share: Annotated[float, Field(ge=0.0, lt=1.0, allow_inf_nan=False)] = 0.0


class FilterSpec(Strict):
    """What a question must be to become a task.

    Attributes:
        min_chars: A question must be longer than this.
        suffix: And end with this.
        deduplicate: Drop questions whose normalised text was seen in any round.
        ngram: Words per n-gram of the decontamination against the held-out sets.
        overlap: Share of a question's n-grams found in one held-out question from which it is
            dropped.
        reject_leaks: Drop questions that contain their answer.
    """

    min_chars: Annotated[int, Field(ge=0)] = 20
    suffix: str = "?"
    deduplicate: bool = True
    ngram: Annotated[int, Field(ge=2)] = 8
    overlap: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = 0.5
    reject_leaks: bool = False


class DiagnosticsSpec(Strict):
    """What is measured at the start and after each round.

    Attributes:
        every: Rounds between two measurements.
        tasks_per_set: Held-out tasks per evaluation set.
        claims: Held-out claims for the confusion matrix (half of them right).
        votes: Sampled verdicts per claim for calibration.
        probes: Questions per hack probe.
        oracle_sample: Generated tasks checked by the oracle.
        sets: Evaluation sets of the corpus that are measured; ``None`` for all of them. Tasks
            are decontaminated against all of them in any case.
    """

    every: Count = 1
    tasks_per_set: Count = 100
    claims: Annotated[int, Field(ge=2)] = 100
    votes: Count = 5
    probes: Annotated[int, Field(ge=0)] = 20
    oracle_sample: Annotated[int, Field(ge=0)] = 200
    sets: tuple[str, ...] | None = None


class AlarmSpec(Strict):
    """When judged and true accuracy part.

    Attributes:
        gap: Alarm when judged minus true accuracy exceeds this.
        growth: Alarm when the gap has grown by more than this since the first measurement.
    """

    gap: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 0.15
    growth: Annotated[float, Field(gt=0.0, allow_inf_nan=False)] = 0.1


class SearchSpec(Strict):
    """The search tool.

    Attributes:
        top_k: Passages per call.
        max_chars: Budget of characters per result message; ``None`` for whole passages.
    """

    top_k: Count = 3
    max_chars: Count | None = None


class LogSpec(Strict):
    """What is kept on disk.

    Attributes:
        trajectories: Episodes written to ``trajectories.jsonl`` per chunk.
        checkpoints: Newest checkpoints kept, besides one per finished round.
    """

    trajectories: Annotated[int, Field(ge=0)] = 4
    checkpoints: Count = 2


class Recipe(Strict):
    """A complete statement of an experiment; runs with any learner on any corpus.

    Attributes:
        name: Name of the recipe.
        about: One sentence on what it is for.
        rounds: Rounds of generate, verify, solve.
        dialect: How turns are written.
        max_turns: Assistant turns per episode.
        format_reward: Whether every seat also earns the format reward.
        judge: Whose verdicts reward the policy and the generator: the ``live`` GRM, the GRM with
            its ``initial`` weights, a ``rule`` match with the generator's answer (``em`` unless
            ``solve.reward`` is another rule), or the ``majority`` of the solves, which gives the
            tasks their answers too.
        learner: Settings of language models that learn (fields of
            ``asl_env.agents.lm.settings.GRPOSettings``); other learners bring their own.
        max_failures: The run stops (and can be resumed) when more than this share of a chunk's
            episodes failed because the search or a partner did.
    """

    name: Annotated[str, Field(min_length=1)]
    about: str = ""
    rounds: Count = 3
    dialect: str = "asl"
    max_turns: Count = 9
    format_reward: bool = True
    judge: Literal["live", "initial", "rule", "majority"] = "live"
    max_failures: Share = 0.25
    search: SearchSpec = SearchSpec()
    generate: GenerateSpec
    verify: VerifySpec
    solve: SolveSpec
    requests: RequestSpec = RequestSpec()
    filters: FilterSpec = FilterSpec()
    diagnostics: DiagnosticsSpec = DiagnosticsSpec()
    alarm: AlarmSpec = AlarmSpec()
    log: LogSpec = LogSpec()
    learner: dict[str, Any] = {}

    @property
    def match(self) -> Literal["em", "cover-em"]:
        """The rule by which an answer is right where no judge rewards anybody."""
        return "cover-em" if self.solve.reward == "cover-em" else "em"

    @model_validator(mode="after")
    def _one_majority(self) -> Recipe:
        if self.judge == "majority" and self.generate.answer != "majority":
            raise ValueError(
                f"judge 'majority' goes with generate.answer 'majority', not "
                f"{self.generate.answer!r}"
            )
        return self

    @model_validator(mode="after")
    def _has_tasks(self) -> Recipe:
        if self.solve.enabled and self.solve.tasks == "generated" and not self.generate.enabled:
            raise ValueError(
                "solve.tasks is 'generated' but generate.enabled is false; name a task set"
            )
        return self
