"""Sentences for facts: templates, how to fill them, and how to read them back.

Every statement in an article is one of these templates filled with the names of a fact's subject
and object, or with a description of the subject ("the city", "it"), so that a sentence can always
be turned back into the fact it states.
"""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from typing import NamedTuple

PHRASINGS: dict[str, tuple[str, ...]] = {
    relation: tuple(templates)
    for relation, templates in json.loads(
        files("asl_env.corpora.miniwiki.data").joinpath("phrasings.json").read_text("utf-8")
    ).items()
}

# Ways to mention the subject of an article without its name. The first is a pronoun and stands
# only at the beginning of a sentence or before "'s".
DESCRIPTIONS: dict[str, tuple[str, ...]] = {
    "country": ("it", "the country", "the state"),
    "territory": ("it", "the territory"),
    "city": ("it", "the city", "the place"),
    "element": ("it", "the element", "the substance"),
    "currency": ("it", "the currency"),
    "language": ("it", "the language"),
    "state": ("it", "the state"),
    "river": ("it", "the river", "the stream"),
    "sea": ("it", "the body of water"),
    "lake": ("it", "the lake"),
    "mountain": ("it", "the mountain", "the peak"),
    "range": ("it", "the range"),
    "planet": ("it", "the planet"),
    "moon": ("it", "the moon", "the satellite"),
    "constellation": ("it", "the constellation"),
    "figure": ("the figure", "the mythical figure"),
    "battle": ("it", "the battle", "the encounter"),
    "war": ("it", "the war"),
    "film": ("it", "the film", "the picture"),
    "anthem": ("it", "the anthem", "the song"),
    "airport": ("it", "the airport", "the airfield"),
    "park": ("it", "the park"),
    "university": ("it", "the university", "the institution"),
    "continent": ("it", "the continent"),
    "region": ("it", "the region"),
}
_PRONOUN = {"it": "its"}


class Reading(NamedTuple):
    """One way to read a sentence.

    Attributes:
        relation: The relation it states.
        subject: Words in the subject's place, without a leading article.
        object: Words in the object's place, without a leading article.
    """

    relation: str
    subject: str
    object: str


def render(template: str, subject: str, object_: str) -> str:
    """Fills a template and begins the sentence with a capital letter.

    Args:
        template: One of :data:`PHRASINGS`.
        subject: The subject as it stands inside a sentence ("the Netherlands", "it").
        object_: The object as it stands inside a sentence.

    Returns:
        The sentence.
    """
    if subject in _PRONOUN:
        template = template.replace("{s}'s", _PRONOUN[subject])
    text = template.replace("{s}", subject).replace("{o}", object_)
    return text[0].upper() + text[1:]


def takes_pronoun(template: str) -> bool:
    """Whether "it" can stand for the subject: at the very beginning of the sentence."""
    return template.startswith("{s}") and template.count("{s}") == 1


def bare(text: str) -> str:
    """A name without its leading article."""
    return re.sub(r"^(?:the|an?) (?=\S)", "", text.strip(), flags=re.IGNORECASE)


def read(sentence: str) -> list[Reading]:
    """Every way to read a sentence as a filled template; empty for any other sentence.

    Several readings are possible when templates resemble each other; the facts tell which of them
    hold.
    """
    found = []
    words = set(re.findall(r"[a-z]+", sentence.lower()))
    for relation, pattern, anchors in _patterns():
        if anchors <= words and (match := pattern.fullmatch(sentence)):
            found.append(Reading(relation, bare(match["s"]), bare(match["o"])))
    return found


@cache
def _patterns() -> list[tuple[str, re.Pattern[str], frozenset[str]]]:
    """A pattern for each template, with the words a sentence must contain to match."""
    patterns = []
    for relation, templates in PHRASINGS.items():
        for template in templates:
            text = re.escape(template)
            text = text.replace(r"\{s\}", "(?P<s>.+?)", 1).replace(r"\{o\}", "(?P<o>.+?)", 1)
            text = text.replace(r"\{s\}", "(?P=s)").replace(r"\{o\}", "(?P=o)")
            fixed = re.sub(r"\{[so]\}", " ", template)
            anchors = frozenset(re.findall(r"[a-z]+", fixed.lower()))
            patterns.append((relation, re.compile(text), anchors))
    return patterns
