"""Each benchmark in the forms in which it circulates; invented questions, real field names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.corpora.report import ReadReport
from asl_env.evaluation.taskfields import gold_titles, to_task

FLASHRAG = {"id": "test_0", "question": "who wrote it", "golden_answers": ["Ada", "A. L."]}
NQ_OPEN = {"question": "who wrote it", "answer": ["Ada", "A. L."]}
TRIVIAQA = {
    "question": "who wrote it",
    "question_id": "tc_33",
    "answer": {
        "value": "Ada",
        "aliases": ["A. L.", "Ada"],
        "normalized_value": "ada",
        "normalized_aliases": ["a l", "ada"],
    },
}
TRIVIAQA_JSON = {
    "Question": "who wrote it",
    "QuestionId": "tc_33",
    "Answer": {"Value": "Ada", "Aliases": ["A. L."]},
}
POPQA = {"id": 42, "question": "who wrote it", "obj": "Ada", "possible_answers": '["Ada", "A. L."]'}
SEARCH_R1 = {
    "data_source": "nq",
    "prompt": [{"role": "user", "content": "Search. For example, x. Question: who wrote it\n"}],
    "reward_model": {"style": "rule", "ground_truth": {"target": ["Ada", "A. L."]}},
    "extra_info": {"split": "test", "index": 7},
}
DEEP_RESEARCHER = {
    "data_source": "nq",
    "prompt": [{"role": "user", "content": "who wrote it"}],
    "reward_model": {"style": "unknown", "ground_truth": "Ada<|answer_split|>A. L."},
    "extra_info": {"split": "dev", "index": "nq_7"},
}
MUSIQUE = {
    "id": "2hop__1_2",
    "question": "who wrote it",
    "answer": "Ada",
    "answer_aliases": ["A. L."],
    "answerable": True,
    "paragraphs": [
        {"idx": 0, "title": "Notes", "paragraph_text": "long", "is_supporting": True},
        {"idx": 1, "title": "Noise", "paragraph_text": "long", "is_supporting": False},
        {"idx": 2, "title": "Ada", "paragraph_text": "long", "is_supporting": True},
    ],
}
BAMBOOGLE = {"Question": "who wrote it", "Answer": "Ada"}
HOTPOTQA = {
    "_id": "5a7",
    "question": "who wrote it",
    "answer": "Ada",
    "type": "bridge",
    "supporting_facts": [["Notes", 0], ["Ada", 2], ["Notes", 1]],
    "context": [["Notes", ["long"]], ["Ada", ["long"]]],
}
HOTPOTQA_HUB = {
    "id": "5a7",
    "question": "who wrote it",
    "answer": "Ada",
    "supporting_facts": {"title": ["Notes", "Ada", "Notes"], "sent_id": [0, 2, 1]},
    "context": {"title": ["Notes"], "sentences": [["long"]]},
}


def read(record):
    report = ReadReport(unit="record")
    return to_task(record, "file-1", 1, report), report.lines()


@pytest.mark.parametrize(
    ("record", "name"),
    [
        (FLASHRAG, "test_0"),
        (NQ_OPEN, "file-1"),
        (TRIVIAQA, "tc_33"),
        (TRIVIAQA_JSON, "tc_33"),
        (POPQA, "42"),
        (SEARCH_R1, "nq_7"),
        (DEEP_RESEARCHER, "nq_7"),
        (MUSIQUE, "2hop__1_2"),
    ],
)
def test_question_id_and_aliases_come_out_of_every_form(record, name):
    task, problems = read(record)
    assert (task.id, task.question, task.answers) == (name, "who wrote it", ("Ada", "A. L."))
    assert problems == []


def test_bamboogle_has_one_answer():
    task, _ = read(BAMBOOGLE)
    assert (task.question, task.answers) == ("who wrote it", ("Ada",))


@pytest.mark.parametrize(
    "record",
    [
        HOTPOTQA,
        HOTPOTQA_HUB,
        MUSIQUE,
        FLASHRAG | {"metadata": {"supporting_titles": ["Notes", "Ada"]}},
        FLASHRAG | {"metadata": {"supporting_facts": HOTPOTQA_HUB["supporting_facts"]}},
    ],
)
def test_gold_titles_come_out_of_every_form(record):
    assert gold_titles(read(record)[0]) == ("Notes", "Ada")


def test_a_task_without_gold_titles_has_none():
    task, _ = read(FLASHRAG)
    assert gold_titles(task) == ()
    assert task.provenance == {}


def test_paragraphs_and_prompts_do_not_travel_with_the_task():
    for record in (MUSIQUE, HOTPOTQA, HOTPOTQA_HUB, SEARCH_R1):
        assert "long" not in str(read(record)[0].provenance)
        assert "Search." not in str(read(record)[0].provenance)
    deep, _ = read(FLASHRAG | {"metadata": {"type": "bridge", "context": HOTPOTQA["context"]}})
    assert deep.provenance == {"metadata": {"type": "bridge"}}


def test_merged_sets_that_number_alike_stay_apart():
    names = [read(FLASHRAG | {"data_source": source})[0].id for source in ("nq", "popqa")]
    assert names == ["nq_test_0", "popqa_test_0"]


def test_an_answer_in_brackets_is_a_text_unless_it_is_a_json_list():
    assert read(NQ_OPEN | {"answer": "[sic]"})[0].answers == ("[sic]",)
    assert read(NQ_OPEN | {"answer": "[3, 4]"})[0].answers == ("3", "4")


def test_questions_marked_as_unanswerable_are_left_out_and_told():
    assert read(MUSIQUE | {"answerable": False}) == (
        None,
        ["1 x marked as unanswerable (field 'answerable') (record 1)"],
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=6,
)
FIELDS = sorted({*FLASHRAG, *TRIVIAQA, *POPQA, *SEARCH_R1, *MUSIQUE, *HOTPOTQA, "metadata"})


@given(st.dictionaries(st.sampled_from(FIELDS), JSON))
def test_no_record_whatsoever_raises(record):
    task, problems = read(record)
    assert (task is None) == bool(problems)
    if task is not None:
        gold_titles(task)
