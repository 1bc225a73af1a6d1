"""Run the study beside this file and write the tables of README.md: scores by age and lag, seconds a task by age.

``python experiments/memory/long-life/run.py --ledger ledger``. What the ledger has already is not run again.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

import toolkit as tk
from toolkit.evaluation.spec import load
from toolkit.records import Experience, Feedback
from toolkit.stats import Estimate

HERE = Path(__file__).parent
BINS = 5
PLACE = re.compile(r"(?<=<!-- results -->\n).*(?=<!-- end -->)", re.DOTALL)


def scores(study: tk.Study, by: str) -> Iterator[str]:
    """Recall of each arm, by age or by lag, with 95 % intervals; the controls pooled over all ages."""
    found = tk.probe_scores(study, by=by, bins=BINS)
    recall = [one for one in found.rows if one.kind == "recall"]
    columns = list(dict.fromkeys(one.at for one in recall))
    counts = {one.at: one.score.n for one in recall}
    yield from head(["arm", *(f"{by} {at} (n = {counts[at]})" for at in columns)])
    for arm in found.arms:
        own = {one.at: one.score for one in recall if one.arm == arm}
        yield line([arm, *(told(own[at]) for at in columns)])
    yield ""
    yield from (f"*{note}*" for note in found.notes[:1])


def seconds(study: tk.Study) -> Iterator[str]:
    """Milliseconds of the processor that an arm's memory takes for a task, by age."""
    yield from head(["arm", *(f"tasks {1000 * n}-{1000 * n + 999}" for n in range(BINS)), "last / first thousand"])
    for arm in study.arms:
        ages = [float(np.mean(part)) * 1e3 for part in np.array_split(lived(study, arm.memory.clone()), BINS)]
        yield line([arm.name, *(f"{one:.3f}" for one in ages), f"{ages[-1] / ages[0]:.1f}"])


def lived(study: tk.Study, policy: tk.MemoryPolicy) -> np.ndarray:
    """Processor seconds of each task for a policy alone that recalls, observes, and is told the right answer."""
    policy.reset(np.random.default_rng(0), lambda step, **inputs: "")
    marks = [time.process_time()]
    for place, (task, key) in enumerate(study.stream.pairs()):
        used = policy.recall(task).memories
        seen = Experience(f"stream/{place}", task, key.answers[0], recalled=used)
        policy.observe(seen)
        policy.observe(replace(seen, feedback=Feedback(1.0, key.answers[0])))
        marks.append(time.process_time())
    return np.diff(marks)


def told(one: Estimate) -> str:
    """A value with its interval, where it has one."""
    return f"{one.value:.2f}" if np.isnan(one.low) else f"{one.value:.2f} [{one.low:.2f}, {one.high:.2f}]"


def head(cells: Sequence[str]) -> Iterator[str]:
    """The first two lines of a table."""
    yield line(cells)
    yield line(["---"] * len(cells))


def line(cells: Sequence[str]) -> str:
    """A line of a table."""
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Run, and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ledger", default="ledger")
    asked = parser.parse_args()
    study = load(HERE / "study.toml", ledger=asked.ledger, tracking="off")
    unfinished = [f"{one.arm}: {one.status} {one.error}" for one in study.run() if one.status != "finished"]
    if unfinished:
        raise SystemExit("\n".join(unfinished))
    parts = [scores(study, "age"), scores(study, "lag"), seconds(study)]
    text = "\n\n".join("\n".join(part) for part in parts)
    readme = HERE / "README.md"
    readme.write_text(PLACE.sub(lambda _: f"\n{text}\n\n", readme.read_text(encoding="utf-8")), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
