"""Write tables, figure and every number of docs/findings.md from the tapes: ``python experiments/findings.py``.

With ``--check`` nothing is written, and it ends with 1 where a page says anything else. No model is asked.

``--add FILE TRAIT ARM AGAINST`` takes in the packed study of somebody else: it is replayed, kept under
``experiments/contributed`` and set against an arm of its own; then the page is written anew.
"""

from __future__ import annotations

import argparse
import io
import math
import re
import shutil
import tempfile
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import toolkit as tk
from toolkit.analysis import plan
from toolkit.analysis.comparison import ArmRow
from toolkit.errors import SpecError, ToolkitError
from toolkit.evaluation.pack import replay_archive
from toolkit.ledger.archive import read_archive, unpack
from toolkit.ledger.store import Ledger

HERE = Path(__file__).parent
CELLS = HERE / "findings.toml"
PAGES = (HERE.parent / "docs" / "findings.md", HERE.parent / "README.md")
FIGURES = {HERE.parent / "docs" / "findings.svg": 0, HERE.parent / "docs" / "findings-short.svg": 2}
"""Where the figures stand, and how many comparisons of each trait they show; 0 = all."""
TRAITS = ("memory", "goals", "role", "learning")
MOST = 10_000_000  # bytes of a tape that the repository takes
_TABLE = re.compile(r"(<!-- (?P<kind>findings|study|effects): (?P<which>[a-z/-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_NUMBER = re.compile(r"(<!-- (?P<tape>\S+) (?P<arm>\S+) - (?P<against>\S+): (?P<what>[a-z]+) -->)[^<]*(<!-- -->)")
_HEAD = ("stream", "model", "policy", "against", "difference, 95 % interval", "tokens", "orders", "shown")


@dataclass(frozen=True)
class Cell:
    """One comparison: an arm of a tape against another of its arms, for a trait."""

    trait: str
    tape: str
    arm: str
    against: str

    @property
    def archive(self) -> Path:
        """The packed study."""
        return HERE / self.tape / "tape.zip"


@dataclass(frozen=True)
class Found:
    """What a tape has for a cell: the arm's row beside the other's, and the stream that both ran on."""

    cell: Cell
    stream: str
    row: ArmRow
    other: ArmRow

    @property
    def difference(self) -> str:
        """The paired difference of scores with its interval."""
        gap = self.row.difference
        if gap is None or math.isnan(gap.value):
            return "n/a"
        spread = "no spread" if math.isnan(gap.low) else f"{gap.low:+.3f}, {gap.high:+.3f}"
        return f"{gap.value:+.3f} [{spread}]"

    @property
    def tokens(self) -> str:
        """Tokens a task, as many times those of the other arm."""
        return f"× {self.row.tokens / self.other.tokens:.1f}" if self.other.tokens else f"{self.row.tokens:.0f}"

    @property
    def shown(self) -> str:
        """What the interval shows, in a word."""
        gap = self.row.difference
        if gap is None or math.isnan(gap.low) or gap.low <= 0 <= gap.high:
            return "no difference"
        return "gain" if gap.low > 0 else "loss"

    @property
    def score(self) -> str:
        """The arm's mean score."""
        return f"{self.row.score.value:.3f}"

    @property
    def line(self) -> tuple[str, ...]:
        """A line of the table."""
        named = f"`{self.row.arm}`", f"`{self.other.arm}`"
        return (self.stream, self.row.model, *named, self.difference, self.tokens, str(self.row.runs), self.shown)


def cells() -> tuple[Cell, ...]:
    """All comparisons, in the order of their file."""
    told = tomllib.loads(CELLS.read_text(encoding="utf-8"))
    return tuple(Cell(trait, **one) for trait in TRAITS for one in told.get(trait, ()))


@cache
def found(cell: Cell) -> Found:
    """What its tape has for a cell.

    Raises
    ------
    SpecError
        If the tape has no such arm.
    """
    stream, rows = _compared(cell.archive, cell.against)
    if cell.arm not in rows:
        raise SpecError([f"{cell.tape} has no arm {cell.arm!r}; it has {', '.join(rows)}"])
    return Found(cell, stream, rows[cell.arm], rows[cell.against])


@cache
def _compared(archive: Path, against: str) -> tuple[str, Mapping[str, ArmRow]]:
    """The stream of a packed study, and its arms set against one of them."""
    with tempfile.TemporaryDirectory() as folder:
        ledger, packed = Ledger(folder), read_archive(archive)
        unpack(packed, ledger)
        compared = tk.compare(packed.study, baseline=against, ledger=ledger)
        return str(plan(ledger, packed.study)["stream"]), {row.arm: row for row in compared.rows}


def table(which: str) -> str:
    """The table of a trait, or of the headline of each (``short``)."""
    told = cells()
    if which == "short":
        firsts = [next(cell for cell in told if cell.trait == trait) for trait in TRAITS]
        return _markdown(("claim", *_HEAD), [(cell.trait, *found(cell).line) for cell in firsts])
    return _markdown(_HEAD, [found(cell).line for cell in told if cell.trait == which])


def _markdown(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rows = [head, ["---"] * len(head), *lines]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def filled(text: str) -> str:
    """A page with every table and number as the tapes have it."""
    kinds = {"findings": table, "study": study, "effects": effects}
    made = _TABLE.sub(lambda at: f"{at[1]}{kinds[at['kind']](at['which'])}\n{at[4]}", text)
    return _NUMBER.sub(lambda at: f"{at[1]}{_number(at)}{at[6]}", made)


def _number(at: re.Match[str]) -> str:
    cell = next(
        (one for one in cells() if (one.tape, one.arm, one.against) == (at["tape"], at["arm"], at["against"])), None
    )
    one = found(cell or Cell("", at["tape"], at["arm"], at["against"]))
    return str(getattr(one, at["what"]))


@cache
def study(name: str) -> str:
    """The table of a packed study, as the toolkit prints it, without the notes below it."""
    return _bare(name, lambda packed, ledger: str(tk.compare(packed, ledger=ledger)))


@cache
def effects(name: str) -> str:
    """What each trait was worth over the combinations of a packed study, without the notes below it."""
    return _bare(name, lambda packed, ledger: str(tk.main_effects(packed, ledger=ledger)))


def _bare(name: str, told: Callable[[str, Ledger], str]) -> str:
    """The table of what is printed of a packed study: up to the first empty line."""
    with tempfile.TemporaryDirectory() as folder:
        ledger, packed = Ledger(folder), read_archive(HERE / name / "tape.zip")
        unpack(packed, ledger)
        head, _, *rows = told(packed.study, ledger).partition("\n\n")[0].splitlines()
        return "\n".join(["```", head, *rows, "```"])


def figure(most: int = 0) -> str:
    """Differences with their intervals, trait by trait, as SVG; the same text for the same tapes.

    ``most`` = so many of each trait, from the first; 0 = all.
    """
    import matplotlib as mpl
    from matplotlib.figure import Figure

    by_trait = [[cell for cell in cells() if cell.trait == trait] for trait in TRAITS]
    shown = [found(cell) for own in by_trait for cell in own[: most or None]]
    with mpl.rc_context({"svg.hashsalt": "findings", "svg.fonttype": "none", "font.size": 8}):
        drawing = Figure(figsize=(8, 0.6 + 0.24 * len(shown)), layout="constrained")
        axes = drawing.subplots()
        axes.axvline(0, color="0.6", lw=0.8)
        for place, one in enumerate(shown):
            _bar(axes.errorbar, one, place)
        axes.set_yticks(range(len(shown)), [_label(one) for one in shown])
        axes.set_ylim(len(shown) - 0.5, -0.5)
        axes.set_xlabel("difference of mean scores, 95 % interval")
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        out = io.StringIO()
        drawing.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _bar(draw: Callable[..., object], one: Found, place: int) -> None:
    """A difference; what excludes 0 is filled, so that colour is not the only sign."""
    gap, colour = one.row.difference, dict(zip(TRAITS, ("C0", "C1", "C2", "C3"), strict=True))[one.cell.trait]
    if gap is None or math.isnan(gap.value):
        return
    reach = [[0.0], [0.0]] if math.isnan(gap.low) else [[gap.value - gap.low], [gap.high - gap.value]]
    face = "white" if one.shown == "no difference" else colour
    draw([gap.value], [place], xerr=reach, fmt="o", ms=4, mfc=face, color=colour, capsize=2)


def _label(one: Found) -> str:
    return f"{one.cell.trait}: {one.row.arm} - {one.other.arm} ({one.stream}, {one.row.model})"


def add(file: Path, trait: str, arm: str, against: str) -> Cell:
    """Take in somebody's packed study: replayed, kept, and a cell of it set down.

    Raises
    ------
    SpecError
        If it is too large, its replay differs, it lacks an arm, or another study of its name is there already.
    """
    if trait not in TRAITS:
        raise SpecError([f"a trait is one of {', '.join(TRAITS)} but is {trait!r}"])
    if (size := file.stat().st_size) > MOST:
        raise SpecError([f"{file} has {size:,} bytes and may have {MOST:,}: pack a smaller study"])
    again = replay_archive(file)
    if not again.identical:
        raise SpecError([f"{file} does not replay to what it says:\n{again}"])
    cell = Cell(trait, f"contributed/{read_archive(file).study}", arm, against)
    if cell.archive.exists() and cell.archive.read_bytes() != file.read_bytes():
        raise SpecError([f"another tape is kept as {cell.tape}: run the study under another name (--name)"])
    _, rows = _compared(file, against)
    if arm not in rows:
        raise SpecError([f"{file} has no arm {arm!r}; it has {', '.join(rows)}"])
    cell.archive.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, cell.archive)
    told = f'\n[[{trait}]]\ntape = "{cell.tape}"\narm = "{arm}"\nagainst = "{against}"\n'
    CELLS.write_text(CELLS.read_text(encoding="utf-8") + told, encoding="utf-8")
    return cell


def main() -> int:
    """Write the pages and the figure, or say whether they are right."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; 1 where a page differs")
    parser.add_argument("--add", nargs=4, metavar=("FILE", "TRAIT", "ARM", "AGAINST"), help="take in a packed study")
    asked = parser.parse_args()
    if asked.add:
        try:
            print(f"taken in: {add(Path(asked.add[0]), *asked.add[1:])}")
        except (ToolkitError, ValueError, OSError) as error:
            print(f"not taken in: {error}")
            return 2
    made = {page: filled(page.read_text(encoding="utf-8")) for page in PAGES} | {
        file: figure(most) for file, most in FIGURES.items()
    }
    stale = [page for page, text in made.items() if not page.exists() or page.read_text(encoding="utf-8") != text]
    if not asked.check:
        for page in stale:
            page.write_text(made[page], encoding="utf-8")
    return int(asked.check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main())
