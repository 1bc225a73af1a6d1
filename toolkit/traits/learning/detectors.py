"""Drift detectors: they are told what answers have earned, one after the other, and ring where it has fallen.

The arithmetic is the library river's; this is its only home.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from toolkit.component import Component
from toolkit.records import Experience
from toolkit.stats import steepest_fall
from toolkit.traits.learning.learner import reward
from toolkit.traits.trait import must_be_positive

_HELD = 1000
"""Latest values by which the place of a fall is estimated, and answers whose feedback is waited for."""


@dataclass(frozen=True, slots=True)
class Fall:
    """That less is earned than before.

    Parameters
    ----------
    since
        How many of the latest values came after the fall, by estimate; at least 1.
    before, after
        Mean of the values before it and since.

    Examples
    --------
    >>> str(Fall(12, 0.81, 0.33))
    'earned 0.33 over the last 12 answers, 0.81 before'
    """

    since: int
    before: float
    after: float

    def __str__(self) -> str:
        return f"earned {self.after:.2f} over the last {self.since} answers, {self.before:.2f} before"


class Detector(Component, kind="detector"):
    """Is told values in [0, 1], the higher the better, and says when they have fallen.

    Only falls count: who gets better must not be alarmed. After a change of either direction it begins anew, so that
    what is better becomes the level from which the next fall is seen.
    """

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew, knowing no value."""

    def update(self, value: float) -> Fall | None:
        """Take the next value; a `Fall` if it rings, None if not."""
        raise NotImplementedError(f"{type(self).__name__} does not say when it rings: define update()")

    def state(self) -> dict[str, object]:
        """What enters the run's hash."""
        return {}


class _OfRiver(Detector, abstract=True):
    """A detector of the library, which begins anew after each change that it has found."""

    _least: ClassVar[int] = 2

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew."""
        self._rng = rng
        self._begin()

    def _begin(self) -> None:
        self._inner: Any = self._made()
        self._values: deque[float] = deque(maxlen=_HELD)

    def _made(self) -> Any:
        """The library's detector."""
        raise NotImplementedError

    def _fell(self) -> bool:
        """Whether the change that was just found is a fall, as the library compared."""
        raise NotImplementedError

    def update(self, value: float) -> Fall | None:
        """Take the next value."""
        self._values.append(float(value))
        self._inner.update(float(value))
        if not self._inner.drift_detected:
            return None
        values, fell = np.array(self._values), self._fell()
        self._begin()
        if not fell or len(values) < self._least:
            return None
        since = steepest_fall(values)
        return Fall(since, float(values[:-since].mean()), float(values[-since:].mean()))

    def state(self) -> dict[str, object]:
        """The values since it began anew, the latest of them."""
        return {"values": list(self._values)}


class Adwin(_OfRiver):
    """ADWIN: a window of the latest values that is cut wherever two parts of it differ by more than chance allows.

    It rings where the part that is kept has a lower mean than what was cut off.

    Parameters
    ----------
    delta
        Chance of a cut without a change, at most, at each value; in (0, 1). The bound is wide: see Notes.
    clock
        Values between one look and the next, at least 1.
    max_buckets
        Of each size, by which the window is stored, at least 1: more are more exact places to cut at.
    min_window_length
        Values that a part has at least, at least 1.
    grace_period
        Values before the first look, at least 0.

    Notes
    -----
    The library's own defaults, ``delta=0.002`` and ``clock=32``, are made for streams of many thousands. On bits, with
    ``delta=0.1`` and a look at every value, a fall from .8 to .3 after 100 values was found after 24 in the median, and
    fewer than 1 in 1000 values of a stream that stays the same rang (seeded simulation, in the tests).

    References
    ----------
    Bifet & Gavalda (2007), Learning from time-changing data with adaptive windowing, SIAM International Conference on
    Data Mining.

    Examples
    --------
    >>> detector = Adwin()
    >>> detector.reset(np.random.default_rng(0))
    >>> rang = [detector.update(value) for value in [0.0] * 40 + [1.0] * 60 + [0.0] * 40]
    >>> [(place, one.since) for place, one in enumerate(rang) if one]
    [(110, 11)]
    """

    def __init__(
        self,
        delta: float = 0.1,
        clock: int = 1,
        max_buckets: int = 5,
        min_window_length: int = 5,
        grace_period: int = 10,
    ) -> None:
        self.delta = delta
        self.clock = clock
        self.max_buckets = max_buckets
        self.min_window_length = min_window_length
        self.grace_period = grace_period

    def check(self) -> None:
        """A chance, and counts."""
        _must_be_chance("Adwin.delta", self.delta)
        for name in ("clock", "max_buckets", "min_window_length"):
            must_be_positive(f"Adwin.{name}", getattr(self, name))
        _must_be_count("Adwin.grace_period", self.grace_period)

    def _made(self) -> Any:
        from river.drift import ADWIN

        self._sum, self._count = 0.0, 0
        return ADWIN(  # type: ignore[no-untyped-call]
            delta=self.delta,
            clock=self.clock,
            max_buckets=self.max_buckets,
            min_window_length=self.min_window_length,
            grace_period=self.grace_period,
        )

    def update(self, value: float) -> Fall | None:
        """Take the next value."""
        self._sum, self._count = self._inner.total + float(value), int(self._inner.width) + 1
        return super().update(value)

    def _fell(self) -> bool:
        cut = self._count - int(self._inner.width)
        return cut > 0 and bool(self._inner.estimation < (self._sum - self._inner.total) / cut)


