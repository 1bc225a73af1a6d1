"""What a notebook shows of things: their parts as a short table, and text of any origin made harmless."""

from __future__ import annotations

import html
import unicodedata
from collections.abc import Iterator

_LONGEST, _MOST, _PLAIN = 160, 12, 400  # characters of a part, parts of one, characters of the whole as plain text
_TURNS = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


class Displayed:
    """Something that a notebook shows as a table of its parts, and a console in one line that is never long.

    Its ``repr`` is left as it is: that may have to be whole.

    Examples
    --------
    >>> class Box(Displayed):
    ...     def __init__(self):
    ...         self.told, self._kept = "<b>" + "x" * 200, 1
    >>> shown = Box()._repr_html_()
    >>> "<th>told</th><td>&lt;b&gt;xx" in shown, "…" in shown, "_kept" in shown
    (True, True, False)
    """

    def _shown_parts(self) -> Iterator[tuple[str, object]]:
        """What the table tells, by name."""
        yield from ((name, value) for name, value in vars(self).items() if not name.startswith("_"))

    def _repr_html_(self) -> str:
        rows = "".join(f"<tr><th>{name}</th><td>{_told(value)}</td></tr>" for name, value in self._shown_parts())
        return f"<p><b>{type(self).__name__}</b></p><table><tbody>{rows}</tbody></table>"

    def _repr_mimebundle_(self, **_: object) -> dict[str, str]:
        """The table, and where there is no HTML a line; a ``__repr__`` would go before `_repr_pretty_`."""
        return {"text/html": self._repr_html_(), "text/plain": visible(_cut(repr(self), _PLAIN))}


def _told(value: object) -> str:
    """A part as HTML; several of them below one another."""
    if isinstance(value, tuple | list) and any(isinstance(one, Displayed) for one in value):
        lines = [_line(one) for one in value[:_MOST]]
        more = [f"… and {len(value) - _MOST} more"] if value[_MOST:] else []
        return "<br>".join([*lines, *more])
    return _line(value)


def _line(value: object) -> str:
    return html.escape(visible(_cut(value if isinstance(value, str) else repr(value), _LONGEST)))


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def visible(text: object) -> str:
    """Text whose control characters, and others that could mislead, are shown as their codes.

    Examples
    --------
    >>> visible("\\x1b[31mred\\u202e")
    '\\\\x1b[31mred\\\\u202e'
    """
    return "".join(_visible(letter) for letter in str(text).replace("\r\n", "\n"))


def _visible(letter: str) -> str:
    if letter in "\n\t":
        return letter
    misleads = unicodedata.bidirectional(letter) in _TURNS or unicodedata.category(letter) in ("Cc", "Cs")
    code = ord(letter)
    return letter if not misleads else f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
