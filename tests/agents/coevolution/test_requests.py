"""What the generator is asked for."""

import numpy as np
import pytest

from asl_env.agents.coevolution.recipe import RequestSpec
from asl_env.agents.coevolution.requests import mix_seeds, rewrites, seed_requests
from asl_env.episode import Task

TASKS = [Task(f"t{i}", f"Which question is number {i}?", (f"a{i}", "b"), {"topic": "numbers"})
         for i in range(4)]  # fmt: skip
SPEC = RequestSpec(minimum=3)
TOPICS = ["rivers", "Turkey", "Greece", "Turkey", "moons"]


def test_round_one_asks_for_each_topic_once():
    requests = seed_requests(TOPICS, 1)
    assert [request.topic for request in requests] == ["rivers", "Turkey", "Greece", "moons"]
    assert {request.kind for request in requests} == {"seed"}
    assert len({request.id for request in requests}) == 4


def test_half_right_is_harder_and_a_quarter_right_is_easier():
    requests = rewrites(TASKS, {"t0": 0.5, "t1": 0.25}, SPEC, 1)
    assert [(request.kind, request.source_question) for request in requests] == [
        ("harder", "Which question is number 0?"),
        ("easier", "Which question is number 1?"),
    ]
    assert requests[0].source_answer == "a0"
    assert requests[0].topic == "numbers"
    assert requests[0].provenance == {"round": 2, "parent": "t0", "accuracy": 0.5}


def test_tasks_that_were_never_played_give_no_request():
    assert rewrites(TASKS, {}, SPEC, 1) == []


@pytest.mark.parametrize(("round_number", "style"), [(1, "width"), (2, "depth"), (5, "depth")])
def test_round_one_varies_in_width_and_later_rounds_in_depth(round_number, style):
    assert rewrites(TASKS, {"t0": 1.0}, SPEC, round_number)[0].style == style


def test_without_rewrites_there_are_seeds():
    rng = np.random.default_rng(0)
    assert mix_seeds([], TOPICS, SPEC, 2, rng) == seed_requests(TOPICS, 2)


def test_few_rewrites_are_filled_up_with_seeds():
    few = rewrites(TASKS, {"t0": 1.0}, SPEC, 1)
    mixed = mix_seeds(few, TOPICS, SPEC, 2, np.random.default_rng(0))
    assert mixed[:1] == few
    assert [request.kind for request in mixed[1:]] == ["seed", "seed"]
    assert mixed == mix_seeds(few, TOPICS, SPEC, 2, np.random.default_rng(0))


def test_enough_rewrites_stay_alone_unless_a_share_of_seeds_is_wanted():
    many = rewrites(TASKS, {task.id: 1.0 for task in TASKS}, SPEC, 1)
    rng = np.random.default_rng(0)
    assert mix_seeds(many, TOPICS, SPEC, 2, rng) == many
    shared = RequestSpec(minimum=1, seed_share=0.5)
    assert len(mix_seeds(many, TOPICS, shared, 2, rng)) == 8


def test_a_world_without_topics_still_has_its_rewrites():
    few = rewrites(TASKS, {"t0": 1.0}, SPEC, 1)
    assert mix_seeds(few, [], SPEC, 2, np.random.default_rng(0)) == few
