"""Three ways to play search episodes with a language model; ``rollouts.py`` measures them."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

from asl_env.agents.lm.agent import LanguageModelAgent
from asl_env.agents.lm.loading import LanguageModel
from asl_env.agents.lm.nano.episodes import MAX_CHARS, TOP_K
from asl_env.agents.lm.rollout import collect
from asl_env.agents.lm.sampling import Sampling
from asl_env.conversation import Conversation
from asl_env.dialects import make_dialect
from asl_env.envs.search import ASLSearchVectorEnv
from asl_env.episode import Message, Role, Task, ToolCall, Turn
from asl_env.evaluation import load_tasks
from asl_env.play import advance
from asl_env.retrieval.registry import make_retriever
from asl_env.rewards.matching import em
from asl_env.tool import SearchTool

DIALECT = make_dialect("asl")
#: Both families of marks, with a tool role and, for TRL, tool calls.
TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if message['role'] not in ['system', 'user', 'assistant', 'tool'] -%}"
    "{{- raise_exception('no such role') -}}{%- endif -%}"
    "{{- 'OPEN'.replace('ROLE', message['role']) + message['content'] -}}"
    "{%- for call in message['tool_calls'] or [] -%}"
    "{{- '<tool_call>\\n' + call['function'] | tojson + '\\n</tool_call>' -}}{%- endfor -%}"
    "{{- 'CLOSE' -}}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- 'OPEN'.replace('ROLE', 'assistant') -}}{%- endif -%}"
)
MARKS = (("<|im_start|>ROLE\\n", "<|im_end|>\\n"), ("<|ROLE|>", "<|end|>"))


#: Episodes, turns and sampled tokens.
Counts = tuple[int, int, int]


def marks_of(lm: LanguageModel) -> tuple[str, str]:
    """What opens and closes a message in the template of this model."""
    for marks in MARKS:
        if marks[1].replace("\\n", "") == lm.tokenizer.eos_token:
            return marks
    raise SystemExit(f"{lm.name}: its turns end with {lm.tokenizer.eos_token}; add it to MARKS")


class World:
    """Tasks, tool and settings that all systems share.

    Args:
        turns: Turns of an episode.
        new_tokens: Tokens of a turn.
        batch: Episodes at once.
        temperature: Of sampling.
    """

    def __init__(self, turns: int, new_tokens: int, batch: int, temperature: float) -> None:
        self.turns, self.new_tokens = turns, new_tokens
        self.batch, self.temperature = batch, temperature
        self.tasks: list[Task] = list(load_tasks("miniwiki-2hop", 200).tasks)
        # Without its cache, or whoever comes later would find what the others searched.
        self.tool = SearchTool(
            make_retriever("miniwiki"), top_k=TOP_K, max_chars=MAX_CHARS, cache_size=0
        )

    def batches(self, episodes: int, group: int) -> Iterator[list[Task]]:
        """The tasks of each batch, in groups."""
        drawn = itertools.cycle(self.tasks)
        for _ in range(episodes // self.batch):
            groups = [next(drawn) for _ in range(self.batch // group)]
            yield [task for task in groups for _ in range(group)]


class Ours:
    """Our agent and vector environment."""

    ends: ClassVar[bool] = False

    def __init__(self, lm: LanguageModel, world: World) -> None:
        sampling = Sampling(temperature=world.temperature, max_new_tokens=world.new_tokens)
        self._world, self._agent = world, LanguageModelAgent(lm, sampling=sampling)
        self._template = self._agent.template_of(Role.POLICY)

    def opening(self, task: Task) -> list[int]:
        """The tokens before the first turn."""
        return self._template.opening(Conversation(task, DIALECT).messages)

    def play(self, episodes: int, group: int) -> Counts:
        """Plays; nothing is known from earlier calls."""
        world, drawn = self._world, itertools.cycle(self._world.tasks)
        self._agent.forget()
        env = ASLSearchVectorEnv(
            world.batch,
            group,
            assignments=lambda rng: next(drawn),
            tool=world.tool,
            max_turns=world.turns,
        )
        env.reset(seed=0)
        rollouts, steps = collect(self._agent, env, episodes // world.batch, self._template)
        return len(rollouts), steps, sum(sum(rollout.record.mask) for rollout in rollouts)


class Plain:
    """A loop that encodes every chat anew each turn and keeps nothing."""

    ends: ClassVar[bool] = True

    def __init__(self, lm: LanguageModel, world: World) -> None:
        self._lm, self._tokenizer, self._world = lm, lm.tokenizer, world

    def opening(self, task: Task) -> list[int]:
        """The tokens before the first turn."""
        ids: list[int] = self._encode([Conversation(task, DIALECT)])["input_ids"][0].tolist()
        return ids

    def play(self, episodes: int, group: int) -> Counts:
        """Plays batch after batch."""
        ended: list[Conversation] = []
        for tasks in self._world.batches(episodes, group):
            running = [Conversation(task, DIALECT, self._world.turns) for task in tasks]
            ended += running
            while running:
                advance(running, self._say(running), self._world.tool)
                running = [conversation for conversation in running if not conversation.done]
        played = [conversation.trajectory() for conversation in ended]
        for episode in played:
            assert isinstance(episode.assignment, Task)
            em(episode.answer or "", episode.assignment.answers)
        turns = [turn for episode in played for turn in episode.turns]
        return len(played), len(turns), sum(len(turn.token_ids or ()) for turn in turns)

    def _encode(self, running: Sequence[Conversation]) -> Any:
        return self._tokenizer.apply_chat_template(
            [conversation.messages for conversation in running],
            add_generation_prompt=True,
            tokenize=True,
            return_dict=True,
            return_tensors="pt",
            padding=True,
            tokenizer_kwargs={"padding_side": "left"},
        ).to(self._lm.model.device)

    def _say(self, running: Sequence[Conversation]) -> list[Turn]:
        inputs = self._encode(running)
        new = self._lm.model.generate(
            **inputs,
            do_sample=True,
            temperature=self._world.temperature,
            top_k=0,
            top_p=1.0,
            max_new_tokens=self._world.new_tokens,
            eos_token_id=self._tokenizer.eos_token_id,
            pad_token_id=self._tokenizer.pad_token_id,
        )[:, inputs["input_ids"].shape[1] :]
        rows = zip(self._tokenizer.batch_decode(new), new.tolist(), strict=True)
        return [Turn(text.split(self._tokenizer.eos_token)[0], tuple(ids)) for text, ids in rows]


def make_environment(world: World) -> type:
    """An environment class as TRL's documentation has them."""

    class Wiki:
        """Its public methods are tools."""

        def reset(self, answers: Sequence[str], **_: Any) -> None:
            self._answers, self._said = tuple(answers), ""

        def retrieve(self, query: str) -> str:
            """Searches a text collection.

            Args:
                query: What to look for.
            """
            results = world.tool.run([ToolCall((query,), None)])
            return str(DIALECT.render_results(results)[0]["content"])

        def get_reward(self) -> float:
            return float(em(self._said, self._answers))

    return Wiki


