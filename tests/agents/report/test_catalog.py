"""The data of the browser: every episode whole, a light index in the same order, little memory."""

import json
import tracemalloc

import pytest
from reportkit import EVIL, asked, blocks, check, episodes, judged, solved, task_line

from asl_env.agents.report.catalog import CHUNK_EPISODES
from asl_env.agents.report.write import write_report


@pytest.fixture
def page(make_run):
    tasks = ([task_line("r1-t0", 1, "Which town?")], [task_line("r2-t0", 2, "Whose?", "r1-t0")])
    return write_report(
        make_run([solved(1), asked("r1-t0"), judged(), solved(2, EVIL)], tasks=tasks)
    )


def test_an_episode_keeps_all_but_its_tokens(page):
    policy, generator, judge, _ = episodes(page)
    assert policy["reward"] == {
        "total": 0.1, "parts": {"verdict": 0.1}, "invalid": None, "extras": {}
    }  # fmt: skip
    assert generator["reward"]["extras"]["solves"][0]["verdict"] == "correct"
    assert judge["assignment"]["answer"] == "Rome"
    assert "token_ids" not in json.dumps(policy) and "logprobs" not in json.dumps(policy)


def test_each_message_says_what_it_does(page):
    policy, generator, judge, _ = episodes(page)
    assert [one.get("does") for one in policy["chat"]] == [
        None, None, "searches for “capital”", "1 search result", "answers “Oslo”"
    ]  # fmt: skip
    assert policy["chat"][3]["titles"] == ["Oslo"]
    assert policy["chat"][2]["tokens"] == 3
    assert generator["chat"][-1]["does"] == "asks “Whose town is it?”, answers “Ada”"
    assert judge["chat"][-1]["does"] == "neither searches nor answers"


def test_system_messages_are_written_once(page):
    assert [one["chat"][0]["prompt"] for one in episodes(page)] == [0, 0, 0, 0]
    (shared,) = map(json.loads, blocks(page, "shared"))
    assert shared["prompts"] == ["You answer."]
    assert [line[:2] for line in shared["lineage"]] == [["r1-t0", None], ["r2-t0", "r1-t0"]]


def test_the_index_tells_how_episodes_ended_and_what_they_earned(page):
    (index,) = map(json.loads, blocks(page, "index"))
    assert index["seat"] == ["policy", "generator", "grm", "policy"]
    assert index["state"] == ["answered", "answered", "invalid", "answered"]
    assert index["asked"][1] == "Whose town is it?" and index["said"][2] == "Rome → "
    assert index["parent"][1] == "r1-t0" and index["kind"][2] == "wrong"
    assert index["measures"]["verdict"] == [0.1, None, None, 0.2]
    assert index["measures"]["tokens"] == [6, 3, 3, 6]


def test_chunks_and_index_agree_on_thousands_of_episodes(make_run):
    page = write_report(make_run(solved(number) for number in range(2_100)))
    indexes = [json.loads(block) for block in blocks(page, "index")]
    chunks = blocks(page, "chunk")
    assert [n for index in indexes for n in index["chunks"]] == [
        chunk.count("\n") + 1 for chunk in chunks
    ]
    assert len(indexes) == 2 and len(chunks) == -(-2_100 // CHUNK_EPISODES)
    names = [name for index in indexes for name in index["id"]]
    assert names == [episode["assignment"]["id"] for episode in episodes(page)]


def test_memory_does_not_grow_with_the_episodes(make_run):
    peaks = []
    for number in (300, 1_500):
        folder = make_run((solved(at) for at in range(number)), name=f"of-{number}")
        tracemalloc.start()
        write_report(folder)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 3_000_000


def test_what_utf8_cannot_hold_is_kept(make_run):
    page = write_report(make_run([solved(1, "half \ud83d a pair")]))
    assert episodes(page)[0]["answer"] == "half \ud83d a pair"


def test_text_of_models_is_not_in_the_markup(page):
    check(page)
    assert EVIL not in page.read_text(encoding="utf-8")
