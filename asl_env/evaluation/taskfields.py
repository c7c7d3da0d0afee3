"""What the fields of a record mean: question, accepted answers, id, gold titles.

The sets circulate in several forms each. In the order in which they are tried:

* id: ``id``, ``_id``, ``idx``, ``question_id``, ``QuestionId``, ``extra_info.index`` (Search-R1);
* question: ``question``, ``query``, ``Question``, or the last user message of ``prompt``
  (Search-R1: what follows its last "Question:");
* answers: ``golden_answers`` (FlashRAG), ``possible_answers`` (PopQA), ``answers``, ``answer``,
  ``Answer``, ``reward_model.ground_truth`` (Search-R1). A value is a text, a list, a JSON list
  inside a text (PopQA), texts joined by ``<|answer_split|>`` (DeepResearcher), or an object with
  ``value`` and ``aliases`` (TriviaQA) or ``target`` (Search-R1). ``answer_aliases`` (MuSiQue) are
  added to any of them;
* gold titles: ``supporting_titles``, ``supporting_facts`` (HotpotQA, 2WikiMultiHopQA; in
  FlashRAG's files inside ``metadata``), or the ``paragraphs`` with ``is_supporting`` (MuSiQue).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from asl_env.corpora.report import ReadReport
from asl_env.episode import Task
from asl_env.text import normalize

ID_FIELDS = ("id", "_id", "idx", "question_id", "QuestionId")
QUESTION_FIELDS = ("question", "query", "Question")
ANSWER_FIELDS = ("golden_answers", "possible_answers", "answers", "answer", "Answer")
#: Where a task's provenance keeps the titles of the passages that hold its evidence.
GOLD_TITLES = "supporting_titles"

_ALIASES = "answer_aliases"
#: Paragraphs, prompts and answers are not provenance: they would be copied into every trajectory.
_DROPPED = {"context", "paragraphs", "prompt", "reward_model", _ALIASES, GOLD_TITLES}
_USED = {*ID_FIELDS, *QUESTION_FIELDS, *ANSWER_FIELDS, *_DROPPED}
_SPLIT = "<|answer_split|>"
_MARK = "Question:"


def to_task(
    record: Mapping[str, Any], fallback: str, number: int, report: ReadReport
) -> Task | None:
    """Makes a task of a record; ``None``, and a line in the report, where none can be made.

    Args:
        record: As it was read; nothing about it is certain.
        fallback: The id where it has none.
        number: Its place in the file, for the report.
        report: Told why it is left out.
    """
    question = _question(record)
    if question is None:
        report.add(f"no question (field {QUESTION_FIELDS[0]!r})", number)
        return None
    if record.get("answerable") is False:
        report.add("marked as unanswerable (field 'answerable')", number)
        return None
    texts = [*_answers(record), *_texts(record.get(_ALIASES))]
    usable = tuple(dict.fromkeys(text for text in texts if normalize(text)))
    if not usable:
        what = "answers that normalise to nothing" if texts else "no answer"
        report.add(f"{what} (field {ANSWER_FIELDS[0]!r})", number)
        return None
    return Task(_id(record, fallback), question, usable, _provenance(record))


def gold_titles(task: Task) -> tuple[str, ...]:
    """Titles of the passages that hold a task's evidence; empty where nobody wrote them down."""
    titles = task.provenance.get(GOLD_TITLES)
    if not isinstance(titles, (list, tuple)):
        return ()
    return tuple(title for title in titles if isinstance(title, str) and title.strip())


def _question(record: Mapping[str, Any]) -> str | None:
    said = _first(record, QUESTION_FIELDS)
    if said is None:
        said = _prompted(record.get("prompt"))
    return said.strip() if isinstance(said, str) and said.strip() else None


def _prompted(prompt: Any) -> str | None:
    """The question inside a chat prompt: its last user message, without the instruction."""
    if not isinstance(prompt, list):
        return None
    asked = [m.get("content") for m in prompt if isinstance(m, dict) and m.get("role") == "user"]
    if not asked or not isinstance(asked[-1], str):
        return None
    return asked[-1].rpartition(_MARK)[2]


def _answers(record: Mapping[str, Any]) -> Iterator[str]:
    given = _first(record, ANSWER_FIELDS)
    if given is None:
        model = record.get("reward_model")
        given = model.get("ground_truth") if isinstance(model, dict) else None
    yield from _texts(given)


def _texts(value: Any) -> Iterator[str]:
    """Every accepted answer in a value of any of the known forms."""
    if isinstance(value, dict):
        for key in ("value", "Value", "target", "text", "aliases", "Aliases"):
            yield from _flat(value.get(key))
    elif isinstance(value, str):
        yield from _unpacked(value)
    else:
        yield from _flat(value)


def _unpacked(value: str) -> Iterator[str]:
    if _SPLIT in value:
        yield from (part.strip() for part in value.split(_SPLIT))
        return
    if value.startswith("[") and value.endswith("]"):
        try:
            listed = json.loads(value)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list):
            yield from _flat(listed)
            return
    yield value


def _flat(value: Any) -> Iterator[str]:
    for one in value if isinstance(value, list) else [value]:
        # A truth value is an int too; HotpotQA's answers are the words "yes" and "no".
        if isinstance(one, str | int | float) and not isinstance(one, bool):
            yield str(one)


def _id(record: Mapping[str, Any], fallback: str) -> str:
    name = _first(record, ID_FIELDS)
    extra = record.get("extra_info")
    if name is None and isinstance(extra, dict):
        name = extra.get("index")
    if name is None:
        return fallback
    # Files that merge several sets number each from 0: the set is part of the name.
    source, text = record.get("data_source"), str(name)
    if not isinstance(source, str) or not source or text.startswith(source):
        return text
    return f"{source}_{text}"


def _provenance(record: Mapping[str, Any]) -> dict[str, Any]:
    provenance = {key: value for key, value in record.items() if key not in _USED}
    metadata = record.get("metadata")
    if isinstance(metadata, dict):
        kept = {key: value for key, value in metadata.items() if key not in _DROPPED}
        provenance["metadata"] = kept
    titles = _titles(record) or (_titles(metadata) if isinstance(metadata, dict) else [])
    return provenance | {GOLD_TITLES: titles} if titles else provenance


def _titles(record: Mapping[str, Any]) -> list[str]:
    listed = record.get(GOLD_TITLES)
    facts = record.get("supporting_facts")
    paragraphs = record.get("paragraphs")
    found: list[Any] = []
    if isinstance(listed, list):
        found = listed
    elif isinstance(facts, dict):
        found = facts["title"] if isinstance(facts.get("title"), list) else []
    elif isinstance(facts, list):
        found = [fact[0] for fact in facts if isinstance(fact, list) and fact]
    elif isinstance(paragraphs, list):
        known = [paragraph for paragraph in paragraphs if isinstance(paragraph, dict)]
        found = [one.get("title") for one in known if one.get("is_supporting") is True]
    return list(dict.fromkeys(title for title in found if isinstance(title, str) and title))


def _first(record: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    for name in names:
        if record.get(name) is not None:
            return record[name]
    return None
