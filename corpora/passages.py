"""A passage: the unit of text that is indexed, found and shown."""

from __future__ import annotations

from typing import NamedTuple


class Passage(NamedTuple):
    """About a hundred words of one article.

    Attributes:
        id: Unique in its corpus.
        title: Title of the article the passage belongs to; may be empty.
        text: The passage itself, without the title.
    """

    id: str
    title: str
    text: str

    @property
    def contents(self) -> str:
        """The wiki-18 form: the quoted title, a newline, the text."""
        return f'"{self.title}"\n{self.text}'