class PageHinkley(_OfRiver):
    """Page and Hinkley: rings when what values have fallen short of their running mean, summed up, is too much.

    It looks at falls alone (the library's mode ``"down"``); a rise only lifts the running mean.

    Parameters
    ----------
    min_instances
        Values before the first look, at least 1.
    delta
        Shortfall of a value that is let pass, at least 0: half the smallest fall that is to be found.
    threshold
        Shortfall, summed up, at which it rings; above 0. A fall by d is found after about threshold / (d - delta)
        values.
    alpha
        Weight of the sum so far against the next value, in (0, 1].

    Notes
    -----
    The library's own ``threshold=50`` and ``delta=0.005`` are made for long streams. On bits, with 8 and 0.1, a fall
    from .8 to .3 after 100 values was found after 19 in the median, and fewer than 1 in 1000 values of a stream that
    stays the same rang (seeded simulation, in the tests).

    References
    ----------
    Page (1954), Continuous inspection schemes, Biometrika 41.
    Hinkley (1971), Inference about the change-point from cumulative sum tests, Biometrika 58.

    Examples
    --------
    >>> detector = PageHinkley()
    >>> detector.reset(np.random.default_rng(0))
    >>> rang = [detector.update(value) for value in [0.0] * 40 + [1.0] * 60 + [0.0] * 40]
    >>> [(place, one.since) for place, one in enumerate(rang) if one]
    [(117, 18)]
    """

    def __init__(
        self, min_instances: int = 30, delta: float = 0.1, threshold: float = 8.0, alpha: float = 0.9999
    ) -> None:
        self.min_instances = min_instances
        self.delta = delta
        self.threshold = threshold
        self.alpha = alpha

    def check(self) -> None:
        """A count, a shortfall, a threshold, a weight."""
        must_be_positive("PageHinkley.min_instances", self.min_instances)
        if not _is_number(self.delta) or self.delta < 0:
            raise ValueError(f"PageHinkley.delta must be a number of at least 0 but is {self.delta!r}")
        if not _is_number(self.threshold) or self.threshold <= 0:
            raise ValueError(f"PageHinkley.threshold must be a number above 0 but is {self.threshold!r}")
        if not _is_number(self.alpha) or not 0 < self.alpha <= 1:
            raise ValueError(f"PageHinkley.alpha must be a number above 0 and at most 1 but is {self.alpha!r}")

    def _made(self) -> Any:
        from river.drift import PageHinkley as OfRiver

        return OfRiver(
            min_instances=self.min_instances,
            delta=self.delta,
            threshold=self.threshold,
            alpha=self.alpha,
            mode="down",
        )

    def _fell(self) -> bool:
        return True


