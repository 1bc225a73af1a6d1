"""A learner under watch: a detector is told what its answers earn, and something is done where that falls."""

from __future__ import annotations

import numpy as np

from toolkit.records import Change, Experience, Learned
from toolkit.traits.learning.detectors import Adwin, Alarm, Detector, Watch
from toolkit.traits.learning.examples import DemoBuffer
from toolkit.traits.learning.learner import Learner, Response
from toolkit.traits.trait import Think

_OF = DemoBuffer()
_DETECTOR = Adwin()


class Watched(Learner):
    """Another learner, and what is done where a detector says that its answers have become worse.

    The detector is fed with what each answer has earned (the score, else whether it was the correction) as feedback
    arrives, and rings for falls only. Each alarm stands in the ledger's view ``changes``, as ``"drift"``.

    Parameters
    ----------
    of
        The learner; one that learns from the stream.
    detector
        What rings.
    response
        What is done when it does. ``"forget"``: the learner begins anew, and learns from what is heard from then on,
        beginning with the feedback that rang. ``"explore"``, of a `Bandit`: what was counted is believed less, so that
        it tries others again. ``"retune"``, of a `Tuned`: cases from before are dropped, a trial is ended, and it is
        compiled anew as soon as there are enough; the version in force stays until a better one has won its trial.

    Notes
    -----
    Feedback may arrive after an alarm on answers that were given before it. The detector is not told, since it is to
    judge what has been in force since. The learner is, as of anything that is heard: where all feedback is late by the
    same number of tasks, those tasks came after the ones that rang. A bandit that was reset has forgotten which
    instruction such an answer was given under, and leaves it out.

    What the learner was given before the first task is forgotten too. Where the model writes what is learned, it writes
    anew; that is charged to adapting like all it writes.

    References
    ----------
    Gama et al. (2014), A survey on concept drift adaptation, ACM Computing Surveys 46(4): informed adaptation.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> watched = Watched(DemoBuffer(size=3))
    >>> watched.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> for t, score in enumerate([1.0] * 60 + [0.0] * 11):
    ...     watched.applied(f"stream/{t}")
    ...     watched.observe(Experience(f"stream/{t}", Task("a", {"text": "hi"}), "yes", Feedback(score, "yes")))
    >>> [(one.kind, one.why, one.fate) for one in watched.changes()]
    [('drift', 'earned 0.00 over the last 10 answers, 1.00 before', 'forget')]
    >>> [one.source for one in watched.learned().examples]
    ['stream/69', 'stream/70']
    """

    def __init__(self, of: Learner = _OF, detector: Detector = _DETECTOR, response: Response = "forget") -> None:
        self.of = of
        self.detector = detector
        self.response = response

    @property
    def labels(self) -> int:  # type: ignore[override]
        """Those of the learner inside."""
        return self.of.labels

    @property
    def revisits(self) -> int:  # type: ignore[override]
        """Those of the learner inside."""
        return self.of.revisits

    def check(self) -> None:
        """A learner that learns, itself in order; a detector, likewise; a response that this learner has."""
        if not isinstance(self.of, Learner):
            raise ValueError(f"Watched.of must be a learner, such as DemoBuffer(), but is {self.of!r}")
        if not isinstance(self.detector, Detector):
            raise ValueError(f"Watched.detector must be a detector, such as Adwin(), but is {self.detector!r}")
        self.of.check()
        self.detector.check()
        if self.of.stateless:
            raise ValueError(f"Watched.of must learn from the stream, so that a drift concerns it, but is {self.of!r}")
        if self.response not in self.of.responses:
            known = " or ".join(map(repr, self.of.responses))
            raise ValueError(
                f"Watched.response must be {known} where of={type(self.of).__name__} but is {self.response!r}"
            )

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin anew, the learner inside and the detector too."""
        own, inner = rng.spawn(2)
        self._rng, self._think = inner, think
        self._watch = Watch(self.detector, own)
        self._news: list[Change] = []
        self._begin()

    def _begin(self) -> None:
        self.of.reset(self._rng.spawn(1)[0], self._think)

    def applied(self, id: str) -> None:
        """Note that an answer is given."""
        self._watch.given(id)
        self.of.applied(id)

    def observe(self, experience: Experience) -> None:
        """Do something about it if the detector rings; then let the learner learn."""
        alarm = self._watch.heard(experience)
        if alarm is not None:
            self._respond(alarm)
        self.of.observe(experience)

    def _respond(self, alarm: Alarm) -> None:
        self._news += [*self.of.changes(), Change("drift", str(alarm.fall), alarm.number, self.response)]
        if self.response == "forget":
            self._begin()
        else:
            self.of.drifted()

    def learned(self) -> Learned:
        """What the learner inside has learned."""
        return self.of.learned()

    def changes(self) -> tuple[Change, ...]:
        """Alarms, and what the learner inside has to tell, in their order."""
        news, self._news = (*self._news, *self.of.changes()), []
        return news

    def state(self) -> dict[str, object]:
        """The learner's, and the detector's."""
        return {"of": self.of.state(), "watch": self._watch.state()}
