"""Run the study beside this file and write the tables of README.md: scores by age and lag, seconds a task by age.

``python experiments/memory/long-life/run.py --ledger ledger``. What the ledger has already is not run again, and then
has no seconds to tell.
"""

from __future__ import annotations

import argparse
import re
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import toolkit as tk
from toolkit.evaluation.spec import load
from toolkit.records import Episode
from toolkit.stats import Estimate

HERE = Path(__file__).parent
BINS = 5
PLACE = re.compile(r"(?<=<!-- results -->\n).*(?=<!-- end -->)", re.DOTALL)


class Clock:
    """Processor seconds that each task of a run took, from the end of the one before, in the thread that runs it."""

    def __init__(self) -> None:
        self.marks: dict[tuple[str, int], list[float]] = defaultdict(list)

    def __call__(self, run: object, episode: Episode) -> None:
        self.marks[episode.arm, episode.seed].append(time.thread_time())

    def spent(self, arm: str) -> np.ndarray:
        """Seconds of each task but the first, in the order they came: runs × tasks."""
        return np.array([np.diff(marks) for (name, _), marks in self.marks.items() if name == arm])


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


def seconds(study: tk.Study, clock: Clock) -> Iterator[str]:
    """Milliseconds of the processor for a whole task, by age."""
    yield from head(["arm", *(f"tasks {1000 * n}-{1000 * n + 999}" for n in range(BINS)), "last / first thousand"])
    for arm in study.arms:
        spent = clock.spent(arm.name)
        if spent.size:
            ages = [float(np.mean(part)) * 1e3 for part in np.array_split(spent, BINS, axis=1)]
            yield line([arm.name, *(f"{one:.2f}" for one in ages), f"{ages[-1] / ages[0]:.2f}"])


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
    asked, clock = parser.parse_args(), Clock()
    study = load(HERE / "study.toml", ledger=asked.ledger, tracking="off")
    study.run(watch=clock)
    parts = [scores(study, "age"), scores(study, "lag"), seconds(study, clock)]
    text = "\n\n".join("\n".join(part) for part in parts)
    readme = HERE / "README.md"
    readme.write_text(PLACE.sub(lambda _: f"\n{text}\n\n", readme.read_text(encoding="utf-8")), encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
