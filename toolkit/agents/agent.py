"""An arm brought to life: the only place where traits meet."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.agents.arm import Arm
from toolkit.agents.decision import Context, Decision
from toolkit.agents.playing import play
from toolkit.agents.steps import refuse_unknown, thinks
from toolkit.component import digest
from toolkit.randomness import generator
from toolkit.records import Change, Example, Experience, Learned, Phase, Recall, Step, Task, Turn, Usage
from toolkit.traits.trait import Think

if TYPE_CHECKING:
    from toolkit.agents.live import LiveAgent
    from toolkit.agents.tuning import Tuning
    from toolkit.component import Config
    from toolkit.ledger.store import Ledger
    from toolkit.lm.model import Deciding, Model
    from toolkit.streams.stage import Stage
    from toolkit.streams.stream import Stream


class Agent:
    """What acts on tasks and learns from feedback.

    Parameters
    ----------
    arm
        What it is. Its traits are cloned: two agents of one arm share nothing.
    step
        The stream's decision step.
    decision
        Its access to the model.
    seeds
        The path its random numbers derive from, e.g. ``(study seed, run seed)``.
    """

    def __init__(self, arm: Arm, step: Step, decision: Decision, seeds: tuple[int | str, ...]) -> None:
        self.arm, self.step, self.decision = arm, step, decision
        self._seeds = (*seeds, "repeat", arm.repeat)
        self.role, self.memory = arm.role.clone(), arm.memory.clone()
        self.goals, self.learning = arm.goals.clone(), arm.learning.clone()
        self.decider = arm.decider.clone()
        self.reset()

    @classmethod
    def open(
        cls,
        name: str,
        *,
        arm: Arm | None = None,
        lm: Model | Config | str | None = None,
        step: Step | str | object = None,
        stream: Stream | None = None,
        options: Sequence[str] = (),
        deciding: Deciding | None = None,
        seed: int = 0,
        ledger: Ledger | str | Path | None = None,
        reembed: bool = False,
    ) -> LiveAgent:
        """An agent in live use, which goes on remembering after the kernel or the machine restarts.

        The first time it is made from what is given; later its name suffices. It is kept in
        ``<ledger>/agents/<name>.duckdb``.

        Parameters
        ----------
        name
            1 to 40 letters, digits, ``.``, ``_`` or ``-``.
        arm
            What it is.
        lm
            What answers; None = the arm's own, else ``"smollm2-135m"``.
        step
            Its decision: a `Step`, a text such as ``"ticket -> queue"``, or a `dspy.Signature`; None = the stream's,
            else to answer a ``message``.
        stream
            Whose step it takes; a scripted model has its answers from it.
        options
            Closed answers of its tasks, where they are always the same.
        deciding
            How closed options are chosen; None = the model's first way.
        seed
            What its randomness derives from, at least 0.
        ledger
            Where it is kept.
        reembed
            Whether it may be another arm, model or embedder than it was: everything it has met is then lived through
            again as what it is now (with a progress bar), and what memory and learning ask the model is asked anew.

        Raises
        ------
        AgentBusy
            If somebody has it open already; says who.
        OtherAgent
            If it was made as something else, and ``reembed`` is not set; says what it was and what it is.
        LedgerError
            If there is none of that name and no ``arm`` is given.
        """
        from toolkit.agents.opening import opened  # which is made of agents

        return opened(
            name,
            arm=arm,
            lm=lm,
            step=step,
            stream=stream,
            options=options,
            deciding=deciding,
            seed=seed,
            ledger=ledger,
            reembed=reembed,
        )

    def reset(self) -> None:
        """Begin a new life: no memory, nothing learned."""
        self.tuning: Tuning | None = None
        self.decision.think.learned, self._taken = Learned(), tuple(thinks(self.decider))
        self.decision.think.take()
        if self.learning.revisits:
            from toolkit.agents.tuning import Tuning  # with DSPy's optimisers

            think: Any = self.thinking()
            self.tuning = think.tuning = Tuning(self)
        for part in ("role", "memory", "goals", "learning"):
            getattr(self, part).reset(generator(*self._seeds, part), self.thinking())
        self.decider.reset(generator(*self._seeds, "decider"))
        self._heed()
        self._transcripts: dict[str, tuple[Example, ...]] = {}
        self._frozen = False
        self.context = Context()

    def thinking(self) -> Think:
        """How its traits ask the model."""
        return self.decision.think

    def freeze(self) -> None:
        """From here on nothing is remembered or learned; sessions begin anew, and their transcripts go on."""
        self._transcripts, self._frozen = {}, True

    def copied(self) -> Agent:
        """Another agent in the same state, frozen, that shares nothing but the access to the model."""
        other, shared = copy.copy(self), {id(self.decision): self.decision}
        for part in ("role", "memory", "goals", "learning", "decider"):
            setattr(other, part, copy.deepcopy(getattr(self, part), shared))
        other.freeze()
        other.changes()  # they are told of the first
        return other

    def prepare(self, labelled: Iterable[Experience]) -> None:
        """Learn from labelled tasks before the stream begins: learner and memory from as many as each has asked for."""
        for place, experience in enumerate(labelled):
            if place < self.learning.labels:
                self._laid_out(place, experience)
                self.learning.observe(experience)
                self._heed()
            if place < self.memory.labels:
                self.memory.observe(experience)

    def _laid_out(self, place: int, experience: Experience) -> None:
        """For a learner that asks labelled tasks itself: in which context they stand."""
        if self.tuning is not None:
            self.decision.at("prepare", place)
            self.consider(experience.task)
            self.tuning.met(experience.id, experience.task, self.context)

    def tell(self, told: Iterable[Task]) -> None:
        """Remember what is told before the first task: there is nothing to answer, and nothing to learn from."""
        for place, task in enumerate(told):
            self.decision.at("prepare", place)
            self.memory.observe(Experience(f"prepare/told-{place}", task, ""))

    def act(self, task: Task, phase: Phase, t: int, stage: Stage | None = None) -> tuple[Turn, ...]:
        """Answer a task, or act on its stage until it ends; nothing is learned yet."""
        self.decision.at(phase, t)
        self.consider(task)
        if not self._frozen:
            self.asked(f"{phase}/{t}", task)
        if stage is not None:
            return play(self, task, stage)
        return (self.decider.decide(self.step, task, self.context, self.decision),)

    def consider(self, task: Task) -> None:
        """Lay out the blocks of a task's prompt."""
        self.context = Context(
            role=self.role.text(),
            role_examples=self.role.worked(),
            goal=self.goals.block(task),
            learned=self.learning.learned(),
            recall=self.memory.recall(task),
            transcript=self._transcripts.get(task.session, ()) if task.session else (),
        )

    def asked(self, id: str, task: Task) -> None:
        """Let learner and decider note what is in force for the answer whose experience will have this id."""
        asked, own = self.decision.think.take(), self.decision.think.learned.steps or {}
        for name, instruction in {**asked, **{name: own.get(name, "") for name in self._taken}}.items():
            self.learning.asked(name, instruction)
        self.learning.applied(id)
        self.decider.asked(id, task)
        if self.tuning is not None:
            self.tuning.met(id, task, self.context)

    def again(self, task: Task, recall: Recall) -> Turn:
        """Answer the task that was answered last once more, with ``recall`` for what memory gave; charged to judging.

        Raises
        ------
        AnswerError
            As `act`.
        """
        with self.decision.booked("judging"):
            return self.decider.decide(self.step, task, replace(self.context, recall=recall), self.decision)

    def observe(self, experience: Experience) -> None:
        """Keep what was just done, before any feedback."""
        task = experience.task
        if self.arm.transcript and task.session:
            before = self._transcripts.get(task.session, ())
            self._transcripts[task.session] = (*before, experience.example(experience.answer))
        if not self._frozen:
            self.memory.observe(experience)

    def learn(self, experience: Experience) -> None:
        """Learn from feedback that has arrived."""
        self.memory.observe(experience)
        self.learning.observe(experience)
        self._heed()
        self.goals.observe(experience)
        self.decider.observe(experience)

    def _heed(self) -> None:
        """Have steps asked as the learner says from here on."""
        learned = self.learning.learned()
        if learned.steps:
            parts = (self.role, self.memory, self.goals, self.learning, self.decider)
            refuse_unknown(learned.steps, parts, f"arm {self.arm.name!r}: {self.learning!r}")
        self.decision.think.learned = learned

    def spent(self) -> Usage:
        """What memory and learning have cost since this was last asked."""
        return self.decision.recorder.take("adapting")

    def changes(self) -> tuple[Change, ...]:
        """What has happened to memory and learner since this was last asked."""
        return (*self.memory.changes(), *self.learning.changes())

    def state(self) -> str:
        """A hash of all that may have changed since `reset`."""
        parts = (self.memory, self.goals, self.learning, self.decider)
        return digest([part.state() for part in parts])
