"""What reads: a learning curve over ten million episodes, beside DuckDB alone."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import measure
import numpy as np

from toolkit.analysis import learning_curves
from toolkit.ledger.store import Ledger
from toolkit.stats import CurveBand

RUNS, TASKS = 500, 10_000  # of each of two arms
ARMS = ("static", "memory")

# The same figures: the mean so far in each run, then per task their mean, spread and number over runs. A sum by rows
# within two short keys is the fastest way to them that was found: not avg(), not without ROWS, not by a run's id.
SAME = """
SELECT arm, t, avg(mean) AS mean, stddev_samp(mean) AS spread, count(mean) AS runs
FROM (SELECT arm, t, sum(score) OVER (PARTITION BY arm, seed ORDER BY t ROWS UNBOUNDED PRECEDING) / (t + 1) AS mean
      FROM {files} WHERE phase = 'stream')
GROUP BY arm, t ORDER BY arm, t
"""
# Less: no run has a curve of its own, so that nothing is said of how sure the mean is.
LESS = "SELECT arm, t, avg(score) AS mean FROM {files} WHERE phase = 'stream' GROUP BY arm, t ORDER BY arm, t"


def filled(root: Path) -> Ledger:
    """A ledger with one study of so many runs; of its columns those that a curve may need."""
    ledger, runs = Ledger(root), []
    with duckdb.connect() as con:
        for number in range(RUNS * len(ARMS)):
            arm, seed = ARMS[number % len(ARMS)], number // len(ARMS)
            run = {"id": f"{number:064d}", "folder": f"{arm}-{number}", "arm": arm, "seed": seed}
            runs.append(run | {"stream": "s", "order": "given", "tasks": TASKS})
            folder = ledger.study("large") / "runs" / run["folder"]
            folder.mkdir(parents=True)
            con.execute(
                f"COPY (SELECT '{run['id']}' AS run, '{arm}' AS arm, {seed}::BIGINT AS seed, 's' AS stream, "
                "'given' AS \"order\", 'stream' AS phase, range AS t, 't' || range AS task, 'ok' AS status, "
                f"(hash(range + {number * TASKS}) % 2)::DOUBLE AS score FROM range({TASKS})) "
                f"TO '{folder / 'episodes.parquet'}' (FORMAT parquet)"
            )
    streams = [{"label": "s", "tasks": [f"t{t}" for t in range(TASKS)]}]
    plan = {"study": "large", "baseline": "static", "stream": "s", "arms": dict.fromkeys(ARMS), "streams": streams}
    (ledger.study("large") / "plan.json").write_text(json.dumps(plan | {"runs": runs}), encoding="utf-8")
    return ledger


def bare(ledger: Ledger, query: str) -> dict[str, np.ndarray]:
    """DuckDB's own answer to a query of the study's files."""
    files = f"read_parquet('{ledger.study('large') / 'runs' / '*' / 'episodes.parquet'}')"
    with duckdb.connect() as con:
        con.execute("SET enable_progress_bar = false")
        found: dict[str, np.ndarray] = con.execute(query.format(files=files)).fetchnumpy()
        return found


def agree(bands: dict[str, CurveBand], answer: dict[str, np.ndarray]) -> None:
    """Insist that both came to the same figures."""
    for arm, band in bands.items():
        own = answer["arm"] == arm
        half = (band.high - band.low) / 2 * np.sqrt(RUNS)
        same = np.allclose(band.mean, answer["mean"][own], rtol=0, atol=1e-12) and (answer["runs"][own] == RUNS).all()
        ratio = half / answer["spread"][own]  # one t quantile throughout
        if not (same and np.ptp(ratio) < 1e-9):
            raise ValueError(f"the curves of {arm!r} are not those that DuckDB comes to: one of both is wrong")


def measure_curves() -> None:
    """A curve with its band, beside the query for the same figures and beside one for less."""
    with tempfile.TemporaryDirectory() as folder:
        # By another process, so that what writing leaves in memory is not measured.
        subprocess.run([sys.executable, __file__, folder], check=True)
        ledger = Ledger(folder)
        agree(learning_curves("large", ledger=ledger), bare(ledger, SAME))
        name = f"learning curve and band, {RUNS * len(ARMS) * TASKS // 10**6}M episodes / "

        def ours() -> object:
            return learning_curves("large", ledger=ledger)

        measure.row(f"{name}the same by DuckDB", "<= 1.2", ours, lambda: bare(ledger, SAME), repeats=2)
        measure.row(f"{name}DuckDB, a mean by task alone", "", ours, lambda: bare(ledger, LESS), repeats=3)


if __name__ == "__main__":
    filled(Path(sys.argv[1]))