class Kswin(_OfRiver):
    """KSWIN: a Kolmogorov-Smirnov test of the latest values against as many drawn from those before them.

    It rings where the latest have a lower mean than all before them in the window.

    Parameters
    ----------
    alpha
        Level of each test, in (0, 1): one is made at every value, so it must be small.
    window_size
        Values in the window, at least twice ``stat_size``; before there are as many, nothing is tested.
    stat_size
        How many of them are the latest, at least 2.

    Notes
    -----
    What is drawn comes from the generator that `reset` is given. On bits, with the defaults, which are the library's, a
    fall from .8 to .3 after 100 values was found after 24 in the median, one in twenty not at all, and fewer than 1 in
    1000 values of a stream that stays the same rang (seeded simulation, in the tests).

    References
    ----------
    Raab, Heusinger & Schleif (2020), Reactive soft prototype computing for concept drift streams, Neurocomputing 416.

    Examples
    --------
    >>> detector = Kswin(window_size=60, stat_size=20)
    >>> detector.reset(np.random.default_rng(0))
    >>> rang = [detector.update(value) for value in [1.0] * 100 + [0.0] * 20]
    >>> [(place, one.since) for place, one in enumerate(rang) if one]
    [(110, 11)]
    """

    def __init__(self, alpha: float = 0.005, window_size: int = 100, stat_size: int = 30) -> None:
        self.alpha = alpha
        self.window_size = window_size
        self.stat_size = stat_size

    def check(self) -> None:
        """A level; a window that holds as many before the latest as there are of these."""
        _must_be_chance("Kswin.alpha", self.alpha)
        for name in ("stat_size", "window_size"):
            value, least = getattr(self, name), 2 if name == "stat_size" else 2 * self.stat_size
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"Kswin.{name} must be an integer of at least {least} but is {value!r}")

    def _made(self) -> Any:
        from river.drift import KSWIN

        seed = int(self._rng.integers(2**31))
        return KSWIN(alpha=self.alpha, window_size=self.window_size, stat_size=self.stat_size, seed=seed)

    def _fell(self) -> bool:
        window = np.array(self._values)[-self.window_size :]
        return bool(window[-self.stat_size :].mean() < window[: -self.stat_size].mean())


@dataclass(frozen=True, slots=True)
class Alarm:
    """That a detector rang.

    Parameters
    ----------
    number
        Which one in this life, from 0.
    fall
        What it rang for.
    first
        Id of the first experience after the fall, by estimate.
    """

    number: int
    fall: Fall
    first: str


class Watch:
    """A detector at work on an agent's answers.

    It is fed with the `toolkit.traits.learning.learner.reward` of each answer, once, as feedback arrives. Answers that
    were given before the last alarm are left out: they tell of what was in force then. So is what was handed over
    before the first task.

    Parameters
    ----------
    detector
        Begins anew.
    rng
        What it draws from.
    """

    def __init__(self, detector: Detector, rng: np.random.Generator) -> None:
        self._detector = detector
        self._detector.reset(rng)
        self._alarms = 0
        self._open: dict[str, int] = {}  # answers without feedback so far: how many alarms there had been by then
        self._told: deque[str] = deque(maxlen=_HELD)

    def given(self, id: str) -> None:
        """Note that an answer is given."""
        self._open[id] = self._alarms
        while len(self._open) > _HELD:  # feedback that never comes
            del self._open[next(iter(self._open))]

    def heard(self, experience: Experience) -> Alarm | None:
        """Take what an answer has earned; an `Alarm` if the detector rings."""
        earned = reward(experience)
        if earned is None or self._open.pop(experience.id, None) != self._alarms:
            return None
        self._told.append(experience.id)
        fall = self._detector.update(earned)
        if fall is None:
            return None
        found = Alarm(self._alarms, fall, self._told[max(0, len(self._told) - fall.since)])
        self._alarms += 1
        self._told.clear()
        return found

    def state(self) -> dict[str, object]:
        """The detector's, the alarms so far, and the answers that are waited for."""
        return {"detector": self._detector.state(), "alarms": self._alarms, "open": self._open}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _must_be_chance(name: str, value: float) -> None:
    if not _is_number(value) or not 0 < value < 1:
        raise ValueError(f"{name} must be a number between 0 and 1 but is {value!r}")


def _must_be_count(name: str, value: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} must be an integer of at least 0 but is {value!r}")
