"""A language model that plays the seats: chats become tokens, sampled tokens become turns."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asl_env.agents.lm.backend import Backend, Prompt, Sampled
from asl_env.agents.lm.sampling import Sampling
from asl_env.agents.lm.template import ChatTemplate
from asl_env.dialects import make_dialect
from asl_env.episode import Chat, Message, Role, Turn
from asl_env.errors import LanguageModelError, did_you_mean
from asl_env.protocols import Dialect

if TYPE_CHECKING:
    from asl_env.agents.lm.loading import LanguageModel

    Model = str | Path | LanguageModel
    MakeBackend = Callable[[LanguageModel, ChatTemplate], Backend]

BACKENDS = ("transformers", "vllm")
#: Running chats whose tokens are remembered; the longest unused is forgotten first.
MAX_CHATS = 8192

_FULL = Turn("", (), ())


class _Seat(NamedTuple):
    """A model with what belongs to it."""

    model: LanguageModel
    template: ChatTemplate
    backend: Backend


class LanguageModelAgent:
    """Plays any seat with a causal language model; one for all roles, or one per role.

    The tokens of a chat are the opening in the model's chat template, every turn exactly as it was
    sampled, and what the template writes between them. They are remembered per chat; a turn that
    this agent did not say itself is encoded from its text.

    Args:
        model: What ``load_language_model`` takes, or a loaded model; or one of these per role.
        dialect: How turns and results are written; its stop strings end a turn.
        sampling: How turns are sampled; or one of these per role.
        backend: ``transformers``, ``vllm``, the address of a vLLM server (``http://...``), a
            backend, or a function that makes one from the loaded model and its chat template.
        template: A chat template in place of the tokenizer's own.
        options: Passed to the backend (``session_bytes``, ``batch_bytes`` ...).

    Raises:
        LanguageModelError: If a model cannot be loaded or does not fit the dialect.
    """

    def __init__(
        self,
        model: Model | Mapping[Role, Model],
        *,
        dialect: str | Dialect = "asl",
        sampling: Sampling | Mapping[Role, Sampling] | None = None,
        backend: str | Backend | MakeBackend = "transformers",
        template: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        self.dialect = make_dialect(dialect)
        self._stop = tuple(self.dialect.stop)
        self._known: OrderedDict[Hashable, NDArray[np.int64]] = OrderedDict()
        models = model if isinstance(model, Mapping) else dict.fromkeys(Role, model)
        given = sampling if isinstance(sampling, Mapping) else dict.fromkeys(Role, sampling)
        self.sampling = {role: given.get(role) or Sampling() for role in Role}
        opened: dict[Hashable, _Seat] = {}
        self._seats: dict[Role, _Seat] = {}
        for role, one in models.items():
            key: Hashable = str(one) if isinstance(one, (str, Path)) else id(one)
            if key not in opened:
                opened[key] = self._open(one, backend, template, options or {})
            self._seats[Role(role)] = opened[key]

    def model_of(self, role: Role) -> LanguageModel:
        """Returns the model that plays a role."""
        return self._seat(role).model

    def template_of(self, role: Role) -> ChatTemplate:
        """Returns the chat template that a role is played with."""
        return self._seat(role).template

    def forget(self) -> None:
        """Drops everything computed with the weights so far, because they have changed."""
        for backend in {id(seat.backend): seat.backend for seat in self._seats.values()}.values():
            backend.forget()

    def act(self, chats: Sequence[Chat], *, greedy: bool = False) -> list[Turn]:
        """Returns one turn per chat; see ``Agent``.

        A chat that fills the context gets an empty turn without tokens, which ends the episode.

        Raises:
            LanguageModelError: If the context cannot even hold an opening and one turn, the model
                gives NaN, or memory is out.
        """
        turns: list[Turn] = [_FULL] * len(chats)
        groups: dict[Hashable, tuple[_Seat, Sampling, list[int]]] = {}
        for index, chat in enumerate(chats):
            seat, sampling = self._seat(chat.role), self.sampling[chat.role]
            groups.setdefault((id(seat.backend), sampling), (seat, sampling, []))[2].append(index)
        for seat, sampling, members in groups.values():
            said = self._say(seat, [chats[index] for index in members], sampling, greedy)
            for index, turn in zip(members, said, strict=True):
                turns[index] = turn
        return turns

    def _say(
        self, seat: _Seat, chats: Sequence[Chat], sampling: Sampling, greedy: bool
    ) -> list[Turn]:
        """Samples turns of chats that one model plays; equal requests are sampled once."""
        prompts: dict[Hashable, Prompt] = {}
        requests: list[Hashable] = []
        for chat in chats:
            prompt = self._prompt(seat, chat, greedy)
            request = prompt.ids if greedy else (prompt.ids, prompt.seed)
            prompts.setdefault(request, prompt)
            requests.append(request)
        samples = seat.backend.generate(list(prompts.values()), sampling, self._stop)
        found = dict(zip(prompts, samples, strict=True))
        return [
            self._turn(seat, chat, prompts[request], found[request])
            for chat, request in zip(chats, requests, strict=True)
        ]

    def _prompt(self, seat: _Seat, chat: Chat, greedy: bool) -> Prompt:
        ids = self._ids(seat, chat.seed, chat.messages)
        turn, limit = chat.turn, self.sampling[chat.role].max_new_tokens
        if not turn and len(ids) + limit > seat.model.context:
            raise LanguageModelError(
                f"{seat.model.name} holds {seat.model.context} tokens, but the opening of a "
                f"{chat.role} chat has {len(ids)} and a turn up to {limit}: lower max_new_tokens, "
                "or take a model with a longer context"
            )
        first = next(
            (n for n, message in enumerate(chat.messages) if message["role"] == "assistant"), None
        )
        opening = tuple(message["content"] for message in chat.messages[:first])
        key = (chat.role, chat.seed, opening)
        return Prompt(tuple(ids), (chat.seed, turn), greedy, limit, key)

    def _turn(self, seat: _Seat, chat: Chat, prompt: Prompt, sampled: Sampled) -> Turn:
        if not sampled.ids:
            return _FULL
        text = seat.template.text(sampled.ids, self._stop)
        said: Message = {"role": "assistant", "content": text}
        key = _key(seat, chat.seed, [*chat.messages, said])
        self._known[key] = np.array((*prompt.ids, *sampled.ids), np.int64)
        self._known.move_to_end(key)
        if len(self._known) > MAX_CHATS:
            self._known.popitem(last=False)
        return Turn(text, sampled.ids, sampled.logprobs)

    def _ids(self, seat: _Seat, seed: int, messages: Sequence[Message]) -> list[int]:
        """Returns the tokens of a chat, generation prompt included."""
        last = len(messages)
        while last and messages[last - 1]["role"] != "assistant":
            last -= 1
        if not last:
            return seat.template.opening(messages)
        known = self._known.get(_key(seat, seed, messages[:last]))
        if known is not None:
            ids: list[int] = known.tolist()
        else:  # somebody else's turn
            ids = self._ids(seat, seed, messages[: last - 1])
            ids += seat.template.encode(messages[last - 1]["content"])
        return ids + seat.template.delta(messages[last:], ids[-1:])

    def _seat(self, role: Role) -> _Seat:
        try:
            return self._seats[role]
        except KeyError:
            known = ", ".join(str(one) for one in self._seats)
            message = f"no model plays the role {role}; there are models for {known}"
            raise LanguageModelError(message) from None

    def _open(
        self,
        model: Model,
        backend: str | Backend | MakeBackend,
        template: str | None,
        options: Mapping[str, Any],
    ) -> _Seat:
        if isinstance(model, (str, Path)):
            from asl_env.agents.lm.loading import load_language_model

            model = load_language_model(model, template=template)
        written = ChatTemplate(model.tokenizer, template, _generation_ends(model.model))
        _check_dialect(written, self.dialect, model.name)
        if isinstance(backend, str):
            return _Seat(model, written, _make_backend(backend, model, written, options))
        if isinstance(backend, Backend):
            return _Seat(model, written, backend)
        return _Seat(model, written, backend(model, written))


def _check_dialect(template: ChatTemplate, dialect: Dialect, name: str) -> None:
    """Checks that a tokenizer can write what the dialect reads.

    Raises:
        LanguageModelError: If tags are lost on the way from text to tokens and back.
    """
    examples = {
        "search": dialect.write_search("capital of Peru", think="look it up"),
        "final": dialect.write_final("Lima", think="done"),
    }
    for kind, text in examples.items():
        back = template.text(template.encode(text), dialect.stop)
        if dialect.parse(back, Role.POLICY).kind != kind or not back.endswith(tuple(dialect.stop)):
            raise LanguageModelError(
                f"the tokenizer of {name} does not keep the tags of the {dialect.name} dialect: "
                f"{text!r} reads back as {back!r}; take another model or dialect"
            )


def _make_backend(
    name: str, model: LanguageModel, template: ChatTemplate, options: Mapping[str, Any]
) -> Backend:
    if name == "transformers":
        from asl_env.agents.lm.transformers_backend import TransformersBackend

        return TransformersBackend(
            model.model,
            model.tokenizer,
            end_ids=template.end_ids,
            context=model.context,
            name=model.name,
            **options,
        )
    if name == "vllm":
        from asl_env.agents.lm.vllm_backend import make_vllm

        return make_vllm(model, template, **options)
    if name.startswith(("http://", "https://")):
        from asl_env.agents.lm.vllm_server import VllmServerBackend

        return VllmServerBackend(name, end_ids=template.end_ids, context=model.context, **options)
    raise LanguageModelError(f"there is no backend named {name!r}{did_you_mean(name, BACKENDS)}")


def _key(seat: _Seat, seed: int, messages: Sequence[Message]) -> Hashable:
    return id(seat.template), seed, tuple((one["role"], one["content"]) for one in messages)


def _generation_ends(model: Any) -> list[int]:
    """End tokens that the model's generation config names."""
    config = getattr(model, "generation_config", None)
    ends = getattr(config, "eos_token_id", None)
    if ends is None:
        return []
    return [int(end) for end in (ends if isinstance(ends, (list, tuple)) else [ends])]
