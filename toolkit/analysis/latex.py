"""Tables as LaTeX with booktabs: nothing of the data is taken for a command, notes stand below in plain text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toolkit.analysis.comparison import Comparison


class Tex(str):
    """Text that is LaTeX already; anything else is escaped where it is written."""

    __slots__ = ()


_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}", '"': r"\textquotedbl{}", "`": r"\textasciigrave{}",
    "[": "{[}", "]": "{]}", "*": "{*}", "−": "$-$", "×": r"$\times$", "…": r"\ldots{}", "§": r"\S{}",
}  # fmt: skip
# Brackets and stars: after the end of a line, where a name may stand, LaTeX takes them for an option.
_LIGATURE = re.compile(r"([-,'])(?=[-,'])")
_NUMBER = re.compile(r"[-+]?[\d.,]*\d(e[-+]?\d+)?( \[[-+\d.,e ]+\])?|\[[-+\d.,e ]+\]")


def escaped(text: object) -> Tex:
    r"""Text as it may stand anywhere in LaTeX, in the first cell of a line too; `Tex` is left as it is.

    Control characters become spaces. Letters beyond ASCII are left to the reader's font.

    Examples
    --------
    >>> print(escaped("R&D_50% {a} [b]"))
    R\&D\_50\% \{a\} {[}b{]}
    """
    if isinstance(text, Tex):
        return text
    plain = "".join(" " if unicodedata.category(letter) in ("Cc", "Cf", "Cs") else letter for letter in str(text))
    plain = _LIGATURE.sub(r"\1" + "\0", plain)
    return Tex("".join("{}" if letter == "\0" else _SPECIAL.get(letter, letter) for letter in plain))


def number(text: str) -> Tex:
    """A cell that is a number, or an interval in brackets, in math mode; others, such as n/a, as text.

    Examples
    --------
    >>> number("-0.25"), number("[-0.1, +0.3]"), number("n/a")
    ('$-0.25$', '$[-0.1, +0.3]$', 'n/a')
    """
    return Tex(f"${text}$".replace(" [", r"\;[")) if _NUMBER.fullmatch(text) else escaped(text)


def tabular(
    head: Sequence[object], rows: Sequence[Sequence[object]], *, caption: object, label: str, notes: Sequence[object]
) -> str:
    r"""A table with a caption above it and notes below: needs ``\usepackage{booktabs,graphicx}``.

    A table wider than the line is drawn smaller, as wide as the line.

    Parameters
    ----------
    head, rows
        Cells, escaped unless they are `Tex`; the first column is set to the left, all others to the right.
    caption
        Above the table.
    label
        For ``\ref``; letters, digits, hyphens and colons are kept, anything else becomes a hyphen.
    notes
        A line each.

    Returns
    -------
    str
        From ``\begin{table}`` to ``\end{table}``, with a line break at the end.
    """
    line = [" & ".join(escaped(cell) for cell in cells) + r" \\" for cells in [head, *rows]]
    below = [r"\par\smallskip", r"\begin{minipage}{\linewidth}\footnotesize\raggedright", *_lines(notes)]
    return "\n".join(
        [
            r"\begin{table}",
            r"\centering",
            rf"\caption{{{escaped(caption)}}}",
            rf"\label{{{re.sub(r'[^A-Za-z0-9:-]+', '-', label)}}}",
            r"\resizebox{\ifdim\width>\linewidth\linewidth\else\width\fi}{!}{%",
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
            r"\toprule",
            line[0],
            r"\midrule",
            *line[1:],
            r"\bottomrule",
            r"\end{tabular}}",
            *([*below, r"\end{minipage}"] if notes else []),
            r"\end{table}",
            "",
        ]
    )


def _lines(notes: Sequence[object]) -> list[str]:
    return [rf"{escaped(note)}\par" for note in notes]


def mark(place: int) -> Tex:
    """The sign of a note, by its place: a, b, ... z, aa, ab, ...

    Examples
    --------
    >>> mark(0), mark(27)
    ('$^{a}$', '$^{ab}$')
    """
    return Tex(f"$^{{{_letters(place)}}}$")


def _letters(place: int) -> str:
    ahead, last = divmod(place, 26)
    return (_letters(ahead - 1) if ahead else "") + chr(ord("a") + last)


def marked(rows: Sequence[Sequence[str]]) -> tuple[list[Tex], list[Tex]]:
    """For rows of remarks: the marks that each row gets, and the notes that they lead to, equal remarks once.

    Examples
    --------
    >>> marked([["few runs"], ["few runs", "1 failed"], []])
    (['$^{a}$', '$^{a,b}$', ''], ['$^{a}$ few runs', '$^{b}$ 1 failed'])
    """
    order = {remark: place for place, remark in enumerate(dict.fromkeys(one for row in rows for one in row))}
    letters = [",".join(_letters(order[one]) for one in row) for row in rows]
    marks = [Tex(f"$^{{{found}}}$" if found else "") for found in letters]
    return marks, [Tex(f"{mark(place)} {escaped(remark)}") for remark, place in order.items()]


def comparison(found: Comparison) -> str:
    """A comparison as a table: see `toolkit.Comparison.to_latex`."""
    head, body = found.table()
    marks, doubts = marked([row.doubts for row in found.rows])
    shown = [place for place, name in enumerate(head) if name != "doubts"]
    rows = []
    for cells, mark_ in zip(body, marks, strict=True):
        rows.append([Tex(escaped(cells[0]) + mark_), *(number(cells[place]) for place in shown[1:])])
    return tabular(
        [head[place] for place in shown],
        rows,
        caption=_caption(found),
        label=f"tab:{found.study}",
        notes=[*doubts, *found.notes],
    )


def _caption(found: Comparison) -> str:
    estimates = [row.difference or row.score for row in found.rows]
    methods, targets = (sorted({getattr(one, name) for one in estimates}) for name in ("method", "target"))
    told = f"{found.study}: mean scores, and paired differences to {found.baseline} on tasks that both completed"
    if not estimates:
        return f"{told}."
    level = f"{100 * found.level:g} % intervals"
    return f"{told}, with {level} ({'; '.join(methods)}). They speak of {'; '.join(targets)}."
