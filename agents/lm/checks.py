"""Whether a model's tokenizer and context suit what is played: said before a run, not during it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from asl_env import prompts
from asl_env.corpora.passages import Passage
from asl_env.dialects.registry import make_dialect
from asl_env.episode import Claim, Request, Task, ToolCall
from asl_env.errors import LanguageModelError
from asl_env.protocols import Dialect, Hit, ToolResult

if TYPE_CHECKING:
    from asl_env.agents.lm.agent import LanguageModelAgent
    from asl_env.agents.lm.loading import LanguageModel
    from asl_env.agents.lm.sampling import Sampling
    from asl_env.episode import Assignment, Message

#: Tokens of a tag above which the model must learn a long spelling before it learns to search.
TAG_TOKENS = 8
#: Tokens that are left for the model's own turns, one that searches and one that answers.
OWN_TOKENS = 128

_WORDS = ("Which river flows through the capital of Peru?", "Rímac  River\n(1535)", "an answer")


def open_agent(
    model: str | Path,
    *,
    dialect: str | Dialect = "asl",
    adapter: str | Path | None = None,
    template: str | None = None,
    sampling: Sampling | None = None,
) -> tuple[LanguageModelAgent, list[str]]:
    """Loads a model, checks it against what is played, and makes an agent of it.

    Args:
        model: As for ``load_language_model``.
        dialect: Name or object.
        adapter: A LoRA adapter for the model.
        template: A chat template: Jinja text, a file or a name.
        sampling: How turns are sampled.

    Returns:
        The agent, and what ``check_dialect`` warns of.

    Raises:
        LanguageModelError: If the model cannot be loaded, or its context is too short.
    """
    from asl_env.agents.lm.agent import LanguageModelAgent
    from asl_env.agents.lm.loading import load_language_model

    loaded = load_language_model(model, adapter=adapter, template=template)
    check_context(loaded, dialect)
    warnings = check_dialect(loaded.tokenizer, dialect)
    return LanguageModelAgent(loaded, dialect=dialect, sampling=sampling), warnings


def check_dialect(tokenizer: Any, dialect: str | Dialect) -> list[str]:
    """Looks whether a tokenizer can write a dialect.

    Args:
        tokenizer: A transformers tokenizer.
        dialect: Name or object.

    Returns:
        One line per thing that is wrong; nothing of it stops a run. Stop strings that do not
        survive encoding and decoding mean that turns are never cut, long tags that a model needs
        longer to learn them, and text that changes that the model cannot copy it.
    """
    spoken = make_dialect(dialect)
    start = f"dialect {spoken.name}:"
    found = []
    for tag in _tags(spoken):
        ids = _encode(tokenizer, tag)
        if _decode(tokenizer, ids) != tag:
            found.append(f"{start} the tag {tag} reads {_decode(tokenizer, ids)!r} when decoded")
        elif len(ids) > TAG_TOKENS:
            found.append(f"{start} the tag {tag} takes {len(ids)} tokens")
    for turn in _turns(spoken):
        ids = _encode(tokenizer, turn)
        read = _decode(tokenizer, ids)
        lost = [stop for stop in spoken.stop if stop in turn and stop not in read]
        if lost:
            found.append(f"{start} the stop string {lost[0]} is lost in encoding and decoding")
        elif read != turn:
            found.append(f"{start} encoding and decoding change a turn at {_first(turn, read)}")
        if tokenizer.unk_token_id is not None and tokenizer.unk_token_id in ids:
            found.append(f"{start} the tokenizer has no token for a part of {turn[:40]!r}")
    return list(dict.fromkeys(found))


def check_context(
    loaded: LanguageModel, dialect: str | Dialect, *, passages: int = 3, characters: int = 500
) -> None:
    """Refuses a model whose context cannot hold an opening, one tool reply and an answer.

    Args:
        loaded: The model.
        dialect: Name or object.
        passages: Passages per tool reply.
        characters: Characters per passage.

    Raises:
        LanguageModelError: With the numbers, and what to change.
    """
    spoken = make_dialect(dialect)
    opening = max(_length(loaded, prompts.opening(one, spoken)) for one in _assignments())
    text = (" ".join(_WORDS) * characters)[:characters]
    hits = [Hit(Passage(str(at), "Rímac River", text), 1.0) for at in range(passages)]
    reply = _length(loaded, spoken.render_results([ToolResult(ToolCall(("Peru",)), hits)]))
    needed = opening + reply + OWN_TOKENS
    if needed > loaded.context:
        raise LanguageModelError(
            f"{loaded.name}: context of {loaded.context:,} tokens is too short: the opening takes "
            f"{opening:,}, one tool reply {reply:,}, the model's own turns {OWN_TOKENS}; search "
            "fewer or shorter passages, or take a model with a longer context"
        )


def _tags(dialect: Dialect) -> list[str]:
    """The tags of a dialect: those it stops at, their openings, and those both dialects share."""
    named = [stop[2:-1] for stop in dialect.stop if stop.startswith("</")]
    names = dict.fromkeys(["think", *named, "question", "answer"])
    shared = [tag for name in names for tag in (f"<{name}>", f"</{name}>")]
    return list(dict.fromkeys([*shared, *dialect.stop]))


def _turns(dialect: Dialect) -> list[str]:
    think, query, answer = _WORDS
    return [dialect.write_search(query, think), dialect.write_final(answer, query, think)]


def _assignments() -> list[Assignment]:
    question, answer, topic = _WORDS
    return [
        Task("check", question, (answer,)),
        Claim("check", question, answer),
        Request("check", "harder", topic, "depth", question, answer),
    ]


def _length(loaded: LanguageModel, messages: list[Message]) -> int:
    return sum(len(_encode(loaded.tokenizer, one["content"])) + 8 for one in messages)


def _encode(tokenizer: Any, text: str) -> list[int]:
    ids: list[int] = tokenizer.encode(text, add_special_tokens=False)
    return ids


def _decode(tokenizer: Any, ids: list[int]) -> str:
    text: str = tokenizer.decode(ids, skip_special_tokens=False, clean_up_tokenization_spaces=False)
    return text


def _first(said: str, read: str) -> str:
    """The place where two texts part."""
    pairs = zip(said, read, strict=False)
    at = next((at for at, (one, other) in enumerate(pairs) if one != other), len(read))
    return repr(said[max(0, at - 10) : at + 10])
