"""Learners."""

from toolkit.traits.learning.bandit import Bandit
from toolkit.traits.learning.examples import DemoBuffer, FixedExamples
from toolkit.traits.learning.learner import Frozen, Learner
from toolkit.traits.learning.tuned import Tuned, Version

__all__ = ["Bandit", "DemoBuffer", "FixedExamples", "Frozen", "Learner", "Tuned", "Version"]
