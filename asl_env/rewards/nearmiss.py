"""Wrong answers that a careless judge accepts: other names and numbers that the writer read.

What solvers get wrong by chance is easy to tell from what is right. What a judge has to learn is
to refuse an answer that stands in the same article: the year of birth for the year of death, the
city next to the one that was asked for. Such answers can be taken from what the writer of a
question read, without labels.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from asl_env.corpora.passages import Passage
from asl_env.episode import Trajectory
from asl_env.protocols import Dialect
from asl_env.rewards.grounding import names_in
from asl_env.rewards.matching import cover_em

_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
_YEAR = re.compile(r"\d{4}")
_THE = re.compile(r"\b[Tt]he $")


def near_misses(episode: Trajectory, dialect: Dialect) -> list[str]:
    """What could be taken for the answer of a written question, but is not the one given.

    An answer with a number gets the other numbers of its kind (years for a year), one that begins
    with a capital, or with "the" and a capital, the other names. Passages with the answer in them
    come first: only if they hold nothing of the kind are the others looked at.

    Args:
        episode: A finished episode of the generator seat.
        dialect: How search results are written.

    Returns:
        Distinct answers, in the order of the text; none contains the answer or is part of it.
    """
    answer = episode.answer or ""
    read = [
        passage for message in episode.messages for passage in dialect.read_results(message) or ()
    ]
    near = [passage for passage in read if cover_em(passage.contents, [answer])]
    return _others(answer, near) or _others(answer, read)


def _others(answer: str, passages: Sequence[Passage]) -> list[str]:
    found = dict.fromkeys(
        other for one in passages for other in _alike(answer, one.title, one.text)
    )
    return [
        other for other in found if not (cover_em(other, [answer]) or cover_em(answer, [other]))
    ]


def _alike(answer: str, title: str, text: str) -> list[str]:
    """All of one kind with the answer in a passage; its title is a name."""
    number = _NUMBER.search(answer)
    if number is not None:
        is_year = _YEAR.fullmatch(number[0]) is not None
        return [
            answer.replace(number[0], other, 1)
            for other in _NUMBER.findall(text)
            if (_YEAR.fullmatch(other) is not None) == is_year
        ]
    if not answer.removeprefix("the ")[:1].isupper():
        return []
    names = [_with_article(name, text) for name in names_in(text) if name[0].isalpha()]
    return [title, *names] if title else names


def _with_article(name: str, text: str) -> str:
    """The name as the text has it, so that its form does not tell it from an answer."""
    return f"the {name}" if _THE.search(text[: max(0, text.find(name))]) else name
