"""Right answers in other words than the articles use."""

import pytest

from asl_env.corpora.miniwiki import trainset
from asl_env.corpora.miniwiki.restating import restate
from asl_env.rewards.matching import em


@pytest.mark.parametrize(
    ("answers", "relation", "written"),
    [
        (["4,810", "4810"], "mountain_height", "15,781 feet"),
        (["1,047"], "river_length", "651 miles"),
        (["505,990"], "country_area", "195,364 square miles"),
        (["1,337.33"], "element_melting_point", "1064 °C"),
        (["134"], "film_runtime", "2 h 14 min"),
        (["1,860,281"], "city_population", "about 1.9 million"),
        (["125,963"], "city_population", "about 126 thousand"),
        (["812"], "city_population", "about 812"),
        (["1822"], "person_birth", "AD 1822"),
        (["490 BC", "-490"], "battle_year", "490 BCE"),
        (["Greece", "Hellenic Republic"], "city_country", "Hellenic Republic"),
        (["Fox Talbot", "Talbot", "William Henry Fox Talbot"], "film_director",
         "William Henry Fox Talbot"),
        (["Alexander Calder", "Calder"], "film_director", "Calder"),
    ],
)  # fmt: skip
def test_numbers_change_unit_years_era_and_names_form(answers, relation, written):
    assert restate(answers, relation) == written


@pytest.mark.parametrize(
    ("answers", "relation"),
    [
        (["Ac"], "element_symbol"),
        (["79"], "element_number"),
        (["Augusta", "Augusta (Maine)"], "state_capital"),
        (["Lake Võrtsjärv", "Lake Vortsjarv"], "lake_country"),
    ],
)
def test_what_has_one_form_only_stays(answers, relation):
    assert restate(answers, relation) == answers[0]


def test_a_rule_misjudges_a_third_of_the_training_questions():
    records = trainset.load()
    missed = [
        not em(r["golden_answers"][0], [restate(r["golden_answers"], r["metadata"]["chain"][-1])])
        for r in records
    ]
    assert 0.3 < sum(missed) / len(missed) < 0.5
