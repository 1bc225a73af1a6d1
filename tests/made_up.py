"""A study's files as runs would write them, made up: for views of studies too large to be carried out in a test."""

from __future__ import annotations

import json
from pathlib import Path

from toolkit.ledger.rows import EPISODE, Row, line
from toolkit.ledger.store import Ledger


def made_up(
    ledger: Ledger, arms: int, seeds: int, tasks: int, *, name: str = "made", ended: str = "running", **told: object
) -> Path:
    """A study of ``arms`` x ``seeds`` runs of ``tasks`` episodes; ``ended`` = their status, ``told`` = columns."""
    folder = ledger.study(name)
    names = [f"arm{place}" for place in range(arms)]
    runs = [
        {"id": f"{arm}-{seed}", "folder": f"{arm}-{seed}", "arm": arm, "seed": seed, "tasks": tasks}
        for arm in names
        for seed in range(seeds)
    ]
    folder.mkdir(parents=True)
    planned = {"study": name, "stream": "s", "tasks": [f"t{t}" for t in range(tasks)], "runs": runs}
    planned |= {"arms": {arm: {} for arm in names}, "baseline": names[0]}
    (folder / "plan.json").write_text(json.dumps(planned), encoding="ascii")
    for number, run in enumerate(runs):
        own = folder / "runs" / str(run["folder"])
        own.mkdir(parents=True)
        write_record(own, run, status=ended, episodes=tasks)
        rows = [episode(run, t, **({"score": float((t * 7 + number) % 5 < 2)} | told)) for t in range(tasks)]
        (own / "episodes.jsonl").write_bytes(b"".join(map(line, rows)))
    return folder


def write_record(folder: Path, run: Row, **told: object) -> None:
    """``run.json`` of a run of the plan."""
    held = {"study": "made", "run": run["id"], "arm": run["arm"], "seed": run["seed"], "stream": "s", "order": "given"}
    held |= {"tasks": run["tasks"], "model": "m", "adapter": "", "deciding": "", "temperature": 0.0, "scripted": True}
    held |= {"uses_model": True, "traits": [], "error": "", **told}
    (folder / "run.json").write_text(json.dumps(held), encoding="ascii")


def episode(run: Row, t: int, **told: object) -> Row:
    """One row of a run's log."""
    costs = [name for name in EPISODE if name.startswith(("acting_", "adapting_", "judging_"))]
    row: Row = {**dict.fromkeys(EPISODE), **dict.fromkeys(costs, 0), "run": run["id"], "arm": run["arm"]}
    row |= {"seed": run["seed"], "phase": "stream", "t": t, "task": f"t{t}", "status": "ok", "answer": "yes"}
    row |= {"score": 1.0, "labels": 1, "error": "", "acting_calls": 1, "acting_input_tokens": 90, "turns": []}
    row |= {"acting_output_tokens": 10, "acting_seconds": 0.5, "acting_dollars": 0.001, "inputs": {"note": "x" * 200}}
    return row | told
