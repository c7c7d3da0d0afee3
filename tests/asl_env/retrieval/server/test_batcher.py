"""Micro-batching: many requests, few calls of the index, and every one gets its own."""

import asyncio

import pytest
from served import Echo, hits

from asl_env.retrieval.server.batcher import Batcher
from asl_env.retrieval.server.refusal import RefusedError
from asl_env.retrieval.server.settings import ServerSettings
from asl_env.retrieval.server.stats import Stats


def run(scenario, retriever=None, **settings):
    """Runs a scenario with a batcher that waits long enough for a slow machine."""
    library = retriever or Echo()
    stats = Stats()

    async def main():
        batcher = Batcher(library, ServerSettings(**{"wait_ms": 200.0} | settings), stats)
        batcher.start()
        try:
            return await scenario(batcher)
        finally:
            library.gate.set()
            await batcher.close()

    return asyncio.run(main()), library, stats.report()


async def settle(*searches):
    return await asyncio.gather(*searches, return_exceptions=True)


def status(outcome):
    assert isinstance(outcome, RefusedError)
    return outcome.status, outcome.kind


def test_requests_that_come_together_are_one_call():
    async def scenario(batcher):
        return await settle(*(batcher.search([f"q{n}"], 2) for n in range(20)))

    found, library, report = run(scenario)
    assert found == [[tuple(hits(f"q{n}", 2))] for n in range(20)]
    assert len(library.calls) == 1
    assert report["index"]["largest_batch"] == report["index"]["requests"] == 20


def test_different_depths_share_a_call_and_each_gets_its_own():
    async def scenario(batcher):
        return await settle(batcher.search(["a"], 1), batcher.search(["b", "a"], 5))

    found, library, _ = run(scenario)
    assert [len(one) for one in found[0]] == [1]
    assert found[1] == [tuple(hits("b", 5)), tuple(hits("a", 5))]
    assert library.calls == [(["a", "b"], 5)]


def test_a_full_batch_does_not_wait_and_a_large_request_takes_several():
    async def scenario(batcher):
        return await asyncio.wait_for(batcher.search([f"q{n}" for n in range(10)], 1), 30)

    found, library, _ = run(scenario, batch=4, wait_ms=50.0)
    assert found == [tuple(hits(f"q{n}", 1)) for n in range(10)]
    assert [len(queries) for queries, _ in library.calls] == [4, 4, 2]


def test_repeated_queries_come_from_the_cache():
    async def scenario(batcher):
        await batcher.search(["a", "b"], 5)
        again = await batcher.search(["b", "a"], 3)
        deeper = await batcher.search(["a"], 6)
        return again, deeper

    (again, deeper), library, report = run(scenario, wait_ms=0.0)
    assert again == [tuple(hits("b", 3)), tuple(hits("a", 3))]
    assert len(deeper[0]) == 6
    assert len(library.calls) == 2
    assert report["cache_hits"] == 2


def test_a_full_queue_refuses_and_says_when_to_come_back():
    async def scenario(batcher):
        library.gate.clear()
        first = asyncio.create_task(batcher.search(["a", "b"], 1))
        await asyncio.sleep(0)
        refused = await settle(batcher.search(["c", "d"], 1))
        library.gate.set()
        return refused[0], await first

    library = Echo()
    (refused, first), _, report = run(scenario, library, max_queue=3)
    assert status(refused) == (429, "busy")
    assert int(refused.headers["Retry-After"]) >= 1
    assert len(first) == 2
    assert report["queue_length"] == 0


def test_a_request_larger_than_the_queue_is_let_in_when_nothing_waits():
    async def scenario(batcher):
        return await batcher.search(["a", "b", "c"], 1)

    assert len(run(scenario, max_queue=2)[0]) == 3


def test_an_outage_fails_the_batch_in_one_line():
    async def scenario(batcher):
        return await settle(batcher.search(["outage"], 1), batcher.search(["a"], 1))

    found, library, report = run(scenario)
    assert [status(outcome) for outcome in found] == [(503, "search_failed")] * 2
    assert found[0].message == "the disk is gone"
    assert len(library.calls) == 1
    assert report["index"]["failures"] == 1


@pytest.mark.parametrize("culprit", ["bug", "short"])
def test_a_query_that_breaks_the_index_fails_alone(culprit):
    async def scenario(batcher):
        return await settle(batcher.search([culprit], 1), batcher.search(["a"], 1))

    found, _, _ = run(scenario)
    assert status(found[0]) == (503, "search_failed")
    assert found[1] == [tuple(hits("a", 1))]


def test_what_takes_too_long_is_an_error_and_not_an_empty_result():
    async def scenario(batcher):
        library.gate.clear()
        return await settle(batcher.search(["a"], 1))

    library = Echo()
    found, _, _ = run(scenario, library, timeout=0.1, wait_ms=0.0)
    assert status(found[0]) == (503, "timeout")


def test_closing_finishes_what_was_accepted_and_takes_nothing_new():
    async def scenario(batcher):
        library.gate.clear()
        accepted = asyncio.create_task(batcher.search(["a"], 1))
        await asyncio.sleep(0)
        closing = asyncio.create_task(batcher.close())
        await asyncio.sleep(0)
        late = await settle(batcher.search(["b"], 1))
        library.gate.set()
        await closing
        return await accepted, late[0]

    library = Echo()
    (accepted, late), _, _ = run(scenario, library)
    assert accepted == [tuple(hits("a", 1))]
    assert status(late) == (503, "stopping")


def test_an_index_that_hangs_does_not_keep_the_server_from_stopping():
    async def main():
        batcher = Batcher(library, ServerSettings(grace=0.1, wait_ms=0.0), Stats())
        batcher.start()
        stuck = asyncio.create_task(batcher.search(["a"], 1))
        while not library.calls:
            await asyncio.sleep(0.01)
        await batcher.close()
        stuck.cancel()

    library = Echo()
    library.gate.clear()
    asyncio.run(main())
    library.gate.set()


@pytest.mark.parametrize("raised", [StopIteration("x"), SystemExit(3), KeyError("x")])
def test_whatever_a_search_raises_the_thread_lives(raised):
    class Raises(Echo):
        def search(self, queries, k):
            if "bad" in queries:
                raise raised
            return super().search(queries, k)

    async def scenario(batcher):
        failed = await settle(batcher.search(["bad"], 1))
        return failed[0], await batcher.search(["a"], 1)

    (failed, found), _, _ = run(scenario, Raises(), wait_ms=0.0)
    assert status(failed) == (503, "search_failed")
    assert found == [tuple(hits("a", 1))]
