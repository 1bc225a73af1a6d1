"""A learner that lets an optimiser write its prompts anew as it goes along, under a guard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, Protocol, TypeAlias

import numpy as np

from toolkit.errors import AnswerError, SpecError
from toolkit.records import Change, Experience, Learned
from toolkit.stats import sign_test
from toolkit.traits.learning.learner import Learner, Response
from toolkit.traits.trait import Think, must_be_positive

Optimiser: TypeAlias = Literal["bootstrap", "random-search", "mipro", "simba", "gepa", "copro"]
"""Which of DSPy's optimisers compiles; see `Tuned`."""

OPTIMISERS: tuple[Optimiser, ...] = ("bootstrap", "random-search", "mipro", "simba", "gepa", "copro")

WRITERS: tuple[Optimiser, ...] = ("mipro", "simba", "gepa", "copro")
"""Those that have instructions or rules written."""

Fate: TypeAlias = Literal["in force", "on trial", "replaced", "rejected", "rolled back"]

_ANSWERED = 4  # times the window
LEAST = 6  # cases before anything is compiled: two parts of it are learned from, one is kept back


class Tuning(Protocol):
    """What a run offers a learner that tunes, beside asking: as ``think.tuning``."""

    def remembers(self, experience_id: str) -> bool:
        """Whether a past task can be asked again; only the latest can."""
        ...

    def again(self, experience_id: str, learned: Learned) -> str:
        """What would have been answered with another learned block and everything else as it was; charged to adapting.

        Raises
        ------
        AnswerError
            If there is no usable answer.
        """
        ...

    def compiled(
        self,
        optimiser: Optimiser,
        train: Sequence[Experience],
        held: Sequence[Experience],
        learned: Learned,
        budget: int,
        seed: int,
        reflection: int | None = None,
    ) -> Learned:
        """What an optimiser makes of a learned block; charged to adapting. ``reflection`` says which model writes."""
        ...

    def agrees(self, answer: str, known: str) -> bool:
        """Whether an answer is the one that is known to be right."""
        ...


@dataclass(frozen=True, slots=True)
class Tally:
    """Two versions on the same tasks: how often only the one, or only the other, was right.

    Examples
    --------
    >>> str(Tally().after(1).after(0).after(-1).after(1))
    '2 won, 1 lost of 4'
    """

    wins: int = 0
    losses: int = 0
    tasks: int = 0

    def after(self, won: int) -> Tally:
        """With another task: 1 = won, -1 = lost, 0 = neither."""
        return Tally(self.wins + (won > 0), self.losses + (won < 0), self.tasks + 1)

    def __str__(self) -> str:
        return f"{self.wins} won, {self.losses} lost of {self.tasks}"


@dataclass(frozen=True, slots=True)
class Version:
    """A learned block that was compiled, and what became of it.

    Parameters
    ----------
    number
        From 0, which is the block before anything was learned.
    learned
        What the prompts carry.
    made
        The number of labels that had arrived when it was made.
    fate
        What it is now.
    trial
        What came of its trial.
    why
        In words, what decided its fate.
    """

    number: int
    learned: Learned
    made: int
    fate: Fate
    trial: Tally = Tally()
    why: str = ""


def check_optimiser(of: str, optimiser: str, reflection: int | None) -> None:
    """Raise a `ValueError` unless there is such an optimiser, and something for another model to write."""
    if optimiser not in OPTIMISERS:
        raise ValueError(f"{of}.optimiser must be one of {', '.join(map(repr, OPTIMISERS))} but is {optimiser!r}")
    if reflection is None:
        return
    if isinstance(reflection, bool) or not isinstance(reflection, int) or reflection < 0:
        raise ValueError(f"{of}.reflection_lm must be the number of a model, from 0, but is {reflection!r}")
    if optimiser not in WRITERS:
        raise ValueError(
            f"{of}.reflection_lm is {reflection!r} but {optimiser!r} has nothing written: leave it out, or take one of "
            f"{', '.join(map(repr, WRITERS))}"
        )


def tuning_of(think: Think, of: str) -> Tuning:
    """What a run offers a learner that tunes.

    Raises
    ------
    SpecError
        Where there is no run.
    """
    tuning: Tuning | None = getattr(think, "tuning", None)
    if tuning is None:
        raise SpecError([f"{of} needs the run of a study: here nobody can ask a past task again; use a Study"])
    return tuning


