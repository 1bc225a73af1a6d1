"""Episodes in worlds, made by hand or drawn with planted rates, as a frame like that of a ledger."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from toolkit.moves import Outcome, Tally

COLUMNS = ["arm", "stream", "order", "seed", "task", "session", "outcome"]


def came(**counts: Any) -> dict[str, Any]:
    """What came of an episode, flat as in a ledger; counts of a tally and of an outcome by name."""
    tally = {name: value for name, value in counts.items() if name in Tally.__dataclass_fields__}
    rest = {name: value for name, value in counts.items() if name not in tally}
    return Outcome(**({"ended": "done"} | rest), tally=Tally(**tally)).flat


def episodes(rows: Sequence[tuple[str, int, str, dict[str, Any] | None]]) -> pd.DataFrame:
    """A frame of (arm, seed, task, outcome)."""
    return pd.DataFrame([(arm, "w", "shuffled", seed, task, "", one) for arm, seed, task, one in rows], columns=COLUMNS)


def drawn(rates: Mapping[str, tuple[float, float, float]], seeds: int = 4, tasks: int = 12) -> pd.DataFrame:
    """Arms by their chances to act where there is need, to act where there is none, and to find what must be asked."""
    rng = np.random.default_rng(1)
    needs, rest, blockers = (rng.integers(low, 4, tasks) for low in (0, 1, 1))
    rows = []
    for arm, (act, alarm, ask) in rates.items():
        for seed in range(seeds):
            for task in range(tasks):
                hits, alarms = int(rng.binomial(needs[task], act)), int(rng.binomial(rest[task], alarm))
                found = int(rng.binomial(blockers[task], ask))
                one = came(
                    reached=float(rng.random() < 0.3 + 0.5 * ask),
                    steps=5,
                    best_steps=4,
                    prompts=1,
                    interruptions=hits + alarms,
                    hits=hits,
                    false_alarms=alarms,
                    misses=int(needs[task]) - hits,
                    silences=int(rest[task]) - alarms,
                    found=found,
                    useful=found,
                    questions=found + int(rng.poisson(0.4)) * bool(ask),
                    blockers=int(blockers[task]),
                    lead=2.0 * hits,
                )
                rows.append((arm, seed, str(task), one))
    return episodes(rows)
