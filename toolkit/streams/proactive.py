"""ProactiveBench: somebody works at a computer and asks for nothing; when would they be glad of an offer of help?

Upstream, every window of the test file also stands in the training file, and all windows of a person at work begin
with the same events. So both files are read as one, and what is kept for preparation is parted from what is played by
trace: by the windows that share any event, directly or through others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import ClassVar

import numpy as np

from toolkit.component import digest
from toolkit.errors import SpecError
from toolkit.moves import WAIT, Observation, Tally
from toolkit.records import Key, Task
from toolkit.streams.stream import Pair
from toolkit.streams.windows import Events, Window, in_order, parted, read_labels
from toolkit.streams.worlds import Limits, Stepped, World, WorldStream

OFFER = "offer help"
"""The action that is right where help was needed; what is offered is not judged."""

_TASK = (
    "Watch somebody work at a computer. They have not asked for anything. Offer help when they would be glad of it "
    "now; wait when an offer would only disturb them."
)
_FILES = ("reward_data/train_data.jsonl", "reward_data/test_data.jsonl")


@dataclass(frozen=True, slots=True)
class Counts:
    """What there is in the files, whatever the parameters of the stream.

    Parameters
    ----------
    rows
        Judged proposals: one window each, and one proposal of a model or none.
    windows, needed
        Windows that differ, and those of them where help was needed.
    traces
        Groups of windows that share no event with another.
    leaked
        Windows of the test file that also stand in the training file.
    conflicting, ties
        Windows whose rows differ in their label, and those of them that are left out because as many rows say the one
        as the other.
    """

    rows: int
    windows: int
    needed: int
    traces: int
    leaked: int
    conflicting: int
    ties: int


class ProactiveBench(WorldStream):
    """ProactiveBench: traces of people at a computer, with a label for each moment: was help needed? English.

    A trace is a task: a world of ticks. Each shows what was done last, nobody speaks, and the agent offers help or
    waits. The labels are fixed beforehand, and what an agent does changes nothing of what comes. It is never told
    whether it was right (rewards are 0): the world counts hits, false alarms, misses and silences, and its score is the
    share of the trace's windows that were handled rightly.

    The label is the field ``help_needed``, which says the same in every row of a window: whether some proposal of a
    model was accepted by all annotators. It does not say what to offer. Where rows differed, the more frequent would
    hold, and a window with as many of both would be left out (`counts`).

    Parameters
    ----------
    path
        The folder ``dataset`` of the repository thunlp/ProactiveAgent, or a part of it, with ``reward_data``.
    tasks
        Traces that are played, from the first; 0 = all but the pooled.
    pooled
        Traces whose windows are the `pool`, each a labelled task by itself; the others are played. At least 0.
    windows
        Windows of each trace, from the first; 0 = all.
    events
        How many of a window's newest events are shown, at least 1. 1 = only what is new, where windows differ by one.
    letters
        Most letters of an event; longer ones are cut at a word. At least 20.
    draw
        Seed of the drawing of which traces are pooled, and of the order, at least 0.
    delay
        Tasks that pass before feedback arrives, at least 0.

    Raises
    ------
    SpecError
        On reading, if a file is missing or broken, or more is asked for than there is.

    References
    ----------
    Lu et al. 2024, Proactive Agent: shifting LLM agents from reactive responses to active assistance, arXiv
    2410.12361. The data are licensed under Apache-2.0.

    Examples
    --------
    >>> ProactiveBench("dataset", pooled=3).step.output
    'action'
    """

    licence: ClassVar[str] = "Apache-2.0"
    step = replace(WorldStream.step, inputs=("task", "now"))  # as it stands on every tick, and in the pool

    def __init__(
        self,
        path: str,
        tasks: int = 0,
        pooled: int = 2,
        windows: int = 0,
        events: int = 3,
        letters: int = 160,
        draw: int = 0,
        delay: int = 0,
    ) -> None:
        self.path = path
        self.tasks = tasks
        self.pooled = pooled
        self.windows = windows
        self.events = events
        self.letters = letters
        self.draw = draw
        self.delay = delay

    def check(self) -> None:
        """Every parameter is a whole number in its range."""
        least = {"tasks": 0, "pooled": 0, "windows": 0, "events": 1, "letters": 20, "draw": 0, "delay": 0}
        given = {name: getattr(self, name) for name in least}
        if mistakes := [
            f"ProactiveBench: {name} must be a whole number of at least {least[name]} but is {value!r}"
            for name, value in given.items()
            if isinstance(value, bool) or not isinstance(value, int) or value < least[name]
        ]:
            raise SpecError(mistakes)

    def load(self) -> Sequence[Pair]:
        """The traces that are played, in the order in which they were drawn."""
        played = self._drawn[self.pooled :]
        if not played or self.tasks > len(played):
            raise SpecError(
                [
                    f"ProactiveBench: there are {len(self._drawn)} traces, but pooled is {self.pooled} and tasks is "
                    f"{self.tasks}: together they must be at most as many, and one at least must be left to play"
                ]
            )
        tasks = [Task(name, {"task": _TASK}, time=float(place)) for place, name in enumerate(played)]
        return tuple((task, self.key_of(task, delay=self.delay)) for task in tasks[: self.tasks or None])

    def pool(self) -> Sequence[Pair]:
        """The windows of the pooled traces in a drawn order, each with its label; they can be played as well."""
        found = []
        for name in self._drawn[: self.pooled]:
            for place, window in enumerate(self._traces[name]):
                inputs = {"task": _TASK, "now": shown(window.events, self.events, self.letters)}
                right = OFFER if window.needed else WAIT
                found.append((Task(f"{name}/{place}", inputs, (OFFER, WAIT)), Key((right,), self.delay)))
        order = np.random.default_rng([self.draw, 1]).permutation(len(found))
        return tuple(found[place] for place in order)

    def world(self, task: Task) -> World:
        """The trace of a task of the stream, or the one window of a task of the pool.

        Raises
        ------
        SpecError
            If the task is neither.
        """
        return Trace(self._windows(task), self.events, self.letters)

    def limits(self, task: Task) -> Limits:
        """Twice as many turns as there are windows: so many may be spent on what is no action here."""
        return Limits(turns=2 * len(self._windows(task)))

    def fingerprint(self) -> str:
        """Identity by content: the keys hold the labels, this adds what is seen."""
        seen = [[shown(w.events, self.events, self.letters) for w in self._windows(task)] for task, _ in self.pairs()]
        return digest([super().fingerprint(), seen])

    def counts(self) -> Counts:
        """What there is in the files."""
        train, test = (set(rows) for rows in self._rows)
        labels = list(self._labels.values())
        held = [sum(said) * 2 - len(said) for said in labels]
        return Counts(
            rows=sum(map(len, labels)),
            windows=len(labels),
            needed=sum(margin > 0 for margin in held),
            traces=len(self._traces),
            leaked=len(train & test),
            conflicting=sum(len(set(said)) > 1 for said in labels),
            ties=sum(not margin for margin in held),
        )

    def files(self) -> tuple[Path, ...]:
        """The two files of judged proposals."""
        return tuple(Path(expanduser(self.path)) / name for name in _FILES)

    def _windows(self, task: Task) -> Sequence[Window]:
        name, _, place = task.id.partition("/")
        windows = self._traces.get(name, ())
        if place:
            windows = windows[int(place) : int(place) + 1] if place.isdecimal() else ()
        if not windows:
            raise SpecError([f"ProactiveBench: there is no trace or window {task.id!r} in {self.path}"])
        return windows

    @cached_property
    def _rows(self) -> tuple[dict[Events, list[bool]], ...]:
        """What the rows of each file say of each window."""
        self.check()
        return tuple(read_labels(file) for file in self.files())

    @cached_property
    def _labels(self) -> dict[Events, list[bool]]:
        train, test = self._rows
        return {events: [*train.get(events, ()), *test.get(events, ())] for events in {**train, **test}}

    @cached_property
    def _traces(self) -> dict[str, Sequence[Window]]:
        """The windows of each trace, by a name made of its events, whatever their order in the files."""
        windows = [Window(events, sum(said) * 2 > len(said)) for events, said in self._labels.items()]
        ties = {events for events, said in self._labels.items() if sum(said) * 2 == len(said)}
        found = {}
        for trace in parted(windows):
            kept = [window for window in in_order(trace, self.path) if window.events not in ties]
            if kept:
                found[f"trace-{digest(trace[-1].events)[:8]}"] = tuple(kept[: self.windows or None])
        return dict(sorted(found.items()))

    @cached_property
    def _drawn(self) -> list[str]:
        names = list(self._traces)
        return [names[place] for place in np.random.default_rng([self.draw, 0]).permutation(len(names))]


class Trace(World):
    """Somebody at work: each tick shows what was done last, and the agent offers help or waits.

    Parameters
    ----------
    windows
        In the order of time.
    events, letters
        See `ProactiveBench`.

    Examples
    --------
    >>> world = Trace([Window(("Opens a file.",), False), Window(("Opens a file.", "Meets an error."), True)])
    >>> world.reset(0).text, world.step("wait").observation.text
    ('- Opens a file.', '- Opens a file.\\n- Meets an error.')
    >>> world.step("offer help").terminated, world.tally().hits, world.tally().silences, world.tally().reached
    (True, 1, 1, 1.0)
    """

    ticks = True

    def __init__(self, windows: Sequence[Window], events: int = 3, letters: int = 160) -> None:
        self.windows = windows
        self.events = events
        self.letters = letters
        self._offered: list[bool] = []

    def reset(self, seed: int) -> Observation:
        """The first window; nothing is drawn."""
        self._offered = []
        return self._seen()

    def step(self, action: str) -> Stepped:
        """Offer help or wait, and see the next window; anything else is refused, and time stands still."""
        if self._over:
            return Stepped(self._seen(), terminated=True, info={"refused": "it is over: nothing more happens"})
        if action.strip() not in (OFFER, WAIT):
            why = f"there is no action {action[:40]!r} here: {OFFER} or {WAIT}"
            return Stepped(self._seen(), info={"refused": why})
        self._offered.append(action.strip() == OFFER)
        return Stepped(self._seen(), terminated=self._over)

    def tally(self) -> Tally:
        """The counts so far, and the share of all windows, those to come among them, that were handled rightly."""
        met = [(window.needed, offered) for window, offered in zip(self.windows, self._offered, strict=False)]
        hits, silences = met.count((True, True)), met.count((False, False))
        return Tally(
            reached=(hits + silences) / len(self.windows),
            best_steps=sum(window.needed for window in self.windows),
            hits=hits,
            false_alarms=met.count((False, True)),
            misses=met.count((True, False)),
            silences=silences,
        )

    def best(self) -> str:
        """What the label says; once all is over, to wait."""
        return OFFER if not self._over and self.windows[len(self._offered)].needed else WAIT

    @property
    def _over(self) -> bool:
        return len(self._offered) >= len(self.windows)

    def _seen(self) -> Observation:
        if self._over:
            return Observation("The day is over.", "tick")
        events = self.windows[len(self._offered)].events
        return Observation(shown(events, self.events, self.letters), "tick", (OFFER, WAIT))


def shown(events: Events, most: int, letters: int) -> str:
    """The newest events as lines, the last one last.

    Examples
    --------
    >>> shown(("Opens a file.", "Types a line.", "Searches the web for what the error means."), 2, 25)
    '- Types a line.\\n- Searches the web for…'
    """
    return "\n".join(f"- {_cut(event, letters)}" for event in events[-most:])


def _cut(text: str, letters: int) -> str:
    flat = " ".join(text.split())
    if len(flat) <= letters:
        return flat
    kept = flat[:letters]
    head, _, _ = kept.rpartition(" ")
    return f"{head or kept[:-1]}…"
