"""The text space: every string up to a length, and nothing else."""

import json
import os
import subprocess
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector.utils import batch_space
from hypothesis import given
from hypothesis import strategies as st

from asl_env.spaces import Unicode


@given(st.text(max_size=50))
def test_it_contains_every_string_up_to_its_length(text):
    assert text in Unicode(50)
    assert (text in Unicode(10)) == (len(text) <= 10)


@pytest.mark.parametrize("text", ["", " ", "a b", "é“中", "\x00\n", "\ud800", "<answer>x</answer>"])
def test_blanks_accents_controls_and_lone_surrogates_are_text(text):
    assert text in Unicode(100)


@pytest.mark.parametrize("thing", [None, 3, b"bytes", ["a"], np.array(["a"])])
def test_it_contains_nothing_but_strings(thing):
    assert thing not in Unicode(100)


def test_samples_are_short_inside_and_repeat_with_the_seed():
    first, second = Unicode(1_000_000, seed=7), Unicode(1_000_000, seed=7)
    samples = [first.sample() for _ in range(200)]
    assert samples == [second.sample() for _ in range(200)]
    assert all(sample in first and 1 <= len(sample) <= 24 for sample in samples)
    assert all(type(sample) is str for sample in samples)
    assert len(set(samples)) > 150
    assert all(len(Unicode(2, seed=seed).sample()) <= 2 for seed in range(50))


def test_samples_do_not_depend_on_the_hash_seed():
    code = "from asl_env.spaces import Unicode; print(repr(Unicode(9, seed=3).sample()))"
    runs = [
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]


def test_a_mask_is_refused():
    with pytest.raises(ValueError, match="without mask"):
        Unicode(10).sample(mask=np.ones(3, np.int8))


def test_a_space_without_room_is_refused():
    with pytest.raises(ValueError, match="at least 1"):
        Unicode(0)


def test_equal_spaces_are_equal_and_hash_alike():
    assert Unicode(5) == Unicode(5, seed=1)
    assert hash(Unicode(5)) == hash(Unicode(5, seed=1))
    assert Unicode(5) != Unicode(6)
    assert Unicode(5) != gym.spaces.Text(5)
    assert repr(Unicode(5)) == "Unicode(5)"


@given(st.lists(st.text(max_size=20), max_size=5))
def test_samples_survive_json(samples):
    space = Unicode(20)
    written = json.dumps(space.to_jsonable(samples))
    assert space.from_jsonable(json.loads(written)) == samples


def test_gymnasium_can_batch_it():
    space = batch_space(Unicode(10), 3)
    assert ("a", "b c", "") in space
    assert ("a", "b", "x" * 11) not in space
    assert len(space.sample()) == 3
