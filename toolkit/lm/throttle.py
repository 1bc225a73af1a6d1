"""Keeping below a provider's limits: requests and tokens a minute, shared by every thread that uses one model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_MINUTE = 60.0


class _Bucket:
    """An allowance that fills evenly. What is taken beyond it is a debt that those who come later wait for.

    It holds one second's worth, and at least one request: a limit of 600 a minute is kept as 10 a second, as providers
    do, and not as 600 at once followed by silence.
    """

    def __init__(self, per_minute: int, now: float) -> None:
        self._rate = per_minute / _MINUTE
        self._size = max(1.0, self._rate)
        self._level, self._at = self._size, now

    def wait(self, now: float) -> float:
        """Seconds until there is no debt."""
        self._fill(now)
        return max(0.0, -self._level / self._rate)

    def take(self, amount: float) -> None:
        """Use some of it up; a negative amount gives back."""
        self._level = min(self._size, self._level - amount)

    def _fill(self, now: float) -> None:
        self._level = min(self._size, self._level + (now - self._at) * self._rate)
        self._at = now


class Throttle:
    """Lets requests through at the pace that is allowed, first come, first served.

    In any minute at most the limit goes through, and beyond it one second's worth and one request: the last one to be
    let through may need more tokens than are left, and the next ones then wait for them.

    Parameters
    ----------
    requests_per_minute, tokens_per_minute
        0 = no limit.
    clock, wait
        Seconds, and how to let some pass.

    Examples
    --------
    >>> waits = []
    >>> throttle = Throttle(requests_per_minute=60, clock=lambda: 0.0, wait=waits.append)
    >>> [throttle.enter(0) for _ in range(3)]
    [0.0, 0.0, 1.0]
    """

    def __init__(
        self,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[float], object] = time.sleep,
    ) -> None:
        self._clock, self._wait, self._lock = clock, wait, threading.Lock()
        now = clock()
        self._requests = _Bucket(requests_per_minute, now) if requests_per_minute else None
        self._tokens = _Bucket(tokens_per_minute, now) if tokens_per_minute else None
        self._closed_until = now

    def enter(self, tokens: float) -> float:
        """Wait until a request may be sent; the seconds that took.

        Parameters
        ----------
        tokens
            What it is expected to use, in and out. `settle` puts right what was expected wrongly.
        """
        with self._lock:
            now = self._clock()
            waits = [bucket.wait(now) for bucket in (self._requests, self._tokens) if bucket]
            seconds = max([0.0, self._closed_until - now, *waits])
            # Taken at once, though sent later: whoever comes next then waits for this one's turn as well.
            if self._requests:
                self._requests.take(1)
            if self._tokens:
                self._tokens.take(tokens)
        if seconds > 0:
            self._wait(seconds)
        return seconds

    def settle(self, expected: float, used: float) -> None:
        """Say what a request used that `enter` let through for ``expected`` tokens."""
        with self._lock:
            if self._tokens:
                self._tokens.take(used - expected)

    def hold(self, seconds: float) -> None:
        """Let nothing through for so long: the provider has asked for it."""
        with self._lock:
            self._closed_until = max(self._closed_until, self._clock() + seconds)
