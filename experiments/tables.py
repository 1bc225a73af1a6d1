"""Write the tables of an experiment's README.md from the tapes beside it: ``python experiments/tables.py memory``.

With ``--check`` nothing is written, and it ends with 1 where README.md says anything else. No model is asked.
"""

from __future__ import annotations

import argparse
import math
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path

import toolkit as tk
from toolkit.ledger.archive import read_archive, unpack
from toolkit.ledger.store import Ledger

HERE = Path(__file__).parent
_PLACE = re.compile(r"(<!-- (?P<tape>[a-z0-9-]+): (?P<table>[a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def table(kind: str, study: str, ledger: Ledger) -> str:
    """One table of a study, as the toolkit prints it."""
    made = {
        "arms": lambda: str(tk.compare(study, ledger=ledger)),
        "probes": lambda: str(tk.probe_scores(study, ledger=ledger)),
        "lags": lambda: str(tk.probe_scores(study, by="lag", stream="recall-at-lag", ledger=ledger)),
        "update": lambda: str(tk.compare(study, baseline="nearest", stream="knowledge-update", ledger=ledger)),
        "uses": lambda: str(tk.attribution(study, ledger=ledger)),
        "versions": lambda: str(tk.versions(study, arm="tuned", ledger=ledger)),
        "recovery": lambda: _recovery(study, ledger),
        "initiative": lambda: _initiative(study, ledger),
        "utility": lambda: str(tk.utility(study, ledger=ledger)),
    }
    return made[kind]()


_ACTING = (
    "goals",
    "prompts",
    "precision",
    "recall",
    "false_positives",
    "question_precision",
    "blocker_recall",
    "ask_f1",
)


def _initiative(study: str, ledger: Ledger) -> str:
    """The main measures of initiative, an arm a line, each with its interval; those that no arm can have left out."""
    found = tk.initiative(study, ledger=ledger)
    rows = {(row.arm, row.measure): row for row in found.rows}
    kept = [one for one in _ACTING if any(name == one for _, name in rows)]
    titles = {row.measure: row.title for row in found.rows}
    cells = [["arm", *(titles[one] for one in kept)]]
    for arm in dict.fromkeys(row.arm for row in found.rows):
        cells.append([arm, *(_cell(rows[arm, one].estimate) for one in kept)])
    widths = [max(len(line[place]) for line in cells) for place in range(len(cells[0]))]
    return "\n".join(
        "  ".join(cell.ljust(wide) for cell, wide in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def _cell(estimate: tk.Estimate) -> str:
    if math.isnan(estimate.value):
        return "n/a"
    spread = "" if math.isnan(estimate.low) else f" [{estimate.low:.2f}, {estimate.high:.2f}]"
    return f"{estimate.value:.2f}{spread}"


def _recovery(study: str, ledger: Ledger) -> str:
    """Tasks until each arm was back at its own level before the change, and what it lost to the oracle since."""
    back, lost = (
        tk.recovery(study, window=12, ledger=ledger),
        tk.regret(study, baseline="oracle", since=24, ledger=ledger),
    )
    lines = ["arm               lost to the oracle  back at its own level"]
    for arm, found in back.items():
        if arm in lost:
            band = lost[arm]
            spread = "" if math.isnan(band.low[-1]) else f" [{band.low[-1]:.1f}, {band.high[-1]:.1f}]"  # all runs alike
            gap = f"{band.mean[-1]:.1f}{spread}"
            lines.append(f"{arm:<16}  {gap:<18}  {found}".rstrip())
    return "\n".join(lines)


def tables(experiment: Path, text: str) -> Iterator[tuple[str, str, str]]:
    """Every place for a table in a text: the tape, the table, and what the tape has for it."""
    wanted = [(place["tape"], place["table"]) for place in _PLACE.finditer(text)]
    for tape in dict.fromkeys(tape for tape, _ in wanted):
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger(folder)
            archive = read_archive(experiment / tape / "tape.zip")
            unpack(archive, ledger)
            for kind in [kind for other, kind in wanted if other == tape]:
                yield tape, kind, table(kind, archive.study, ledger)


def filled(experiment: Path, text: str) -> str:
    """The text with every table as the tapes have it."""
    found = {(tape, kind): made for tape, kind, made in tables(experiment, text)}
    return _PLACE.sub(lambda at: f"{at[1]}```\n{found[at['tape'], at['table']]}\n```\n{at[4]}", text)


def main() -> int:
    """Write the tables, or say whether they are right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("experiment", help="its folder beside this file")
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where a table differs")
    asked = parser.parse_args()
    readme = HERE / asked.experiment / "README.md"
    before = readme.read_text(encoding="utf-8")
    after = filled(readme.parent, before)
    if not asked.check:
        readme.write_text(after, encoding="utf-8")
    return int(asked.check and after != before)


if __name__ == "__main__":
    raise SystemExit(main())
