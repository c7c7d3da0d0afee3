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
from asl_env.rewards.grounding import named
from asl_env.rewards.matching import cover_em

_NUMBER = re.compile(r"\d[\d,.]*\d|\d")
_YEAR = re.compile(r"1\d{3}|20\d{2}")


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
        others = _NUMBER.findall(text)
        return [
            answer.replace(number[0], other, 1)
            for other in others
            if _is_year(other) == _is_year(number[0]) and _value(other) != _value(number[0])
        ]
    if not answer.removeprefix("the ")[:1].isupper():
        return []
    # With the article that the text has, so that its form does not tell it from an answer.
    names = [
        f"the {name}" if before.lower() == "the" else name
        for before, name in named(text)
        if name[0].isalpha()
    ]
    return [title, *names] if title else names


def _is_year(number: str) -> bool:
    return _YEAR.fullmatch(number) is not None


def _value(number: str) -> float | str:
    try:
        return float(number.replace(",", ""))
    except ValueError:  # several points: a date, a version
        return number
