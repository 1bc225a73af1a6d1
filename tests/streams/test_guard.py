"""Code that is not ours is given up in time, and what it raises or gives comes through as it is."""

from __future__ import annotations

import _thread
import contextvars
import math
import signal
import threading
import time
from collections.abc import Callable
from functools import partial

import pytest

from toolkit.streams.guard import Hung, within

LIMIT = 0.05
LONG = 120.0
"""Seconds that no test takes, unless it fails."""


def given_up(function: Callable[[], object], far_enough: Callable[[], object]) -> None:
    """Give a function up, once it has come far enough: a busy machine may not even begin it in a short time."""
    limit = LIMIT
    while not far_enough():
        assert limit < LONG
        with pytest.raises(Hung, match=rf"{function.__name__} took more than {limit:g} s"):
            within(limit, function)
        limit *= 2


def test_what_a_function_gives_and_raises_comes_through_unchanged():
    given, error = object(), KeyError("mine")

    def fails():
        raise error

    assert within(LONG, lambda: given) is given
    assert within(math.inf, lambda: None) is None
    with pytest.raises(KeyError) as caught:
        within(LONG, fails)
    assert caught.value is error


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, StopIteration, TimeoutError, Hung])
def test_no_kind_of_exception_is_swallowed_or_renamed(kind):
    def fails():
        raise kind("mine")

    with pytest.raises(kind, match="mine") as caught:
        within(LONG, fails)
    assert caught.type is kind


def test_an_endless_loop_is_given_up_and_its_thread_ends():
    threads = []

    def forever():
        threads.append(threading.current_thread())
        while True:
            pass

    given_up(forever, lambda: threads)
    threads[0].join(LONG)
    assert not threads[0].is_alive()
    assert threads[0].daemon


def test_a_loop_that_catches_every_exception_but_those_that_end_a_process_ends_too():
    threads = []

    def stubborn():
        threads.append(threading.current_thread())
        while True:
            try:
                while True:
                    pass
            except Exception:
                continue

    given_up(stubborn, lambda: threads)
    threads[0].join(LONG)
    assert not threads[0].is_alive()


def test_a_call_that_blocks_in_c_is_given_up_and_ends_once_released_without_a_word(capfd):
    held, threads = threading.Lock(), []
    held.acquire()

    def blocks():
        threads.append(threading.current_thread())
        held.acquire()

    given_up(blocks, lambda: threads and threads[-1].is_alive())
    held.release()
    threads[-1].join(LONG)
    assert not threads[-1].is_alive()
    assert capfd.readouterr() == ("", "")


INTERRUPTS = {
    "while it waits": lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT),
    "just before it waits": _thread.interrupt_main,  # in effect: it ends no wait that has begun
}


@pytest.mark.parametrize("comes", INTERRUPTS)
def test_an_interrupt_of_the_waiting_thread_passes_and_ends_what_it_waited_for(comes):
    threads, begun = [], threading.Event()

    def forever():
        threads.append(threading.current_thread())
        begun.set()
        while True:
            pass

    def interrupt():
        begun.wait(LONG)
        INTERRUPTS[comes]()

    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    other = threading.Thread(target=interrupt)
    started = time.monotonic()
    try:
        other.start()
        with pytest.raises(KeyboardInterrupt):
            within(LONG, forever)
    finally:
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - started < LONG
    other.join(LONG)
    threads[0].join(LONG)
    assert not threads[0].is_alive()


def test_a_function_sees_the_context_of_its_caller_but_cannot_change_it():
    name = contextvars.ContextVar("name", default="nobody")
    name.set("caller")

    def changes():
        seen = name.get()
        name.set("function")
        return seen

    assert within(LONG, changes) == "caller"
    assert name.get() == "caller"


def test_many_calls_at_the_edge_of_their_limit_are_either_in_time_or_hung():
    def work(number):
        return sum(range(number % 400)), number

    came = 0
    for number in range(400):
        try:
            assert within(1e-4, partial(work, number)) == (sum(range(number % 400)), number)
            came += 1
        except Hung:
            pass
    assert within(LONG, lambda: came) == came


@pytest.mark.parametrize("seconds", [-1.0, math.nan])
def test_a_limit_that_is_none_is_refused(seconds):
    with pytest.raises(ValueError, match="seconds must be at least 0"):
        within(seconds, list)


def test_no_time_at_all_is_a_limit_too():
    release = threading.Event()
    with pytest.raises(Hung):
        within(0, lambda: release.wait(LONG))
    release.set()
