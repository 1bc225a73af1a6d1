"""Names and paths never become SQL: what ends a text in a query is a character like any other."""

from __future__ import annotations

from pathlib import Path

import pytest
from errands import Errands, finish

import toolkit as tk
from toolkit.analysis import compare
from toolkit.ledger.follow import Follower
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.ledger.tables import pack

ENDS = "it's \"quoted\" -- '); DROP VIEW episodes; --"


@pytest.fixture
def made(tmp_path: Path) -> tk.Study:
    """A study in a ledger whose folder is called as no folder should be; one of its runs lies there as Parquet."""
    arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    study = tk.Study(
        "quoted", Errands(tasks=6), arms=arms, lm="scripted", seeds=2, tracking="off", ledger=tmp_path / ENDS
    )
    finish(study)
    folder = study.folder / "runs" / study.runs[0].folder
    pack(folder)
    for name in ("calls", "episodes"):
        (folder / f"{name}.jsonl").unlink()
    return study


def test_a_ledger_may_be_called_anything(made: tk.Study) -> None:
    assert "memory" in str(compare(made))
    assert made.ledger.sql("SELECT count(*) AS n FROM episodes").n[0] == 4 * 6
    assert len(Follower(made.ledger, "quoted").poll()) == 4 * 6
    assert made.report().exists()
    assert tk.rescore("quoted", ["normalised"], ledger=made.ledger)[0].written == 4


@pytest.mark.parametrize("name", [ENDS, "'] FROM runs --", "exact' OR ''='"])
def test_what_is_asked_for_by_name_is_no_query(made: tk.Study, name: str) -> None:
    with pytest.raises(LedgerError):
        compare(made, metric=name)
    with pytest.raises((LedgerError, ValueError)):
        compare(made, stream=name)
    with pytest.raises(LedgerError):
        Ledger(made.ledger.root).find(name)
    assert made.ledger.sql("SELECT count(*) AS n FROM episodes").n[0] == 4 * 6
