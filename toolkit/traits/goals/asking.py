"""Asking where one is not sure: a question is put where its answer is worth more than it costs."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterator, Sequence

import numpy as np

from toolkit.moves import WAIT, Act, Autonomy, Move
from toolkit.records import Experience, Step
from toolkit.traits.goals.policy import Choice, Choose, Situation
from toolkit.traits.goals.thoughtful import SHOWN, Thoughtful, says, shown
from toolkit.traits.learning.cutoff import Cutoff
from toolkit.traits.learning.learner import reward
from toolkit.traits.trait import Think
from toolkit.traits.wording import LONGEST

DOUBT = Step(
    "doubt",
    "Is something not known that only a question could tell, and without which the action would likely be wrong? Say "
    "yes or no.",
    (*SHOWN, "intended"),
    "verdict",
)
"""The step by which `AskWhenUnsure` asks the model whether to ask, where nothing tells how sure it is."""

ASK_NOW = "Something is not known that somebody can tell. Ask for it now, by one of: {}."
"""What stands in the prompt of a question that is not listed."""

_DIGITS = 6  # of a confidence: the same decision whatever the last bits are
_NOTE = re.compile(r"(asked|acted), sure ([01]\.\d+) of (.*)", re.DOTALL)
_WINDOW = 300  # experiences whose ids are kept, so that none teaches twice


class AskWhenUnsure(Thoughtful):
    """Asks a question where the expected value of its answer exceeds its cost, that is where it is not sure enough.

    First it decides what it would do without asking, and how sure it is of that. If it is right, nothing is gained by
    asking; if it is wrong, a question gains ``value``. So it asks where ``(1 - confidence) * value > cost``: below a
    confidence of ``1 - cost / value``, which is Chow's rule [1]_ [2]_. Which question, the decision step says;
    of those that are listed none is put twice.

    How sure it is comes from `toolkit.traits.goals.Choice.confidence`: known of listed actions decided by
    ``"likelihood"``, and of deciders that say so. Elsewhere a step of its own, ``doubt``, asks the model if something
    is missing; there is no threshold then. Where no action is listed, whoever is in doubt is told to ask by a tool that
    does.

    Parameters
    ----------
    value
        What it is worth to do the right thing where one would have done the wrong one; above 0.
    cost
        What a question costs, in the same unit, at least 0.
    questions
        In a task at most, at least 0. A question beyond is not put, whoever decides so.
    threshold
        Ask below this confidence, in [0, 1]; None = ``1 - cost / value``.
    learn
        Learn the threshold from feedback; it begins at ``1 - cost / value``.
    autonomy
        How it takes actions that change something: ``"ask"`` for leave, ``"notify"`` or ``"free"``.

    Notes
    -----
    It learns (`toolkit.traits.learning.cutoff.Cutoff`) from the score of a whole episode, s, which it credits to each
    of its decisions: acting at a confidence was worth s where it acted. Where it asked, it knows what it would have
    done otherwise: if it does the same with the answer, the question was not needed, and acting would have been worth
    s; if it then does something else and the episode went well (s of at least 0.5), it would have been worth 0; if it
    went ill, nothing is known. So no question need be left out to learn. In tasks of many decisions a score says little
    of each.

    References
    ----------
    .. [1] Chow 1970, On optimum recognition error and reject tradeoff, IEEE Trans. Information Theory 16(1).
    .. [2] Howard 1966, Information value theory, IEEE Trans. Systems Science and Cybernetics 2(1): what is asked must
       be worth more than it costs.

    Examples
    --------
    >>> import numpy as np
    >>> from toolkit.moves import Observation, Tool
    >>> from toolkit.records import Task
    >>> policy = AskWhenUnsure(value=1.0, cost=0.2)
    >>> policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    >>> policy.at
    0.8
    >>> seen = Observation("A parcel.", "prompt", ("left", "right", "who"))
    >>> now = Situation(Task("1", {}), seen, tools=(Tool("who", asks=True),))
    >>> for sure in (0.7, 0.9):
    ...     policy.act(now, lambda among, sure=sure, **_: Choice(among[0], sure)).action
    'who'
    'left'
    """

    thinks = (DOUBT.name,)

    def __init__(
        self,
        value: float = 1.0,
        cost: float = 0.2,
        questions: int = 3,
        threshold: float | None = None,
        learn: bool = False,
        autonomy: Autonomy = "ask",
    ) -> None:
        self.value = value
        self.cost = cost
        self.questions = questions
        self.threshold = threshold
        self.learn = learn
        self.autonomy = autonomy

    def check(self) -> None:
        """Ranges; a threshold that is fixed is not learned."""
        super().check()
        for name, least in (("value", 0.0), ("cost", 0.0)):
            number = getattr(self, name)
            if isinstance(number, bool) or not isinstance(number, int | float) or not least <= number < float("inf"):
                raise ValueError(f"AskWhenUnsure.{name} must be a number of at least 0 but is {number!r}")
        if self.value == 0:
            raise ValueError("AskWhenUnsure.value must be above 0 but is 0: nothing would be worth a question")
        if isinstance(self.questions, bool) or not isinstance(self.questions, int) or self.questions < 0:
            raise ValueError(f"AskWhenUnsure.questions must be an integer of at least 0 but is {self.questions!r}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"AskWhenUnsure.threshold must be in [0, 1] but is {self.threshold!r}")
        if self.threshold is not None and self.learn:
            raise ValueError(
                f"AskWhenUnsure.threshold is fixed at {self.threshold!r} and cannot be learned: leave out one of both"
            )

    @property
    def stateless(self) -> bool:  # type: ignore[override]
        """Unless it learns."""
        return not self.learn

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin by taking confidences at their word."""
        super().reset(rng, think)
        self._cutoff = Cutoff(instead=1 - self.cost / self.value)
        self._heard: deque[str] = deque(maxlen=_WINDOW)

    @property
    def at(self) -> float:
        """The confidence below which it asks."""
        return self._cutoff.at if self.threshold is None else self.threshold

    def state(self) -> dict[str, object]:
        """What it has learned from, and which experiences that were."""
        return {**self._cutoff.state(), "heard": list(self._heard)} if self.learn else {}

    def act(self, now: Situation, choose: Choose) -> Act:
        """Decide what to do without asking; ask if that is not sure enough."""
        if not self.wants(now):
            return Act(WAIT)
        if now.now.actions:
            return self._listed(now, choose)
        return self._free(now, choose)

    def observe(self, experience: Experience) -> None:
        """Learn from the score of an episode what acting at each confidence was worth, or would have been."""
        score = reward(experience)
        if not self.learn or score is None or not experience.moves or experience.id in self._heard:
            return
        self._heard.append(experience.id)
        for sure, right in lessons(experience.moves, min(1.0, max(0.0, score))):
            self._cutoff.seen(sure, right)

    def _listed(self, now: Situation, choose: Choose) -> Act:
        quiet = tuple(one for one in now.now.actions if one not in now.questions)
        if not quiet:
            return self._held(now, choose())  # there is nothing to do but ask
        choice = choose(among=quiet, weigh=True)
        if choice.refused or not now.questions or self._asks(now, choice.action):
            return self._held(now, choice)
        new = tuple(one for one in now.questions if all(one != move.action or move.refused for move in now.moves))
        if new and self._may(now) and self._unsure(now, choice):
            return self._held(now, choose(among=new), _note("asked", choice))
        return self._held(now, choice, _note("acted", choice))

    def _free(self, now: Situation, choose: Choose) -> Act:
        choice = choose(weigh=True)
        ways = [tool.signature for tool in now.tools if tool.asks]
        if choice.refused or not ways or self._asks(now, choice.action):
            return self._held(now, choice)
        if self._may(now) and self._unsure(now, choice):
            return self._held(now, choose(thought=ASK_NOW.format("; ".join(ways))), _note("asked", choice))
        return self._held(now, choice, _note("acted", choice))

    def _unsure(self, now: Situation, choice: Choice) -> bool:
        if choice.confidence is not None:
            return round(choice.confidence, _DIGITS) < self.at
        return says(self.ask(DOUBT, LONGEST, intended=choice.action, **shown(now))) == "yes"

    def _held(self, now: Situation, choice: Choice, note: str = "") -> Act:
        """An act; a question beyond the limit is none."""
        act = self.acted(now, choice, note)
        if not choice.refused and self._asks(now, choice.action) and not self._may(now):
            return Act(act.action, act.manner, act.prompts, note, f"no more than {self.questions} questions are put")
        return act

    def _may(self, now: Situation) -> bool:
        return sum(self._asks(now, move.action) for move in now.moves) < self.questions

    @staticmethod
    def _asks(now: Situation, action: str) -> bool:
        tool = now.tool(action)
        return tool is not None and tool.asks