class Tuned(Learner):
    """Instruction and demonstrations that an optimiser of DSPy compiles from past cases, again and again.

    After every so many labels the optimiser makes a *challenger* from the latest cases whose right answer is known: it
    learns from the first two thirds; the last third is held back to choose by. A challenger that does better on these
    than the version in force stands a *shadow trial*: on the next labelled tasks, none of which it was made from, it is
    asked too, in the very context in which the version in force had answered. Only if it wins is it put in force. The
    version before it is asked on the tasks that follow, and comes back where it does better.

    Parameters
    ----------
    optimiser
        ``"bootstrap"`` (demonstrations that were answered rightly), ``"random-search"`` (the best of several such
        sets), ``"mipro"`` (instructions and demonstrations), ``"simba"`` (rules and demonstrations from what is
        sometimes right), ``"gepa"`` (instructions from reflection on mistakes), ``"copro"`` (instructions).
    every
        Labels between the end of one trial and the next compilation, at least 1.
    window
        Latest labelled cases that it is made from, at least 6.
    budget
        Answers that a compilation may ask for, about; what writes instructions comes on top. At least 1.
    trial
        Labelled tasks of a trial, at least 1.
    risk
        The chance, over the whole life, that a version is ever put in force that is no better than the one before it;
        in (0, 1]. See Notes.
    breaks
        Tasks in a row without a usable answer after which a new version is taken back, at least 1.
    demos
        Demonstrations at most, at least 1.
    reflection_lm
        Which of the arm's several models (``lm=Several((own, teacher))``), from 0, writes instructions and rules, for
        the optimisers that have them written; what is tuned is the first. None = the model that answers.

    Notes
    -----
    The k-th trial is won where an exact one-sided sign test of its tasks rejects "no better" at ``risk / (k (k + 1))``;
    these levels sum to ``risk``. It holds where a trial's tasks are drawn alike and independently of what was compiled
    [1]_. So the expected loss against never tuning is at most ``risk`` for each task, scores being in [0, 1], noisy
    feedback or not as long as the noise does not favour one of the two. A trial ends early where its end cannot change.
    With ``trial`` too short for its level nothing is ever promoted: five wins and no loss are the least at .1.

    Where the right answer is told of no task, nothing is compiled: a score alone says so of right answers only.

    References
    ----------
    .. [1] Dixon and Mood 1946, The statistical sign test, Journal of the American Statistical Association 41.
    .. [2] Khattab et al. 2024, DSPy: compiling declarative language model calls into self-improving pipelines, ICLR.
    .. [3] Opsahl-Ong et al. 2024, Optimizing instructions and demonstrations for multi-stage language model programs,
       EMNLP (MIPRO). Agrawal et al. 2025, GEPA: reflective prompt evolution can outperform reinforcement learning,
       arXiv 2507.19457.
    """

    responses: ClassVar[tuple[Response, ...]] = ("retune",)  # its versions are numbered for life

    def __init__(
        self,
        optimiser: Optimiser = "bootstrap",
        every: int = 15,
        window: int = 30,
        budget: int = 40,
        trial: int = 20,
        risk: float = 0.2,
        breaks: int = 3,
        demos: int = 3,
        reflection_lm: int | None = None,
    ) -> None:
        self.optimiser = optimiser
        self.every = every
        self.window = window
        self.budget = budget
        self.trial = trial
        self.risk = risk
        self.breaks = breaks
        self.demos = demos
        self.reflection_lm = reflection_lm

    def check(self) -> None:
        """A known optimiser; numbers in their ranges; a model that writes only where something is written."""
        check_optimiser("Tuned", self.optimiser, self.reflection_lm)
        for name in ("every", "budget", "trial", "breaks", "demos"):
            must_be_positive(f"Tuned.{name}", getattr(self, name))
        if isinstance(self.window, bool) or not isinstance(self.window, int) or self.window < LEAST:
            raise ValueError(f"Tuned.window must be an integer of at least {LEAST} but is {self.window!r}")
        if isinstance(self.risk, bool) or not isinstance(self.risk, int | float) or not 0 < self.risk <= 1:
            raise ValueError(f"Tuned.risk must be a chance above 0 and at most 1 but is {self.risk!r}")

    @property
    def directs(self) -> tuple[int, ...]:  # type: ignore[override]
        """The model that writes, if one was named."""
        return () if self.reflection_lm is None else (self.reflection_lm,)

    @property
    def revisits(self) -> int:  # type: ignore[override]
        """As many as it may compile from."""
        return self.window

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with what the prompts carry anyway."""
        self._rng, self._think = rng, think
        self._versions = [Version(0, Learned(), 0, "in force")]
        self._news: list[Change] = []
        self._current, self._before, self._challenger = 0, -1, -1
        self._cases: dict[str, Experience] = {}
        self._labels, self._since, self._trials = 0, 0, 0
        self._broken, self._watch = 0, Tally()
        self._answered: dict[str, int] = {}  # by experience: the version in force when it was answered

    @property
    def versions(self) -> tuple[Version, ...]:
        """Every version so far, in the order in which they were made."""
        return tuple(self._versions)

    def learned(self) -> Learned:
        """The version in force."""
        return self._versions[self._current].learned

    def applied(self, id: str) -> None:
        """Note which version answers."""
        self._answered[id] = self._current
        while len(self._answered) > _ANSWERED * self.window:  # their feedback never comes
            del self._answered[next(iter(self._answered))]

    def observe(self, experience: Experience) -> None:
        """Watch the version in force, go on with the trial, or begin one."""
        known = experience.known_answer
        own = self._own(experience)
        if own and self._before >= 0 and self._watched(experience, known):
            return
        if known is None:
            return
        self._labels += 1
        if self._challenger >= 0:
            if own:
                self._compare(experience, known)
        else:
            self._since += 1
        self._cases.pop(experience.id, None)
        self._cases[experience.id] = experience
        while len(self._cases) > self.window:
            del self._cases[next(iter(self._cases))]
        if self._challenger < 0 and self._since >= self.every and len(self._cases) >= LEAST:
            self._compile()

    def _own(self, experience: Experience) -> bool:
        """Whether the version in force gave the answer, and can be asked again what it would have been."""
        return self._answered.get(experience.id) == self._current and self._tuning().remembers(experience.id)

    def _tuning(self) -> Tuning:
        return tuning_of(self._think, "Tuned")

    def _compile(self) -> None:
        self._since = 0
        cases = [one for one in self._cases.values() if self._tuning().remembers(one.id)]
        if len(cases) < LEAST:
            return
        cut = len(cases) * 2 // 3
        made = self._tuning().compiled(
            self.optimiser,
            cases[:cut],
            cases[cut:],
            self.learned(),
            self.budget,
            int(self._rng.integers(1, 2**31)),
            self.reflection_lm,
        )
        made = replace(made, examples=made.examples[: self.demos])
        if made == self.learned():
            return
        self._challenger = len(self._versions)
        self._versions.append(Version(self._challenger, made, self._labels, "on trial"))
        self._news.append(Change("version", f"compiled from {cut} cases", self._challenger, "on trial", made))
        screen = self._screened(cases[cut:])
        if screen.wins <= screen.losses:
            self._close("rejected", f"no better on the cases held back: {screen}")
        else:
            self._trials += 1

    def _screened(self, held: Sequence[Experience]) -> Tally:
        """How the challenger does on the cases that it was not compiled from."""
        found = Tally()
        for one in held:
            if self._own(one) and (known := one.known_answer) is not None:
                found = found.after(self._against(one, self._versions[self._challenger].learned, known))
        return found

    def _compare(self, experience: Experience, known: str) -> None:
        """One task of the trial."""
        now = self._versions[self._challenger]
        tally = now.trial.after(self._against(experience, now.learned, known))
        self._versions[self._challenger] = replace(now, trial=tally)
        left, level = self.trial - tally.tasks, self.risk / (self._trials * (self._trials + 1))
        if sign_test(tally.wins, tally.losses + left) <= level:
            self._promote(str(tally))
        elif sign_test(tally.wins + left, tally.losses) > level:
            self._close("rejected", f"{tally}: not shown to be better at level {level:.2g}")

    def _against(self, experience: Experience, other: Learned, known: str) -> int:
        """1 where only the other block would have been right, -1 where only the answer given was, else 0."""
        tuning = self._tuning()
        try:
            answer = tuning.again(experience.id, other)
        except AnswerError:
            answer = ""
        return int(tuning.agrees(answer, known)) - int(tuning.agrees(experience.answer, known))

    def _promote(self, told: str) -> None:
        self._mark(self._current, "replaced", f"version {self._challenger} was better")
        self._before, self._current = self._current, self._challenger
        self._close("in force", told)
        self._broken, self._watch = 0, Tally()

    def _close(self, fate: Fate, why: str) -> None:
        """The end of a trial."""
        self._mark(self._challenger, fate, why)
        self._challenger, self._since = -1, 0

    def _mark(self, number: int, fate: Fate, why: str) -> None:
        self._versions[number] = replace(self._versions[number], fate=fate, why=why)
        self._news.append(Change("version", why, number, fate))

    def _watched(self, experience: Experience, known: str | None) -> bool:
        """Whether the version in force was taken back: it gives no answers, or the one before it does better."""
        self._broken = 0 if experience.answer else self._broken + 1
        if self._broken >= self.breaks:
            return self._roll_back(f"no usable answer {self.breaks} times in a row")
        if known is None or self._watch.tasks >= self.trial:
            return False
        won = self._against(experience, self._versions[self._before].learned, known)
        self._watch = watch = self._watch.after(won)
        if watch.wins <= watch.losses or sign_test(watch.wins, watch.losses) > self.risk:
            return False
        return self._roll_back(f"the version before it did better: {watch}")

    def _roll_back(self, why: str) -> bool:
        self._mark(self._current, "rolled back", why)
        self._current, self._before = self._before, -1
        self._mark(self._current, "in force", "came back")
        if self._challenger >= 0:
            self._close("rejected", "the version it was compared with was taken back")
        return True

    def drifted(self) -> None:
        """Drop all cases, end a trial, and compile anew as soon as there are enough; the version in force stays."""
        if self._challenger >= 0:
            self._close("rejected", "it was compiled before the drift")
        self._cases, self._since = {}, self.every

    def changes(self) -> tuple[Change, ...]:
        """Versions that were made, and what became of them."""
        news, self._news = tuple(self._news), []
        return news

    def state(self) -> dict[str, object]:
        """Every version and its fate, and what the next one would be made from."""
        return {"versions": list(self._versions), "cases": list(self._cases), "since": self._since}
