"""Rules of a role that a program can check: on each occasion one is kept, broken, or does not apply."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

from toolkit.component import Component, Prose
from toolkit.moves import WAIT, Cause, Move
from toolkit.traits.trait import must_be_positive


@dataclass(frozen=True)
class Said:
    """One occasion on which a rule may apply: an answer, or one turn in a world.

    Parameters
    ----------
    inputs
        What the task gives.
    answer
        The answer; in a world the action.
    options
        What could be chosen among, where the answer is a choice.
    seen, cause
        In a world, what was seen on this turn, and why it was the agent's turn.
    before
        In a world, the earlier turns of the same episode.
    """

    inputs: Mapping[str, str]
    answer: str
    options: tuple[str, ...] = ()
    seen: str = ""
    cause: Cause = "prompt"
    before: tuple[Move, ...] = ()

    @property
    def tool(self) -> str:
        """The name of the tool that is called, if one is."""
        return _tool(self.answer)

    @cached_property
    def done(self) -> tuple[str, ...]:
        """The actions that were done before; refused ones were not."""
        return tuple(move.action for move in self.before if not move.refused)

    @cached_property
    def text(self) -> str:
        """What the answer answers: the task's inputs, then what is seen."""
        return "\n".join(part for part in (*self.inputs.values(), self.seen) if part)


def _tool(action: str) -> str:
    return action.strip().partition(" ")[0]


