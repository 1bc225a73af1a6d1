"""Channels of more kinds; the base and the plain ones are in `toolkit.streams.channel`."""

from toolkit.streams.channels.human import HumanFeedback
from toolkit.streams.channels.pairs import Preference
from toolkit.streams.channels.words import Critique, Implicit
from toolkit.streams.channels.wrappers import Adversarial, Delayed, Missing, Noisy, ShuffledFeedback

__all__ = [
    "Adversarial",
    "Critique",
    "Delayed",
    "HumanFeedback",
    "Implicit",
    "Missing",
    "Noisy",
    "Preference",
    "ShuffledFeedback",
]
