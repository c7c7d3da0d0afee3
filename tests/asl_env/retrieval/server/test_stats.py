"""Counters: each worker writes its own row, the report is about all of them."""

import numpy as np

from asl_env.retrieval.server.stats import WIDTH, Stats


def test_the_report_adds_up_the_workers():
    block = np.zeros((2, WIDTH), np.int64)
    one, other = Stats(block, 0, lambda: 100.0), Stats(block, 1, lambda: 160.0)
    one.add("requests", 3)
    other.add("requests", 4)
    one.replied(200, 0.0015)
    one.replied(429, 0.0001)
    other.replied(503, 9.0)
    one.called(40, 40, 0.5)
    other.called(2, 1, 0.25)
    other.set("queued", 7)
    report = other.report()
    assert (report["workers"], report["requests"], report["queue_length"]) == (2, 7, 7)
    assert report["uptime_s"] == 60.0
    assert report["replies"] == {"ok": 1, "client_error": 0, "busy": 1, "server_error": 1}
    assert report["latency_ms"]["p50_at_most"] == 2
    assert report["latency_ms"]["p99_at_most"] is None
    assert sum(entry["count"] for entry in report["latency_ms"]["histogram"]) == 3
    index = report["index"]
    assert (index["calls"], index["largest_batch"], index["mean_batch"]) == (2, 40, 21.0)
    assert {"up_to": 64, "count": 1} in index["batch_sizes"]


def test_a_worker_that_is_started_again_keeps_its_counters_but_not_its_queue():
    block = np.zeros((1, WIDTH), np.int64)
    before = Stats(block, 0)
    before.add("requests")
    before.set("queued", 5)
    report = Stats(block, 0).report()
    assert (report["requests"], report["queue_length"]) == (1, 0)


def test_nothing_has_happened_yet():
    report = Stats().report()
    assert report["latency_ms"]["mean"] == 0.0
    assert report["latency_ms"]["p50_at_most"] is None
