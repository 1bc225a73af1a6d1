"""Learners."""

from toolkit.traits.learning.bandit import Bandit
from toolkit.traits.learning.cheatsheet import Cheatsheet
from toolkit.traits.learning.compiled import Compiled
from toolkit.traits.learning.cutoff import Cutoff
from toolkit.traits.learning.detectors import Adwin, Detector, Kswin, PageHinkley
from toolkit.traits.learning.examples import DemoBuffer, FixedExamples
from toolkit.traits.learning.given import Given
from toolkit.traits.learning.learner import Frozen, Learner
from toolkit.traits.learning.playbook import Playbook
from toolkit.traits.learning.together import Together
from toolkit.traits.learning.tuned import Tuned, Version
from toolkit.traits.learning.watched import Watched

__all__ = [
    "Adwin",
    "Bandit",
    "Cheatsheet",
    "Compiled",
    "Cutoff",
    "DemoBuffer",
    "Detector",
    "FixedExamples",
    "Frozen",
    "Given",
    "Kswin",
    "Learner",
    "PageHinkley",
    "Playbook",
    "Together",
    "Tuned",
    "Version",
    "Watched",
]
