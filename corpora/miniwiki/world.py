"""MiniWiki as one object: passages, facts, oracle, topics."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

from asl_env.corpora.miniwiki import facts as _facts
from asl_env.corpora.miniwiki import prose
from asl_env.corpora.miniwiki.topics import topics

if TYPE_CHECKING:
    from asl_env.corpora.miniwiki.facts import Facts
    from asl_env.corpora.miniwiki.oracle import Oracle
    from asl_env.corpora.miniwiki.prose import Article
    from asl_env.corpora.passages import Passage


class MiniWiki:
    """The embedded encyclopedia; every part is made when first asked for.

    Attributes:
        name: Name of the corpus.
    """

    name = "miniwiki"

    @cached_property
    def facts(self) -> Facts:
        """What is true."""
        return _facts.load()

    @cached_property
    def articles(self) -> tuple[Article, ...]:
        """Every article with its sentences and the facts they state."""
        with _facts.uncollected():
            return tuple(prose.articles(self.facts))

    @cached_property
    def passages(self) -> list[Passage]:
        """Every passage, in a fixed order with fixed ids."""
        return prose.passages(self.facts)

    @cached_property
    def oracle(self) -> Oracle:
        """Answers questions in MiniWiki's language from the facts."""
        from asl_env.corpora.miniwiki.oracle import Oracle

        return Oracle(self.facts)

    @cached_property
    def topics(self) -> tuple[str, ...]:
        """Seed topics for generators: phrases such as "rivers in Europe"."""
        return topics(self.facts)


@cache
def load() -> MiniWiki:
    """The one MiniWiki of this process."""
    return MiniWiki()
