"""Trajectory records are exact both ways, and damaged files are named line by line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.episode import Claim, Request, RewardParts, Role, Task, Trajectory, Turn
from asl_env.errors import RecordError
from asl_env.evaluation import records

TEXT = st.text(max_size=30) | st.sampled_from(["\ud800 lone", 'a"b\\n', "é\u2028“"])
NAME = st.text(min_size=1, max_size=8)
ANSWER = st.sampled_from(["Warsaw", "Łódź", "42"])
PROVENANCE = st.dictionaries(NAME, st.integers() | TEXT | st.lists(st.integers()), max_size=3)
FINITE = st.floats(allow_nan=False, allow_infinity=False)

ASSIGNMENTS = st.one_of(
    st.builds(
        Task,
        id=NAME,
        question=st.just("Where?"),
        answers=st.lists(ANSWER, min_size=1).map(tuple),
        provenance=PROVENANCE,
    ),
    st.builds(
        Claim,
        id=NAME,
        question=TEXT,
        answer=TEXT,
        label=st.sampled_from(["correct", "wrong", None]),
        provenance=PROVENANCE,
    ),
    st.builds(
        Request,
        id=NAME,
        kind=st.sampled_from(["seed", "harder", "easier"]),
        topic=TEXT,
        style=st.sampled_from(["width", "depth"]),
        source_question=TEXT,
        source_answer=TEXT,
        provenance=PROVENANCE,
    ),
)
TURNS = st.builds(
    Turn,
    text=TEXT,
    token_ids=st.none() | st.lists(st.integers(0, 99)).map(tuple),
    logprobs=st.none() | st.lists(FINITE).map(tuple),
)
MESSAGES = st.builds(
    lambda role, content: {"role": role, "content": content},
    st.sampled_from(["system", "user", "assistant", "tool"]),
    TEXT,
)
TRAJECTORIES = st.builds(
    Trajectory,
    role=st.sampled_from(list(Role)),
    assignment=ASSIGNMENTS,
    messages=st.lists(MESSAGES, max_size=4).map(tuple),
    turns=st.lists(TURNS, max_size=3).map(tuple),
    answer=st.none() | TEXT,
    question=st.none() | TEXT,
    tool_calls=st.integers(0, 9),
    think_share=st.floats(0, 1),
    truncated=st.booleans(),
    invalid=st.none() | TEXT,
    seed=st.integers(0, 2**63),
)
REWARDS = st.none() | st.builds(
    RewardParts,
    total=FINITE,
    parts=st.dictionaries(NAME, FINITE, max_size=2),
    invalid=st.none() | TEXT,
    extras=PROVENANCE,
)


def example(**changes):
    fields = {
        "role": Role.POLICY,
        "assignment": Task("t1", "Where?", ("Warsaw",)),
        "messages": ({"role": "user", "content": "Where?"},),
        "turns": (Turn("<answer>Warsaw</answer>"),),
        "answer": "Warsaw",
    }
    return Trajectory(**fields | changes)


@given(TRAJECTORIES, REWARDS)
def test_every_episode_comes_back_from_its_line_unchanged(trajectory, reward):
    line = records.encode(records.to_record(trajectory, reward))
    assert line.count(b"\n") == 1
    assert records.from_record(json.loads(line)) == records.Record(trajectory, reward)


def test_a_file_is_read_in_order(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(
        b"".join(records.encode(records.to_record(example(seed=seed))) for seed in range(3))
    )
    assert [record.trajectory.seed for record in records.read(path)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"schema": 99}, "field 'schema' is 99"),
        ({"role": "king"}, "king"),
        ({"assignment": {"type": "poem"}}, "poem"),
        ({"messages": 3}, "not a trajectory"),
    ],
)
def test_a_wrong_field_is_named_with_file_and_line(tmp_path, change, said):
    path = tmp_path / "t.jsonl"
    path.write_bytes(records.encode(records.to_record(example()) | change))
    with pytest.raises(RecordError, match=r"t\.jsonl:1: ") as error:
        list(records.read(path))
    assert said in str(error.value)


def test_a_missing_field_is_named():
    record = records.to_record(example())
    del record["turns"]
    with pytest.raises(RecordError, match="'turns' is missing"):
        records.from_record(record)


def test_a_broken_line_is_named(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_bytes(records.encode(records.to_record(example())) + b'{"schema": 1, "ro\n')
    with pytest.raises(RecordError, match=r"t\.jsonl:2: not JSON"):
        list(records.read(path))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(RecordError, match=r"gone\.jsonl: cannot be read"):
        list(records.read(tmp_path / "gone.jsonl"))


def test_what_has_no_json_form_is_refused():
    with pytest.raises(RecordError, match="cannot write"):
        records.encode({"reward": float("nan")})


def test_recover_cuts_only_the_unfinished_line(tmp_path):
    path = tmp_path / "t.jsonl"
    whole = records.encode({"a": 1})
    path.write_bytes(whole + b'{"a": 2')
    assert records.recover(path) == 7
    assert path.read_bytes() == whole
    assert records.recover(path) == 0
    assert records.recover(tmp_path / "none.jsonl") == 0
