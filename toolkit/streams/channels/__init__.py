"""Channels of more kinds; the base and the plain ones are in `toolkit.streams.channel`."""

from toolkit.streams.channels.wrappers import Adversarial, Delayed, Missing, Noisy, ShuffledFeedback

__all__ = ["Adversarial", "Delayed", "Missing", "Noisy", "ShuffledFeedback"]
