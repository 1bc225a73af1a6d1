"""A stream's tasks and keys as one file, for archives of data whose licence lets them be handed on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from toolkit.records import Key, Step, Task
from toolkit.streams.stream import Pair, Stream

REDISTRIBUTABLE = frozenset(
    {"CC0-1.0", "CC BY 3.0", "CC BY 4.0", "CC BY-SA 3.0", "CC BY-SA 4.0", "MIT", "BSD-3-Clause", "Apache-2.0"}
)
"""Licences, as a stream's `Stream.licence` spells them, whose data an archive may hold. No licence: it may not."""


class Kept(Stream, abstract=True):
    """Tasks and keys as `written` put them into a file; its fingerprint is that of the stream they came from.

    Parameters
    ----------
    text
        What `written` returned.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        held: Mapping[str, Any] = json.loads(text)
        self.step = Step(**{**held["step"], "inputs": tuple(held["step"]["inputs"])})
        self.scorers = tuple(held["scorers"])
        self._label, self._held = str(held["label"]), held
        self.plays = bool(held.get("plays"))  # its worlds are on the tapes

    def load(self) -> Sequence[Pair]:
        """The stream's tasks."""
        return [_pair(one) for one in self._held["pairs"]]

    def pool(self) -> Sequence[Pair]:
        """The stream's pool."""
        return [_pair(one) for one in self._held["pool"]]

    def drifts(self) -> Sequence[int]:
        """The stream's own."""
        return [int(place) for place in self._held.get("drifts", ())]

    def borders(self) -> Sequence[int]:
        """The stream's own."""
        return [int(place) for place in self._held.get("borders", self.drifts())]

    def told(self) -> Sequence[Task]:
        """What the stream told beforehand."""
        return [_task(one) for one in self._held.get("told", ())]

    @property
    def label(self) -> str:
        """The stream's own."""
        return self._label


def written(stream: Stream) -> str:
    """A stream's tasks, keys and step as JSON."""
    told: dict[str, object] = {
        "label": stream.label,
        "licence": stream.licence,
        "step": asdict(stream.step),
        "scorers": list(stream.scorers),
        "pairs": [_plain(pair) for pair in stream.pairs()],
        "pool": [_plain(pair) for pair in stream.pool()],
        **({"told": [_plain_task(task) for task in stream.told()]} if stream.told() else {}),
    }
    if stream.plays:
        told["plays"] = True
    if drifts := list(stream.drifts()):
        told["drifts"] = drifts
    if (borders := list(stream.borders())) != drifts:
        told["borders"] = borders
    return json.dumps(told, ensure_ascii=True, separators=(",", ":")) + "\n"


def _plain(pair: Pair) -> list[dict[str, Any]]:
    task, key = pair
    return [_plain_task(task), asdict(key)]


def _plain_task(task: Task) -> dict[str, Any]:
    return {**asdict(task), "inputs": dict(task.inputs)}


def _pair(held: Sequence[Mapping[str, Any]]) -> Pair:
    task, key = held
    return _task(task), Key(**{**key, "answers": tuple(key["answers"])})


def _task(held: Mapping[str, Any]) -> Task:
    return Task(**{**held, "options": tuple(held["options"]), "tools": tuple(held["tools"])})
