"""What is drawn for the desk's cases: a company's practice, and what is true of each case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from toolkit.streams.case_world import FACTS, Fact, Matter, Order, Rule, case_texts
from toolkit.streams.company import Case, Company, rng_of, wordings
from toolkit.streams.watch_world import Duty

RULES, CASES, WATCHES, POOL_CASES, POOL_WATCHES, CHANGES = range(5, 11)
"""Spawn keys beside the draw; those of `toolkit.streams.company` end before."""

_LIMITS = range(30, 81, 10)
_BEYOND = 1 / 3  # of the orders whose price may be any, the share above the limit
_STEP = 5  # euros
_DUTIES = ((4, 6), (2, 5), (3, 6))  # ticks of an outage, hours of a deadline, days of an absence: from, to


@dataclass(frozen=True)
class Practice:
    """What holds at one company beyond its queues: each topic's rule, that of duty, its regular customers' channels."""

    rules: Mapping[str, Rule]
    duty: Duty
    channels: Mapping[str, str]

    @classmethod
    def drawn(cls, draw: int, company: Company) -> Practice:
        """The practice with this number: limits of 30 to 80 euros; of two causes one is refunded, the other replaced.

        An outage counts over 4 to 6 ticks, a deadline is near from 2 to 5 hours, an absence long from 3 to 6 days.
        """
        rng, rules = rng_of(draw, RULES), {}
        for topic, texts in case_texts()["topics"].items():
            remedies = [str(remedy) for remedy in rng.permutation(["refund", "replace"])]
            limit, by_cause = int(rng.choice(_LIMITS)), dict(zip(texts["causes"], remedies, strict=True))
            rules[topic] = Rule(limit, by_cause, company.rules[topic])
        duty = Duty(*(int(rng.integers(least, most + 1)) for least, most in _DUTIES))
        channels = {one.user: _pick(rng, case_texts()["channels"]) for one in company.regulars}
        return cls(rules, duty, channels)

    def changed(self, rng: np.random.Generator) -> Practice:
        """Another practice at the same company: half of its topics, rounded, have their two remedies exchanged.

        Each number of the rules of duty is another one. Limits, queues and channels stay.
        """
        moved = {str(topic) for topic in rng.permutation(list(self.rules))[: round(len(self.rules) / 2)]}
        rules = {topic: rule.exchanged() if topic in moved else rule for topic, rule in self.rules.items()}
        now = zip(_DUTIES, (self.duty.window, self.duty.hours, self.duty.days), strict=True)
        others = [[one for one in range(least, most + 1) if one != old] for (least, most), old in now]
        return Practice(rules, Duty(*(one[int(rng.integers(len(one)))] for one in others)), self.channels)


def matters_of(
    rng: np.random.Generator, under: Sequence[Practice], cases: Sequence[Case], hidden: int
) -> Iterator[Matter]:
    """What is true of each case, ``under`` a practice each; so many leave something out that nobody was told before.

    What is left out is dealt in turn; where it would be a channel that the customer has told in an earlier case, it is
    one of the other facts.
    """
    fact: Fact | None
    places, before, dealt = {int(place) for place in rng.permutation(len(cases))[:hidden]}, set[str](), 0
    for place, (case, practice) in enumerate(zip(cases, under, strict=True)):
        fact, known = None, case.user in before
        if place in places:
            fact = FACTS[dealt % 3] if not (known and FACTS[dealt % 3] == "channel") else FACTS[dealt % 2]
            dealt += 1
        if case.user in practice.channels:
            before.add(case.user)
        yield _matter(rng, practice, case, fact, known)


def _matter(rng: np.random.Generator, practice: Practice, case: Case, hidden: Fact | None, known: bool) -> Matter:
    """A hidden cause always decides something: the price is within the limit."""
    rule = practice.rules[case.topic]
    steps, beyond = rule.limit // _STEP, hidden != "cause" and rng.random() < _BEYOND
    price = int(rng.integers(steps + 1, steps + 9)) if beyond else int(rng.integers(2, steps + 1))
    products = [str(product) for product in rng.permutation(wordings().slots["product"])[:2]]
    numbers = [int(number) for number in rng.permutation(900)[:2] + 100]
    letters = [_pick(rng, "ABCDEFGH") for _ in range(2)]
    which = int(rng.integers(2))
    prices = [int(rng.integers(2, 25)) * _STEP for _ in range(2)]
    prices[which] = price * _STEP
    first, second = (Order(f"{letters[n]}-{numbers[n]}", products[n], prices[n]) for n in range(2))
    own = practice.channels.get(case.user) or _pick(rng, case_texts()["channels"])
    return Matter(case.topic, _pick(rng, list(rule.remedies)), (first, second), which, own, hidden, known)


def _pick(rng: np.random.Generator, choices: Sequence[str]) -> str:
    return choices[int(rng.integers(len(choices)))]
