"""Which steps an arm takes beside its decision, and whether those that are to be learned are among them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from toolkit.component import Component, parts_of
from toolkit.errors import nearest


def thinks(part: Component) -> Iterator[str]:
    """Names of the steps that a trait or a decider takes, or a component that it was given.

    Examples
    --------
    >>> from toolkit.traits.memory import Layered, Lessons, SlidingWindow
    >>> list(thinks(Layered(SlidingWindow(), Lessons())))
    ['lesson']
    """
    yield from getattr(part, "thinks", ())
    for one in parts_of(part):
        yield from thinks(one)


def refuse_unknown(wanted: Iterable[str], parts: Iterable[Component], who: str) -> None:
    """Refuse to learn a step that no part takes.

    Parameters
    ----------
    wanted
        Names of steps.
    parts
        An arm's traits and its decider.
    who
        What wants them, for the message.

    Raises
    ------
    ValueError
        Naming the nearest that there are, and the way to make one's own known.

    Examples
    --------
    >>> from toolkit.traits.memory import RunningSummary
    >>> refuse_unknown(["summarise"], [RunningSummary()], "Bandit")  # is none
    """
    known = {name for part in parts for name in thinks(part)}
    for name in wanted:
        if name not in known:
            raise ValueError(
                f"{who} learns the step {name!r}, which no part of the arm takes; {nearest(name, known)}; a part of "
                f"one's own names the steps that it takes: thinks = ({name!r},)"
            )
