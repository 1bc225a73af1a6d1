"""A study's versions of prompts, made ready for MLflow: as JSON, as a text of differences, and one text for each."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from itertools import groupby

from toolkit.analysis import versions
from toolkit.analysis.differing import Difference, block_lines
from toolkit.analysis.shown import visible
from toolkit.analysis.versions import VersionRow
from toolkit.ledger.prompts import Prompts, PromptText
from toolkit.ledger.store import Ledger


def prompts(ledger: Ledger, study: str) -> dict[str, Prompts]:
    """By run; runs whose learners made no version are left out."""
    rows = versions(study, ledger=ledger).rows
    return {run: _prompts(list(own)) for run, own in groupby(rows, key=lambda one: one.run)}


def _prompts(rows: Sequence[VersionRow]) -> Prompts:
    texts = [
        PromptText(
            one.number,
            visible("\n".join(block_lines(one.learned))),
            visible(one.fate),
            visible(one.why),
            bool(one.spans) and one.spans[-1][1] is None,
        )
        for one in rows
    ]
    whole = json.dumps([_table(one) for one in rows], indent=1) + "\n"
    return Prompts(texts, {"versions.json": whole, "versions.txt": "\n".join(_differences(rows))})


def _table(row: VersionRow) -> dict[str, object]:
    block = row.learned
    return {
        "number": row.number,
        "made": row.made,
        "fates": [{"t": one.t, "fate": one.fate, "why": one.why} for one in row.fates],
        "in force": [list(span) for span in row.spans],
        "score": None if math.isnan(row.score.value) else row.score.value,
        "tasks": row.score.n,
        "instruction": block.instruction,
        "notes": block.notes,
        "examples": [{"inputs": dict(one.inputs), "answer": one.answer} for one in block.examples],
    }


def _differences(rows: Sequence[VersionRow]) -> Iterator[str]:
    """Each version against the one that was in force when it was made, with its fates."""
    for one in rows:
        yield f"version {one.number}, made before task {one.made}"
        yield from (visible(f"  task {told.t}: {told.fate}: {' '.join(told.why.split())}") for told in one.fates)
        before = next((other for other in rows if other.number != one.number and _held(other, one.made)), None)
        if before is not None and one.number:
            yield str(Difference.of(f"version {before.number}", before.learned, f"version {one.number}", one.learned))
        yield ""


def _held(row: VersionRow, t: int) -> bool:
    """Whether it had been in force up to the task ``t``: before anything else happened there."""
    return any(first < t and (end is None or t <= end) for first, end in row.spans) or (t == 0 and row.number == 0)
