"""What an episode is about."""

import pytest

from asl_env.episode import Task
from asl_env.errors import InvalidTaskError


@pytest.mark.parametrize(
    ("question", "answers", "said"),
    [
        (" ", ("Oslo",), "task 't': field 'question' is empty"),
        ("Where?", (), "task 't': field 'answers' is empty"),
        ("Where?", ("Oslo", "the"), "task 't': answer 'the' normalises to nothing"),
        ("Where?", "Oslo", r"task 't': field 'answers' is a string; write \('Oslo',\)"),
    ],
)
def test_a_task_that_nobody_can_solve_is_refused(question, answers, said):
    with pytest.raises(InvalidTaskError, match=said):
        Task("t", question, answers)
