"""Question templates: one bank for generators and warm-up, one for evaluation alone.

The texts stand in ``data/templates.txt``. A text has one slot ``{x}`` for a name or a noun phrase,
or two slots ``{a}`` and ``{b}`` for a comparison.

============ ==================================================================================
use          text
============ ==================================================================================
ask          a question after the objects of the relation: *What is the capital of {x}?*
noun         the same as a noun phrase, to be nested: *the capital of {x}*
ask-back     a question after its subjects: *Which country has {x} as its capital?*
noun-back    the same as a noun phrase: *the country whose capital is {x}*
set          the objects as a set, without article: *country bordering {x}*
set-back     the subjects as a set: *river in {x}*
more, less   a comparison by a number or year relation: *Which is longer, {a} or {b}?*
most, least  a superlative as a noun phrase over any set ``{x}``: *the longest {x}*
most-ask,    a superlative as a question over any set: *Which {x} is the longest?*
least-ask
carry        (relation ``*``) makes a question of any noun phrase: *What is {x}?*
============ ==================================================================================
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import NamedTuple

from asl_env.corpora.errors import CorpusError, did_you_mean

USES = (
    "ask",
    "noun",
    "ask-back",
    "noun-back",
    "set",
    "set-back",
    "more",
    "less",
    "most",
    "least",
    "most-ask",
    "least-ask",
    "carry",
)
BANKS = ("generator", "heldout")

#: The relation column of templates that belong to no relation.
ANY = "*"

Bank = Mapping[tuple[str, str], tuple[str, ...]]


class Template(NamedTuple):
    """One line of the template file."""

    bank: str
    relation: str
    use: str
    text: str


def _check(template: Template, place: str) -> Template:
    """The template, if its bank, use and slots are right."""
    for value, known in ((template.bank, BANKS), (template.use, USES)):
        if value not in known:
            raise CorpusError(f"{place}: unknown {value!r}{did_you_mean(value, known)}")
    slots = ("{a}", "{b}") if template.use in ("more", "less") else ("{x}",)
    if template.text.count("{") != len(slots) or any(s not in template.text for s in slots):
        raise CorpusError(f"{place}: {template.text!r} needs each of {slots} exactly once")
    return template


def read(text: str, name: str = "templates.txt") -> list[Template]:
    """Reads the template file.

    Args:
        text: Its content: ``[relation]`` lines, under each lines ``bank use: text | text``.
        name: Its name, for error messages.

    Raises:
        CorpusError: If a line has another form, an unknown bank or use, or slots that do not fit
            the use.
    """
    found: list[Template] = []
    relation = ""
    for at, line in enumerate(text.splitlines(), start=1):
        place = f"{name}:{at}"
        if not line or line.startswith("#"):
            continue
        if line.startswith("[") and line.endswith("]"):
            relation = line[1:-1]
            continue
        key, colon, texts = line.partition(": ")
        words = key.split(" ")
        if not (relation and colon and len(words) == 2):
            raise CorpusError(f"{place}: {line!r} is not 'bank use: text | text' under [relation]")
        lines = (Template(words[0], relation, words[1], wording) for wording in texts.split(" | "))
        found.extend(_check(template, place) for template in lines)
    return found


@cache
def _all() -> tuple[Template, ...]:
    source = files("asl_env.corpora.miniwiki.data") / "templates.txt"
    return tuple(read(source.read_text(encoding="utf-8")))


def templates() -> Iterator[Template]:
    """Every template of both banks: together with the clozes, the language of the oracle."""
    return iter(_all())


@cache
def bank(name: str) -> Bank:
    """The templates of one bank.

    Args:
        name: ``generator`` (generators and warm-up) or ``heldout`` (evaluation sets only).

    Returns:
        Texts by (relation, use).

    Raises:
        CorpusError: If there is no bank of that name.
    """
    if name not in BANKS:
        raise CorpusError(f"no template bank {name!r}{did_you_mean(name, BANKS)}")
    grouped: dict[tuple[str, str], list[str]] = {}
    for template in _all():
        if template.bank == name:
            grouped.setdefault((template.relation, template.use), []).append(template.text)
    return MappingProxyType({key: tuple(texts) for key, texts in grouped.items()})


def __getattr__(name: str) -> Bank:
    """``GENERATOR_TEMPLATES`` and ``HELDOUT_TEMPLATES``, read when first used."""
    if name == "GENERATOR_TEMPLATES":
        return bank("generator")
    if name == "HELDOUT_TEMPLATES":
        return bank("heldout")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
