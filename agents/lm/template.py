"""A chat template, token by token: openings, and what stands between two sampled turns."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from asl_env.episode import Message
from asl_env.errors import LanguageModelError, did_you_mean
from asl_env.play import one_line

#: Templates that can be given by name to a tokenizer that has none.
TEMPLATES: Mapping[str, str] = {
    "chatml": (
        "{% for message in messages %}"
        "{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>\\n' }}"
        "{% endfor %}"
        "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    ),
}

# Some templates write today's date, and the same chat would read otherwise tomorrow: all chats
# are played on one day.
_DAY = "26 Jul 2024"
_CLOCK = "{% macro strftime_now(format) %}" + _DAY + "{% endmacro %}"
# Texts that survive trimming and are in nobody's messages.
_SYSTEM, _USER, _SAID, _TOOL = "S71system", "U71user", "A71assistant", "T71tool"
_UNHEARD_ROLE = "r71role"
#: Tokens that end a turn in one family of models or another, where the tokenizer has them.
_ENDS = (
    "<|im_end|>",
    "<|eot_id|>",
    "<|eom_id|>",
    "<|end|>",
    "<|endoftext|>",
    "<|end_of_text|>",
    "<end_of_turn>",
    "</s>",
)


class ChatTemplate:
    """Turns chats into token ids piece by piece, so that sampled tokens are never encoded again.

    A chat is ``opening(first messages)``, then for every turn its tokens as sampled, and between
    turns ``delta(new messages, last turn)``: the end of the turn where the model did not write it
    itself, separators, the messages, and the next generation prompt.

    A template knows no tool role if it refuses one, loses its text, or writes any role name alike;
    then tool messages become one user message in ``<tool_response>`` tags. Without a system role,
    the system text is put before the first user message.

    Args:
        tokenizer: A Hugging Face tokenizer.
        template: Jinja text, or a name of ``TEMPLATES``; by default the tokenizer's own.
        end_ids: Further tokens that end a turn (those of the model's generation config).

    Attributes:
        tokenizer: The tokenizer.
        end_ids: Ids of the tokens that end a turn.
        has_tool_role: Whether the template knows the tool role.
        has_system_role: Whether it knows the system role.

    Raises:
        LanguageModelError: If there is no template, or it loses what the assistant says.
    """

    def __init__(
        self, tokenizer: Any, template: str | None = None, end_ids: Iterable[int] = ()
    ) -> None:
        self.tokenizer = tokenizer
        self._name = getattr(tokenizer, "name_or_path", "") or type(tokenizer).__name__
        found = self._find(template)
        self._template = f"{_CLOCK}{found}" if "strftime_now" in found else found
        self._control = self._find_control()
        self.has_system_role = self._knows_system()
        self.has_tool_role = self._knows_tool()
        self.end_ids = frozenset(end_ids) | self._find_ends()

    def opening(self, messages: Sequence[Message]) -> list[int]:
        """Encodes the messages before the first turn, generation prompt included."""
        try:
            return self.encode(self._render(self._adapted(messages)))
        except LanguageModelError:
            raise
        except Exception as error:
            raise self._broken(error) from error

    def delta(self, new_messages: Sequence[Message], last_ids: Sequence[int]) -> list[int]:
        """Encodes what stands between a sampled turn and the next one.

        Args:
            new_messages: Messages after the turn; none of them is an assistant's.
            last_ids: The turn as sampled. If it ends with the end-of-turn token that the template
                would write, this token is not repeated.

        Returns:
            Token ids, up to and with the next generation prompt.
        """
        try:
            ids = self.encode(self._after_turn(self._adapted(new_messages)))
        except Exception as error:
            raise self._broken(error) from error
        if last_ids and ids and last_ids[-1] == ids[0] and ids[0] in self.end_ids:
            return ids[1:]
        return ids

    def encode(self, text: str) -> list[int]:
        """Encodes a text as it stands, without start or end tokens."""
        encoded = self.tokenizer(text, add_special_tokens=False, verbose=False)
        return [int(token) for token in encoded["input_ids"]]

    def text(self, ids: Sequence[int], stop: Sequence[str] = ()) -> str:
        """Decodes a sampled turn: without its end token, and cut after the first stop string."""
        end = len(ids)
        while end and ids[end - 1] in self.end_ids:
            end -= 1
        return cut(decode(self.tokenizer, ids[:end]), stop)

    def _find(self, template: str | None) -> str:
        if template is None:
            template = self.tokenizer.chat_template
            if isinstance(template, dict):  # several by name, as older tokenizers have them
                template = template.get("default")
            if not template:
                raise LanguageModelError(
                    f"the tokenizer of {self._name} has no chat template; give one "
                    "(a Jinja text, or template='chatml')"
                )
            return str(template)
        if template in TEMPLATES:
            return TEMPLATES[template]
        if "{" not in template:
            raise LanguageModelError(
                f"there is no chat template named {template!r}{did_you_mean(template, TEMPLATES)}"
                "; or give its Jinja text"
            )
        return template

    def _render(self, messages: Sequence[Mapping[str, Any]]) -> str:
        return str(
            self.tokenizer.apply_chat_template(
                [dict(message) for message in messages],
                chat_template=self._template,
                tokenize=False,
                add_generation_prompt=True,
                date_string=_DAY,
            )
        )

    def _after_turn(self, messages: Sequence[Mapping[str, Any]]) -> str:
        """Renders a chat of which only what follows an assistant's text is of interest."""
        before = [{"role": "user", "content": _USER}, {"role": "assistant", "content": _SAID}]
        text = self._render([*before, *messages])
        _, said, after = text.partition(_SAID)
        if not said:
            raise LanguageModelError(
                f"the chat template of {self._name} loses what the assistant says; give another"
            )
        return after

    def _adapted(self, messages: Sequence[Message]) -> list[Mapping[str, Any]]:
        """Rewrites messages of roles that the template does not know."""
        adapted: list[Mapping[str, Any]] = []
        system = ""
        responses: list[str] = []
        for message in messages:
            role, content = message["role"], message["content"]
            if role != "system":
                content = self._disarmed(content)
            if role == "tool" and not self.has_tool_role:
                responses.append(f"<tool_response>\n{content}\n</tool_response>")
                continue
            _flush(responses, adapted)
            if role == "system" and not self.has_system_role:
                system = f"{content}\n\n"
                continue
            adapted.append({"role": role, "content": f"{system}{content}"})
            system = ""
        if system:  # alone: better said by the user than lost
            adapted.append({"role": "user", "content": system.strip()})
        _flush(responses, adapted)
        return adapted

    def _find_control(self) -> list[str]:
        """Special tokens that the template writes, or that begin and end texts."""
        named = {self.tokenizer.bos_token, self.tokenizer.eos_token}
        added = self.tokenizer.added_tokens_decoder.values()
        special = [str(token) for token in added if token.special]
        return [token for token in special if token in self._template or token in named]

    def _disarmed(self, text: str) -> str:
        """Breaks control tokens in foreign text with a blank; documents may hold ``[/INST]``."""
        for token in self._control:
            if token in text:
                text = text.replace(token, f"{token[0]} {token[1:]}")
        return text

    def _knows_system(self) -> bool:
        user = {"role": "user", "content": _USER}
        try:
            text = self._render([{"role": "system", "content": _SYSTEM}, user])
        except Exception:
            return False
        return _SYSTEM in text and _USER in text

    def _knows_tool(self) -> bool:
        try:
            text = self._after_turn([{"role": "tool", "content": _TOOL}])
        except LanguageModelError:
            raise
        except Exception:
            return False
        if _TOOL not in text:
            return False
        try:
            unheard = self._after_turn([{"role": _UNHEARD_ROLE, "content": _TOOL}])
        except Exception:
            return True
        return unheard.replace(_UNHEARD_ROLE, "tool") != text

    def _find_ends(self) -> frozenset[int]:
        added: Mapping[str, int] = self.tokenizer.added_tokens_encoder
        ends = {added[name] for name in _ENDS if name in added}
        if self.tokenizer.eos_token_id is not None:
            ends.add(int(self.tokenizer.eos_token_id))
        try:
            first = self.encode(self._after_turn([{"role": "user", "content": _USER}]))[:1]
        except Exception as error:
            raise self._broken(error) from error
        special = {*added.values(), *self.tokenizer.all_special_ids}
        return frozenset(ends | (set(first) & special))

    def _broken(self, error: Exception) -> LanguageModelError:
        if isinstance(error, LanguageModelError):
            return error
        return LanguageModelError(
            f"the chat template of {self._name} cannot write this chat: {one_line(error)}; "
            "give another (template=...)"
        )


def _flush(responses: list[str], adapted: list[Mapping[str, Any]]) -> None:
    """Writes collected tool messages as one user message."""
    if responses:
        adapted.append({"role": "user", "content": "\n".join(responses)})
        responses.clear()


def decode(tokenizer: Any, ids: Sequence[int]) -> str:
    """Decodes tokens as they are: tags that are tokens of their own stay in the text."""
    text = tokenizer.decode(
        list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
    )
    return str(text)


def cut(text: str, stop: Sequence[str]) -> str:
    """Cuts a text right after the stop string that is complete first."""
    ends = [text.find(one) + len(one) for one in stop if one in text]
    return text[: min(ends)] if ends else text
