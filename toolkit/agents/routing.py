"""Which of several ways takes a decision, by what the task is about: strategies, or models, cheap against dear.

The choice hangs on the task, so it is no learned block of the prompt: it belongs to who decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from toolkit.agents.decider import ByModel, Decider
from toolkit.component import digest
from toolkit.randomness import generator
from toolkit.records import Experience, Step, Task, Turn
from toolkit.traits.learning.learner import reward
from toolkit.traits.memory.embedding import embed

if TYPE_CHECKING:
    from toolkit.agents.decision import Context, Decision

_WIDTH = 256  # numbers of a text's vector
_DIGITS = 6  # of a feature; and what is compared has three more: the same choice on every machine


class OnModel(Decider):
    """Decides on one of the arm's several models (`toolkit.lm.turns.Several`).

    Parameters
    ----------
    number
        Which, from 0.
    decider
        How; None = one call of the model.
    """

    def __init__(self, number: int = 0, decider: Decider | None = None) -> None:
        self.number = number
        self.decider = decider

    def check(self) -> None:
        """At least 0."""
        if isinstance(self.number, bool) or not isinstance(self.number, int) or self.number < 0:
            raise ValueError(f"OnModel.number must be an integer of at least 0 but is {self.number!r}")

    @property
    def directs(self) -> tuple[int, ...]:  # type: ignore[override]
        """That one."""
        return (self.number,)

    @property
    def weighs(self) -> bool:  # type: ignore[override]
        """As what it decides by."""
        return self._how.weighs

    @property
    def likelihoods(self) -> bool:  # type: ignore[override]
        """As what it decides by."""
        return self._how.likelihoods

    @property
    def stateless(self) -> bool:  # type: ignore[override]
        """As what it decides by."""
        return self._how.stateless

    def reset(self, rng: np.random.Generator) -> None:
        """Begin anew."""
        self._how.reset(rng)

    def asked(self, id: str, task: Task) -> None:
        """Tell what it decides by."""
        self._how.asked(id, task)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Answer on that model."""
        with decision.recorder.directed(self.number):
            return self._how.decide(step, task, context, decision)

    def observe(self, experience: Experience) -> None:
        """Tell what it decides by."""
        self._how.observe(experience)

    def state(self) -> dict[str, object]:
        """Of what it decides by."""
        return self._how.state()

    @property
    def _how(self) -> Decider:
        return self.decider or ByModel()


