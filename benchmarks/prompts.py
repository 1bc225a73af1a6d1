"""What reading prompts costs the embedded model: a role before every task, with its pieces kept and without."""

from __future__ import annotations

import measure
from dspy.lm15 import Config, Message, Request

import toolkit as tk
from toolkit.lm.embedded import LlamaEngine

TASKS = 6


def decisions(engine: LlamaEngine) -> list[str]:
    """Which intent each of some queries has, a role of some 400 tokens before each of them."""
    role = tk.role("banking-triage").text()
    tasks, _ = zip(*tk.Desk(tasks=TASKS, queues=8).pairs(), strict=True)
    asked = {"answer": "choice", "options": list(tasks[0].options), "deciding": "likelihood", "style": "completion"}
    found = []
    for task in tasks:
        text = "\n".join([role, *(f"{name}: {value}" for name, value in task.inputs.items()), "Answer:"])
        request = Request(model="m", messages=(Message.user(text),), config=Config(extensions=asked))
        found.append(str(engine.complete(request).text))
    return found


def measure_prompts() -> None:
    """Decisions behind one role, with `reuse` and without; both on one thread."""
    kept, plain = tk.Embedded(threads=1, reuse=64).open(), tk.Embedded(threads=1).open()
    name = f"{TASKS} choices of 8 behind one role, its pieces kept / read each time"
    measure.row(name, "", lambda: decisions(kept), lambda: decisions(plain), repeats=4, apart=True)
    kept.close()
    plain.close()
