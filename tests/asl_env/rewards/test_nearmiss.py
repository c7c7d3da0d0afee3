"""What a careless judge would take for the answer."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.passages import Passage
from asl_env.dialects import make_dialect
from asl_env.episode import Request, Role, Trajectory
from asl_env.protocols import Hit, ToolResult
from asl_env.rewards.matching import cover_em
from asl_env.rewards.nearmiss import near_misses

ASL = make_dialect("asl")
KING = Passage(
    "1",
    "Asha (king)",
    "Asha was born in 1471 in Lima, and died in 1512 in the Red City. He had 1,400 horses and 30 "
    "ships. His wife was Rosa Li.",
)
TOWN = Passage("2", "Quito", "Quito has 12,000 inhabitants. It was founded in 1534 by Diego Ruiz.")


def written(answer, passages=(KING, TOWN)):
    result = ToolResult("q", tuple(Hit(passage, 1.0) for passage in passages))
    messages = ({"role": "user", "content": "Ask about Nowhere."}, *ASL.render_results([result]))
    return Trajectory(Role.GENERATOR, Request("r", "seed", "x"), messages, (), answer, "What?")


@pytest.mark.parametrize(
    ("answer", "others"),
    [
        ("1512", ["1471"]),
        ("1,400", ["30"]),
        ("1,400 horses", ["30 horses"]),
        ("Lima", ["Asha (king)", "the Red City", "Rosa Li"]),
        ("the Red City", ["Asha (king)", "Lima", "Rosa Li"]),
        ("Diego Ruiz", ["Quito"]),
        ("30 ships", ["1,400 ships"]),
        ("a king", []),
        ("", []),
    ],
)
def test_they_are_of_the_kind_of_the_answer_and_from_where_it_stands(answer, others):
    assert near_misses(written(answer), ASL) == others


def test_other_passages_are_looked_at_only_where_its_own_has_none():
    assert near_misses(written("12,000"), ASL) == ["1,400", "30"]
    assert near_misses(written("Madrid"), ASL)[-2:] == ["Quito", "Diego Ruiz"]


def test_numbers_are_compared_by_what_they_are_worth():
    place = Passage("3", "Hill", "It is 10.0 km away, 5123 m high and 7 km wide, since 1900.")
    assert near_misses(written("10 km", (place,)), ASL) == ["5123 km", "7 km"]


def test_the_article_is_that_of_the_very_name():
    coast = Passage("4", "Ana", "She saw the Limassol coast, met Lima there, and left the Red Sea.")
    assert near_misses(written("Rosa", (coast,)), ASL) == [
        "Ana", "the Limassol", "Lima", "the Red Sea",
    ]  # fmt: skip


def test_who_read_nothing_has_no_near_miss():
    assert near_misses(written("Lima", ()), ASL) == []


words = st.sampled_from(["Lima", "Rosa Li", "the", "1471", "3,000", "born", "in", "Li.", "", "30"])


@given(st.lists(words).map(" ".join), st.lists(words).map(" ".join) | st.text())
def test_none_is_the_answer_in_other_words(answer, text):
    for other in near_misses(written(answer, (Passage("1", "Rosa", text),)), ASL):
        assert not cover_em(other, [answer])
        assert not cover_em(answer, [other])