class Routed(Decider):
    """One of several deciders for each task, by what each has earned on tasks like it, less what it cost.

    What is earned is the score of the feedback (or whether the answer was the correction), and an answer that failed
    counts as its feedback says. Feedback may be late: it counts for who answered. Before any feedback the first
    decides.

    Parameters
    ----------
    deciders
        Two or more: strategies such as ``ByModel()`` and ``ChainOfThought()``, or ``OnModel(0)`` and ``OnModel(1)`` of
        an arm with ``lm=Several((cheap, dear))``.
    policy
        ``"linucb"``: whose upper bound is the highest. ``"thompson"``: drawn from what is believed of each.
        ``"uniform"``: any, whatever was earned: the rival that must be beaten.
    dimensions
        To how many numbers the vector of a task's text is reduced, by a projection that is the same in every run, 0 to
        256; 0 = what the task is about is not looked at.
    explore
        How far it ventures: of ``"linucb"`` the width of the bound in standard errors (alpha), of ``"thompson"`` the
        spread of the draws (v); at least 0.
    price
        The score that a unit of cost is worth, at least 0: 2.0 = a dollar must bring two more right answers.
    unit
        ``"dollars"``, each model's own; or ``"kilotokens"``, a thousand tokens read or written.

    Notes
    -----
    Each decider has a ridge regression (penalty 1) of what it brought on a constant and the reduced vector x:
    A = I + sum x x', theta = A^-1 b, and the bound is theta'x + explore sqrt(x' A^-1 x).

    References
    ----------
    Li, Chu, Langford & Schapire (2010), A contextual-bandit approach to personalized news article recommendation, WWW.
    Agrawal & Goyal (2013), Thompson sampling for contextual bandits with linear payoffs, ICML.
    Achlioptas (2003), Database-friendly random projections, Journal of Computer and System Sciences 66.

    Examples
    --------
    >>> from toolkit.agents.rivals import ChainOfThought
    >>> Routed((ByModel(), ChainOfThought()), price=0.1, unit="kilotokens")
    Routed(deciders=(ByModel(), ChainOfThought()), price=0.1, unit='kilotokens')
    """

    stateless = False

    def __init__(
        self,
        deciders: tuple[Decider, ...] = (),
        policy: Literal["linucb", "thompson", "uniform"] = "linucb",
        dimensions: int = 16,
        explore: float = 1.0,
        price: float = 0.0,
        unit: Literal["dollars", "kilotokens"] = "dollars",
    ) -> None:
        self.deciders, self.policy, self.dimensions = deciders, policy, dimensions
        self.explore, self.price, self.unit = explore, price, unit

    def check(self) -> None:
        """Two deciders or more, in order themselves; ranges."""
        if len(self.deciders) < 2 or not all(isinstance(one, Decider) for one in self.deciders):
            raise ValueError(f"Routed.deciders must be two deciders or more but is {self.deciders!r}")
        for one in self.deciders:
            one.check()
        for name, known in (("policy", ("linucb", "thompson", "uniform")), ("unit", ("dollars", "kilotokens"))):
            if getattr(self, name) not in known:
                raise ValueError(f"Routed.{name} must be one of {', '.join(known)} but is {getattr(self, name)!r}")
        if isinstance(self.dimensions, bool) or self.dimensions not in range(_WIDTH + 1):
            raise ValueError(f"Routed.dimensions must be an integer from 0 to {_WIDTH} but is {self.dimensions!r}")
        for name in ("explore", "price"):
            if not (math.isfinite(getattr(self, name)) and getattr(self, name) >= 0):
                raise ValueError(f"Routed.{name} must be a number of at least 0 but is {getattr(self, name)!r}")

    def fingerprint(self) -> str:
        """Its own, and those of the deciders in their order."""
        return digest([super().fingerprint(), [one.fingerprint() for one in self.deciders]])

    @property
    def uses_model(self) -> bool:  # type: ignore[override]
        """If any does."""
        return any(one.uses_model for one in self.deciders)

    @property
    def directs(self) -> tuple[int, ...]:  # type: ignore[override]
        """Those of all."""
        return tuple(number for one in self.deciders for number in one.directs)

    @property
    def weighs(self) -> bool:  # type: ignore[override]
        """If all do."""
        return all(one.weighs for one in self.deciders)

    @property
    def likelihoods(self) -> bool:  # type: ignore[override]
        """If any does."""
        return any(one.likelihoods for one in self.deciders)

    @property
    def peeks(self) -> bool:  # type: ignore[override]
        """If any does."""
        return any(one.peeks for one in self.deciders)

    def reveal(self, answers: Mapping[str, str]) -> None:
        """Pass it on to who may see it."""
        for one in self._ways:
            if one.peeks:
                one.reveal(answers)

    def reset(self, rng: np.random.Generator) -> None:
        """Begin knowing nothing of any."""
        self._base = int(rng.integers(2**31))  # a draw depends on task and place alone: asking changes nothing
        self._ways = [one.clone() for one in self.deciders]
        for one in self._ways:
            one.reset(np.random.default_rng(int(rng.integers(2**31))))
        width = self.dimensions + 1
        self._a = [np.eye(width) for _ in self._ways]
        self._b = [np.zeros(width) for _ in self._ways]
        self._judged, self._brought = [0] * len(self._ways), [0.0] * len(self._ways)
        self._under: dict[str, int] = {}

    def asked(self, id: str, task: Task) -> None:
        """Note who decides."""
        self._under[id] = self._choice(id, task)
        self._ways[self._under[id]].asked(id, task)

    def decide(self, step: Step, task: Task, context: Context, decision: Decision) -> Turn:
        """Let one of them decide."""
        phase, t = decision.place
        return self._ways[self._choice(f"{phase}/{t}", task)].decide(step, task, context, decision)

    def observe(self, experience: Experience) -> None:
        """Credit who decided; all of them hear of it.

        Raises
        ------
        ValueError
            If it weighs dollars, and what the answer cost is not known.
        """
        for one in self._ways:
            one.observe(experience)
        earned = reward(experience)
        if earned is None or experience.id not in self._under:
            return
        place, x = self._under.pop(experience.id), self._features(experience.task)
        brought = earned - self._cost(experience)
        self._a[place] = self._a[place] + np.outer(x, x)
        self._b[place] = self._b[place] + brought * x
        self._judged[place] += 1
        self._brought[place] += brought

    def state(self) -> dict[str, object]:
        """By decider how often it was judged, what it brought and its own state; who decided what is open."""
        ways = [one.state() for one in self._ways]
        return {"judged": self._judged, "brought": self._brought, "under": dict(self._under), "deciders": ways}

    def _cost(self, experience: Experience) -> float:
        if not self.price:
            return 0.0
        used = experience.usage
        spent = used.dollars if self.unit == "dollars" else used.tokens / 1000
        if math.isnan(spent):
            raise ValueError(
                "Routed weighs dollars, but what a call cost is not known: give the model dollars_in and dollars_out, "
                "or weigh unit='kilotokens'"
            )
        return self.price * spent

    def _choice(self, id: str, task: Task) -> int:
        if id in self._under:
            return self._under[id]
        rng = generator(self._base, id, task.id)
        if self.policy == "uniform":
            return int(rng.integers(len(self._ways)))
        x = self._features(task)
        found = [self._worth(a, b, x, rng) for a, b in zip(self._a, self._b, strict=True)]
        return found.index(max(found))

    def _worth(
        self, a: NDArray[np.float64], b: NDArray[np.float64], x: NDArray[np.float64], rng: np.random.Generator
    ) -> float:
        mean = float(x @ np.linalg.solve(a, b))
        if self.policy == "linucb":
            wide = math.sqrt(max(0.0, float(x @ np.linalg.solve(a, x))))
        else:
            wide = float(x @ np.linalg.solve(np.linalg.cholesky(a).T, rng.standard_normal(len(x))))
        return round(mean + self.explore * wide, _DIGITS + 3)

    def _features(self, task: Task) -> NDArray[np.float64]:
        if not self.dimensions:
            return np.ones(1)
        return np.append(1.0, np.round(embed(task.text).astype(np.float64) @ _projection(self.dimensions), _DIGITS))


@lru_cache(maxsize=8)
def _projection(dimensions: int) -> NDArray[np.float64]:
    """Signs at random, scaled so that lengths are kept on average."""
    signs = generator("routed", dimensions).integers(2, size=(_WIDTH, dimensions)) * 2 - 1
    return signs / math.sqrt(dimensions)
