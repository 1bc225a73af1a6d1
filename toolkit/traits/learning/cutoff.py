"""A threshold that is learned: from which confidence on acting pays, by what acting was worth lately."""

from __future__ import annotations

import math
from collections import deque
from typing import TypedDict

import numpy as np

from toolkit.traits.trait import must_be_positive

NEVER = math.nextafter(1.0, 2.0)
"""The threshold that no confidence reaches."""

_DIGITS = 9  # to which sums of payoffs are compared: ties are ties on every machine


class Seen(TypedDict):
    """The state of a `Cutoff`: its pairs of a confidence and how right acting was, the oldest first."""

    pairs: list[list[float]]


class Cutoff:
    """From which confidence on acting pays: the threshold that would have earned the most over the latest pairs.

    A pair is a confidence and how right acting turned out (or would have). What acting earns is then
    ``wrong + (right - wrong) * how right``; not acting always earns ``instead``. Whether to answer, to act or to ask
    is the same question with other worths.

    Before anything is known a confidence is taken at its word: the threshold is Chow's [1]_, ``(instead - wrong) /
    (right - wrong)``. It begins with ``prior`` made-up pairs that say so, spread evenly over [0, 1], which real ones
    outweigh as they come: so a handful of them, or none in some range, moves it little. Confidences that mean
    something else than they say, in either direction, cost nothing once that has been seen.

    Parameters
    ----------
    right, wrong, instead
        What it is worth to act and be right, to act and be wrong, and not to act; ``right`` is more than ``wrong``.
    window
        How many of the latest pairs count, at least 1: what was seen before a change is forgotten in time.
    prior
        How many made-up pairs there are, at least 1.

    Notes
    -----
    With g the gain of acting over not acting, the threshold maximises the sum of g over all pairs of at least that
    confidence. Among equally good ones it is the lowest, since acting also teaches. Any threshold between two
    neighbouring confidences acts alike: there it is Chow's if that lies between them, else halfway. Acting from this
    threshold on is the same as acting where the isotonic regression of g on the confidence is at least 0 [2]_, so it
    trusts the order of confidences and not their values; with confidences that are right in another order it finds
    the best threshold still, but no threshold is then the best rule.

    Where a pair is only seen if one has acted, there are no pairs below the threshold, and one that is too high stays
    so: whoever uses it must act there now and then. Since the threshold looks at the confidence alone, the pairs that
    are seen still tell without bias how right acting is at each confidence.

    Updating costs O(window), asking again nothing.

    References
    ----------
    .. [1] Chow (1970), On optimum recognition error and reject tradeoff, IEEE Trans. Information Theory 16(1).
    .. [2] Fawcett & Niculescu-Mizil (2007), PAV and the ROC convex hull, Machine Learning 68(1).
    .. [3] El-Yaniv & Wiener (2010), On the foundations of noise-free selective classification, JMLR 11.

    Examples
    --------
    >>> cutoff = Cutoff(instead=0.4)
    >>> round(cutoff.at, 3), cutoff.pays(0.6)
    (0.4, True)
    >>> for number in range(60):
    ...     cutoff.seen(0.6, float(number % 5 == 0))  # it says 0.6, and is right once in five times
    ...     cutoff.seen(0.9, float(number % 5 != 0))
    >>> cutoff.pays(0.6), cutoff.pays(0.9)
    (False, True)
    """

    def __init__(
        self, right: float = 1.0, wrong: float = 0.0, instead: float = 0.4, *, window: int = 300, prior: int = 20
    ) -> None:
        for name, value in (("right", right), ("wrong", wrong), ("instead", instead)):
            if not math.isfinite(value):
                raise ValueError(f"Cutoff.{name} must be a finite number but is {value!r}")
        if right <= wrong:
            raise ValueError(f"Cutoff.right must be more than wrong = {wrong!r} but is {right!r}: else never act")
        must_be_positive("Cutoff.window", window)
        must_be_positive("Cutoff.prior", prior)
        self.right, self.wrong, self.instead, self.window, self.prior = right, wrong, instead, window, prior
        self._pairs: deque[tuple[float, float]] = deque(maxlen=window)
        self._at: float | None = None

    @property
    def chow(self) -> float:
        """The threshold for confidences that are what they say, at least 0; `NEVER` where even certainty pays less."""
        share = (self.instead - self.wrong) / (self.right - self.wrong)
        return NEVER if share > 1 else max(0.0, share)

    @property
    def at(self) -> float:
        """The confidence from which on acting pays, in [0, 1]; `NEVER`, just above 1, where it never does."""
        if self._at is None:
            self._at = self._best()
        return self._at

    def pays(self, confidence: float) -> bool:
        """Whether to act at this confidence."""
        return confidence >= self.at

    def seen(self, confidence: float, right: float) -> None:
        """Learn how right it was, or would have been, to act at this confidence; both in [0, 1].

        Raises
        ------
        ValueError
            If either is out of range.
        """
        for name, value in (("confidence", confidence), ("right", right)):
            if not 0 <= value <= 1:
                raise ValueError(f"Cutoff.seen: {name} must be in [0, 1] but is {value!r}")
        self._pairs.append((float(confidence), float(right)))
        self._at = None

    def state(self) -> Seen:
        """What it has seen, as plain values; see `restore`."""
        return {"pairs": [list(pair) for pair in self._pairs]}

    def restore(self, state: Seen) -> None:
        """Go on from a state; what was seen since is forgotten."""
        self._pairs.clear()
        self._at = None
        for confidence, right in state["pairs"]:
            self.seen(confidence, right)

    def _best(self) -> float:
        made_up = (np.arange(self.prior) + 0.5) / self.prior
        given = np.array(self._pairs, dtype=float).reshape(-1, 2)
        sure, right = np.append(given[:, 0], made_up), np.append(given[:, 1], made_up)
        gains = self.wrong + (self.right - self.wrong) * right - self.instead
        order = np.argsort(-sure, kind="stable")
        sure, summed = sure[order], np.round(np.append(0.0, np.cumsum(gains[order])), _DIGITS)
        # Acting on the first k is a threshold only where the next confidence is another one.
        cuts = np.append(np.append(True, sure[1:] != sure[:-1]), True)
        summed[~cuts] = -math.inf
        first = len(summed) - 1 - int(np.argmax(summed[::-1]))
        return self._between(sure[first] if first < len(sure) else None, sure[first - 1] if first else None)

    def _between(self, below: float | None, above: float | None) -> float:
        """A threshold above the one confidence, and at most the other."""
        low, high = -1.0 if below is None else float(below), NEVER if above is None else float(above)
        if low < self.chow <= high:
            return self.chow
        if above is None:
            return NEVER
        middle = (max(low, 0.0) + high) / 2
        return 0.0 if below is None else middle if low < middle else high
