"""Token records: which tokens of a finished episode the model sampled, and how likely they were."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from asl_env.agents.lm.template import ChatTemplate, decode
from asl_env.episode import Message, Trajectory
from asl_env.errors import LanguageModelError


class Span(NamedTuple):
    """A run of tokens of one origin: ``ids[start:stop]``.

    ``prompt`` is the opening, ``model`` a sampled turn, ``tool`` everything between two turns.
    """

    kind: Literal["prompt", "model", "tool"]
    start: int
    stop: int


@dataclass(frozen=True)
class TokenRecord:
    """The tokens of one episode, exactly as the model saw and sampled them.

    Attributes:
        ids: The whole sequence.
        logprobs: Log-probability of each sampled token; 0.0 where nothing was sampled.
        mask: 1 for sampled tokens (these are trained on), 0 for all others.
        spans: Covers the sequence without gaps, in order.
    """

    ids: tuple[int, ...]
    logprobs: tuple[float, ...]
    mask: tuple[int, ...]
    spans: tuple[Span, ...]

    @property
    def prompt_length(self) -> int:
        """Number of tokens before the first sampled one."""
        return self.spans[0].stop

    @property
    def sampled(self) -> int:
        """Number of sampled tokens."""
        return sum(self.mask)


def record_of(trajectory: Trajectory, template: ChatTemplate) -> TokenRecord:
    """Rebuilds the token record of an episode; a pure function, and nothing is decoded.

    Args:
        trajectory: An episode that a language-model agent played, finished or not.
        template: The chat template it was played with.

    Raises:
        LanguageModelError: If a turn carries no token ids.
    """
    opening, rounds = split(trajectory.messages)
    ids = template.opening(opening)
    logprobs = [0.0] * len(ids)
    mask = [0] * len(ids)
    spans = [Span("prompt", 0, len(ids))]
    last: Sequence[int] = ()
    for number, (news, turn) in enumerate(zip(rounds, trajectory.turns, strict=False)):
        if turn.token_ids is None or turn.logprobs is None:
            raise LanguageModelError(
                f"turn {number} of {trajectory.assignment.id!r} carries no token ids; only what a "
                "language-model agent said can be trained on"
            )
        if not turn.token_ids:  # the context was full: nothing was sampled, the episode ended
            break
        if number:
            between = template.delta(news, last)
            spans.append(Span("tool", len(ids), len(ids) + len(between)))
            ids += between
            logprobs += [0.0] * len(between)
            mask += [0] * len(between)
        last = turn.token_ids
        spans.append(Span("model", len(ids), len(ids) + len(last)))
        ids += last
        logprobs += turn.logprobs
        mask += [1] * len(last)
    return TokenRecord(tuple(ids), tuple(logprobs), tuple(mask), tuple(spans))


def split(messages: Sequence[Message]) -> tuple[list[Message], list[list[Message]]]:
    """Splits a chat at its assistant turns.

    Returns:
        The messages before the first turn; and for each turn what came between it and the turn
        before (empty for the first), in order. Messages after the last turn are left out.
    """
    runs = list(_runs(messages))
    return runs[0], [[], *runs[1:-1]] if len(runs) > 1 else []


def audit(record: TokenRecord, tokenizer: Any) -> str:
    """Decodes the trained tokens and nothing else, one sampled turn after the other.

    Whatever a prompt, a document or a template wrote must not be in this text.
    """
    texts = []
    for span in record.spans:
        inside = range(span.start, span.stop)
        trained = [record.ids[place] for place in inside if record.mask[place]]
        if trained:
            texts.append(decode(tokenizer, trained))
    return "\n".join(texts)


def _runs(messages: Sequence[Message]) -> Iterator[list[Message]]:
    """Yields the runs of messages between assistant turns, the last one too."""
    run: list[Message] = []
    for message in messages:
        if message["role"] == "assistant":
            yield run
            run = []
        else:
            run.append(message)
    yield run
