"""The public face for the reference: ``toolkit.Study`` is what the toolkit loads under that name at its first use."""

from __future__ import annotations

import re
from typing import Any

import griffe

import toolkit
from toolkit.experimental import EXPERIMENTAL

_NAMED = re.compile(r"(?<!`)`(toolkit\.)?(\w+)`(?!`)")
_MARKS = (  # of reStructuredText, in Markdown
    (re.compile(r"^\.\. \[(\d+)\] ", re.MULTILINE), r"\1. "),  # a source
    (re.compile(r"\[(\d+)\]_"), r"\\[\1\\]"),  # its mention, and no link of Markdown
    (re.compile(r",? ?::$", re.MULTILINE), ":"),  # what follows is literal
)


def _linked(found: re.Match[str]) -> str:
    path, name = found[1] or "", found[2]
    meant = name in toolkit._HOME and (path or name[0].isupper())  # `table` alone is a parameter as a rule
    return f"[`{path}{name}`][toolkit.{name}]" if meant else found[0]


class Face(griffe.Extension):
    """Names of ``toolkit.__all__`` as members of ``toolkit``, each with its label; docstrings link to them."""

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Add to the package what it holds only when it runs."""
        for name, home in toolkit._HOME.items():
            pkg[home][name].labels.add("experimental" if name in EXPERIMENTAL else "stable")
            pkg.set_member(name, griffe.Alias(name, f"toolkit.{home}.{name}", parent=pkg))

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Make a link of every public name in a docstring, and Markdown of its other marks."""
        if not obj.docstring:
            return
        text = _NAMED.sub(_linked, obj.docstring.value)
        for mark, plain in _MARKS:
            text = mark.sub(plain, text)
        obj.docstring.value = text
