"""Tables as LaTeX: balanced, as many cells in each line, and nothing of the data taken for a command."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from errands import finish
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agents.arm import Arm, floors
from toolkit.agents.designs import factorial
from toolkit.analysis import ArmRow, Comparison, main_effects, payoff
from toolkit.analysis.latex import Tex, escaped, marked, number, tabular
from toolkit.evaluation.study import Study
from toolkit.stats import two_way
from toolkit.traits.learning import DemoBuffer
from toolkit.traits.memory import Retrieval

COMMANDS = {
    "textbackslash", "textasciicircum", "textasciitilde", "textless", "textgreater", "textbar", "textquotedbl",
    "textasciigrave", "ldots", "S", "times",
}  # fmt: skip


def lines_of(tex: str) -> list[list[str]]:
    """The cells of each line of a table; fails where its parts do not fit together."""
    assert re.findall(r"\\(begin|end)\{(\w+)\}", tex)[:2] == [("begin", "table"), ("begin", "tabular")]
    depth = list[str]()
    for which, name in re.findall(r"\\(begin|end)\{(\w+)\}", tex):
        if which == "begin":
            depth.append(name)
        else:
            assert depth.pop() == name
    assert depth == []
    bare = re.sub(r"\\[\\{}$&#%_]", "", tex)
    level = 0
    for letter in bare:
        level += {"{": 1, "}": -1}.get(letter, 0)
        assert level >= 0
    assert level == 0
    assert bare.count("$") % 2 == 0
    columns = re.search(r"\\begin\{tabular\}\{(l?r*)\}", tex)
    body = tex[tex.index(r"\toprule") : tex.index(r"\bottomrule")]
    found = [re.split(r"(?<!\\)&", line) for line in body.splitlines() if line.endswith(r"\\")]
    assert columns
    assert {len(cells) for cells in found} == {len(columns[1])}
    return found


def plain(text: str) -> bool:
    """Whether escaped text holds nothing that LaTeX would act on, but what escaping itself writes."""
    rest = re.sub(r"\$-\$|\$\\times\$|\{\[\}|\{\]\}|\{\*\}", "", text)
    rest = re.sub(rf"\\({'|'.join(COMMANDS)})\{{\}}", "", rest)
    rest = re.sub(r"\\[{}$&#%_]", "", rest).replace("{}", "")
    return not re.search(r"[\\{}$&#%_^~<>|\"`\[\]*\n\r]", rest)


@given(st.text(max_size=40))
def test_whatever_a_name_holds_is_escaped(name: str) -> None:
    assert plain(escaped(name)), escaped(name)


@given(st.text(alphabet="\\{}$&#%_^~<>|\"'`[]*-,!? aé−\n\u202e", max_size=12), st.text(max_size=8))
def test_a_table_of_any_names_fits_together(name: str, other: str) -> None:
    tex = tabular(["arm", other], [[name, "1"], [other, name]], caption=name, label=name, notes=[name])
    assert len(lines_of(tex)) == 3
    assert re.search(r"\\label\{[A-Za-z0-9:-]*\}\n", tex)


def test_letters_that_run_together_are_kept_apart() -> None:
    assert escaped("a--b '' ,,") == "a-{}-b '{}' ,{},"
    assert escaped("---") == "-{}-{}-"


def test_what_is_latex_already_is_left_alone() -> None:
    assert escaped(Tex(r"\alpha_1")) == r"\alpha_1"
    assert number("4.1e-05") == "$4.1e-05$"
    assert number("+0.2 [-0.1, +1,024]") == r"$+0.2\;[-0.1, +1,024]$"
    assert number("0.2 [n/a]") == "0.2 {[}n/a{]}"


def test_equal_remarks_are_one_note() -> None:
    marks, notes = marked([["a_b"], [], ["c", "a_b"]])
    assert marks == ["$^{a}$", "", "$^{b,a}$"]
    assert notes == [r"$^{a}$ a\_b", "$^{b}$ c"]


@pytest.fixture
def found(study: Callable[..., Study]) -> Comparison:
    return finish(study(Arm.static(), Arm("memory", memory=Retrieval()), *floors(), seeds=3)).compare()


def test_a_comparison_for_a_paper(found: Comparison) -> None:
    tex = found.to_latex()
    head, *body = lines_of(tex)
    assert [cell.strip(" \\") for cell in head][:3] == ["arm", "score", "difference to static"]
    assert len(body) == len(found.rows)
    memory, gap = found.row("memory"), found.row("memory").difference
    assert gap is not None
    line = next(cells for cells in body if cells[0].startswith("memory"))
    assert f"${gap.value:+.3f}$" in line[2]
    assert f"$[{gap.low:+.3f}, {gap.high:+.3f}]$" in line[3]
    assert f"${gap.n}$" in line[4]
    assert "two-way cluster-robust t" in tex
    assert gap.target in tex
    for doubt in memory.doubts:
        assert escaped(doubt) in tex
    assert all(escaped(note) in tex for note in found.notes)


def hostile(row: ArmRow, name: str) -> ArmRow:
    return replace(row, arm=name, doubts=(f"{name} & \\doubt",))


@given(st.lists(st.text(min_size=1, max_size=10), min_size=1, max_size=4))
def test_arms_of_any_name_stand_in_a_table(names: list[str]) -> None:
    score = two_way([1, 0, 1, 1], [0, 0, 1, 1], ["a", "b", "a", "b"])
    row = ArmRow("a", (), "m", score, score, (0.0, 0.0), 4, 2, 0, 1.0, 0.0, 1.0, 0.0, float("nan"), 0.0, ())
    made = Comparison(names[0], names[-1], tuple(hostile(row, name) for name in names), 0.95, (names[0],))
    assert len(lines_of(made.to_latex())) == len(names) + 1


@pytest.fixture
def crossed(study: Callable[..., Study]) -> Study:
    """A factorial of two traits, carried out."""
    full = Arm("full", memory=Retrieval(k=2), learning=DemoBuffer(size=3))
    return finish(study(*factorial(full).arms, name="of_traits", seeds=3))


def test_effects_for_a_paper(crossed: Study) -> None:
    found = main_effects(crossed)
    tex = found.to_latex()
    head, *body = lines_of(tex)
    assert [cell.strip(" \\") for cell in head][:3] == ["trait", "estimand", "difference"]
    assert len(body) == len(found.rows) == 3
    for row, line in zip(found.rows, body, strict=True):
        assert line[0].startswith(row.trait)
        assert line[2].strip() == number(f"{row.estimate.value:+.3f}")
        assert escaped(row.effect) in tex
    assert all(escaped(note) in tex for note in found.notes)


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex: Debian's texlive-latex-recommended")
def test_latex_takes_it_all(crossed: Study, tmp_path: Path) -> None:
    crossed.report()
    strange = [[r"a\b{c}$d&e#f%g_h^i~j<k>l|m\"n`o[p]*q", "[x]"], ["*", "--- ,, ''"]]
    parts = [crossed.compare(), payoff(crossed, value=0.1), main_effects(crossed)]
    body = [part.to_latex() for part in parts]
    body += [tabular(["a", "[b]"], strange, caption=strange[0][0], label="x", notes=strange[0])]
    body += [(crossed.folder / name).read_text(encoding="utf-8") for name in ("table.tex", "methods.tex")]
    head = r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{textcomp}\usepackage{booktabs,graphicx}"
    paper = "\n".join([head, r"\begin{document}", *body, r"\end{document}", ""])
    (tmp_path / "paper.tex").write_text(paper, encoding="utf-8")
    command = ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "paper.tex"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False)
    assert told.returncode == 0, told.stdout.decode(errors="replace")[-2000:]
    log = (tmp_path / "paper.log").read_text(errors="replace")
    assert "Missing character" not in log
    assert not re.findall(r"Overfull .hbox \((\d{2,})", log)  # points by which a line is too wide
