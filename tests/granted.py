"""What pages take for granted, and what is run in the place of what they say."""

from __future__ import annotations

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
"""Two studies that every page finds in its ledger."""

BANKING = 'import toolkit as tk\nlm = "scripted"\nstudy = tk.Study.open("banking")\narms = study.arms\n'
GOALS = 'import toolkit as tk\nlm = "scripted"\nstudy = tk.Study.open("goals")\narms = study.arms\n'

GIVEN = {
    "README.md": {1: BANKING},
    "docs/agents.md": {0: BANKING, 2: "import dspy"},
    "docs/attribution.md": {0: 'lm = "scripted"', 1: BANKING},
    "docs/curves.md": {0: BANKING},
    "docs/designs.md": {0: BANKING, 3: "memory = arms[1]"},
    "docs/elsewhere.md": {
        0: """
with open("results.csv", "w") as file:
    file.write("arm,task,score\\n" + "".join(f"{a},{n},{n % 2}\\n" for a in ("zero-shot", "base") for n in range(9)))
""",
        1: """
import json, pathlib
kept = ("exact_match,strict-match", "exact_match", "strict-match")
for file in ("logs/base/samples_arc_2026.jsonl", "logs/tuned/samples_arc_2026.jsonl", "results/base/samples_g_2026.jsonl",
             "results/tuned/samples_g_2026.jsonl", "a/samples.jsonl", "b/samples.jsonl"):
    pathlib.Path(file).parent.mkdir(parents=True, exist_ok=True)
    rows = [{"doc_id": n, "doc_hash": f"h{n}", "filter": "strict-match", "metrics": ["exact_match"], "exact_match": n % 2}
            for n in range(9)]
    pathlib.Path(file).write_text("".join(json.dumps(row) + "\\n" for row in rows))
""",
        2: """
study_a, study_b = "banking", "goals"
for name in ("gpqa.csv", "arc.csv"):
    frame.replace("base", "static").to_csv(name, index=False)
""",
    },
    "docs/feedback.md": {0: BANKING + "stream = tk.Desk(tasks=6)", 1: "arms = arms[:2]"},
    "docs/initiative.md": {0: GOALS},
    "docs/memory.md": {2: "import numpy\npolicy = tk.Retrieval()\npolicy.reset(numpy.random.default_rng(0), None)"},
    "docs/memory_policies.md": {0: BANKING},
    "docs/notebooks.md": {0: BANKING},
    "docs/paper.md": {0: BANKING},
    "docs/planning.md": {0: BANKING},
    "docs/proactivebench.md": {
        0: """
import json, os
import toolkit as tk
os.makedirs("dataset/reward_data")
rows = [{"obs": [{"time": "1", "event": f"{name} does thing {n}."} for n in range(place + 1)], "help_needed": said == "y"}
        for name, labels in {"Mara": "nyny", "Jan": "ynnn", "Ida": "nny"}.items() for place, said in enumerate(labels)]
for part, kept in (("train", rows), ("test", rows[:1])):
    with open(f"dataset/reward_data/{part}_data.jsonl", "w") as file:
        file.write("".join(json.dumps(row) + "\\n" for row in kept))
"""
    },
    "docs/scorers.md": {0: BANKING + 'path = "locomo10.json"\ntable = tk.Desk(tasks=6)'},
    "docs/studies.md": {0: BANKING},
    "docs/tau2.md": {
        0: BANKING + 'import os, pathlib, shop\nos.makedirs("data/tau2/domains")\nshop.written(pathlib.Path("data/tau2/domains"))'
    },
    "docs/tracking.md": {0: BANKING},
}
"""By page, Python that is run before the block of that number."""

INSTEAD = {
    "seeds=10": "seeds=2",
    "seeds=5": "seeds=2",
    "at=200": "at=30",
    '"stream/12"': '"stream/38"',
    'study.watch("agenda"': 'tk.EpisodeView("goals", "agenda"',  # a world's
    '("0f2a…")': "",  # nothing is in MLflow
    '"t40"': "study.episodes().task.iloc[0]",
}
"""What is run in the place of what a page says; the model is scripted anyhow."""
