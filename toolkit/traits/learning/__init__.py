"""Learners."""

from toolkit.traits.learning.examples import DemoBuffer, FixedExamples
from toolkit.traits.learning.learner import Frozen, Learner

__all__ = ["DemoBuffer", "FixedExamples", "Frozen", "Learner"]
