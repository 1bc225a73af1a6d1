"""How a page is written: text from data made harmless, tables, sections, and the style sheet. No script, no address."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from toolkit.analysis.shown import visible as visible
from toolkit.figures import Drawn, inline


class Html(str):
    """Text that is HTML already; anything else is escaped where it is written."""

    __slots__ = ()


_PLACE = r"(?:file://|~|(?<![\w/.~]))/"
_QUOTED_PATH = re.compile(rf"""(["']){_PLACE}(?:[^"'\n]*/)?([^"'/\n]*)\1""")
_PATH = re.compile(rf"""{_PLACE}(?:[^\s/"'<>|:,;()\[\]]+/)+([^\s/"'<>|:,;()\[\]]*)""")


def portable(text: object) -> str:
    """Text in which absolute paths keep their last part only: where a file lay on one machine helps nobody on another.

    Examples
    --------
    >>> portable('data = "/home/me/my files/x.csv", gguf:/srv/m/q.gguf, https://host/a/b, and/or')
    'data = "…/x.csv", gguf:…/q.gguf, https://host/a/b, and/or'
    """
    return _PATH.sub(r"…/\1", _QUOTED_PATH.sub(r"\1…/\2\1", str(text)))


def shortened(text: str, length: int = 220) -> str:
    """Text of at most so many characters, cut with an ellipsis."""
    return text if len(text) <= length else text[: length - 1].rstrip() + "…"


def escaped(text: object) -> Html:
    """Text as it may stand in HTML, in attributes too; `Html` is left as it is."""
    return text if isinstance(text, Html) else Html(html.escape(visible(text)))


def element(name: str, *content: object, **attributes: str) -> Html:
    """An element; content is escaped unless it is `Html`. ``class_`` stands for ``class``."""
    told = "".join(f' {key.rstrip("_")}="{escaped(value)}"' for key, value in attributes.items())
    return Html(f"<{name}{told}>{''.join(escaped(part) for part in content)}</{name}>")


def paragraphs(*texts: object) -> Html:
    """Each in a paragraph; empty ones left out."""
    return Html("".join(element("p", text) for text in texts if text))


def listed(items: Iterable[object]) -> Html:
    """A list with bullets; nothing for no items."""
    inner = Html("".join(element("li", item) for item in items))
    return element("ul", inner) if inner else Html("")


def table(head: Sequence[object], rows: Sequence[Sequence[object]], foot: Sequence[object] = ()) -> Html:
    """A table; columns that hold numbers only stand right-aligned."""
    whole = [*rows, foot] if foot else list(rows)
    right = [_numeric([str(row[place]) for row in whole]) for place in range(len(head))]

    def line(cells: Sequence[object], tag: str) -> Html:
        made = (element(tag, cell, **({"class_": "n"} if far else {})) for cell, far in zip(cells, right, strict=True))
        return element("tr", Html("".join(made)))

    parts = element("thead", line(head, "th")) + element("tbody", Html("\n".join(line(row, "td") for row in rows)))
    end = element("tfoot", line(foot, "td")) if foot else ""
    return element("div", element("table", Html(f"{parts}{end}")), class_="wide")


def _numeric(cells: Sequence[str]) -> bool:
    return any(cell.strip() for cell in cells) and all(_NUMBER.fullmatch(cell) for cell in cells)


_NUMBER = re.compile(
    r"\s*|n/a|baseline|[-+]?[\d,.]+(e[-+]?\d+)?( ?%)?( \[[-+\de,./na ]+\])?|\[[-+\d,. ]+\]|[-+\d.]+ to [-+\d.]+"
    r"|none missing"
)


def folded(title: object, *content: object, open_: bool = False) -> Html:
    """Content that unfolds with a click."""
    inner = element("summary", title) + "".join(escaped(part) for part in content)
    return Html(f"<details{' open' * open_}>{inner}</details>")


def figure(drawing: Drawn, number: int, name: str, caption: str) -> Html:
    """A figure within the page, with links to it as files and to its numbers; a sentence where there is none."""
    if not drawing:
        return paragraphs(f"Figure {number} ({name}) is n/a because there are too few scores to draw it.")
    forms = {"SVG": "svg", "PDF": "pdf", "data": "csv"}
    links = [element("a", told, href=f"figures/{name}.{form}") for told, form in forms.items()]
    shown = Html(inline(drawing.svg, f"f{number}", escaped(caption)))
    told = element("figcaption", f"Figure {number}. {caption} ", Html(" · ".join(links)))
    return element("figure", shown, told)


def section(anchor: str, title: str, *content: object) -> Html:
    """A section with a heading."""
    return element("section", element("h2", title), *content, id=anchor)


def page(title: str, *content: object) -> str:
    """A whole document, which a browser may neither run scripts for nor load anything for."""
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escaped(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        + "\n".join(escaped(part) for part in content)
        + "\n</body>\n</html>\n"
    )


_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #17191c; --line: #d4d5d6; --faint: #7f8081; --soft: #f4f5f6;
  --link: #0b5cad; --blue: #0072b2; --warn: #fff4d6; --edge: #b7791f; }
@media (prefers-color-scheme: dark) { :root { --paper: #15171a; --ink: #e4e6e9; --line: #3a3d42; --faint: #90959c;
  --soft: #1e2125; --link: #7db7f5; --blue: #3f9fe0; --warn: #33290f; --edge: #d9a441; } }
body { margin: 0 auto; max-width: 62rem; padding: 1.5rem 1.25rem 4rem; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; }
h1 { font-size: 1.7rem; margin: .2rem 0 .4rem; } h2 { font-size: 1.25rem; margin: 2.4rem 0 .6rem; padding-top: .6rem;
  border-top: 1px solid var(--line); } h3 { font-size: 1rem; margin: 1.4rem 0 .4rem; }
p, ul { margin: .5rem 0; max-width: 48rem; } ul { padding-left: 1.2rem; } a { color: var(--link); }
nav { font-size: .9rem; } nav a { margin-right: 1rem; white-space: nowrap; }
.warn { border: 2px solid var(--edge); background: var(--warn); padding: .6rem .9rem; margin: .8rem 0;
  border-radius: 4px; } .warn p { margin: 0; max-width: none; }
.wide { overflow-x: auto; margin: .6rem 0; } table { border-collapse: collapse; font-size: .875rem; }
th, td { padding: .28rem .7rem .28rem 0; text-align: left; vertical-align: top; border-bottom: 1px solid var(--line);
  overflow-wrap: break-word; } td { white-space: pre-wrap; } td:first-child { white-space: nowrap; }
td ul { margin: 0; }
th { font-weight: 600; vertical-align: bottom; }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; padding-left: .4rem; }
th.n { white-space: normal; } tfoot td { font-weight: 600; border-bottom: 0; }
figure { margin: 1.2rem 0; } figure svg { width: 100%; max-width: 56rem; height: auto; }
figcaption, .small { font-size: .875rem; color: var(--ink); max-width: 48rem; }
details { margin: .5rem 0; } summary { cursor: pointer; }
pre { background: var(--soft); padding: .7rem .9rem; overflow-x: auto; font-size: .8125rem; line-height: 1.4; }
code { font-size: .9em; } :target { background: var(--warn); }
@media print { body { max-width: none; } .wide { overflow: visible; } }
"""
