"""Errors of the environments, retrieval and the loop; all descend from ``AslError``."""

from __future__ import annotations

from asl_env.corpora.errors import AslError, CorpusError, did_you_mean

__all__ = [
    "AgentError",
    "AslError",
    "BadIndexError",
    "CorpusError",
    "InvalidTaskError",
    "LanguageModelError",
    "RecipeError",
    "RecordError",
    "RunError",
    "SearchUnavailableError",
    "ServerError",
    "SpecError",
    "did_you_mean",
]


class InvalidTaskError(AslError):
    """A task without a question, without an answer, or whose answer normalises to nothing."""


class BadIndexError(AslError):
    """An index folder that cannot be opened; the message says how to rebuild it."""


class SearchUnavailableError(AslError):
    """The search backend failed after its retries; the episode becomes invalid, never a zero."""


class ServerError(AslError):
    """A search server that cannot be started, or an address or setting that it cannot use."""


class AgentError(AslError):
    """An agent raised, hung, or returned something other than one turn per chat."""


class LanguageModelError(AslError):
    """A language model, tokenizer or chat template that cannot be used, or that failed."""


class RecipeError(AslError):
    """A recipe with an unknown or impossible field."""


class RecordError(AslError):
    """A saved trajectory or result that cannot be read; the message names file, line and field."""


class RunError(AslError):
    """A run folder that is in use, damaged, or belongs to another recipe."""


class SpecError(AslError):
    """An evaluation spec that is unknown, malformed, or meant for other versions."""
