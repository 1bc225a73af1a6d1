"""The probes: one capability of a memory each. What all have in common is in `toolkit.streams.probe`.

Chance is 1 in 9 where a value is asked for (eight and ``unknown``), 1 in 3 for which came first, 1 in 5 for general
knowledge; `Probe.chance` says what that comes to. Beside its own questions a probe has two kinds that need no memory:
``reading`` asks what the very task tells, ``never`` what nobody has told. An arm that fails ``reading`` cannot do the
tasks at all, and nothing is to be concluded of its memory.
"""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.errors import SpecError
from toolkit.records import Step
from toolkit.streams.probe import ABSTAIN, RULES, Drawing, Item, Probe
from toolkit.streams.said import AUTHORITY, LINK, OWN, UNKNOWN, Asked, Said


class RecallAtLag(Probe):
    """Recall after a number of tasks, the lag: short-term memory within a session, long-term across.

    Parameters
    ----------
    tasks
        How many, up to 6,000; at least the longest lag and two.
    lags
        After how many tasks facts are asked, each at least 1; about equally often.
    across
        True: every task is a session of its own. False: a round is one session, so that a transcript holds it.
    draw
        Seed of the drawing, at least 0; replicate by several of them.

    Examples
    --------
    >>> probe = RecallAtLag(tasks=12, lags=(2,))
    >>> task, key = next(pair for pair in probe.pairs() if pair[0].id.startswith("recall"))
    >>> task.id, task.inputs["question"], key.answers
    ('recall-lag002-0002', "What is Leon Birk's badge?", ('coral',))
    """

    def __init__(
        self, tasks: int = 60, lags: tuple[int, ...] = (1, 2, 4, 8), across: bool = True, draw: int = 0
    ) -> None:
        self.tasks = tasks
        self.lags = lags
        self.across = across
        self.draw = draw

    def longest(self) -> int:
        """The longest lag."""
        if not self.lags or min(self.lags) < 1:
            raise SpecError([f"{type(self).__name__}: lags must be one number or more, each >= 1, but is {self.lags}"])
        return max(self.lags)

    def item(self, drawing: Drawing, number: int) -> Item:
        """A fact, asked once."""
        lag = self.lags[number % len(self.lags)]
        subject, attribute = drawing.fact()
        said = Said(subject, attribute, drawing.values(attribute)[0])
        return Item({0: said}, {lag: (Asked("value", subject, attribute), "recall", lag)})


class Interference(RecallAtLag):
    """Recall among names that are all alike, of one attribute: the longer the life, the more there is to confuse.

    Look at it by age (``probe_scores(study, by="age")``): the store grows, the lags stay.

    Parameters
    ----------
    tasks
        How many, at most 500.
    lags, across, draw
        As of `RecallAtLag`.
    """

    most = 500
    alike = True

    def __init__(self, tasks: int = 120, lags: tuple[int, ...] = (4,), across: bool = True, draw: int = 0) -> None:
        super().__init__(tasks, lags, across, draw)


class LongLife(RecallAtLag):
    """Recall over thousands of tasks: does a long life make it worse? Look at it by age.

    Parameters
    ----------
    tasks, lags, across, draw
        As of `RecallAtLag`.
    """

    def __init__(
        self, tasks: int = 5000, lags: tuple[int, ...] = (1, 8, 64, 512), across: bool = True, draw: int = 0
    ) -> None:
        super().__init__(tasks, lags, across, draw)


class KnowledgeUpdate(Probe):
    """A fact is told and asked (``update-old``), then told anew with another value and asked again (``update-new``).

    Examples
    --------
    >>> sorted(set(KnowledgeUpdate(tasks=13).tags()))
    [('never', 0), ('update-new', 3), ('update-old', 3)]
    """

    def item(self, drawing: Drawing, number: int) -> Item:
        """Two versions of a fact."""
        subject, attribute = drawing.fact()
        asked, (old, new) = Asked("value", subject, attribute), drawing.values(attribute, 2)
        return Item(
            {0: Said(subject, attribute, old), 2 * self.lag: Said(subject, attribute, new)},
            {self.lag: (asked, "update-old", self.lag), 3 * self.lag: (asked, "update-new", self.lag)},
        )


class Contradiction(Probe):
    """The registrar and somebody else say different things; the registrar is right, whoever spoke last.

    ``authority-first`` is what tells: the latest statement is the wrong one there. ``authority-last`` is also right for
    whoever believes what comes last.
    """

    step = Step("decide", f"{RULES} Where sources differ, the {AUTHORITY} is right. {ABSTAIN}", ("told", "question"))

    def longest(self) -> int:
        """Two statements and a question."""
        return 2 * self.lag

    def item(self, drawing: Drawing, number: int) -> Item:
        """Two sources on one thing."""
        subject, attribute = drawing.fact()
        one, other = drawing.values(attribute, 2)
        sources = [AUTHORITY, drawing.source()][:: 1 if number % 2 else -1]
        kind = "authority-first" if sources[0] == AUTHORITY else "authority-last"
        tells = {0: Said(subject, attribute, one, sources[0]), self.lag: Said(subject, attribute, other, sources[1])}
        return Item(tells, {2 * self.lag: (Asked("value", subject, attribute), kind, self.lag)})