class Rule(Component, kind="rule", abstract=True):
    """A decision rule of a role: its text stands in the prompt, and `kept` judges what was said.

    A subclass gives `kept`. Its first parameter is ``text``. It judges afterwards, from the ledger, and the same way
    for every arm: also for those that were never told of it.

    Examples
    --------
    >>> class Polite(Rule):
    ...     def __init__(self, text: str = "Always say please."):
    ...         self.text = text
    ...     def kept(self, said):
    ...         return "please" in said.answer.lower()
    >>> Polite().kept(Said({"message": "Salt?"}, "The salt, please."))
    True
    """

    text: str

    def worded(self, text: str) -> Self:
        """The same rule in other words; what checks it stays."""
        return type(self)(**{**{name: getattr(self, name) for name in self.parameters()}, "text": text})

    def kept(self, said: Said) -> bool | None:
        """Whether the rule is kept on this occasion; None = it does not apply.

        Raises
        ------
        NotImplementedError
            If the class does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not say when it is kept: define kept(said)")


class _Pattern(Rule):
    """A rule on what is said, with regular expressions (without regard to case)."""

    def __init__(self, text: Prose, pattern: str, when: str = "") -> None:
        self.text = text
        self.pattern = pattern
        self.when = when

    def check(self) -> None:
        """Both are regular expressions."""
        _compiled(f"{type(self).__name__}.pattern", self.pattern)
        _compiled(f"{type(self).__name__}.when", self.when)

    def _says(self, said: Said) -> bool | None:
        """Whether the pattern is in the answer; None where the rule does not apply."""
        if self.when and not re.search(self.when, said.text, re.IGNORECASE):
            return None
        return re.search(self.pattern, said.answer, re.IGNORECASE) is not None


class MustSay(_Pattern):
    """The answer holds a pattern.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.
    pattern
        A regular expression that must be found in the answer; case does not matter.
    when
        It applies where this is found in the inputs or in what is seen; empty = always.

    Examples
    --------
    >>> rule = MustSay("Escalate threats.", "^escalate", when="lawyer|sue")
    >>> [rule.kept(Said({"ticket": text}, "refund")) for text in ("I will sue you.", "It broke.")]
    [False, None]
    """

    def kept(self, said: Said) -> bool | None:
        """Whether the pattern is found."""
        return self._says(said)


class MustNotSay(_Pattern):
    """The answer does not hold a pattern.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.
    pattern
        A regular expression that must not be found in the answer; case does not matter.
    when
        It applies where this is found in the inputs or in what is seen; empty = always.

    Examples
    --------
    >>> MustNotSay("Promise no date.", r"\\btomorrow\\b").kept(Said({}, "It comes tomorrow."))
    False
    """

    def kept(self, said: Said) -> bool | None:
        """Whether the pattern is absent."""
        says = self._says(said)
        return None if says is None else not says


class AtMostWords(Rule):
    """The answer is short.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.
    words
        The most words that an answer may have, at least 1.

    Examples
    --------
    >>> AtMostWords("Be brief.", 2).kept(Said({}, "one two three"))
    False
    """

    def __init__(self, text: Prose, words: int) -> None:
        self.text = text
        self.words = words

    def check(self) -> None:
        """At least one word."""
        must_be_positive("AtMostWords.words", self.words)

    def kept(self, said: Said) -> bool | None:
        """Whether there are no more."""
        return len(said.answer.split()) <= self.words


class AmongOptions(Rule):
    """The answer is one of those offered; it applies where some are.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.

    Examples
    --------
    >>> AmongOptions("Name one of the queues.").kept(Said({}, "the blue one", ("blue", "red")))
    False
    """

    def __init__(self, text: Prose) -> None:
        self.text = text

    def kept(self, said: Said) -> bool | None:
        """Whether it is one of them, to the letter."""
        return said.answer.strip() in said.options if said.options else None


class OnlyAfter(Rule):
    """A tool is called only after another one was, in the same episode; it applies to calls of the tool.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.
    tool
        The tool's name.
    first
        The name of the tool that must have been called before, and not refused.

    Examples
    --------
    >>> rule = OnlyAfter("Open the order before you refund it.", "refund", "order")
    >>> rule.kept(Said({}, "refund")), rule.kept(Said({}, "refund", before=(Move("prompt", "", "order"),)))
    (False, True)
    """

    def __init__(self, text: Prose, tool: str, first: str) -> None:
        self.text = text
        self.tool = tool
        self.first = first

    def kept(self, said: Said) -> bool | None:
        """Whether the other was called before."""
        return any(_tool(one) == self.first for one in said.done) if said.tool == self.tool else None


class AtMostTimes(Rule):
    """A tool is called no more often than so many times an episode; it applies to calls of the tool.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.
    tool
        The tool's name.
    times
        The most calls of an episode, at least 1.

    Examples
    --------
    >>> AtMostTimes("Ask once.", "ask", 1).kept(Said({}, "ask", before=(Move("prompt", "", "ask"),)))
    False
    """

    def __init__(self, text: Prose, tool: str, times: int = 1) -> None:
        self.text = text
        self.tool = tool
        self.times = times

    def check(self) -> None:
        """At least once."""
        must_be_positive("AtMostTimes.times", self.times)

    def kept(self, said: Said) -> bool | None:
        """Whether it was called less often before."""
        return sum(_tool(one) == self.tool for one in said.done) < self.times if said.tool == self.tool else None


class NotAgain(Rule):
    """A tool is never called twice with the same arguments in an episode; it applies to calls of the tool.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.
    tool
        The tool's name; empty = any tool, or any action that is none, but waiting.

    Examples
    --------
    >>> NotAgain("Never ask the same twice.", "ask").kept(Said({}, "ask", before=(Move("prompt", "", "ask"),)))
    False
    """

    def __init__(self, text: Prose, tool: str = "") -> None:
        self.text = text
        self.tool = tool

    def kept(self, said: Said) -> bool | None:
        """Whether the same action was not done before."""
        action = said.answer.strip()
        if action == WAIT or (self.tool and said.tool != self.tool):
            return None
        return action not in said.done


class SilentUnless(Rule):
    """On a tick, which nobody prompted, it acts only where there is a sign; it applies to ticks without one.

    Parameters
    ----------
    text
        The rule as it stands in the prompt.
    pattern
        A regular expression for the sign, looked for in what is seen; case does not matter.

    Examples
    --------
    >>> rule = SilentUnless("Disturb nobody unless something is due.", "due")
    >>> [rule.kept(Said({}, "alert", seen=seen, cause="tick")) for seen in ("All quiet.", "It is due.")]
    [False, None]
    """

    def __init__(self, text: Prose, pattern: str) -> None:
        self.text = text
        self.pattern = pattern

    def check(self) -> None:
        """The sign is a regular expression."""
        _compiled("SilentUnless.pattern", self.pattern)

    def kept(self, said: Said) -> bool | None:
        """Whether it was silent."""
        if said.cause != "tick" or re.search(self.pattern, said.seen, re.IGNORECASE):
            return None
        return said.answer.strip() == WAIT


def _compiled(name: str, pattern: str) -> None:
    try:
        re.compile(pattern)
    except (re.error, TypeError) as error:
        raise ValueError(f"{name} must be a regular expression but is {pattern!r}: {error}") from None
