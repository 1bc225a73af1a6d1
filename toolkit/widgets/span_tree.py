"""An episode's spans as a tree, in HTML or as lines: the task, each decision step, each call of the model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from toolkit.ledger.spans import SpanRow
from toolkit.widgets.page import short, text

_LONGEST = 4000  # characters of a value that are shown
_KINDS = {"AGENT": "episode", "CHAIN": "decision step", "CHAT_MODEL": "call of the model"}


def tree(spans: Sequence[SpanRow]) -> str:
    """Nested lists of what can be opened, each span below the one that caused it; the episode itself is open.

    Examples
    --------
    >>> one = SpanRow("0", "", "task 1: <a>", "AGENT", 0, 2_000_000_000, {}, "late")
    >>> "task 1: &lt;a&gt;" in tree([one]), tree([])
    (True, '')
    """
    return "".join(_branch(one, spans) for one in spans if not one.parent)


def lines(spans: Sequence[SpanRow]) -> list[str]:
    """The same in plain text, a line for each span.

    Examples
    --------
    >>> root = SpanRow("0", "", "task 1", "AGENT", 0, 0, {}, "late")
    >>> lines([root, SpanRow("1", "0", "step: answer", "CHAIN", 0, 0, {}, "late")])
    ['task 1 -> "late"', '  step: answer -> "late"']
    """
    return [line for one in spans if not one.parent for line in _lines(one, spans, "")]


def _lines(span: SpanRow, spans: Sequence[SpanRow], indent: str) -> Iterator[str]:
    yield f"{indent}{short(span.name)} -> {short(_told(span.outputs), 60)}"
    for one in spans:
        if one.parent == span.id:
            yield from _lines(one, spans, indent + "  ")


def _branch(span: SpanRow, spans: Sequence[SpanRow]) -> str:
    below = "".join(f"<li>{_branch(one, spans)}</li>" for one in spans if one.parent == span.id)
    seconds, count = (span.end - span.start) / 1e9, sum(span.tokens)
    cost = f"{seconds:.2f} s" + (f", {count:,} tokens" if count else "")
    wrong = f'<p class="wrong">{text(span.error)}</p>' if span.error else ""
    rows = [("in", span.inputs), ("out", span.outputs), *span.attributes.items()]
    table = "".join(f"<tr><th>{text(name)}</th><td>{_shown(value)}</td></tr>" for name, value in rows)
    kind = _KINDS.get(span.kind, span.kind)
    head = f"{text(span.name)} <small>{text(kind)}, {cost}{', failed' if span.error else ''}</small>"
    inner = f"{wrong}<details><summary>what went in and came out</summary><table>{table}</table></details>"
    return f"<details{'' if span.parent else ' open'}><summary>{head}</summary>{inner}<ul>{below}</ul></details>"


def _shown(value: object) -> str:
    told = value if isinstance(value, str) else _told(value, indent=1)
    cut = f"{told[:_LONGEST]}… ({len(told):,} characters)" if len(told) > _LONGEST else told
    return f"<pre>{text(cut)}</pre>"


def _told(value: object, indent: int | None = None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
