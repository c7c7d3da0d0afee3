"""Words for meanings, and what meanings denote, on the tiny world."""

from __future__ import annotations

import numpy as np
import pytest

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.miniwiki.facts import Facts
from asl_env.corpora.miniwiki.grammar import Hop
from asl_env.corpora.miniwiki.meanings import (
    Contest,
    Extreme,
    Meaning,
    Named,
    denotation,
    hops,
    relations,
    subjects,
    topics,
)
from asl_env.corpora.miniwiki.questions import follow, reveals
from asl_env.corpora.miniwiki.templates import bank
from asl_env.corpora.miniwiki.wording import Wording, name_of

TEM, ORIA = "city:tem", "country:oria"
COUNTRY = Hop("city_country", True)
CITIES = Hop("city_country", False)
CAPITAL = Hop("country_capital", True)


def named(entity_id: str) -> Meaning:
    return Named(frozenset((entity_id,)))


CAPITAL_OF_TEMS_COUNTRY = follow(TEM, COUNTRY, CAPITAL)
LARGEST = Extreme(follow(ORIA, CITIES), "city_population", True)
DUEL = Contest(named(TEM), follow(ORIA, CAPITAL), "city_population", True)


def test_names_stand_with_their_article_and_titles_tell_namesakes_apart(
    small_facts: Facts,
) -> None:
    assert name_of("country:marsh-isles", small_facts) == "the Marsh Isles"
    assert name_of("city:lark-oria", small_facts) == "Lark (Oria)"


def test_what_a_meaning_denotes(small_facts: Facts) -> None:
    assert denotation(CAPITAL_OF_TEMS_COUNTRY, small_facts) == {TEM}
    assert denotation(LARGEST, small_facts) == {TEM}
    assert denotation(DUEL, small_facts) == frozenset()  # a thing is not compared with itself
    assert denotation(follow(".or", Hop("country_domain", False)), small_facts) == {ORIA}


def test_what_a_meaning_is_made_of(small_facts: Facts) -> None:
    assert [hops(m) for m in (CAPITAL_OF_TEMS_COUNTRY, LARGEST, DUEL)] == [2, 2, 2]
    assert relations(LARGEST) == ("city_country", "city_population")
    assert topics(CAPITAL_OF_TEMS_COUNTRY, small_facts) == {TEM}
    assert subjects(CAPITAL_OF_TEMS_COUNTRY, small_facts) == {TEM, ORIA}
    by_domain = follow(".or", Hop("country_domain", False), CAPITAL)
    assert topics(by_domain, small_facts) == {ORIA} == subjects(by_domain, small_facts)
    assert subjects(LARGEST, small_facts) == {TEM, ORIA}


def test_the_same_chance_gives_the_same_words(small_facts: Facts) -> None:
    wording = Wording(small_facts, bank("generator"))
    first, again = (
        wording.question(CAPITAL_OF_TEMS_COUNTRY, np.random.default_rng(5)) for _ in range(2)
    )
    assert first == again
    assert "Tem" in first
    assert first[0].isupper()


@pytest.mark.parametrize("meaning", [LARGEST, CAPITAL_OF_TEMS_COUNTRY])
def test_every_template_can_be_drawn(small_facts: Facts, meaning: Meaning) -> None:
    wording = Wording(small_facts, bank("heldout"))
    drawn = {wording.question(meaning, np.random.default_rng(seed)) for seed in range(60)}
    assert len(drawn) > 4


def test_what_cannot_be_asked_is_said(small_facts: Facts) -> None:
    wording = Wording(small_facts, {})
    rng = np.random.default_rng(0)
    with pytest.raises(CorpusError, match="no template"):
        wording.question(CAPITAL_OF_TEMS_COUNTRY, rng)
    with pytest.raises(CorpusError, match="no noun phrase"):
        wording.noun(DUEL, rng)


def test_an_answer_is_revealed_by_whole_words_only() -> None:
    assert reveals("Which city lies in Panama City?", ("Panama City",))
    assert reveals("What is the area of São Tomé?", ("sao tome",))
    assert not reveals("Which country is Romania?", ("Oman",))