class MultiHop(Probe):
    """Who somebody's mentor is, and what that mentor has, are told apart; asked is what somebody's mentor has."""

    most = 1500

    def longest(self) -> int:
        """Two statements and a question."""
        return 2 * self.lag

    def item(self, drawing: Drawing, number: int) -> Item:
        """Two facts, either of which may come first."""
        attribute = drawing.attribute()
        mentor, pupil = drawing.person(attribute), drawing.person(LINK)
        link, has = Said(pupil, LINK, mentor), Said(mentor, attribute, drawing.values(attribute)[0])
        first, second = (link, has) if number % 2 else (has, link)
        asked = Asked("hop", pupil, attribute)
        return Item({0: first, self.lag: second}, {2 * self.lag: (asked, "multi-hop", self.lag)})


class TemporalOrder(Probe):
    """Which of two things was told first."""

    most = 1500

    def longest(self) -> int:
        """Two statements and a question."""
        return 2 * self.lag

    def item(self, drawing: Drawing, number: int) -> Item:
        """The same attribute of two subjects; half of the questions name the later one first."""
        first, attribute = drawing.fact()
        second = drawing.person(attribute)
        tells = [Said(name, attribute, drawing.values(attribute)[0]) for name in (first, second)]
        asked = Asked("first", *((first, attribute, second) if number % 2 else (second, attribute, first)))
        return Item({0: tells[0], self.lag: tells[1]}, {2 * self.lag: (asked, "order", self.lag)})


class Abstention(Probe):
    """Somebody is told of; asked is that (``told``) or, as often, something else about him (``untold``: unknown)."""

    def longest(self) -> int:
        """A statement and a question."""
        return self.lag

    def item(self, drawing: Drawing, number: int) -> Item:
        """A statement, and a question that it answers or does not."""
        subject, attribute = drawing.fact()
        said = Said(subject, attribute, drawing.values(attribute)[0])
        told = bool(number % 2)
        asked = Asked("value", subject, attribute if told else drawing.another(subject))
        return Item({0: said}, {self.lag: (asked, "told" if told else "untold", self.lag)})


class Personalisation(Probe):
    """Two users say what is theirs, in the same words; each is asked about his own."""

    step = Step(
        "decide", f"{RULES} Users speak of themselves; what one says does not hold for another. {ABSTAIN}",
        ("told", "question"),
    )  # fmt: skip

    def longest(self) -> int:
        """Two statements and two questions."""
        return 2 * self.lag + 2

    def user(self, turn: int, place: int) -> str:
        """Two users by turns."""
        return f"user-{turn}{'ab'[place % 2]}"

    def item(self, drawing: Drawing, number: int) -> Item | None:
        """One attribute of both, as long as a round has one that nobody has spoken of."""
        attribute = drawing.own()
        if not attribute:
            return None
        one, other = drawing.values(attribute, 2)
        asked, later = Asked("value", OWN, attribute), 2 * self.lag
        return Item(
            {0: Said(OWN, attribute, one), 1: Said(OWN, attribute, other)},
            {later: (asked, "own-first", later), later + 1: (asked, "own-last", later)},
        )


class ForgetOnRequest(Probe):
    """In the middle of each round its user asks to forget all that he told: ``forgotten`` is unknown from then on.

    ``kept`` are facts asked before that, or told after it: so whoever forgets too much is found too. The wish stands in
    the text of its task, and a policy may act on it; what one that cannot forget still says is the measurement.
    """

    step = Step(
        "decide", f"{RULES} What a user has asked you to forget you no longer know: answer {UNKNOWN}. {ABSTAIN}",
        ("told", "question"),
    )  # fmt: skip

    def __init__(self, tasks: int = 60, lag: int = 4, across: bool = True, draw: int = 0) -> None:
        super().__init__(tasks, lag, across, draw)

    def told_at(self, length: int) -> Mapping[int, Said]:
        """The wish, in the middle."""
        return {length // 2: Said()}

    def item(self, drawing: Drawing, number: int) -> Item:
        """A fact, asked once."""
        subject, attribute = drawing.fact()
        said = Said(subject, attribute, drawing.values(attribute)[0])
        return Item({0: said}, {self.lag: (Asked("value", subject, attribute), "kept", self.lag)})

    def kind_of(self, kind: str, right: str) -> str:
        """What had to be forgotten is told apart."""
        return "forgotten" if kind == "kept" and right == UNKNOWN else kind


class ClosedBook(Probe):
    """General knowledge (``knowledge``) among things that only a memory can know: does what is recalled harm it?

    Each of the forty questions is asked once at most. A model that cannot answer them alone shows nothing here.
    """

    def longest(self) -> int:
        """A statement and a question."""
        return self.lag

    step = Step(
        "decide", f"Answer the question from what you have been told, or from general knowledge. {ABSTAIN}",
        ("told", "question"),
    )  # fmt: skip

    def item(self, drawing: Drawing, number: int) -> Item:
        """A question of general knowledge, or a fact, asked once."""
        question = drawing.question() if number % 2 else ""
        if question:
            return Item({}, {0: (question, "knowledge", 0)})
        subject, attribute = drawing.fact()
        said = Said(subject, attribute, drawing.values(attribute)[0])
        return Item({0: said}, {self.lag: (Asked("value", subject, attribute), "recall", self.lag)})
