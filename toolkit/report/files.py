"""What a report is written to: one page, and beside it figures with their data, tables and methods for a paper."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.figures import Drawn
from toolkit.ledger.store import Ledger, write_atomically
from toolkit.report.content import content, drawn
from toolkit.report.facts import Facts, gather
from toolkit.report.methods import methods
from toolkit.report.page import page, portable
from toolkit.stats import CurveBand

if TYPE_CHECKING:
    import pandas as pd

_writing = threading.Lock()


def write(ledger: Ledger, study: str, value: float | None = None) -> Path:
    """Write a study's report into its folder; the same bytes for the same ledger and value.

    Beside ``report.html`` there are ``figures/*.svg``, ``*.pdf`` and, with the numbers behind them, ``*.csv``;
    ``table.tex`` (booktabs), ``methods.md``, ``methods.tex`` and ``references.bib``.

    Parameters
    ----------
    ledger
        Where the study is kept.
    study
        Its name. It may still be running, or have failed: the report says so.
    value
        What one right answer is worth, in dollars, above 0: then the report says, and shows, when each arm has paid.

    Returns
    -------
    Path
        Of ``report.html``: one file that needs neither scripts nor a network.

    Raises
    ------
    LedgerError
        If there is no such study.
    ValueError
        If ``value`` is not above 0.
    """
    facts = gather(ledger, study, value)
    figures = drawn(facts)
    files: dict[str, str | bytes] = {"report.html": _page(facts, figures), **_texts(facts)}
    data = _data(facts)
    for name, one in figures.items():
        files |= {f"figures/{name}.pdf": _pdf(facts.folder / "figures" / name, one), f"figures/{name}.svg": one.svg}
        files[f"figures/{name}.csv"] = data[name] if one else ""
    with _writing:
        (facts.folder / "figures").mkdir(exist_ok=True)
        for where, body in files.items():
            path = facts.folder / where
            if body:
                write_atomically(path, body, synced=where == "report.html")  # the others can be made again
            else:
                path.unlink(missing_ok=True)
    return facts.folder / "report.html"


def _pdf(stem: Path, figure: Drawn) -> bytes:
    """A figure as PDF: the one that is there, if that was made with the same SVG, for fonts take most of the time."""
    there = {form: stem.with_suffix(f".{form}") for form in ("svg", "pdf")}
    if all(path.exists() for path in there.values()) and there["svg"].read_bytes() == figure.svg.encode():
        return there["pdf"].read_bytes()
    return figure.pdf()


def html(ledger: Ledger, study: str) -> str:
    """The page alone, as `write` would write it; nothing is written."""
    facts = gather(ledger, study)
    return _page(facts, drawn(facts))


def _page(facts: Facts, figures: Mapping[str, Drawn]) -> str:
    return page(f"{facts.name} · report", *content(facts, figures))


def _texts(facts: Facts) -> dict[str, str]:
    """Tables and methods for a paper; tables are empty while there is nothing to compare."""
    told = methods(facts)
    return {
        "table.tex": "\n".join(facts.papers),
        "methods.md": told.markdown(),
        "methods.tex": told.to_latex(),
        "references.bib": told.bibtex(),
    }


def _data(facts: Facts) -> dict[str, str]:
    """The numbers behind each figure as CSV; empty where there are none."""
    net = {row.arm: row.net for row in facts.payoff.rows if row.net is not None} if facts.payoff else {}
    return {
        "worth": _csv(_courses(net)) if net else "",
        "differences": _csv(facts.comparison.frame) if facts.comparison else "",
        "curves": _csv(_courses(facts.bands)) if facts.bands else "",
        "costs": _csv(facts.payoff.frame) if facts.payoff else "",
        "utility": _csv(facts.utility.frame) if facts.utility else "",
    }


def _courses(bands: Mapping[str, CurveBand]) -> pd.DataFrame:
    import pandas as pd

    return pd.concat(
        pd.DataFrame(
            {"arm": arm, "tasks": band.t, "mean": band.mean, "low": band.low, "high": band.high, "runs": band.n_runs}
        )
        for arm, band in bands.items()
    )


def _csv(frame: pd.DataFrame) -> str:
    """Rows as CSV, without this machine's paths."""
    words = frame.select_dtypes(["object", "string"]).columns
    plain = frame.assign(**{name: frame[name].map(portable) for name in words})
    return str(plain.to_csv(index=False, lineterminator="\n"))
