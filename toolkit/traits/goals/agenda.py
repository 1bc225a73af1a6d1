"""An agenda: what has to be reached, by when and how one sees that it was, reviewed after each turn."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from toolkit.moves import WAIT, Act, Autonomy, Tool
from toolkit.records import Step, Task
from toolkit.traits.goals.policy import Choose, Situation
from toolkit.traits.goals.thoughtful import SHOWN, Thoughtful, parts_of, shown
from toolkit.traits.trait import must_be_positive
from toolkit.traits.wording import READ, lettered, short, words

DRAW_UP = Step(
    "agenda",
    "Say what has to be reached for the task, the goals parted by semicolons. Of each say: the goal | done when: words "
    "that will then be seen | priority: 1 (first) to 3 | within: number of turns. A part of the goal before begins "
    "with '>'.",
    SHOWN,
    "goals",
)
"""The step by which `Agenda` is drawn up."""

REVIEW = Step(
    "review",
    "Say by their numbers which of these goals are done, and which can no longer be reached, such as: 1 done; 3 "
    "blocked. If there are none say none.",
    ("task", "goals", "so_far", "now"),
    "changes",
)
"""The step by which `Agenda` is reviewed."""

Status = Literal["open", "done", "blocked"]

_FIELDS = {
    "until": re.compile(r"(?:done when|until|when)\b\W*(.*)", re.IGNORECASE),
    "priority": re.compile(r"priority\b\W*([1-9])", re.IGNORECASE),
    "within": re.compile(r"(?:within|deadline|by)\b\D{0,12}(\d{1,4})", re.IGNORECASE),
}
_CHANGE = re.compile(r"\b(\d{1,2})\W{0,3}(?:(?:is|are|was|were)\s)?(done|reached|blocked|impossible)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Goal:
    """One thing to be reached.

    Parameters
    ----------
    name
        In words.
    until
        Words that are seen when it is; empty = nobody knows.
    parent
        The name of the goal that it is a part of; empty = of none.
    priority
        1 = first, to 9.
    deadline
        The turn, counted from 0, before which it must be reached; None = whenever.
    status
        ``"open"``, ``"done"``, or ``"blocked"``: it can no longer be reached.
    """

    name: str
    until: str = ""
    parent: str = ""
    priority: int = 2
    deadline: int | None = None
    status: Status = "open"


class Agenda(Thoughtful):
    """Goals with conditions of success, sub-goals, priorities and deadlines; acts unprompted while one of them is open.

    One call draws it up on the first turn, and anew when somebody speaks again. After each turn it is reviewed: a goal
    whose condition stands in what is seen is done, one whose deadline has passed is blocked, one whose parts are all
    done is done. Of those of which that tells nothing (no condition, or some of its words are seen) one call asks the
    model. The open goals stand in the goal block, in order.

    Where the model gives nothing of use, the task itself is the one goal.

    Parameters
    ----------
    max_open
        Goals at most, at least 1.
    autonomy
        How it takes actions that change something: ``"ask"`` for leave, ``"notify"`` or ``"free"``.
    review
        Whether the model is asked about goals of which what is seen tells nothing.

    References
    ----------
    Bratman, Israel & Pollack 1988, Plans and resource-bounded practical reasoning, Computational Intelligence 4:
    intentions that stay until they are reached or cannot be reached any more.

    Examples
    --------
    >>> import numpy as np
    >>> from toolkit.moves import Observation
    >>> from toolkit.traits.goals import Choice
    >>> agenda, task = Agenda(), Task("1", {"task": "Keep watch."})
    >>> said = "Write the report; Ring on a fire | done when: somebody is awake | priority: 1 | within: 9"
    >>> agenda.reset(np.random.default_rng(0), lambda step, **inputs: said)
    >>> agenda.begin(task, ())
    >>> agenda.act(Situation(task, Observation("Smoke.", "tick")), lambda *_, **__: Choice("ring")).action
    'ring'
    >>> print(agenda.block(task))
    Goals, the first comes first:
    1. Ring on a fire (done when: somebody is awake; 9 turns left)
    2. Write the report
    """

    thinks = (DRAW_UP.name, REVIEW.name)

    def __init__(self, max_open: int = 3, autonomy: Autonomy = "ask", review: bool = True) -> None:
        self.max_open = max_open
        self.autonomy = autonomy
        self.review = review

    def check(self) -> None:
        """At least one goal."""
        super().check()
        must_be_positive("Agenda.max_open", self.max_open)

    def begin(self, task: Task, tools: Sequence[Tool]) -> None:
        """Nothing is drawn up yet."""
        super().begin(task, tools)
        self._goals: tuple[Goal, ...] = ()
        self._turn = 0

    @property
    def goals(self) -> tuple[Goal, ...]:
        """Of the task that began last: the open ones in order, then the others."""
        return (
            ()
            if self._begun is None
            else (*in_order(self._goals), *(one for one in self._goals if one.status != "open"))
        )

    def block(self, task: Task) -> str:
        """The open goals in order."""
        if not self.begun(task) or not in_order(self._goals):
            return ""
        lines = [f"{n}. {_told(goal, self._turn)}" for n, goal in enumerate(in_order(self._goals), start=1)]
        return "\n".join(["Goals, the first comes first:", *lines])

    def wants(self, now: Situation) -> bool:
        """On ticks only while a goal is open."""
        return super().wants(now) or bool(in_order(self._goals))

    def because(self, now: Situation, act: Act) -> str:
        """The open goal that comes first."""
        return next((one.name for one in in_order(self._goals)), "") or super().because(now, act)

    def act(self, now: Situation, choose: Choose) -> Act:
        """Draw up or review, then decide."""
        self._turn = len(now.moves)
        if not self._goals or (now.now.cause == "prompt" and now.moves):
            self._draw_up(now)
        else:
            self._review(now)
        if not self.wants(now):
            return Act(WAIT, thought=self._summary())
        return self.acted(now, choose(), self._summary())

    def _draw_up(self, now: Situation) -> None:
        said = self.ask(DRAW_UP, READ, **shown(now))
        reached = {one.name: one for one in self._goals if one.status == "done"}
        found = goals_of(said, self.max_open, self._turn) or (Goal(short(now.task.text, 160) or "the task"),)
        self._goals = tuple(reached.get(one.name, one) for one in found)

    def _review(self, now: Situation) -> None:
        self._goals = tuple(judged(one, now.now.text, self._turn) for one in self._goals)
        unknown = [one for one in in_order(self._goals) if met(one.until, now.now.text) is None]
        if self.review and unknown:
            told = shown(now)
            listed = " ".join(f"{n}. {_told(goal, self._turn)}" for n, goal in enumerate(unknown, start=1))
            said = self.ask(REVIEW, task=told["task"], goals=listed, so_far=told["so_far"], now=told["now"])
            new = {unknown[place].name: status for place, status in changes_of(said, len(unknown)).items()}
            self._goals = tuple(replace(one, status=new.get(one.name, one.status)) for one in self._goals)
        self._goals = with_parents(self._goals)

    def _summary(self) -> str:
        return "; ".join(f"{goal.status}: {goal.name}" for goal in self.goals)


def in_order(goals: Sequence[Goal]) -> tuple[Goal, ...]:
    """The open ones: by priority, then by deadline, then as they came."""
    still = [one for one in goals if one.status == "open"]
    return tuple(sorted(still, key=lambda one: (one.priority, math.inf if one.deadline is None else one.deadline)))


def goals_of(text: str, most: int, turn: int = 0) -> tuple[Goal, ...]:
    """The goals that a text names, at most ``most``; see `DRAW_UP`. Whatever it does not say is as by default.

    Examples
    --------
    >>> found = goals_of("Refund Mara | done when: refunded; > find the order", 3)
    >>> [(one.name, one.parent, one.until) for one in found]
    [('Refund Mara', '', 'refunded'), ('find the order', 'Refund Mara', '')]
    """
    found: dict[str, Goal] = {}
    parent = ""
    for part in parts_of(text, 4 * most, 320):
        head, *rest = (field.strip() for field in part.split("|"))
        name = short(head.lstrip("> "), 120)
        if len(found) == most or name in found or not lettered(name):
            continue
        said = {key: _field(key, rest) for key in _FIELDS}
        part_of = parent if head.startswith(">") else ""
        deadline = turn + max(1, int(said["within"])) if said["within"] else None
        found[name] = Goal(name, short(said["until"], 120), part_of, int(said["priority"] or 2), deadline)
        parent = parent if part_of else name
    return tuple(found.values())


def _field(key: str, fields: Sequence[str]) -> str:
    hits = (_FIELDS[key].match(field) for field in fields)
    return next((hit[1].strip() for hit in hits if hit), "")


def met(until: str, seen: str) -> bool | None:
    """Whether a condition stands in what is seen, word by word; None = that does not tell: only some of it does.

    Examples
    --------
    >>> met("the door is open", "Now the door is open."), met("the door is open", "It rains."), met("", "It rains.")
    (True, False, None)
    >>> met("the door is open", "The door is shut.") is None
    True
    """
    wanted, there = words(until), words(seen)
    if not wanted:
        return None
    if f" {' '.join(wanted)} " in f" {' '.join(there)} ":
        return True
    telling = {word for word in wanted if len(word) > 3} or set(wanted)
    return None if telling & set(there) else False


def judged(goal: Goal, seen: str, turn: int) -> Goal:
    """A goal after a turn, as far as what is seen and its deadline tell."""
    if goal.status != "open":
        return goal
    if met(goal.until, seen):
        return replace(goal, status="done")
    return replace(goal, status="blocked") if goal.deadline is not None and turn >= goal.deadline else goal


def with_parents(goals: Sequence[Goal]) -> tuple[Goal, ...]:
    """Goals, those done whose parts all are."""
    parts = {one.name: [other.status for other in goals if other.parent == one.name] for one in goals}
    return tuple(
        replace(one, status="done")
        if one.status == "open" and parts[one.name] and set(parts[one.name]) == {"done"}
        else one
        for one in goals
    )


def changes_of(text: str, goals: int) -> dict[int, Status]:
    """By their places, from 0, what a text says has become of goals that were listed from 1.

    Examples
    --------
    >>> changes_of("1 is done; 3: blocked, 7 done", 3)
    {0: 'done', 2: 'blocked'}
    """
    found: dict[int, Status] = {}
    for number, word in _CHANGE.findall(text[: 4 * READ]):
        if 1 <= int(number) <= goals:
            found.setdefault(int(number) - 1, "done" if word.lower() in ("done", "reached") else "blocked")
    return found


def _told(goal: Goal, turn: int) -> str:
    left = [] if goal.deadline is None else [f"{max(0, goal.deadline - turn)} turns left"]
    until = [f"done when: {goal.until}"] if goal.until else []
    parent = [f"part of: {goal.parent}"] if goal.parent else []
    more = "; ".join((*until, *left, *parent))
    return f"{goal.name} ({more})" if more else goal.name
