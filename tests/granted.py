"""What pages take for granted, and what is run in the place of what they say."""

from __future__ import annotations

import json
from pathlib import Path

OWN = {
    "docs/finetuning.md": "lm/test_tuned_engine.py",
    "docs/goals.md": "traits/test_goals_doc.py",
    "docs/judging.md": "evaluation/test_judging_doc.py",
    "docs/learners.md": "traits/test_learners_doc.py",
    "docs/models.md": "lm/test_models_doc.py",
    "docs/role-library.md": "traits/test_role_library.py",
    "docs/roles-measured.md": "analysis/test_roles_measured_doc.py",
    "docs/roles.md": "traits/test_roles_doc.py",
    "docs/worlds.md": "streams/test_worlds_doc.py",
}
"""Pages whose Python is run by a test of their own."""

RECORDED = """
import toolkit as tk
memory = tk.Retrieval(k=4)
tk.Study(
    "banking",
    tk.Desk(tasks=60, drift=1),
    arms=[
        tk.Arm.static(),
        tk.Arm("memory", memory=memory),
        tk.Arm("full", memory=memory, learning=tk.Watched(tk.DemoBuffer(), tk.Adwin())),
        tk.Arm("tuned", learning=tk.DemoBuffer()),
    ],
    seeds=2,
    order="given",
    exams=tk.Exams(before=True, every=30, tasks=4),
).run()
tk.Study(
    "goals",
    tk.DeskCases(tasks=4),
    lm=tk.ScriptedActor(),
    arms=[*tk.world_rivals(), tk.Arm("agenda", goals=tk.Agenda()), tk.Arm("react", goals=tk.ReAct()),
          tk.Arm("memory", memory=memory)],
    seeds=2,
).run()
"""
"""Two studies that the pages of `GIVEN` find in their ledger."""

BANKING = 'import toolkit as tk\nlm = "scripted"\nstudy = tk.Study.open("banking")\narms = study.arms\n'
GOALS = 'import toolkit as tk\nlm = "scripted"\nstudy = tk.Study.open("goals")\narms = study.arms\n'

GIVEN: dict[str, tuple[str, ...]] = {
    "README.md": (
        "",
        BANKING,
    ),
    "docs/agents.md": (
        BANKING,
        "",
        "import dspy",
    ),
    "docs/attribution.md": (
        'lm = "scripted"',
        BANKING,
    ),
    "docs/curves.md": (BANKING,),
    "docs/designs.md": (
        BANKING,
        "",
        "",
        "memory = arms[1]",
    ),
    "docs/elsewhere.md": (
        "import granted\ngranted.write_results()",
        "granted.write_samples()",
        """
study_a, study_b = "banking", "goals"
for name in ("gpqa.csv", "arc.csv"):
    frame.replace("base", "static").to_csv(name, index=False)
""",
    ),
    "docs/feedback.md": (
        BANKING + "stream = tk.Desk(tasks=6)",
        "arms = arms[:2]",
    ),
    "docs/initiative.md": (GOALS,),
    "docs/memory.md": (
        "",
        "",
        """import numpy
policy = tk.Retrieval()
policy.reset(numpy.random.default_rng(0), None)""",
    ),
    "docs/memory_policies.md": (BANKING,),
    "docs/notebooks.md": (BANKING,),
    "docs/paper.md": (BANKING,),
    "docs/planning.md": (GOALS,),
    "docs/proactivebench.md": ("import granted\nimport toolkit as tk\ngranted.write_windows()",),
    "docs/scorers.md": (
        BANKING
        + """path = "locomo10.json"
table = tk.Desk(tasks=6)""",
    ),
    "docs/studies.md": (BANKING,),
    "docs/tau2.md": (
        BANKING
        + """import os, pathlib, shop
os.makedirs("data/tau2/domains")
shop.written(pathlib.Path("data/tau2/domains"))""",
    ),
    "docs/tracking.md": (BANKING,),
    "docs/probes.md": (),
}
"""By page, what is run before each block of Python; a page that is not here takes nothing for granted."""

INSTEAD = {
    "tasks=24": "tasks=4",
    "seeds=10": "seeds=2",
    "seeds=5": "seeds=2",
    "at=200": "at=30",
    '"stream/12"': '"stream/38"',
    'study.watch("agenda"': 'tk.EpisodeView("goals", "agenda"',  # a world's
    '("0f2a…")': "",  # nothing is in MLflow
    '"t40"': "study.episodes().task.iloc[0]",
}
"""What is run in the place of what the pages of `GIVEN` say."""


def _written(file: str, lines: list[str]) -> None:
    Path(file).parent.mkdir(parents=True, exist_ok=True)
    Path(file).write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_results() -> None:
    """A table of results, two arms of nine tasks."""
    rows = [f"{arm},{task},{task % 2}" for arm in ("zero-shot", "base") for task in range(9)]
    _written("results.csv", ["arm,task,score", *rows])


def write_samples() -> None:
    """Files as lm-eval writes them, in each folder of the page."""
    row = {"filter": "strict-match", "metrics": ["exact_match"]}
    rows = [json.dumps(row | {"doc_id": n, "doc_hash": f"h{n}", "exact_match": n % 2}) for n in range(9)]
    for folder in ("logs/base", "logs/tuned", "results/base", "results/tuned"):
        _written(f"{folder}/samples_arc_2026.jsonl", rows)
    for folder in ("a", "b"):
        _written(f"{folder}/samples.jsonl", rows)


def write_windows() -> None:
    """The files of ProactiveBench, of three people; y = help was needed after so many events."""
    rows = [
        json.dumps(
            {
                "obs": [{"time": "1", "event": f"{name} does thing {n}."} for n in range(place + 1)],
                "help_needed": said == "y",
            }
        )
        for name, labels in {"Mara": "nyny", "Jan": "ynnn", "Ida": "nny"}.items()
        for place, said in enumerate(labels)
    ]
    _written("dataset/reward_data/train_data.jsonl", rows)
    _written("dataset/reward_data/test_data.jsonl", rows[:1])
