"""What agents learn of their answers, in words: for each channel a phrase, and for channels around others a chain."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from toolkit.component import build, is_shipped, registered
from toolkit.ledger.planned import heard
from toolkit.report.facts import count
from toolkit.report.page import portable
from toolkit.streams.channel import Channel, FullLabel, NoFeedback, OneBit, Scalar
from toolkit.streams.channels import (
    Adversarial,
    Critique,
    Delayed,
    HumanFeedback,
    Implicit,
    Missing,
    Noisy,
    Preference,
    ShuffledFeedback,
)


def heard_in_words(planned: Mapping[str, Any]) -> str:
    """A sentence on what agents of a plan were told, arms that were told something else included.

    Channels of a user's own, whose class may not be there any more, are named as they stand in the plan.
    """
    own = {name: arm["channel"] for name, arm in planned["arms"].items() if "channel" in arm}
    other = {name: told for name, told in own.items() if told != planned["channel"]}
    phrases = {told: phrase(told) for told in (planned["channel"], *other.values())}
    if not all(phrases.values()):
        return f"Feedback to agents: {portable(heard(planned))}."
    rest = "".join(f"; {name} learned {phrases[told]}" for name, told in other.items())
    return f"Of each answer agents learned {phrases[planned['channel']]}{rest}."


def phrase(told: str) -> str:
    """What an agent learns of an answer by a channel, which is given as its ``repr``; empty of one that is not known.

    Examples
    --------
    >>> phrase("Delayed(of=Noisy(of=OneBit(), rate=0.3), by=5)")
    'whether it was right, of 30 % of the answers something false, 5 tasks later than the stream says'
    >>> phrase("Praise()")
    ''
    """
    try:
        channel = build("channel", _table(ast.parse(told, mode="eval").body), "plan.json: channel")
    except (SyntaxError, ValueError, RecursionError, MemoryError):  # the last two: what is nested too deep to be parsed
        return ""
    return _of(channel) if isinstance(channel, Channel) else ""


def _table(node: ast.expr) -> Any:
    """A component's table, or a parameter's value, from what it prints as; nothing is executed."""
    if not isinstance(node, ast.Call):
        return ast.literal_eval(node)
    if not isinstance(node.func, ast.Name) or node.args or node.func.id not in registered("channel"):
        raise ValueError(f"this is no channel: {ast.unparse(node)}")
    return {"use": node.func.id} | {str(one.arg): _table(one.value) for one in node.keywords}


def _of(channel: Channel) -> str:
    """A phrase that goes on from "of each answer agents learned"; of a channel within, its phrase comes first."""
    if not is_shipped(type(channel)):  # a user's own may do something else than the class it derives from
        return ""
    if isinstance(channel, Noisy):
        return f"{_of(channel.of)}, of {_share(channel.rate)} something false" if _of(channel.of) else ""
    if isinstance(channel, Adversarial):
        return f"{_of(channel.of)}, of {_share(channel.share)} a lie to mislead them" if _of(channel.of) else ""
    if isinstance(channel, ShuffledFeedback):
        return f"{_of(channel.of)}, but as it was for another, earlier task (a sham)" if _of(channel.of) else ""
    if isinstance(channel, Missing):
        return f"{_of(channel.of)}, of {_share(channel.share)} nothing" if _of(channel.of) else ""
    if isinstance(channel, Delayed):
        return f"{_of(channel.of)}, {count(channel.by, 'task')} later than the stream says" if _of(channel.of) else ""
    return _plain(channel)


def _plain(channel: Channel) -> str:
    """The phrase of a channel that holds no other; empty where there is none."""
    if isinstance(channel, Critique):
        words = "what was wrong with it" + " and what would have been right" * channel.reveals
        return f"whether it was right and, in words, {words}" if channel.scored else f"in words alone {words}"
    if isinstance(channel, Implicit):
        return (
            "what a simulated user says who does not rate (of wrong ones, "
            f"{_percent(channel.p_correct)} were met with the right one in words, {_percent(channel.p_retry)} with a "
            "wish to try again, all others and the right ones with silence)"
        )
    if isinstance(channel, Preference):
        other = "any other, drawn at random" if channel.against == "any" else "another, of wrong ones the right one"
        return f"whether it was better than another answer ({other})"
    if isinstance(channel, HumanFeedback):
        more = ", a right answer" * channel.corrections
        return f"what a person said of it (one of {channel.grades} grades{more}, words, or nothing)"
    simple = {
        FullLabel: "the score and a right answer",
        OneBit: "whether it was right",
        Scalar: "the score",
        NoFeedback: "nothing",
    }
    return simple.get(type(channel), "")


def _percent(share: float) -> str:
    return f"{100 * share:g} %"


def _share(share: float) -> str:
    return f"{_percent(share)} of the answers"
