"""The two template banks: complete, disjoint, well formed."""

from __future__ import annotations

import pytest

from asl_env.corpora.errors import CorpusError
from asl_env.corpora.miniwiki import templates
from asl_env.corpora.miniwiki.reading import canonical
from asl_env.corpora.miniwiki.relations import RELATIONS


@pytest.mark.parametrize("bank", templates.BANKS)
@pytest.mark.parametrize("relation", sorted(RELATIONS))
def test_every_relation_can_be_asked_for_and_nested(relation: str, bank: str) -> None:
    known = templates.bank(bank)
    assert len(known[relation, "ask"]) + len(known[relation, "noun"]) >= 2
    assert known[templates.ANY, "carry"]


@pytest.mark.parametrize("bank", templates.BANKS)
def test_every_one_to_one_relation_can_be_asked_backwards(bank: str) -> None:
    known = templates.bank(bank)
    for name, relation in RELATIONS.items():
        if relation.inverse_functional:
            assert (name, "ask-back") in known, name
            assert (name, "noun-back") in known, name


def test_every_template_belongs_to_a_relation() -> None:
    assert {t.relation for t in templates.templates()} == {*RELATIONS, templates.ANY}


def test_only_numbers_are_compared() -> None:
    for template in templates.templates():
        if template.use.startswith(("more", "less", "most", "least")):
            assert RELATIONS[template.relation].numeric, template


def test_banks_share_no_wording() -> None:
    texts = {
        bank: {canonical(t.text) for t in templates.templates() if t.bank == bank}
        for bank in templates.BANKS
    }
    assert not texts["generator"] & texts["heldout"]


def test_the_named_banks_are_the_banks() -> None:
    assert templates.bank("generator") == templates.GENERATOR_TEMPLATES
    assert templates.bank("heldout") == templates.HELDOUT_TEMPLATES


def test_an_unknown_bank_names_the_nearest() -> None:
    with pytest.raises(CorpusError, match="did you mean 'heldout'"):
        templates.bank("held-out")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("generator ask: What is {x}?", "under"),
        ("[r]\ngenerator ask What is {x}?", "t.txt:2: .* is not"),
        ("[r]\ngenrator ask: What is {x}?", "t.txt:2: unknown 'genrator'; did you mean"),
        ("[r]\ngenerator aks: What is {x}?", "t.txt:2: unknown 'aks'; did you mean 'ask'"),
        ("[r]\ngenerator ask: What is it?", "t.txt:2: .* exactly once"),
        ("[r]\ngenerator more: Is {a} bigger?", "t.txt:2: .* exactly once"),
        ("[r]\n\n# note\ngenerator ask: A {x}? | {x} {x}?", "t.txt:4: .* exactly once"),
    ],
)
def test_a_broken_line_is_named(text: str, problem: str) -> None:
    with pytest.raises(CorpusError, match=problem):
        templates.read(text, "t.txt")
