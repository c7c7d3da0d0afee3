"""When to try again, and how often at most."""

from datetime import datetime, timedelta, timezone
from email.utils import format_datetime, formatdate

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asl_env.agents.endpoint.pacing import WINDOW, RateLimiter, RetryPolicy, read_retry_after


class Clock:
    def __init__(self):
        self.now = 1000.0

    def __call__(self):
        return self.now


@given(st.integers(1, 5), st.lists(st.tuples(st.floats(0, 40), st.booleans()), max_size=40))
def test_never_more_requests_than_allowed_in_any_window(per_minute, steps):
    clock = Clock()
    limiter = RateLimiter(per_minute, clock=clock)
    sent = []
    for pause, waits in steps:
        clock.now += pause
        delay = limiter.reserve()
        assert delay >= 0.0
        sent.append(clock.now + delay)
        if waits:
            clock.now += delay
    assert sent == sorted(sent)
    for first, later in zip(sent, sent[per_minute:], strict=False):
        assert later - first >= WINDOW - 1e-6


def test_without_a_limit_nobody_waits_unless_the_server_asked():
    clock = Clock()
    limiter = RateLimiter(None, clock=clock)
    assert [limiter.reserve() for _ in range(100)] == [0.0] * 100
    limiter.hold(7.0)
    assert limiter.reserve() == 7.0
    clock.now += 8.0
    assert limiter.reserve() == 0.0


@given(st.integers(1, 30), st.integers(0, 2**32))
def test_waits_are_drawn_from_a_doubling_range_up_to_the_longest(failures, seed):
    policy = RetryPolicy(retries=30, max_wait=60.0)
    delay = policy.delay(failures, np.random.default_rng(seed), None)
    assert 0.0 <= delay <= min(60.0, 0.5 * 2 ** (failures - 1))
    assert delay == policy.delay(failures, np.random.default_rng(seed), None)


def test_the_jitter_is_full():
    policy = RetryPolicy(retries=5, max_wait=60.0)
    rng = np.random.default_rng(0)
    delays = [policy.delay(5, rng, None) for _ in range(2000)]
    assert min(delays) < 0.1 and max(delays) > 7.9
    assert np.mean(delays) == pytest.approx(4.0, abs=0.2)


def test_the_server_is_obeyed_up_to_the_longest_wait():
    policy, rng = RetryPolicy(retries=5, max_wait=60.0), np.random.default_rng(0)
    assert 30.0 <= policy.delay(1, rng, 30.0) <= 30.5
    assert policy.delay(1, rng, 61.0) is None
    assert policy.delay(6, rng, None) is None
    assert RetryPolicy(0, 60.0).delay(1, rng, None) is None


def test_retry_after_in_seconds_milliseconds_and_as_a_date():
    now = datetime(2030, 1, 1, tzinfo=timezone.utc)
    later = format_datetime(now + timedelta(seconds=90), usegmt=True)
    assert read_retry_after({"Retry-After": "3"}, 0.0) == 3.0
    assert read_retry_after({"retry-after": " 0.5 "}, 0.0) == 0.5
    assert read_retry_after({"retry-after-ms": "250", "retry-after": "9"}, 0.0) == 0.25
    assert read_retry_after({"Retry-After": later}, now.timestamp()) == pytest.approx(90.0)
    assert read_retry_after({"Retry-After": formatdate(0)}, now.timestamp()) == 0.0
    assert read_retry_after({}, 0.0) is None


@given(st.text(max_size=30))
def test_nonsense_in_retry_after_is_no_wait(text):
    asked = read_retry_after({"Retry-After": text}, 0.0)
    assert asked is None or (asked >= 0.0 and np.isfinite(asked))
    for bad in ("-1", "nan", "inf", "soon", "1e400", "Mon, 99 Foo 99999 99:99:99 GMT"):
        assert read_retry_after({"Retry-After": bad}, 0.0) is None
