"""A case of the desk as a world: a ticket that leaves out what only the customer knows, tools, and what is right."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, Literal, TypeAlias

import numpy as np

from toolkit.moves import WAIT, Cause, Observation, Tally, Tool, call, called
from toolkit.streams.worlds import Stepped, World

Fact: TypeAlias = Literal["order", "cause", "channel"]
"""What only the customer knows: which order it is about, what happened, how to be answered."""

FACTS: tuple[Fact, ...] = ("order", "cause", "channel")
_STEPS = 4  # to look up the customer, open the order, put it right, close


@cache
def case_texts() -> Mapping[str, Any]:
    """The shipped words of cases, read once; see ``case_texts.toml``."""
    return tomllib.loads(resources.files("toolkit.streams").joinpath("case_texts.toml").read_text(encoding="utf-8"))


@dataclass(frozen=True, slots=True)
class Order:
    """Something that a customer bought, for so many euros."""

    id: str
    product: str
    price: int


@dataclass(frozen=True, slots=True)
class Rule:
    """What a company does about a topic.

    Parameters
    ----------
    limit
        Up to this price, in euros, the desk puts it right by itself.
    remedies
        By cause ``"refund"`` or ``"replace"``.
    queue
        To which it is escalated above that.

    Examples
    --------
    >>> rule = Rule(40, {"dropped": "replace"}, "amber")
    >>> rule.remedy("dropped", 40), rule.remedy("dropped", 45)
    ('replace', 'escalate {"queue": "amber"}')
    """

    limit: int
    remedies: Mapping[str, str]
    queue: str

    def remedy(self, cause: str, price: int) -> str:
        """The one right action about an order of this price."""
        return self.remedies[cause] if price <= self.limit else call("escalate", queue=self.queue)

    def exchanged(self) -> Rule:
        """The rule with each cause's remedy given to the other one."""
        return Rule(self.limit, dict(zip(self.remedies, list(self.remedies.values())[::-1], strict=True)), self.queue)

    def page(self, topic: str) -> str:
        """What the policy page on the topic says: all of the rule."""
        told = ", ".join(f"{cause}: {remedy}" for cause, remedy in self.remedies.items())
        return f"Policy on {topic}. Up to {self.limit} euros, {told}. Above: escalate to {self.queue}."


@dataclass(frozen=True, slots=True)
class Prices:
    """What is taken off the score for each question that was not needed, and for each policy page that was read; and
    what a question costs in the world's units, beside a customer's patience."""

    annoyance: float = 0.2
    reading: float = 0.05
    question: float = 2.0


@dataclass(frozen=True, slots=True)
class Matter:
    """The truth of one case.

    Parameters
    ----------
    topic, cause
        What it is about, and what happened.
    orders, which
        What the customer has bought, two things, and the place of the one that is meant.
    channel
        How the customer wants to be answered.
    hidden
        The fact that the ticket leaves out and nobody was told before.
    known
        Whether the ticket leaves out the channel, since the customer has said it in an earlier case.
    """

    topic: str
    cause: str
    orders: tuple[Order, Order]
    which: int
    channel: str
    hidden: Fact | None = None
    known: bool = False

    @property
    def order(self) -> Order:
        """The order that is meant."""
        return self.orders[self.which]

    def ticket(self, rng: np.random.Generator) -> str:
        """The ticket, without what it leaves out."""
        texts, told = case_texts()["topics"][self.topic], case_texts()["told"]
        sentences = {
            "order": told["order"],
            "cause": texts["causes"][self.cause],
            "channel": told["known" if self.known else "channel"],
        }
        frames = [texts["complaints"], *(sentences[fact] for fact in FACTS if fact != self.hidden)]
        text = " ".join(frame[int(rng.integers(len(frame)))] for frame in frames)
        return text.format(product=self.order.product, price=self.order.price, channel=self.channel)

    def answer(self, about: str) -> str:
        """What the customer says when asked about a fact."""
        if about == "order":
            return f"It is the {self.order.product}, order {self.order.id}."
        if about == "cause":
            return str(case_texts()["topics"][self.topic]["causes"][self.cause][0])
        return f"By {self.channel}, please."


