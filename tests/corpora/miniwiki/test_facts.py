"""MiniWiki's facts: enough of them, well formed, and found from every side."""

from __future__ import annotations

import unicodedata
from collections import Counter
from importlib.resources import files

import pytest

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.miniwiki.facts import Fact, Facts, load, show
from asl_env.corpora.miniwiki.relations import FAMILIES, RELATIONS

SYMMETRIC = ("country_border", "person_spouse", "person_sibling", "figure_counterpart")


@pytest.fixture(scope="module")
def facts() -> Facts:
    return load()


def test_there_are_at_least_twenty_thousand_facts_of_twelve_families(facts: Facts) -> None:
    counts = Counter(RELATIONS[fact.relation].family for fact in facts.triples)
    assert len(facts.triples) >= 20_000
    assert len(counts) >= 12
    assert set(counts) == set(FAMILIES)
    assert set(RELATIONS) == {fact.relation for fact in facts.triples}


def test_no_fact_is_told_twice(facts: Facts) -> None:
    assert len(set(facts.triples)) == len(facts.triples)


@pytest.mark.parametrize("name", RELATIONS)
def test_facts_have_the_shape_their_relation_promises(facts: Facts, name: str) -> None:
    relation = RELATIONS[name]
    found = facts.of_relation(name)
    for fact in found:
        assert facts.entity(fact.subject).type == relation.subject_type
        if relation.numeric:
            int(fact.object)
        elif relation.literal:
            assert fact.object == fact.object.strip() != ""
        else:
            assert facts.entity(fact.object).type == relation.object_kind
    if relation.functional:
        assert len({fact.subject for fact in found}) == len(found)
    if relation.inverse_functional:
        assert len({fact.object for fact in found}) == len(found)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_relations_hold_both_ways(facts: Facts, name: str) -> None:
    pairs = {(fact.subject, fact.object) for fact in facts.of_relation(name)}
    assert pairs == {(other, one) for one, other in pairs}
    assert all(one != other for one, other in pairs)


def test_rivers_do_not_flow_in_circles(facts: Facts) -> None:
    for fact in facts.of_relation("river_tributary_of"):
        seen, here = {fact.subject}, fact.object
        while following := facts.objects(here, "river_tributary_of"):
            assert here not in seen
            seen.add(here)
            here = following[0]


def test_people_die_after_they_are_born_and_after_their_parents_are_born(facts: Facts) -> None:
    born = {f.subject: int(f.object) for f in facts.of_relation("person_birth")}
    for fact in facts.of_relation("person_death"):
        assert 0 < int(fact.object) - born[fact.subject] < 120, fact
    for fact in facts.of_relation("person_parent"):
        if fact.subject in born and fact.object in born:
            assert born[fact.object] < born[fact.subject], fact


def test_names_are_plain_text(facts: Facts) -> None:
    for entity in facts.entities.values():
        for name in entity.names:
            assert name == name.strip() == unicodedata.normalize("NFC", name) != ""
            assert "  " not in name
            assert not {"\t", "\n", "|", '"', "{", "}", "_", "[", "<"} & set(name), name
            assert name.isprintable()


def test_titles_are_unique_and_find_their_entity(facts: Facts) -> None:
    titles = {entity.title.casefold() for entity in facts.entities.values()}
    assert len(titles) == len(facts.entities)
    assert facts.by_title("pOLAND") == facts.entity("country:poland")
    assert facts.by_title("Atlantis, the lost city") is None


@pytest.mark.parametrize(
    ("subject", "relation", "objects"),
    [
        ("country:poland", "country_capital", {"city:warsaw"}),
        ("country:portugal", "country_border", {"country:spain"}),
        ("element:polonium", "element_symbol", {"Po"}),
        ("element:polonium", "element_named_after", {"person:marie-curie"}),
        ("person:marie-curie", "person_birth", {"1867"}),
        ("person:marie-curie", "person_birthplace", {"country:poland"}),
        ("person:aristotle", "person_birth", {"-384"}),
        ("river:vistula-river", "river_sea", {"sea:baltic-sea"}),
        ("moon:phobos", "moon_planet", {"planet:mars-planet"}),
        ("state:texas", "state_capital", {"city:austin"}),
        ("battle:battle-of-hastings", "battle_year", {"1066"}),
    ],
)
def test_well_known_facts_are_there(
    facts: Facts, subject: str, relation: str, objects: set[str]
) -> None:
    assert set(facts.objects(subject, relation)) == objects
    for object_ in objects:
        assert subject in facts.subjects(relation, object_)
        assert Fact(subject, relation, object_) in facts.about(subject)


def test_a_name_finds_every_entity_that_bears_it(facts: Facts) -> None:
    assert {entity.type for entity in facts.named("Georgia")} == {"country", "state"}
    assert facts.named("the netherlands") == (facts.entity("country:netherlands"),)
    assert facts.entity("person:marie-curie") in facts.named("Madame Curie")
    assert facts.named("Hague") == facts.named("The Hague") != ()
    assert facts.named("no such thing") == ()


def test_shared_names_have_no_article_of_their_own(facts: Facts) -> None:
    shared = facts.namesakes()
    assert {entity.type for entity in shared["Georgia"]} == {"country", "state"}
    assert all(facts.by_title(name) is None for name in shared)


def test_unknown_ids_are_answered_with_the_nearest_one(facts: Facts) -> None:
    with pytest.raises(CorpusError, match="did you mean 'country:poland'"):
        facts.entity("country:polnad")


def test_objects_are_written_the_way_sentences_need_them(facts: Facts) -> None:
    assert show("country_area", "312685") == "312,685"
    assert show("person_birth", "-384") == "384 BC"
    assert show("person_birth", "1867") == "1867"
    capital = Fact("person:aristotle", "person_birth", "-384")
    assert facts.phrase(capital) == "384 BC"
    assert facts.answers(capital) == ("384 BC", "-384")
    river = Fact("city:warsaw", "city_river", "river:vistula-river")
    assert facts.phrase(river) == "the Vistula River"
    assert facts.answers(river)[0] == "Vistula River"


def test_descriptions_stand_for_the_subject(facts: Facts) -> None:
    assert facts.descriptions("city:warsaw")[0] == "it"
    assert "the chemist" in facts.descriptions("person:marie-curie")


def test_about_a_tenth_of_the_entities_is_held_out(facts: Facts) -> None:
    held = sum(facts.heldout(id_) for id_ in facts.entities)
    assert 0.08 < held / len(facts.entities) < 0.12


def test_all_data_files_together_stay_under_five_megabytes() -> None:
    folder = files("asl_env.corpora.miniwiki.data")
    sizes = [len(path.read_bytes()) for path in folder.iterdir() if path.is_file()]
    assert sum(sizes) < 5_000_000
