"""An agent that writes down what it meets, and how another one lives through it: so a live agent outlasts a kernel.

An agent's state follows from what it met, in order, and from what the model said where memory or learning asked it. So
that is what is kept, whatever the policy: no policy says how it is saved. (Law 5 does the same for runs of a study.)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from toolkit.agents.agent import Agent
from toolkit.agents.arm import Arm
from toolkit.agents.decision import Decision
from toolkit.agents.unprompted import MOMENT, Moment, Scene, said
from toolkit.component import Component, digest, parts_of
from toolkit.errors import AnswerError
from toolkit.ledger.call import Call
from toolkit.ledger.events import Event, EventKind, Stage
from toolkit.lm.model import Deciding, Engine, Model
from toolkit.lm.tape import Recorder
from toolkit.moves import WAIT, Observation
from toolkit.records import Experience, Phase, Step, Task, Turn
from toolkit.streams.stage import Stage as WorldStage
from toolkit.traits.memory.policy import MemoryPolicy

Seeds = tuple[int | str, ...]

_MANY = 2_000  # events from which on living through them again shows how far it is


class Thinking:
    """How the traits of a live agent ask the model; vectors from outside are kept, so that no text is embedded twice.

    Parameters
    ----------
    decision
        The agent's access to its model.
    known
        Vectors that were kept, as bytes, by embedder and by `mark` of the text; None = every request is made as it
        comes, since a tape has it so, and what it gives is kept.
    """

    def __init__(self, decision: Decision, known: Mapping[tuple[str, str], bytes] | None) -> None:
        self._decision, self._known, self._all = decision, dict(known or {}), known is None
        self.fresh: dict[tuple[str, str], bytes] = {}

    def __call__(self, step: Step, **inputs: str) -> str:
        """Take a step."""
        return self._decision.think(step, **inputs)

    def embed(self, embedder: Component, texts: Sequence[str]) -> NDArray[np.float32]:
        """One row for each text, by an embedder from outside the agent; only what is not known is asked."""
        name = embedder.fingerprint()
        keys = {text: (name, mark(text)) for text in texts}
        new = list(texts) if self._all else [text for text, key in keys.items() if key not in self._known]
        if new:
            asked = getattr(self._decision.think, "embed", None)
            rows = embedder.embed(new) if asked is None else asked(embedder, new)  # type: ignore[attr-defined]
            found = {
                keys[text]: np.asarray(row, dtype=np.float32).tobytes() for text, row in zip(new, rows, strict=True)
            }
            self._known |= found
            self.fresh |= found
        if not texts:
            return np.zeros((0, 0), dtype=np.float32)
        return np.stack([np.frombuffer(self._known[keys[text]], dtype=np.float32) for text in texts])

    def take(self) -> dict[tuple[str, str], bytes]:
        """Vectors that are new since this was last asked."""
        taken, self.fresh = self.fresh, {}
        return taken


class Diary(Agent):
    """An agent that writes down what it meets.

    Parameters
    ----------
    arm, step, seeds
        As of an `Agent`.
    model, deciding
        How it is prompted, and how it chooses among closed options.
    engine
        What answers; None = the model is absent, and every call must stand on the tape.
    tape
        Calls that were made before.
    lenient
        Whether a request that differs from the one on the tape is asked anew.
    vectors
        Vectors that were kept; None for a life whose tape is a study's; see `Thinking`.

    Attributes
    ----------
    events
        What was met since `take`.
    """

    def __init__(
        self,
        arm: Arm,
        step: Step,
        model: Model,
        deciding: Deciding,
        seeds: Seeds,
        *,
        engine: Engine | None = None,
        tape: Iterable[Call] = (),
        lenient: bool = False,
        vectors: Mapping[tuple[str, str], bytes] | None = None,
    ) -> None:
        self._vectors = vectors
        self.thought: Thinking | None = None
        self.events: list[Event] = []
        self._calls: list[tuple[Stage, Call]] = []
        self._stage: Stage = "learn"
        self._last: dict[tuple[str, str], Experience] = {}
        self._scene: Scene | None = None
        drawn = (*seeds, "repeat", arm.repeat)
        recorder = Recorder(model, engine, drawn, lambda call: None, tape, heard=self._hear, lenient=lenient)
        super().__init__(arm, step, Decision(model, deciding, recorder), seeds)

    def thinking(self) -> Thinking:
        """As `Agent`; what was embedded is kept."""
        if self.thought is None:  # all its traits have one
            self.thought = Thinking(self.decision, self._vectors)
        return self.thought

    def embedded(self) -> dict[tuple[str, str], bytes]:
        """Vectors that came from outside since this was last asked."""
        return {} if self.thought is None else self.thought.take()

    def take(self) -> list[Event]:
        """What was met since this was last asked."""
        taken, self.events = self.events, []
        return taken

    def prepare(self, labelled: Iterable[Experience]) -> None:
        """As `Agent`; one event each."""
        seen = list(labelled)
        super().prepare(seen)
        for experience in seen[:-1]:
            self._note("prepare", experience, bare=True)
        if seen:
            self._note("prepare", seen[-1])

    def tell(self, told: Iterable[Task]) -> None:
        """As `Agent`; one event each."""
        for place, task in enumerate(told):
            self.decision.at("prepare", place)
            self.heard(Experience(f"prepare/told-{place}", task, ""))

    def heard(self, experience: Experience) -> None:
        """Remember what was told, without anything to answer."""
        self.memory.observe(experience)
        self._note("tell", experience)

    def act(self, task: Task, phase: Phase, t: int, stage: WorldStage | None = None) -> tuple[Turn, ...]:
        """As `Agent`; what goes wrong by its own doing is an event, too."""
        self._stage = "act"
        try:
            return super().act(task, phase, t, stage)
        except AnswerError as error:
            self._note("failed", Experience(f"{phase}/{t}", task, ""), status=error.status, error=str(error))
            raise
        finally:
            self._stage = "learn"

    def recall(self, task: Task) -> None:
        """Recall for a task that was answered already, where that changes memory or is needed again."""
        self._stage = "act"
        self.consider(task)
        self._stage = "learn"

    def observe(self, experience: Experience) -> None:
        """As `Agent`."""
        super().observe(experience)
        self._last[experience.task.user, experience.task.session] = experience
        self._note("answer", experience)

    def tick(self, task: Task, t: int, lived: Experience | None = None, why: str = "") -> tuple[Experience, str]:
        """Let time pass: what its goal policy makes of that, and the goal; an empty answer = nothing was said.

        Parameters
        ----------
        task
            What is seen, in the conversation of a user and a session; with actions, where it is to choose among some.
        t
            Which event of its life this is.
        lived, why
            What came of it then, where it is lived through again: the policy does so, too, from the tape.

        Raises
        ------
        AnswerError
            If the prompt does not fit the model; what the policy half did is not undone.
        """
        self.decision.at("stream", t)
        self._stage = "act"
        scene = self._here(task)
        player = Moment(self, scene, scene.task if scene.asked and scene.now.text == MOMENT else task)
        try:
            turn = player.turn()
        except AnswerError as error:
            self._note("failed", Experience(f"stream/{t}", task, ""), status=error.status, error=str(error))
            raise
        finally:
            self._stage = "learn"
        self._calls = [("learn", call) for _, call in self._calls]  # living through it again makes them again
        spent = turn.usage + self.decision.recorder.take("acting")
        made = Experience(f"stream/{t}", task, said(turn), recalled=turn.recalled, usage=replace(spent, seconds=0.0))
        seen = made if lived is None else lived
        scene.moves[-1] = replace(scene.moves[-1], action=seen.answer or WAIT)
        return self._noted(seen, why or player.why)

    def _here(self, task: Task) -> Scene:
        """The scene of a tick: it goes on until something is asked, or time passes in another conversation."""
        whose = task.user, task.session
        asked = self._last.get(whose)
        if self._scene is None or (self._scene.whose, self._scene.asked) != (whose, asked):
            self._scene = Scene(whose, asked)
            self.goals.begin(self._scene.task, ())
        self._scene.now = Observation(next(iter(task.inputs.values())), "tick", task.options)
        return self._scene

    def _noted(self, seen: Experience, why: str) -> tuple[Experience, str]:
        """A tick, written down; what was said is remembered like an answer."""
        if seen.answer:
            why = why or type(self.goals).__name__
            self.asked(seen.id, seen.task)
            super().observe(seen)
        else:
            self.decision.think.take()
            why = ""
        self._note("tick", seen, why=why)
        return seen, why

    def learn(self, experience: Experience) -> None:
        """As `Agent`."""
        super().learn(experience)
        self.changes()  # nobody here keeps them: a life's versions are its learner's own
        self._note("feedback", experience)

    def lost(self, task: Task, error: Exception) -> list[Event]:
        """What is to be written down where something raised: calls that were paid for, and why they came to nothing."""
        if self._calls:
            phase, t = self.decision.place
            told = f"{type(error).__name__}: {error}"[:500]
            self._note("failed", Experience(f"{phase}/{t}", task, ""), status="failed", error=told)
        return [event for event in self.take() if event.kind == "failed"]

    def _hear(self, call: Call) -> None:
        if call.purpose != "judging":
            self._calls.append((self._stage, call))
            return
        bare = replace(call, prompt=(), answer="", response="", hash="", error="")
        last = self.events[-1] if self.events else None  # the bench's own: that it was made counts, not what it said
        if last is not None and (last.kind, last.phase, last.t) == ("failed", call.phase, call.t):
            self.events[-1] = replace(last, calls=(*last.calls, ("act", bare)))
        else:
            self._calls.append(("act", bare))

    def _note(
        self,
        kind: EventKind,
        experience: Experience,
        *,
        bare: bool = False,
        status: str = "ok",
        error: str = "",
        why: str = "",
    ) -> None:
        phase, t = self.decision.place
        calls: tuple[tuple[Stage, Call], ...] = ()
        if not bare:
            calls, self._calls = tuple(self._calls), []
        self.events.append(Event(kind, phase, t, experience, calls, status, error, why=why))


def relive(
    diary: Diary,
    events: Iterable[Event],
    passed: Mapping[int, Mapping[str, int]],
    told: Callable[[Event, list[Event]], object] = lambda event, written: None,
) -> None:
    """Let a new agent meet what another one met, in order, without answering anything again.

    Parameters
    ----------
    diary
        Newly made, with the other one's tape.
    events
        What was met.
    passed
        By event: calls of its answer that are not made again; see `AgentFile.passed`.
    told
        Is told of each event when it is done, and of what the agent has written down of it.

    Raises
    ------
    TapeError
        If memory or learning ask the model something else than they did then, and may not.
    """
    recalls = draws(diary.memory) or diary.learning.revisits > 0
    for kind, group in groupby(events, key=lambda event: event.kind):
        if kind == "prepare":
            _prepared(diary, list(group), told)
            continue
        for event in group:
            diary.decision.at(event.phase, event.t)
            for step, calls in passed.get(event.seq, {}).items():
                diary.decision.recorder.passed(event.phase, event.t, step, calls)
            _live(diary, event, recalls)
            told(event, diary.take())


def _live(diary: Diary, event: Event, recalls: bool) -> None:
    """Let an agent meet one event; ``recalls`` says whether recalling changes anything in it."""
    kind, met = event.kind, event.experience
    if kind in ("answer", "failed"):
        if recalls:
            diary.recall(met.task)
        diary.asked(met.id, met.task)
    if kind == "answer":
        diary.observe(met)
    elif kind == "tell":
        diary.heard(met)
    elif kind == "feedback":
        diary.learn(met)
    elif kind == "tick":
        diary.tick(met.task, event.t, met, event.why)


def with_bar(events: Iterable[Event], total: int, name: str, always: bool) -> Iterable[Event]:
    """Events as they are; where they are many, or ``always``, a bar shows how far living through them is."""
    if total < _MANY and not always:
        return events
    from tqdm.auto import tqdm  # in a notebook a bar of its own, not what looks like an error

    shown: Iterable[Event] = tqdm(
        events, total=total, unit="event", desc=name, delay=0 if always else 1, mininterval=0.5
    )
    return shown


def _prepared(diary: Diary, events: Sequence[Event], told: Callable[[Event, list[Event]], object]) -> None:
    diary.decision.at(events[0].phase, events[0].t)
    diary.prepare([event.experience for event in events])
    for event, written in zip(events, diary.take(), strict=True):
        told(event, [written])


def draws(policy: MemoryPolicy) -> bool:
    """Whether recalling changes a policy, or one inside it, so that it has to be done again when life is.

    Examples
    --------
    >>> from toolkit.traits.memory import Retrieval, Shuffled
    >>> draws(Retrieval()), draws(Shuffled(Retrieval()))
    (False, True)
    """
    return policy.draws or any(draws(one) for one in _inside(policy))


def _inside(part: Component) -> list[MemoryPolicy]:
    return [one for one in parts_of(part) if isinstance(one, MemoryPolicy)]


def mark(text: str) -> str:
    """A text as a key that does not repeat it."""
    return digest(text)


def known(call: Call) -> tuple[str, int, str, int, str]:
    """What tells a call from others, its request among it."""
    return call.phase, call.t, call.step, call.ordinal, call.hash
