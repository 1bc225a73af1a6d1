"""Write the study of this folder: ``python experiments/four-traits/make.py``.

Half of all combinations of the four traits, with rivals and shams; the texts of the role and of its placebo stand in
``study.toml`` in full.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import toolkit as tk
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.spec import save

HERE = Path(__file__).parent
FULL = tk.Arm(
    "full",
    role=tk.role("service-desk-cases"),
    memory=tk.Retrieval(k=2),
    goals=tk.ReAct(ticks=True),
    learning=tk.DemoBuffer(size=2),
)


def arms() -> list[tk.Arm]:
    """The half fraction, then what it is held against: rivals without a trait, shams of each trait, floors."""
    *half, last = tk.factorial(FULL, half=True).arms
    crossed = [*half, replace(last, name="full")]
    by_name = {arm.name: arm for arm in crossed}
    taught, remembering = by_name["memory-learning"], by_name["role-memory"]
    return [
        *crossed,
        tk.Arm("re-prompted", goals=tk.Reactive("turns")),
        tk.Arm("polled", goals=tk.Reactive("ticks")),
        tk.Arm("few-shot", learning=tk.FixedExamples(k=2)),
        replace(remembering, name="role-shuffled", memory=tk.Shuffled(FULL.memory)),
        replace(remembering, name="placebo-memory", role=tk.placebos(FULL.role, number=1)[0]),
        replace(taught, name="memory-learning-sham", channel=tk.ShuffledFeedback(tk.FullLabel())),
        tk.Arm("silent", goals=tk.Reactive("ticks"), decider=tk.Always("wait")),
        tk.Arm("random", goals=tk.Reactive("ticks"), decider=tk.RandomChoice()),
        tk.Arm("truth", goals=tk.Reactive("ticks"), decider=tk.GroundTruth()),
    ]


def hypotheses() -> list[Hypothesis]:
    """Set down before the first run."""
    pairs = [
        ("full", "static"),
        ("full", "polled"),
        ("role-memory", "role-shuffled"),
        ("role-memory", "placebo-memory"),
        ("memory-learning", "memory-learning-sham"),
    ]
    return [Hypothesis(arm, against, "greater") for arm, against in pairs]


def study() -> tk.Study:
    """Cases with hidden needs, unprompted ticks, customers who return, and a practice that changes half-way."""
    return tk.Study(
        "four-traits",
        tk.DeskCases(tasks=8, ticks=4, turns=7, drift=1),
        arms=arms(),
        lm=tk.Embedded("qwen2.5-coder-0.5b", threads=1, reuse=64),
        seeds=3,
        deciding="likelihood",
        baseline="static",
        hypotheses=hypotheses(),
    )


if __name__ == "__main__":
    print(save(study(), HERE / "study.toml").relative_to(HERE))
