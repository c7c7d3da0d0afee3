"""Sentence templates: enough of them, well formed, and readable backwards."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from asl_env.corpora.miniwiki.facts import load
from asl_env.corpora.miniwiki.phrasings import PHRASINGS, bare, read, render, takes_pronoun
from asl_env.corpora.miniwiki.relations import RELATIONS

FACTS = load()


def test_every_relation_has_at_least_six_phrasings() -> None:
    assert set(PHRASINGS) == set(RELATIONS)
    assert all(len(set(templates)) >= 6 for templates in PHRASINGS.values())


@pytest.mark.parametrize("relation", PHRASINGS)
def test_templates_are_full_sentences_with_one_subject_and_one_object(relation: str) -> None:
    for template in PHRASINGS[relation]:
        assert template.count("{s}") == template.count("{o}") == 1
        assert template.endswith(".") and '"' not in template
        assert not re.search(r"\{.\} ?\{", template), "where would the one name end?"
        assert template[0].isupper() or template.startswith(("{s}", "{o}"))


def test_no_template_means_two_things_about_one_kind_of_subject() -> None:
    uses = Counter(
        (RELATIONS[relation].subject_type, template)
        for relation, templates in PHRASINGS.items()
        for template in templates
    )
    assert [use for use, count in uses.items() if count > 1] == []


@pytest.mark.parametrize("relation", PHRASINGS)
def test_a_sentence_reads_back_as_the_fact_it_was_made_from(relation: str) -> None:
    known = FACTS.of_relation(relation)
    for fact in known[:: max(1, len(known) // 4)]:
        subject, object_ = FACTS.entities[fact.subject].phrase, FACTS.phrase(fact)
        wanted = (relation, bare(subject).casefold(), bare(object_).casefold())
        for template in PHRASINGS[relation]:
            readings = read(render(template, subject, object_))
            found = {(r.relation, r.subject.casefold(), r.object.casefold()) for r in readings}
            assert wanted in found, template


def test_sentences_begin_with_a_capital_letter_and_pronouns_fit() -> None:
    assert render("{s} lies on {o}.", "the city", "the Vistula") == "The city lies on the Vistula."
    assert render("{s} lies on {o}.", "it", "the Vistula") == "It lies on the Vistula."
    assert takes_pronoun("{s} lies on {o}.")
    assert not takes_pronoun("Boats on {o} pass {s}.")


def test_other_sentences_have_no_reading() -> None:
    assert read("Nothing of the kind was ever said here.") == []
    assert read("") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [("the Vistula", "Vistula"), ("An astronomer", "astronomer"), ("a", "a"), ("Andes", "Andes")],
)
def test_bare_names_have_no_article(text: str, name: str) -> None:
    assert bare(text) == name
