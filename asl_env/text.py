"""Text helpers shared by matching, deduplication, prompts and dialects."""

from __future__ import annotations

import re
import string

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")
# What opens a tag (<answer>, </think>) or a chat template's control token (<|im_end|>).
_OPENS_TAG = re.compile(r"<(?=/?[A-Za-z_][\w.:-]*>|[|｜])")


def normalize(text: str) -> str:
    """Normalises an answer the SQuAD way: lower case, no ASCII punctuation, no articles.

    Args:
        text: Any string.

    Returns:
        The normalised string with single spaces; empty if nothing is left ("The" becomes "").
    """
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split())


def neutralize(text: str) -> str:
    """Disarms every tag in foreign text with a blank: ``<answer>`` becomes ``< answer>``.

    Documents, questions and answers of other agents pass through here before they are shown, so
    that nothing in them can be read as a tag of a dialect or as a control token of a chat
    template. Idempotent; text without a tag comes back unchanged.

    Args:
        text: Any string.

    Returns:
        The text with a blank after each ``<`` that would have opened a tag.
    """
    return _OPENS_TAG.sub("< ", text) if "<" in text else text
