"""The text analyser of BM25: which terms a text is indexed under."""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from functools import lru_cache

from asl_env.errors import BadIndexError, did_you_mean

_WORDS = re.compile(r"\w+").findall

#: English function words; question words are among them, since every question has one.
STOPWORDS = frozenset(
    "a about above after again against all also am an and any are as at be because been before "
    "being below between both but by can could did do does doing down during each few for from "
    "further had has have having he her here hers herself him himself his how i if in into is it "
    "its itself just me more most my myself no nor not now of off on once only or other our ours "
    "ourselves out over own s same she should so some such t than that the their theirs them "
    "themselves then there these they this those through to too under until up very was we were "
    "what when where which while who whom whose why will with would you your yours yourself "
    "yourselves".split()
)

#: Words whose analysis shows whether two versions of a stemmer agree (Snowball does change).
_SAMPLE = (
    "generously skies dying news inning herring evening added ponies organization Zürich "
    "relational universities overly goods capitals discovered mountainous Kraków élan 1898"
)

#: Surface words kept in memory; when full the table starts again.
_CACHED_WORDS = 200_000


class Analyser:
    """Splits a text into index terms. Safe to share between threads.

    Args:
        name: ``words`` (lower case, Unicode words, nothing else), ``english-unstemmed`` (also
            without accents and stopwords), or the name of a Snowball algorithm such as
            ``english`` (stemmed too; stopwords are dropped for ``english`` and ``porter`` alone).

    Raises:
        BadIndexError: If there is no analyser of this name.
    """

    def __init__(self, name: str = "english") -> None:
        self.name = name
        self._local = threading.local()
        self._terms: dict[str, str] = {}
        if name not in known_analysers():
            raise BadIndexError(f"unknown analyser {name!r}{did_you_mean(name, known_analysers())}")
        self._stems = name not in ("words", "english-unstemmed")
        self._stopwords = (
            STOPWORDS if name in ("english", "english-unstemmed", "porter") else frozenset()
        )

    def __repr__(self) -> str:
        return f"Analyser({self.name!r})"

    def words(self, text: str) -> list[str]:
        """Returns the lower-cased words of a text, before stopwords and stemming."""
        found: list[str] = _WORDS(text.lower())
        return found

    def term(self, word: str) -> str:
        """Returns the index term of a lower-cased word; empty for a stopword."""
        term = self._terms.get(word)
        if term is None:
            term = self._make_term(word)
            if len(self._terms) >= _CACHED_WORDS:
                self._terms = {}
            self._terms[word] = term
        return term

    def terms(self, text: str) -> list[str]:
        """Returns the index terms of a text, in order, repetitions included."""
        return [term for word in self.words(text) if (term := self.term(word))]

    @property
    def fingerprint(self) -> str:
        """Eight hex digits that differ when the same name would give other terms."""
        return hashlib.sha256("\n".join(self.terms(_SAMPLE)).encode()).hexdigest()[:8]

    def _make_term(self, word: str) -> str:
        if word in self._stopwords:
            return ""
        if self.name == "words":
            return word
        if not word.isascii():
            split = unicodedata.normalize("NFKD", word)
            word = "".join(c for c in split if not unicodedata.combining(c)) or word
        return self._stem(word) if self._stems else word

    def _stem(self, word: str) -> str:
        # A PyStemmer object must not be used by two threads at once, hence one per thread.
        stemmer = getattr(self._local, "stemmer", None)
        if stemmer is None:
            import Stemmer

            stemmer = self._local.stemmer = Stemmer.Stemmer(self.name)
        stem: str = stemmer.stemWord(word)
        return stem


@lru_cache(maxsize=1)
def known_analysers() -> tuple[str, ...]:
    """Returns the names ``Analyser`` accepts."""
    import Stemmer

    return ("words", "english-unstemmed", *Stemmer.algorithms())
