"""Write the studies of this folder from the library of roles: ``python experiments/roles/make.py``.

A role and its controls are some twenty arms, whose texts stand in each ``study.toml`` in full: what is run is what the
library said when it was written, whatever it says later.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import toolkit as tk
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.spec import save

HERE = Path(__file__).parent
DATA = HERE.parents[2] / "shared" / "data"
LM = tk.Embedded(threads=1, reuse=64)
"""Every task repeats its role: pieces that prompts share are read once. One core each, so that two studies can run."""
SIZE = {"seeds": 3, "exams": tk.Exams(before=True, every=10, tasks=16)}
"""A seed draws the order of the tasks, and what a learner or an optimiser draws; else it makes no difference."""


def controlled(name: str, short: str, wrong: str, **other: object) -> tuple[tk.Arm, ...]:
    """A role of the library and all its controls."""
    role = tk.role(name)
    arm = tk.Arm(short, role=role, **other)
    general = tk.Arm("general", role=tk.role("general-assistant"), **other)
    return (
        *tk.role_controls(arm, wordings=tk.wordings(name), placebos=tk.placebos(role), wrong=tk.role(wrong)),
        general,
    )


def trained(*labels: int) -> tuple[tk.Arm, ...]:
    """The same model fine-tuned on so many labelled tasks, and rivals that have seen 8 or 64 without any training."""
    tuned = [tk.Arm(f"tuned-{number}", lm=tk.FineTuned(examples=number, threads=1)) for number in labels]
    compiled = tk.Compiled("random-search", labels=64, budget=24)
    return (
        tk.Arm("untouched", lm=tk.FineTuned(examples=0, threads=1)),
        *tuned,
        tk.Arm("few-shot", learning=tk.FixedExamples(8)),
        tk.Arm("compiled-64", learning=compiled),
        tk.Arm("learner", learning=tk.DemoBuffer(size=8, keep="coverage")),
    )


def hypotheses(short: str, *more: tuple[str, str]) -> list[Hypothesis]:
    """Set down before the first run."""
    pairs = [(short, "static"), (short, f"{short}-wrong"), (f"{short}-handbook", "static"), *more]
    return [Hypothesis(arm, against, "greater") for arm, against in pairs]


def studies() -> Sequence[tuple[str, tk.Study]]:
    """By folder."""
    rivals = (("tuned-64", "compiled-64"), ("tuned-64", "triage"))
    banking = tk.Study(
        "roles-banking77",
        tk.Banking77(str(DATA / "banking77"), options=8, tasks=40),
        arms=(*controlled("banking-triage", "triage", "twenty-questions-interviewer"), *trained(16, 64, 256)),
        lm=LM,
        **SIZE,
        hypotheses=hypotheses("triage", *rivals),
    )
    desk = tk.Study(
        "roles-desk",
        tk.Desk(tasks=40, queues=8),
        arms=(*controlled("service-desk", "agent", "banking-triage"), *trained(16, 64)),
        lm=LM,
        **SIZE,
        hypotheses=hypotheses("agent", ("tuned-64", "compiled-64"), ("tuned-64", "agent")),
    )
    prompted = tk.Reactive("turns")
    cases = tk.Study(
        "roles-cases",
        tk.DeskCases(tasks=12, watch=0.0, turns=8),
        arms=controlled("service-desk-cases", "agent", "text-adventure-player", goals=prompted),
        lm=LM,
        seeds=2,
        baseline="static",
        hypotheses=hypotheses("agent", ("agent", "agent-no-rules"), ("agent", "agent-no-examples")),
    )
    return (("banking77", banking), ("desk", desk), ("cases", cases))


if __name__ == "__main__":
    for folder, study in studies():
        (HERE / folder).mkdir(exist_ok=True)
        file = save(study, HERE / folder / "study.toml")
        text = file.read_text(encoding="utf-8").replace(str(DATA), "../../../../shared/data")
        file.write_text(text, encoding="utf-8")
        print(file.relative_to(HERE))
