"""A playbook: short pieces of advice that the model writes from its failures, each with a count of how it went."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np

from toolkit.records import Experience, Learned, Step
from toolkit.traits.learning.learner import Learner, outcome, reward
from toolkit.traits.trait import Think, must_be_positive
from toolkit.traits.wording import Asking, lettered, words

REFLECT = Step(
    "reflect",
    "Give one short rule that would have led to the right answer here and is not among the known rules.",
    ("known", "case", "answer", "outcome"),
    output="rule",
)
"""The step by which `Playbook` writes."""

_SAME = 0.7  # of the words of two pieces together, from which on they say the same
_TRIED = 10  # answers with a piece, and as many without it, from which on it can be told what it is worth


@dataclass(frozen=True, slots=True)
class Bullet:
    """One piece of a playbook: what it says, and how the answers went in whose prompts it stood.

    Parameters
    ----------
    number
        Its place among all that were ever written.
    text
        One line.
    helpful, harmful
        Sums of what those answers scored, and of what they missed.
    rested
        How many answers were judged that were given without it since it was written.
    """

    number: int
    text: str
    helpful: float = 0.0
    harmful: float = 0.0
    rested: int = 0

    @property
    def tried(self) -> float:
        """How many answers were judged in whose prompts it stood."""
        return self.helpful + self.harmful


class Playbook(Learner, Asking):
    """Itemised advice below the instruction: added to, counted and weeded out, never rewritten.

    After a wrong answer, or one that was commented on, the model is asked for a rule: one call. After every few
    feedbacks what it wrote is merged in without the model: what is not readable or says what is known is left out, what
    does harm is dropped, and of too many the worst go. One piece, or none, rests until the next merge, by chance among
    those without which fewer than ten answers were given: how these went tells what it is worth. Between two merges
    every prompt carries the same.

    Parameters
    ----------
    size
        Pieces at most, at least 1.
    every
        Feedbacks between two merges, at least 1.

    Notes
    -----
    After ACE, whose reflector, delta updates, counters and deterministic merge these are. It differs in three things.
    The generator of ACE says which pieces it used, and its reflector which of them helped, which a small model cannot;
    here each piece stands in every prompt unless it rests, and an answer moves the counts of all that stood in its
    own, however late its feedback comes. Counts of right and wrong answers alone would then drop everything wherever
    an agent is mostly wrong; so a piece does harm if answers with it were worse than those without it by more than one
    standard error, after ten with it; where there are none without it, if ``harmful`` exceeds ``helpful``. What was
    dropped does not come back soon. And likeness is by words (0.7 of those of both), not by vectors.

    References
    ----------
    Zhang et al. (2025), Agentic context engineering: evolving contexts for self-improving language models,
    arXiv 2510.04618.

    Examples
    --------
    >>> from toolkit.records import Feedback, Task
    >>> book = Playbook(every=1)
    >>> book.reset(np.random.default_rng(0), lambda step, **inputs: "Ask for the number first.")
    >>> book.observe(Experience("stream/0", Task("0", {"text": "parcel late"}), "a", Feedback(0.0, "b")))
    >>> print(book.learned().notes)
    Playbook:
    - Ask for the number first.
    """

    thinks = (REFLECT.name,)

    def __init__(self, size: int = 12, every: int = 5) -> None:
        self.size = size
        self.every = every

    def check(self) -> None:
        """Both at least 1."""
        must_be_positive("Playbook.size", self.size)
        must_be_positive("Playbook.every", self.every)

    def reset(self, rng: np.random.Generator, think: Think) -> None:
        """Begin with an empty one."""
        self.may_ask(think)
        self._rng = rng
        self.bullets: tuple[Bullet, ...] = ()
        self.dropped: tuple[str, ...] = ()
        self.resting = -1
        self.news: tuple[str, ...] = ()
        self.judged, self.scored, self.heard, self.written = 0, 0.0, 0, 0
        self._under: dict[str, frozenset[int]] = {}

    def applied(self, id: str) -> None:
        """Note which pieces stand in the prompt."""
        self._under[id] = frozenset(one.number for one in self._awake())

    def observe(self, experience: Experience) -> None:
        """Move the counts; reflect, if there is something to learn; merge, if it is time."""
        told, earned = experience.feedback, reward(experience)
        if told is None:
            return
        if earned is not None:
            self._count(earned, self._under.pop(experience.id, frozenset()))
        if told.text or (earned is not None and earned < 1):
            said = self.ask_prose(
                REFLECT,
                known="; ".join(one.text for one in self.bullets) or "none",
                case=experience.task.text,
                answer=experience.answer,
                outcome=outcome(experience),
            )
            self.news += (said,) if said else ()
        self.heard += 1
        if self.heard % self.every == 0:
            self._merge()

    def learned(self) -> Learned:
        """The pieces, the oldest first; without their counts, which would change with every answer."""
        pieces = [f"- {one.text}" for one in self._awake()]
        return Learned(notes="\n".join(["Playbook:", *pieces])) if pieces else Learned()

    def state(self) -> dict[str, object]:
        """All of it, and which pieces stood in the prompts of what is not judged yet."""
        open_ = {name: sorted(numbers) for name, numbers in self._under.items()}
        return {**super().state(), "under": open_, "unusable": self.unusable}

    def _count(self, earned: float, under: frozenset[int]) -> None:
        self.judged, self.scored = self.judged + 1, self.scored + earned
        self.bullets = tuple(
            replace(one, helpful=one.helpful + earned, harmful=one.harmful + 1 - earned)
            if one.number in under
            else replace(one, rested=one.rested + 1)
            for one in self.bullets
        )

    def _awake(self) -> tuple[Bullet, ...]:
        return tuple(one for one in self.bullets if one.number != self.resting)

    def _merge(self) -> None:
        """Drop what harms, take in what is new, drop the worst of too many; then one that has to may rest."""
        kept = [one for one in self.bullets if not self._harms(one)]
        unsure = [one.number for one in kept if one.rested < _TRIED]
        gone = [one.text for one in self.bullets if one not in kept]
        self.dropped = (*self.dropped, *gone)[-self.size :]
        for text in _news(self.news, [*self.dropped, *(one.text for one in kept)]):
            kept.append(Bullet(self.written, text))
            self.written += 1
        while len(kept) > self.size:
            tried = [one for one in kept if one.tried >= _TRIED]
            kept.remove(min(tried, key=lambda one: one.helpful / one.tried) if tried else kept[0])
        self.bullets, self.news = tuple(kept), ()
        self.resting = [*unsure, -1][int(self._rng.integers(len(unsure) + 1))]

    def _harms(self, one: Bullet) -> bool:
        without, scored = self.judged - one.tried, self.scored - one.helpful
        if one.tried < _TRIED:
            return False
        if without < 1:
            return one.harmful > one.helpful
        mean = self.scored / self.judged
        error = math.sqrt(max(0.0, mean * (1 - mean)) * (1 / one.tried + 1 / without))
        return one.helpful / one.tried < scored / without - error


def _news(said: Iterable[str], known: list[str]) -> Iterator[str]:
    """What says something that neither what is known says, nor what came before."""
    seen = [set(words(text)) for text in known]
    for text in said:
        own = set(words(text))
        if lettered(text) and not any(len(own & other) >= _SAME * len(own | other) for other in seen):
            seen.append(own)
            yield text
