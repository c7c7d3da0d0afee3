"""Which questions become tasks."""

from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.coevolution.filters import TaskFilter, ngrams
from asl_env.agents.coevolution.recipe import FilterSpec
from asl_env.text import normalize

FRANCE = "What is the capital of France?"


def reject(question, answer="Paris", seen=(), held_out=(), **spec):
    return TaskFilter(FilterSpec(**spec), held_out).reject(question, answer, set(seen))


def test_the_published_filter():
    assert reject(FRANCE) is None
    assert reject("Short question here?") == "short"
    assert reject("Short question, here?") is None, "21 characters are enough"
    assert reject("What is X?") == "short"
    assert reject("What is the capital of France? ") == "form"
    assert reject("Name the capital of France now.") == "form"


def test_a_question_is_kept_once_however_it_is_spelled():
    seen = {normalize(FRANCE)}
    assert reject("what is  The capital of france?", seen=seen) == "duplicate"
    assert reject(FRANCE, seen=seen, deduplicate=False) is None


def test_an_answer_that_normalises_to_nothing_makes_no_task():
    assert reject(FRANCE, answer="The") == "answer"


def test_leaks_are_dropped_on_demand_and_only_as_whole_words():
    question = "Is Paris the capital of France?"
    assert reject(question) is None
    assert reject(question, reject_leaks=True) == "leak"
    assert reject(question, answer="Par", reject_leaks=True) is None


def test_held_out_questions_never_become_tasks():
    assert reject(FRANCE, held_out=["what is a capital of France"]) == "contaminated"
    held = "Which river flows through the old capital city of the duchy that Anna ruled?"
    near = "Which river flows through the old capital city of the duchy that Otto ruled?"
    far = "Which river flows through the town in which the painter of the Night Watch died?"
    assert reject(near, held_out=[held], ngram=5, overlap=0.5) == "contaminated"
    assert reject(far, held_out=[held], ngram=5, overlap=0.5) is None


def test_overlap_counts_within_one_held_out_question_only():
    question = "alpha beta gamma delta epsilon zeta?"
    pieces = ["alpha beta gamma one", "gamma delta epsilon two", "delta epsilon zeta three"]
    assert reject(question, held_out=pieces, ngram=3, overlap=0.6) is None


@given(st.text(max_size=60), st.integers(2, 6))
def test_ngrams_are_distinct_and_of_the_size(text, size):
    grams = ngrams(normalize(text), size)
    assert len(set(grams)) == len(grams)
    assert all(len(gram) == size for gram in grams)