class Trl:
    """TRL's trainer with an environment class."""

    ends: ClassVar[bool] = True

    def __init__(self, lm: LanguageModel, world: World, folder: str) -> None:
        from datasets import Dataset
        from trl import GRPOConfig, GRPOTrainer

        self._world, self._make = world, make_environment(world)
        lm.tokenizer.response_template = response_template(lm)
        config = GRPOConfig(
            output_dir=folder,
            per_device_train_batch_size=world.batch,
            num_generations=world.batch,
            temperature=world.temperature,
            # In this version of TRL for the whole episode, results included; turns end themselves.
            max_completion_length=lm.context,
            max_tool_calling_iterations=world.turns,
            use_cpu=lm.model.device.type == "cpu",
            bf16=False,
            gradient_checkpointing=False,
            report_to="none",
            disable_tqdm=True,
        )
        rows = [{"prompt": [{"role": "user", "content": "?"}]}] * world.batch
        self._trainer: Any = GRPOTrainer(
            lm.model,
            args=config,
            train_dataset=Dataset.from_list(rows),
            processing_class=lm.tokenizer,
            environment_factory=self._make,
        )

    def opening(self, task: Task) -> list[int]:
        """The tokens before the first turn."""
        return list(self._trainer._tokenize_prompts(self._prepare([task]))[0][0])

    def play(self, episodes: int, group: int) -> Counts:
        """Plays batch after batch."""
        played = turns = tokens = 0
        for tasks in self._world.batches(episodes, group):
            _, _, masks, chats, *_ = self._trainer._generate(self._prepare(tasks))
            for env, chat, mask in zip(self._trainer.environments, chats, masks, strict=True):
                env._said = DIALECT.parse(chat[-1]["content"], Role.POLICY).answer or ""
                env.get_reward()
                turns += sum(message["role"] == "assistant" for message in chat)
                tokens += sum(mask)
            played += len(chats)
        return played, turns, tokens

    def _prepare(self, tasks: Sequence[Task]) -> list[list[Message]]:
        """Does what ``_generate_and_score_completions`` does before it generates."""
        trainer = self._trainer
        pool = trainer._environment_pool[None]
        pool += [self._make() for _ in range(len(tasks) - len(pool))]
        trainer.environments = pool[: len(tasks)]
        trainer._batch_environments = [None] * len(tasks)
        trainer._sync_tool_dicts = [{"retrieve": env.retrieve} for env in trainer.environments]
        trainer._async_tool_dicts = [{} for _ in tasks]
        for env, task in zip(trainer.environments, tasks, strict=True):
            env.reset(answers=task.answers)
        return [Conversation(task, DIALECT).messages for task in tasks]


def response_template(lm: LanguageModel) -> dict[str, Any]:
    """How TRL reads turns: as Qwen3's, with the marks of this model."""
    from trl.chat_template_utils import qwen3_template

    opened, closed = (mark.replace("\\n", "\n") for mark in marks_of(lm))
    content = {"close_pattern": re.escape(closed.strip()) + r"\s*", "content": "text"}
    return {
        **qwen3_template,
        "start_anchor": opened.replace("ROLE", "assistant"),
        "fields": {**qwen3_template["fields"], "content": content},
    }
