"""What two learned blocks have in common and what not, as a person reads it: by lines, and within a line by words."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal, TypeAlias

from toolkit.analysis.shown import visible
from toolkit.records import Learned

Kind: TypeAlias = Literal["same", "gone", "new"]
Part: TypeAlias = tuple[Kind, str]

_ALIKE = 0.4  # share of the words of two lines by which the one became the other
_WORDS = 2000  # of a line; longer ones are not compared word by word: that takes time with the square of their number
_AROUND = 2  # lines shown around what changed
_MARKS = {"same": ("", ""), "gone": ("[-", "-]"), "new": ("{+", "+}")}
_NONE = dict.fromkeys(_MARKS, ("", ""))
_TAGS = {
    "same": ("", ""),
    "gone": ('<del style="color: #b42318">', "</del>"),
    "new": ('<ins style="color: #067647">', "</ins>"),
}


def block_lines(block: Learned) -> list[str]:
    """A learned block as lines that a person reads.

    Examples
    --------
    >>> from toolkit.records import Example
    >>> block_lines(Learned("Be brief.", (Example({"ticket": "lamp broken"}, "b"),)))
    ['instruction:', '  Be brief.', 'example:', '  ticket: lamp broken', '  -> b']
    >>> block_lines(Learned())
    ["instruction: the decision step's own"]
    """
    lines = ["instruction:", *_indented(block.instruction)] if block.instruction else []
    lines = lines or ["instruction: the decision step's own"]
    if block.notes:
        lines += ["notes:", *_indented(block.notes)]
    for one in block.examples:
        lines.append("example:")
        for name, text in one.inputs.items():
            first, *rest = text.splitlines() or [""]
            lines += [f"  {' '.join(name.split())}: {first}", *(f"    {line}" for line in rest)]
        lines += [f"  -> {line}" for line in one.answer.splitlines() or [""]]
    for name, instruction in (block.steps or {}).items():
        lines += [f"instruction of {' '.join(name.split())}:", *_indented(instruction)]
    if block.program:
        lines += ["program:", *_indented(json.dumps(json.loads(block.program), indent=1, ensure_ascii=False))]
    return lines


@dataclass(frozen=True, repr=False)
class Difference:
    """Lines of two blocks. Prints as a unified diff whose changed lines mark words; is HTML in a notebook.

    Parameters
    ----------
    a, b
        What the two are called.
    lines
        Each with its sign (``" "`` in both, ``"-"`` in the first, ``"+"`` in the second, ``"~"`` became another,
        ``"@"`` lines that are in both were left out here) and its parts.

    Examples
    --------
    >>> one, other = Learned("Sort the ticket."), Learned("Sort the ticket by queue.")
    >>> print(Difference.of("version 0", one, "version 1", other))
    --- version 0
    +++ version 1
      instruction:
    ~   Sort the [-ticket.-]{+ticket by queue.+}
    """

    a: str
    b: str
    lines: tuple[tuple[str, tuple[Part, ...]], ...]

    @classmethod
    def of(cls, a: str, one: Learned, b: str, other: Learned) -> Difference:
        """The difference of two blocks that are called so."""
        return cls(a, b, tuple(_compared(block_lines(one), block_lines(other))))

    def __bool__(self) -> bool:
        return bool(self.lines)

    def __str__(self) -> str:
        head = [f"--- {visible(self.a)}", f"+++ {visible(self.b)}"]
        if not self.lines:
            return "\n".join([*head, "(no difference)"])
        body = [
            f"{sign} {''.join(_marked(part, _MARKS if sign == '~' else _NONE) for part in parts)}"
            for sign, parts in self.lines
        ]
        return "\n".join([*head, *(line.rstrip() for line in body)])

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        lines = [html.escape(f"--- {visible(self.a)}"), html.escape(f"+++ {visible(self.b)}")]
        if not self.lines:
            lines.append("(no difference)")
        for sign, parts in self.lines:
            lines.append(f"{sign} {''.join(_marked((kind, html.escape(text)), _TAGS) for kind, text in parts)}")
        inner = "\n".join(lines)
        return f'<pre style="white-space: pre-wrap">{inner}</pre>'


def _indented(text: str) -> list[str]:
    return [f"  {line}" for line in text.splitlines()]


def _compared(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[str, tuple[Part, ...]]]:
    end = 0
    for group in SequenceMatcher(None, one, other, autojunk=False).get_grouped_opcodes(_AROUND):
        if group[0][1] > end:
            yield "@", (("same", f"{group[0][1] - end} equal lines"),)
        for tag, a, a_end, b, b_end in group:
            if tag == "equal":
                yield from ((" ", (("same", visible(line)),)) for line in one[a:a_end])
            else:
                yield from _replaced(one[a:a_end], other[b:b_end])
        end = group[-1][2]


def _replaced(gone: Sequence[str], new: Sequence[str]) -> Iterator[tuple[str, tuple[Part, ...]]]:
    """Lines that stand in the place of others: those that are alike as one line, by words."""
    pairs = min(len(gone), len(new))
    for a, b in zip(gone, new, strict=False):
        parts = _by_words(a, b)
        if parts:
            yield "~", parts
        else:
            yield from _whole(a, b)
    yield from (("-", (("gone", visible(line)),)) for line in gone[pairs:])
    yield from (("+", (("new", visible(line)),)) for line in new[pairs:])


def _whole(a: str, b: str) -> Iterator[tuple[str, tuple[Part, ...]]]:
    yield "-", (("gone", visible(a)),)
    yield "+", (("new", visible(b)),)


def _by_words(a: str, b: str) -> tuple[Part, ...]:
    """The words of two lines; nothing where too few are in both, or there are too many."""
    one, other = re.split(r"(\s+)", a), re.split(r"(\s+)", b)
    if max(len(one), len(other)) > 2 * _WORDS:
        return ()
    found = SequenceMatcher(None, one, other, autojunk=False)
    alike = sum(
        len(word)
        for place in found.get_matching_blocks()
        for word in one[place.a : place.a + place.size]
        if word.strip()
    )
    if 2 * alike < _ALIKE * sum(len(word) for word in (*one, *other) if word.strip()):
        return ()
    parts: list[Part] = []
    for tag, start, end, begin, stop in found.get_opcodes():
        if tag == "equal":
            parts.append(("same", visible("".join(one[start:end]))))
        else:
            parts += [("gone", visible("".join(one[start:end])))] * (end > start)
            parts += [("new", visible("".join(other[begin:stop])))] * (stop > begin)
    return tuple(parts)


def _marked(part: Part, marks: dict[str, tuple[str, str]]) -> str:
    before, after = marks[part[0]]
    return f"{before}{part[1]}{after}"
