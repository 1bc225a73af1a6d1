"""Limits are kept in every minute, by threads together, and cost no more waiting than they must."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.lm.throttle import Throttle


class Time:
    """A clock that waiting moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def wait(self, seconds: float) -> None:
        self.now += seconds


def throttle(time: Time, requests: int = 0, tokens: int = 0) -> Throttle:
    return Throttle(requests, tokens, clock=time, wait=time.wait)


def most_in_a_minute(sent: list[tuple[float, float]]) -> float:
    """The largest sum of amounts within any minute."""
    return max(sum(amount for at, amount in sent if start <= at < start + 60) for start, _ in sent)


def test_without_limits_nobody_waits() -> None:
    free = Throttle(wait=lambda seconds: pytest.fail("waited"))
    assert [free.enter(10**9) for _ in range(100)] == [0.0] * 100


def test_requests_are_let_through_evenly() -> None:
    time = Time()
    limited = throttle(time, requests=120)
    starts = []
    for _ in range(6):
        limited.enter(0)
        starts.append(time.now - 1000)
    assert starts == pytest.approx([0, 0, 0, 0.5, 1.0, 1.5])  # a second's worth at once, and one that goes into debt


def test_tokens_that_were_not_used_are_given_back() -> None:
    waits = []
    for used in (600, 60):
        time = Time()
        limited = throttle(time, tokens=600)
        limited.enter(600)
        limited.settle(600, used)
        waits.append(limited.enter(1))
    assert waits == pytest.approx([(600 - 10) / 10, (60 - 10) / 10])


def test_more_than_expected_is_a_debt() -> None:
    time = Time()
    limited = throttle(time, tokens=600)
    limited.enter(1)
    limited.settle(1, 610)
    assert limited.enter(1) == pytest.approx(60.0)


def test_a_pause_holds_everybody() -> None:
    time = Time()
    limited = throttle(time)
    limited.hold(5)
    limited.hold(2)  # does not shorten the other
    assert limited.enter(0) == pytest.approx(5)
    assert limited.enter(0) == 0


def test_threads_share_the_limit() -> None:
    waits, lock = [], threading.Lock()

    def wait(seconds: float) -> None:
        with lock:
            waits.append(seconds)

    limited = Throttle(60, clock=lambda: 0.0, wait=wait)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(limited.enter, [0] * 40))
    assert sorted(waits) == pytest.approx(list(range(1, 39)))  # nobody has the turn of another


gaps = st.lists(st.tuples(st.floats(0, 20), st.integers(1, 400), st.integers(1, 400)), min_size=1, max_size=120)


@given(gaps, st.integers(1, 300), st.integers(60, 5000))
def test_no_minute_holds_more_than_the_limits(course: list[tuple[float, int, int]], requests: int, tokens: int) -> None:
    time = Time()
    limited = throttle(time, requests, tokens)
    sent, used = [], []
    for gap, expected, real in course:
        time.now += gap
        limited.enter(expected)
        sent.append((time.now, 1.0))
        used.append((time.now, float(real)))
        limited.settle(expected, real)
    assert most_in_a_minute(sent) <= requests + max(1, requests / 60) + 1 + 1e-6
    assert most_in_a_minute(used) <= tokens + max(1, tokens / 60) + 400 + 1e-6


@given(st.integers(1, 600), st.integers(2, 80))
def test_a_limit_is_used_up(requests: int, count: int) -> None:
    time = Time()
    limited = throttle(time, requests)
    for _ in range(count):
        limited.enter(0)
    assert time.now - 1000 <= (count - 1) * 60 / requests + 1e-6
