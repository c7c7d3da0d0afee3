"""Text normalisation shared by matching, deduplication and checks on tasks."""

from __future__ import annotations

import re
import string

_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(a|an|the)\b")


def normalize(text: str) -> str:
    """Normalises an answer the SQuAD way: lower case, no ASCII punctuation, no articles.

    Args:
        text: Any string.

    Returns:
        The normalised string with single spaces; empty if nothing is left ("The" becomes "").
    """
    bare = _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION))
    return " ".join(bare.split())
