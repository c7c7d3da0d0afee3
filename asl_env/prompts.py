"""What the three seats are told, and how to read it back.

The system message is the dialect's (tool and formats) with the task texts from here; the user
message states the assignment. User messages are machine-readable: a field starts at the beginning
of a line, and line breaks inside a field are indented, so no content can imitate another field.
Tags inside fields are disarmed, since questions and answers are written by other agents.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from asl_env.episode import Assignment, Claim, Message, Request, Role, Task
from asl_env.errors import InvalidTaskError
from asl_env.protocols import Dialect
from asl_env.text import neutralize

IDENTITY = "You research questions with a search tool."

#: The task of each seat, as the system message states it.
TASKS: Mapping[Role, str] = {
    Role.POLICY: (
        "Answer the user's question. Search until the documents settle it, as many times as you "
        "like, then give exactly one answer: the name, date or number alone, for example: Lima."
    ),
    Role.GRM: (
        "Judge the answer that the user shows you. Search for evidence of your own, as many times "
        "as you like, then give exactly one verdict. An answer is correct if it names the same "
        "thing as the true answer, however it is worded, and wrong if it names anything else, "
        "more than one thing, or nothing."
    ),
    Role.GENERATOR: (
        "Write one question together with its answer, as the user requests. Search for facts "
        "first. The question must stand on its own, end with a question mark, and have a single "
        "right answer that the documents settle: one short name, date or number. For example: "
        "Which city is the capital of Peru? Lima."
    ),
}

#: What stands between the answer tags of each seat, and between the generator's question tags.
ANSWER_HINTS: Mapping[Role, str] = {
    Role.POLICY: "the answer",
    Role.GRM: "conclusion: correct (or) conclusion: wrong",
    Role.GENERATOR: "its answer",
}
QUESTION_HINT = "the question"

_CLAIM_HEAD = "Someone was asked a question and gave an answer. Is the answer right?\n\n"
_CLAIM_TAIL = (
    "\n\nSearch for evidence before you decide. End with one of these two lines as your answer:\n"
    "conclusion: correct\nconclusion: wrong"
)
_REQUEST_TAIL = (
    "\n\nUse the search tool to gather the facts. Nobody should be able to answer your question "
    "without searching, and with searching it must be answerable. The answer is one entity."
)

_Kind = Literal["seed", "harder", "easier"]
_Style = Literal["width", "depth"]
_SEED_HEAD = "Write a question about a fact that has to do with the topic below.\n\n"
_MOST = {"harder": "CORRECTLY", "easier": "WRONGLY"}
_STEPS = {
    "harder": "one more search step. For example, from the capital of Peru go on to the river "
    "that flows through the capital of Peru.",
    "easier": "one search step less. For example, instead of the river that flows through the "
    "capital of Peru, ask for the capital of Peru.",
}


def _vary_head(kind: _Kind, style: _Style) -> str:
    level = kind.upper()
    known = f"Most solvers answer the question below {_MOST[kind]}. "
    if style == "depth":
        sign = "ADD" if kind == "harder" else "REMOVE"
        change = f"Write one that is {level}: {sign} one reasoning hop, so that it takes "
        return f"{known}{change}{_STEPS[kind]}\n\n"
    change = f"Write a similar one that is {level} and calls for other knowledge."
    return f"{known}{change}\n\n"


_REQUEST_HEADS: dict[tuple[_Kind, _Style], str] = {
    ("seed", "width"): _SEED_HEAD,
    ("harder", "width"): _vary_head("harder", "width"),
    ("harder", "depth"): _vary_head("harder", "depth"),
    ("easier", "width"): _vary_head("easier", "width"),
    ("easier", "depth"): _vary_head("easier", "depth"),
}


def role_of(assignment: Assignment) -> Role:
    """Returns the seat that plays an assignment.

    Raises:
        InvalidTaskError: If it is not a ``Task``, ``Request`` or ``Claim``.
    """
    if isinstance(assignment, Task):
        return Role.POLICY
    if isinstance(assignment, Request):
        return Role.GENERATOR
    if isinstance(assignment, Claim):
        return Role.GRM
    raise InvalidTaskError(
        f"an assignment is a Task, Request or Claim, not {type(assignment).__name__}"
    )


def user_message(assignment: Assignment) -> str:
    """Returns the text of the user message that states an assignment.

    A task is its question alone; a claim and a request are read back by ``read_claim`` and
    ``read_request``. The label of a claim is never shown.
    """
    if isinstance(assignment, Task):
        return neutralize(assignment.question)
    if isinstance(assignment, Claim):
        shown = _write_fields({"Question": assignment.question, "Answer": assignment.answer})
        return f"{_CLAIM_HEAD}{shown}{_CLAIM_TAIL}"
    if assignment.kind == "seed":
        return f"{_SEED_HEAD}{_write_fields({'Topic': assignment.topic})}{_REQUEST_TAIL}"
    shown = _write_fields(
        {
            "Question": assignment.source_question,
            "Answer": assignment.source_answer,
            "Topic": assignment.topic,
        }
    )
    return f"{_REQUEST_HEADS[assignment.kind, assignment.style]}{shown}{_REQUEST_TAIL}"


def opening(assignment: Assignment, dialect: Dialect) -> list[Message]:
    """Returns the first two messages of a chat: the seat's system message and the assignment."""
    return [
        {"role": "system", "content": dialect.system_prompt(role_of(assignment))},
        {"role": "user", "content": user_message(assignment)},
    ]


def read_claim(text: str) -> tuple[str, str] | None:
    """Reads question and answer back from the user message of a claim.

    Args:
        text: A user message.

    Returns:
        Question and answer (tags in them are disarmed), or ``None`` if it is not a claim.
    """
    fields = _read_fields(text, _CLAIM_HEAD, _CLAIM_TAIL, ("Question", "Answer"))
    return None if fields is None else (fields[0], fields[1])


def read_request(text: str) -> Request | None:
    """Reads a request back from its user message.

    Args:
        text: A user message.

    Returns:
        The request with the id ``read`` and no provenance (tags in its fields are disarmed; the
        style of a seed request reads ``width``), or ``None`` if the text is not a request.
    """
    for (kind, style), head in _REQUEST_HEADS.items():
        names = ("Topic",) if kind == "seed" else ("Question", "Answer", "Topic")
        fields = _read_fields(text, head, _REQUEST_TAIL, names)
        if fields is not None:
            question, answer = ("", "") if kind == "seed" else fields[:2]
            return Request("read", kind, fields[-1], style, question, answer)
    return None


def _write_fields(fields: Mapping[str, str]) -> str:
    return "\n".join(
        f"{name}: {neutralize(value).replace(chr(10), chr(10) + '    ')}"
        for name, value in fields.items()
    )


def _read_fields(text: str, head: str, tail: str, names: tuple[str, ...]) -> list[str] | None:
    """Splits ``head + fields + tail``; ``None`` unless all of it is there, in order."""
    if not text.startswith(head) or not text.endswith(tail):
        return None
    rest = "\n" + text[len(head) : len(text) - len(tail)]
    values: list[str] = []
    for position, name in enumerate(names):
        marker = f"\n{name}: "
        if not rest.startswith(marker):
            return None
        after = names[position + 1] if position + 1 < len(names) else None
        end = len(rest) if after is None else rest.find(f"\n{after}: ")
        if end < 0:
            return None
        values.append(rest[len(marker) : end].replace("\n    ", "\n"))
        rest = rest[end:]
    return values
