"""Windows of events with a label each: as ProactiveBench's files hold them, and parted by trace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeAlias

from toolkit.errors import SpecError

Events: TypeAlias = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """All that somebody did up to a moment, the newest event last, and whether help was needed then."""

    events: Events
    needed: bool


def parted(windows: Iterable[Window]) -> list[list[Window]]:
    """Groups of windows, so that no event (by its text) is in two of them; in each, the shortest window first.

    Examples
    --------
    >>> groups = parted([Window(("a", "b"), True), Window(("c",), True), Window(("a",), False)])
    >>> [[window.events for window in group] for group in groups]
    [[('a',), ('a', 'b')], [('c',)]]
    """
    groups: list[tuple[set[str], list[Window]]] = []
    for window in windows:
        texts, members = set(window.events), [window]
        apart = []
        for group in groups:
            if group[0] & set(window.events):
                texts |= group[0]
                members = group[1] + members
            else:
                apart.append(group)
        groups = [*apart, (texts, members)]
    ordered = (sorted(members, key=lambda window: (len(window.events), window.events)) for _, members in groups)
    return sorted(ordered, key=lambda members: members[0].events)


def in_order(trace: Sequence[Window], where: str) -> Sequence[Window]:
    """The windows of a trace, if each begins with the one before.

    Raises
    ------
    SpecError
        If one does not.
    """
    for earlier, later in pairwise(trace):
        if later.events[: len(earlier.events)] != earlier.events:
            raise SpecError(
                [
                    f"{where}: windows that share events must each begin with the one before, but one of "
                    f"{len(later.events)} events goes another way than one of {len(earlier.events)} that begins with "
                    f"{earlier.events[0][:60]!r}: they are no trace of one person at work"
                ]
            )
    return trace


def read_labels(file: Path) -> dict[Events, list[bool]]:
    """What the rows of a file say of each window: whether help was needed.

    Raises
    ------
    SpecError
        If the file cannot be read, or a row lacks what is needed.
    """
    try:
        lines = file.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            [
                f"{file}: the judged proposals cannot be read: {error}; ProactiveBench is the folder dataset of "
                "github.com/thunlp/ProactiveAgent: copy it and give its path"
            ]
        ) from error
    found: dict[Events, list[bool]] = {}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            events, needed = _row(line, f"{file}: line {number}")
            found.setdefault(events, []).append(needed)
    return found


def _row(line: str, where: str) -> tuple[Events, bool]:
    try:
        row: Mapping[str, Any] = json.loads(line)
        events, needed = tuple(_texts(row["obs"])), row["help_needed"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SpecError([f"{where} is not as ProactiveBench writes it: {error!r}"]) from error
    if not events or not isinstance(needed, bool):
        raise SpecError([f'{where} must have events in "obs", and true or false as "help_needed"'])
    return events, needed


def _texts(held: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    for event in held:
        if not isinstance(event["event"], str) or not event["event"].strip():
            raise ValueError(f"an event must be a text but is {event['event']!r:.60}")
        yield event["event"]