def lessons(moves: Sequence[Move], score: float) -> Iterator[tuple[float, float]]:
    """Pairs of a confidence and how right it was, or would have been, to act at it; see `AskWhenUnsure`.

    Examples
    --------
    >>> asked = Move("prompt", "A parcel.", "who", thought="asked, sure 0.300000 of left")
    >>> acted = Move("result", "Mara.", "right", thought="acted, sure 0.900000 of right")
    >>> list(lessons([asked, acted], 1.0))
    [(0.3, 0.0), (0.9, 1.0)]
    """
    read = ((move, _NOTE.fullmatch(move.thought)) for move in moves if not move.refused)
    noted = [hit.groups() for _, hit in read if hit is not None]
    for place, (what, sure, meant) in enumerate(noted):
        later = noted[place + 1][2] if place + 1 < len(noted) else None
        if what == "acted" or later == meant:
            yield float(sure), score
        elif later is not None and score >= 0.5:
            yield float(sure), 0.0


def _note(what: str, choice: Choice) -> str:
    """What is kept of a decision in its move: what it learns from."""
    if choice.confidence is None:
        return f"{what}, meaning to do: {choice.action}"
    return f"{what}, sure {round(min(1.0, max(0.0, choice.confidence)), _DIGITS):.{_DIGITS}f} of {choice.action}"