def case_tools(queues: Sequence[str], question: float) -> tuple[Tool, ...]:
    """What can be done about a case, at a company with these queues."""
    topic = {"type": "string", "enum": list(case_texts()["topics"])}
    channel = {"type": "string", "enum": list(case_texts()["channels"])}
    return (
        Tool("customer", "Look up the customer and what they bought.", cost=1.0),
        Tool("order", "Open one of the customer's orders.", {"id": {"type": "string"}}, cost=1.0),
        Tool("policy", "Read the company's policy on a topic.", {"topic": topic}, cost=1.0),
        Tool("ask", "Ask the customer.", {"about": {"type": "string", "enum": list(FACTS)}}, cost=question, asks=True),
        Tool("refund", "Give back the price of the open order.", cost=1.0, changes=True),
        Tool("replace", "Send the open order again.", cost=1.0, changes=True),
        Tool(
            "escalate",
            "Hand the open order to a queue.",
            {"queue": {"type": "string", "enum": list(queues)}},
            cost=1.0,
            changes=True,
        ),
        Tool("close", "Tell the customer what was done, and close.", {"by": channel}, cost=1.0, changes=True),
    )


class CaseWorld(World):
    """A case: look up, perhaps read or ask, put it right once, close.

    Two goals, half of ``reached`` each: the right action was taken on the right order; and then the customer was told
    by the right channel. The first refund, replacement or escalation counts. A question is needed where its fact is
    hidden, not yet answered, and still of use.

    Parameters
    ----------
    matter
        What is true.
    rules
        The company's rule by topic.
    prices
        What questions and reading cost.
    queues
        The company's queues.
    listed
        Whether observations list the admissible calls, but for those that would tell what was told already; else any
        call that fits the tools' schemas is taken.

    Examples
    --------
    >>> orders = (Order("A-417", "kettle", 35), Order("B-202", "tent", 80))
    >>> matter = Matter("damaged goods", "broken in use", orders, 0, "app", hidden="order")
    >>> world = CaseWorld(matter, {"damaged goods": Rule(40, {"broken in use": "refund"}, "amber")}, queues=("amber",))
    >>> world.reset(0).text, world.best()
    ('A ticket is open.', 'customer')
    >>> world.step(world.best()).observation.text, world.best()
    ('Bought: A-417 kettle; B-202 tent.', 'ask {"about": "order"}')
    >>> world.step(world.best()).observation.text, world.tally().useful
    ('It is the kettle, order A-417.', 1)
    """

    def __init__(
        self,
        matter: Matter,
        rules: Mapping[str, Rule],
        prices: Prices | None = None,
        queues: Sequence[str] = (),
        listed: bool = True,
    ) -> None:
        self.matter = matter
        self.rules = rules
        self.prices = prices or Prices()
        self.queues = tuple(queues)
        self.listed = listed
        self.tools = case_tools(self.queues, self.prices.question)
        self._begin()

    def _begin(self) -> None:
        self._looked = self._over = self._right = self._told = False
        self._open: Order | None = None
        self._done = ""  # what was done to put it right
        self._asked: list[str] = []
        self._heard: set[str] = set()  # pages that were read, questions that were put
        self._questions = self._useful = self._pages = 0

    def reset(self, seed: int) -> Observation:
        """The ticket stands in the task; nothing is drawn here, so every seed gives the same."""
        self._begin()
        return self._seen("A ticket is open.", "prompt")

    def step(self, action: str) -> Stepped:
        """Make a call; the score is the reward of the last one."""
        if action.strip() == WAIT:
            self._over = True
            return self._stepped("You leave the ticket as it is.")
        try:
            tool, arguments = called(action, self.tools)
        except ValueError as error:
            return self._refused(str(error))
        if call(tool.name, **arguments) not in self._admissible(every_page=True):
            return self._refused(f"{tool.name} is not possible now; possible: {self._possible()}")
        if tool.name in ("policy", "ask"):
            self._heard.add(call(tool.name, **arguments))
        return self._stepped(self._said(tool.name, arguments))

    def tally(self) -> Tally:
        """The score is ``reached`` less ``annoyance`` per question not needed and ``reading`` per page, at least 0."""
        reached = 0.5 * self._right + 0.5 * (self._right and self._told)
        spent = self.prices.annoyance * (self._questions - self._useful) + self.prices.reading * self._pages
        blockers = int(bool(self.matter.hidden))
        return Tally(
            reached=reached,
            score=max(0.0, reached - spent),
            best_steps=_STEPS + blockers,
            questions=self._questions,
            useful=self._useful,
            blockers=blockers,
            found=self._useful,
        )

    def best(self) -> str:
        """What somebody would do who knows the company by heart, but not what only the customer knows."""
        if self._over:
            return WAIT
        if not self._done and not self._looked:
            return "customer"
        if self.matter.hidden and self._needed(self.matter.hidden):
            return call("ask", about=self.matter.hidden)
        if self._done:
            return call("close", by=self.matter.channel)
        if self._open != self.matter.order:
            return call("order", id=self.matter.order.id)
        return self._remedy

    @property
    def _remedy(self) -> str:
        return self.rules[self.matter.topic].remedy(self.matter.cause, self.matter.order.price)

    def _needed(self, fact: str) -> bool:
        """Whether a question about a fact is one that only the customer can answer, and still of use."""
        useful = self._right or not self._done if fact == "channel" else not self._done
        return fact == self.matter.hidden and fact not in self._asked and useful

    def _admissible(self, every_page: bool = False) -> list[str]:
        """All calls that are possible now; of the policy, the ticket's page, or every one."""
        if self._over:
            return []
        found = [] if self._looked else ["customer"]
        if not self._done:
            orders = self.matter.orders if self._looked else ()
            found += [call("order", id=one.id) for one in orders if one != self._open]
        found += [call("policy", topic=one) for one in (self.rules if every_page else [self.matter.topic])]
        found += [call("ask", about=fact) for fact in FACTS]
        if self._open and not self._done:
            found += ["refund", "replace", *(call("escalate", queue=queue) for queue in self.queues)]
        return found + [call("close", by=channel) for channel in case_texts()["channels"]]

    def _said(self, tool: str, arguments: Mapping[str, str]) -> str:
        """Do it, and say what came of it."""
        if tool == "customer":
            self._looked = True
            return f"Bought: {'; '.join(f'{one.id} {one.product}' for one in self.matter.orders)}."
        if tool == "order":
            self._open = next(one for one in self.matter.orders if one.id == arguments["id"])
            return f"Order {self._open.id}: {self._open.product}, {self._open.price} euros."
        if tool == "policy":
            self._pages += 1
            return self.rules[arguments["topic"]].page(arguments["topic"])
        if tool == "ask":
            return self._answered(arguments["about"])
        if tool == "close":
            self._over, self._told = True, arguments["by"] == self.matter.channel
            return "The ticket is closed."
        self._done = call(tool, **arguments)
        self._right = self._open == self.matter.order and self._done == self._remedy
        return "It is done."

    def _answered(self, about: str) -> str:
        self._questions += 1
        answer = self.matter.answer(about)
        if self._needed(about):
            self._useful += 1
            self._asked.append(about)
            return answer
        return f"Must you ask? {answer}"

    def _stepped(self, text: str) -> Stepped:
        reward = self.tally().score or 0.0
        return Stepped(self._seen(text), reward if self._over else 0.0, terminated=self._over)

    def _refused(self, why: str) -> Stepped:
        return Stepped(self._seen(f"Not done: {why}"), terminated=self._over, info={"refused": why})

    def _possible(self) -> str:
        return ", ".join(dict.fromkeys(action.partition(" ")[0] for action in self._admissible())) or "nothing"

    def _seen(self, text: str, cause: Cause = "result") -> Observation:
        """What is listed are the calls that would tell something new, or do something."""
        new = [one for one in self._admissible() if one not in self._heard]
        return Observation(text, cause, tuple(new) if self.listed else ())
