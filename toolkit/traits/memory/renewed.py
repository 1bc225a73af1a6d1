"""Memory that is cleared where a detector says that the truth has changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from toolkit.records import Change, Experience, Memory, Recall, Task
from toolkit.traits.learning.detectors import Adwin, Alarm, Detector, Watch
from toolkit.traits.memory.policy import Forgotten, MemoryPolicy
from toolkit.traits.memory.retrieval import Retrieval
from toolkit.traits.trait import Think

_MOST = 256  # experiences that are held back for the day of an alarm
_OF = Retrieval()
_DETECTOR = Adwin()


class Renewed(MemoryPolicy):
    """Another policy that forgets all it had stored where a detector says that answers have become worse.

    The detector is fed with what each answer has earned, as feedback arrives, and rings for falls only. Then the policy
    begins anew and is given once more the latest experiences, in order, with the feedback that has come. Each alarm
    stands in the ledger's view ``changes``, as ``"drift"``.

    Parameters
    ----------
    of
        The policy.
    detector
        What rings.
    keep
        Experiences that are given once more: the latest so many, 0 to 256; None = those since the change, by estimate,
        256 at most.

    Notes
    -----
    Feedback that arrives after an alarm on an answer from before it is news all the same: the policy is told, and a
    policy that stores cases then has this one again. The detector is not told, since it judges what has been recalled
    since. What was handed over or told before the first task is forgotten with the rest. Where the model writes what is
    kept, it writes anew of what is given once more.

    Experiences are held back so that they can be given once more; they are never recalled, and go with a user who is
    forgotten.

    References
    ----------
    Gama et al. (2014), A survey on concept drift adaptation, ACM Computing Surveys 46(4): informed adaptation.

    Examples
    --------
    >>> from toolkit.records import Feedback
    >>> policy = Renewed(Retrieval(k=1))
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> for t, score in enumerate([1.0] * 60 + [0.0] * 11):
    ...     seen = Experience(f"stream/{t}", Task("a", {"text": f"hi {t}"}), "yes")
    ...     policy.observe(seen)
    ...     policy.observe(replace(seen, feedback=Feedback(score, "yes")))
    >>> [one.fate for one in policy.changes()], [one.id for one in policy.memories()][0]
    (['forget'], 'stream/60')
    """

    def __init__(self, of: MemoryPolicy = _OF, detector: Detector = _DETECTOR, keep: int | None = None) -> None:
        self.of = of
        self.detector = detector
        self.keep = keep

    @property
    def labels(self) -> int:  # type: ignore[override]
        """Those of the policy inside."""
        return self.of.labels

    @property
    def limit(self) -> int | None:
        """That of the policy inside."""
        return self.of.limit

    def check(self) -> None:
        """A policy that stores, itself in order; a detector, likewise; a number of experiences."""
        if not isinstance(self.of, MemoryPolicy):
            raise ValueError(f"Renewed.of must be a memory policy, such as Retrieval(), but is {self.of!r}")
        if not isinstance(self.detector, Detector):
            raise ValueError(f"Renewed.detector must be a detector, such as Adwin(), but is {self.detector!r}")
        self.of.check()
        self.detector.check()
        if self.of.stateless:
            raise ValueError(f"Renewed.of must store what is met, so that a drift concerns it, but is {self.of!r}")
        whole = isinstance(self.keep, int) and not isinstance(self.keep, bool)
        if self.keep is not None and not (whole and 0 <= self.keep <= _MOST):
            raise ValueError(f"Renewed.keep must be an integer from 0 to {_MOST}, or None, but is {self.keep!r}")

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew, the policy inside and the detector too."""
        own, inner = rng.spawn(2)
        self._rng, self._think = inner, think
        self._watch = Watch(self.detector, own)
        self._news: list[Change] = []
        self._latest: dict[str, Experience] = {}
        self._begin()

    def _begin(self) -> None:
        self.of.reset(self._rng.spawn(1)[0], self._think)

    def observe(self, experience: Experience) -> None:
        """Let the policy observe; where the detector rings, begin anew."""
        self.of.observe(experience)
        if experience.id.startswith("prepare/"):
            return
        if experience.feedback is None:
            self._watch.given(experience.id)
        if experience.feedback is None or experience.id in self._latest:
            self._latest[experience.id] = experience
        while len(self._latest) > (_MOST if self.keep is None else self.keep):
            del self._latest[next(iter(self._latest))]
        alarm = self._watch.heard(experience)
        if alarm is not None:
            self._renew(alarm)

    def _renew(self, alarm: Alarm) -> None:
        self._news += [*self.of.changes(), Change("drift", str(alarm.fall), alarm.number, "forget")]
        self._begin()
        ids = list(self._latest)
        if self.keep is None:
            ids = ids[ids.index(alarm.first) if alarm.first in self._latest else 0 :]
        self._latest = {name: self._latest[name] for name in ids}
        for one in self._latest.values():  # as it was seen: first without feedback, then with what has arrived
            self.of.observe(replace(one, feedback=None))
            if one.feedback is not None:
                self.of.observe(one)

    def recall(self, task: Task) -> Recall:
        """What the policy inside recalls."""
        return self.of.recall(task)

    def scores(self, task: Task) -> Mapping[str, float]:
        """Those of the policy inside."""
        return self.of.scores(task)

    def memories(self) -> Sequence[Memory]:
        """Those of the policy inside."""
        return self.of.memories()

    def forget(self, user: str) -> Forgotten:
        """The policy inside forgets, and none of the user's experiences is held back."""
        self._latest = {name: one for name, one in self._latest.items() if one.task.user != user}
        return self.of.forget(user)

    def changes(self) -> tuple[Change, ...]:
        """Alarms, and what the policy inside has to tell, in their order."""
        news, self._news = (*self._news, *self.of.changes()), []
        return news

    def state(self) -> dict[str, object]:
        """The policy's, the detector's, and what is held back."""
        held = [[one.id, one.feedback is not None] for one in self._latest.values()]
        return {"of": self.of.state(), "watch": self._watch.state(), "latest": held}
