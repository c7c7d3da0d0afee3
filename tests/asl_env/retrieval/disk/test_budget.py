"""Memory is stated by people and shared out among processes."""

from __future__ import annotations

import pytest

from asl_env.errors import BadIndexError
from asl_env.retrieval.disk.budget import Budget, parse_size


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8 << 30),
        ("1.5 GiB", 3 << 29),
        ("512mb", 512 << 20),
        ("7", 7),
        (9, 9),
        ("2g", 2 << 30),
    ],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["much", "-1GB", "8 GB RAM", ""])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(BadIndexError, match="no amount of memory; write it like 8GB"):
        parse_size(text)


def test_too_little_is_refused() -> None:
    with pytest.raises(BadIndexError, match=r"100 MB of memory are too few .* at least 512 MB"):
        Budget(100 << 20)
    with pytest.raises(BadIndexError, match="use at least 1"):
        Budget(workers=0)


def test_processes_are_as_many_as_the_memory_is_enough_for() -> None:
    assert Budget(8 << 30, 2).processes == 2
    assert Budget(1 << 30, 16).processes == 2
    assert Budget(512 << 20, 16).processes == 1


def test_less_memory_means_smaller_pieces() -> None:
    large, small = Budget(8 << 30, 2), Budget(1 << 30, 2)
    assert large.run_bytes > small.run_bytes > 1 << 20
    assert large.segment_cost > small.segment_cost > 1 << 20
