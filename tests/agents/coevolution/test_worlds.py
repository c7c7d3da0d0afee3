"""The world of a run, opened from a corpus."""

import pytest
import tiny

from asl_env.agents.coevolution.recipefile import load_recipe
from asl_env.agents.coevolution.worlds import open_world
from asl_env.corpora.catalog import Corpus
from asl_env.rewards.matching import em

PHRASES = tuple(f"people of {town}" for town in tiny.TOWNS)


class Toy(Corpus):
    """Articles about people, and phrases that gather some of them."""

    name = "toy"

    def passages(self):
        yield from tiny.PASSAGES

    def topics(self, rng, n):
        return [PHRASES[i] for i in rng.permutation(len(PHRASES))[:n].tolist()]


def topics(kind, seeds, seed=0):
    recipe = tiny.make_recipe(f"requests.topics={kind}", f"requests.seeds={seeds}")
    return open_world(Toy(), recipe, seed=seed).topics


@pytest.mark.parametrize(
    ("kind", "seeds", "phrases", "titles"),
    [("topics", 4, 4, 0), ("titles", 4, 0, 4), ("both", 4, 2, 2), ("both", 5, 3, 2)],
)
def test_seed_topics_are_of_the_kinds_that_the_recipe_names(kind, seeds, phrases, titles):
    drawn = topics(kind, seeds)
    assert len(set(drawn)) == len(drawn)
    assert sum(topic in PHRASES for topic in drawn) == phrases
    assert sum(topic in tiny.NAMES for topic in drawn) == titles


def test_titles_fill_up_where_phrases_are_few():
    drawn = topics("both", 20)
    assert sum(topic in PHRASES for topic in drawn) == len(PHRASES)
    assert len(drawn) == 20


def test_topics_are_drawn_with_the_seed_of_the_run():
    assert topics("both", 6) == topics("both", 6)
    assert topics("both", 6) != topics("both", 6, seed=1)


def test_a_corpus_without_sets_of_its_own_is_measured_on_none():
    world = open_world(Toy(), tiny.make_recipe())
    assert (world.name, world.held_out, world.oracle) == ("toy", {}, None)
    assert world.tool.retriever.search(["Asha"], 1)[0][0].passage.title == "Asha"


def test_labelled_questions_that_are_held_out_are_left_out_and_counted(tmp_path):
    lines = [
        f'{{"question": "Where does {n} live?", "answer": ["{tiny.HOME[n]}"]}}\n'
        for n in "Asha Birk Cleo".split()
    ]
    mine, test = tmp_path / "mine.jsonl", tmp_path / "test.jsonl"
    mine.write_text("".join(lines))
    test.write_text(lines[1])
    recipe = tiny.make_recipe(
        f"solve.tasks={mine}", "verify.real.share=0.5", f"verify.real.path={mine}"
    )
    world = open_world(Toy(), recipe, held_out=[str(test)])
    names = [task.question.split()[2] for task in world.labelled(str(mine))]
    assert (names, world.contaminated) == (["Asha", "Cleo"], {str(mine): 1})


@pytest.mark.slow
@pytest.mark.parametrize("name", ["train", "train-open"])
def test_training_questions_of_miniwiki_are_not_in_its_evaluation_sets(name):
    world = open_world("miniwiki", load_recipe("search-r1", [f"solve.tasks={name}"]))
    assert (len(world.labelled(name)), world.contaminated) == (1000, {})


@pytest.mark.slow
def test_open_training_questions_are_the_same_with_one_other_reference():
    recipe = load_recipe("search-r1")
    exact = open_world("miniwiki", recipe).labelled("train")
    open_ = open_world("miniwiki", load_recipe(recipe, ["solve.tasks=train-open"]))
    pairs = list(zip(exact, open_.labelled("train-open"), strict=True))
    assert all(a.question == b.question for a, b in pairs)
    assert all(len(b.answers) == 1 for _, b in pairs)
    assert sum(not em(a.answers[0], b.answers) for a, b in pairs) > 0.3 * len(pairs)
