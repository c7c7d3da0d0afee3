"""``asl eval --spec``: the spec decides, the result says so, and nothing overrides it."""

import json

import pytest

from asl_env.agents.cli.searching import index_digest


@pytest.fixture
def question(tmp_path):
    path = tmp_path / "t.jsonl"
    path.write_text('{"id": "a", "question": "Where?", "answer": "Oslo"}\n')
    return path


def test_a_result_records_its_spec_and_its_index(question, asl):
    arguments = ["eval", "--agent", "random", "--tasks", question, "--json"]
    code, out, err = asl(*arguments, "--spec", "searchr1-v1")
    assert code == 0, err
    settings = json.loads(out)["settings"]
    assert (settings["spec"], settings["dialect"]) == ("searchr1-v1", "search-r1")
    assert (settings["max_turns"], settings["top_k"], settings["greedy"]) == (5, 3, True)
    assert len(settings["spec_digest"]) == len(settings["index_digest"]) == 16


def test_single_options_are_there_without_a_spec(question, asl):
    arguments = ["eval", "--agent", "random", "--tasks", question, "--corpus", "null", "--json"]
    _, out, _ = asl(*arguments, "--sample", "--seed", 3, "--top-k", 5)
    settings = json.loads(out)["settings"]
    assert "spec" not in settings
    assert (settings["greedy"], settings["seed"], settings["top_k"]) == (False, 3, 5)
    assert (settings["dialect"], settings["max_turns"]) == ("asl", 9)
    assert settings["index_digest"] is None


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (["--top-k", "5"], "--spec asl-v1 fixes what --top-k says; leave --top-k out"),
        (["--max-chars", "50"], "fixes what --max-chars says"),
        (["--sample"], "fixes what --sample says"),
        (["--spec", "asl-v2"], "did you mean 'asl-v1'"),
    ],
)
def test_what_does_not_go_with_a_spec_is_refused(question, option, said, asl):
    arguments = ["eval", "--tasks", question, "--spec", "asl-v1", *option]
    code, out, err = asl(*arguments)
    assert (code, out) == (2, "")
    assert said in err and err.count("\n") == 1


def test_the_digest_of_an_index_follows_its_passages(tmp_path):
    path = tmp_path / "p.jsonl"
    digests = set()
    for text in ("A town.", "A city."):
        path.write_text(json.dumps({"id": "1", "title": "Oslo", "text": text}) + "\n")
        digests |= {index_digest(str(path)), index_digest(str(path))}
    assert len(digests) == 2
    assert index_digest("miniwiki") == index_digest("wiki-vital", "miniwiki") not in digests
    assert index_digest("miniwiki", "http://127.0.0.1:9") is None
