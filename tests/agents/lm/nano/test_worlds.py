"""A freshly named world keeps what holds and changes what things are called."""

import numpy as np

from asl_env.agents.lm.nano.names import NameMaker
from asl_env.agents.lm.nano.worlds import renamed
from asl_env.corpora.miniwiki.facts import load
from asl_env.corpora.miniwiki.relations import RELATIONS
from asl_env.episode import ToolCall


def test_things_have_other_names_and_the_same_relations(world):
    real = load()
    cities = [entity for entity in real.entities.values() if entity.type == "city"]
    same = sum(world.facts.entities[city.id].name == city.name for city in cities)
    assert same < 0.02 * len(cities)
    triples = [fact for fact in real.triples if not RELATIONS[fact.relation].literal]
    assert triples == [fact for fact in world.facts.triples if not RELATIONS[fact.relation].literal]


def test_numbers_and_codes_change_and_keep_their_shape(world):
    real = load()
    for relation in ("airport_iata", "country_domain", "person_birth", "city_population"):
        pairs = list(
            zip(real.of_relation(relation), world.facts.of_relation(relation), strict=True)
        )
        changed = [(old.object, new.object) for old, new in pairs if old.object != new.object]
        assert len(changed) > 0.9 * len(pairs)
    codes = [fact.object for fact in world.facts.of_relation("airport_iata")]
    assert all(len(code) == 3 and code.isupper() for code in codes)
    assert len(set(codes)) == len(codes)


def test_a_word_has_one_new_form_everywhere(world):
    real = load()
    peru = world.facts.entities["country:peru"].name
    shared = [e for e in real.entities.values() if "Peru" in e.title.split("(")[-1]]
    assert shared
    assert all(peru in world.facts.entities[e.id].title for e in shared if "in Peru)" in e.title)


def test_ordinary_words_stay(world):
    names = {e.name for e in world.facts.entities.values()}
    assert {"physicist", "oxygen"} <= names
    assert any(name.endswith("International Airport") for name in names)


def test_the_same_chance_gives_the_same_world():
    real = load()
    one, two = (renamed(real, np.random.default_rng(5)) for _ in range(2))
    other = renamed(real, np.random.default_rng(6))
    assert list(one.entities.values()) == list(two.entities.values())
    assert one.triples == two.triples
    assert list(one.entities.values()) != list(other.entities.values())


def test_articles_state_the_worlds_facts_and_can_be_searched(world):
    country = world.facts.entities["country:peru"]
    (result,) = world.tool.run([ToolCall((country.name,))])
    assert any(country.name in hit.passage.text for hit in result.hits)
    for hit in result.hits:
        for sentence in world.sentences[hit.passage.id]:
            assert sentence.fact is None or sentence.fact in set(world.facts.triples)


def test_invented_words_are_new_and_look_like_words():
    real = {entity.name for entity in load().of_type("city") if entity.name.isalpha()}
    maker = NameMaker(real)
    rng = np.random.default_rng(0)
    words = {maker.invented(rng) for _ in range(50)}
    assert all(3 <= len(word) <= 12 for word in words)
    assert len(words - real) > 25
    assert maker.borrowed(rng) in real
