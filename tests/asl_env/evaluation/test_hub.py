"""Files on the hub: what is asked for, and one clear line when it cannot be had."""

import pytest

from asl_env.errors import InvalidTaskError
from asl_env.evaluation import hub

library = pytest.importorskip("huggingface_hub")


@pytest.fixture
def asked(monkeypatch, tmp_path):
    """Answers every download with the same small file; returns what was asked for."""
    calls = []

    def download(repo, file, *, repo_type, revision):
        calls.append((repo, file, repo_type, revision))
        return str(tmp_path / "test.jsonl")

    monkeypatch.setattr(library, "hf_hub_download", download)
    return calls


def test_an_address_names_dataset_revision_and_file(asked, tmp_path):
    assert hub.fetch("hf:someone/questions/a/test.jsonl") == tmp_path / "test.jsonl"
    hub.fetch("hf:someone/questions@v1.0/test.jsonl")
    assert asked == [
        ("someone/questions", "a/test.jsonl", "dataset", None),
        ("someone/questions", "test.jsonl", "dataset", "v1.0"),
    ]


def test_every_benchmark_has_an_address(asked):
    for address in hub.BENCHMARKS.values():
        hub.fetch(address)
    assert {"nq/test.jsonl", "musique/dev.jsonl"} < {file for _, file, _, _ in asked}
    assert len(asked) == 7


@pytest.mark.parametrize("address", ["hf:", "hf:one", "hf:a/b", "hf:a/b/", "hf:a/b/../../etc"])
def test_what_is_no_address_is_refused(asked, address):
    with pytest.raises(InvalidTaskError, match="write hf:OWNER/NAME/PATH"):
        hub.fetch(address)
    assert not asked


def test_a_file_that_cannot_be_had_is_one_line(monkeypatch):
    def download(*arguments, **options):
        raise library.errors.LocalEntryNotFoundError("no\nconnection")

    monkeypatch.setattr(library, "hf_hub_download", download)
    with pytest.raises(InvalidTaskError, match=r"no connection.*give its path") as told:
        hub.fetch("hf:a/b/c.jsonl")
    assert "\n" not in str(told.value)
