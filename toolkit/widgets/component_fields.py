"""Fields of parameters that hold several components: as tables in JSON, each as it would stand in a file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from toolkit.component import Component, build
from toolkit.widgets.fields import ListField, PlainField, loaded, unquoted


class MixedField(ListField):
    """Texts and components of a kind, one on a line: a component as a table in JSON, as it would stand in a file."""

    def __init__(self, name: str, kind: str, help_text: str = "") -> None:
        super().__init__(name, help_text)
        self._kind = kind

    def read(self, text: str) -> tuple[Any, ...]:
        """A line that begins with a brace is a component."""
        lines = [(place, line.strip()) for place, line in enumerate(text.split("\n"), start=1) if line.strip()]
        return tuple(
            build(self._kind, loaded(line), f"line {place}") if line.startswith("{") else unquoted(line, place)
            for place, line in lines
        )


class ComponentsField(PlainField):
    """Several components of a kind, as a list of tables in JSON, each as it would stand in a file."""

    def __init__(self, name: str, kind: str, help_text: str = "") -> None:
        super().__init__(name, help_text)
        self._kind = kind

    def spell(self, value: Sequence[Component]) -> str:
        """Their tables."""
        return super().spell([one.config() for one in value])

    def read(self, text: str) -> tuple[Component, ...]:
        """What the tables describe."""
        tables = loaded(text)
        if not isinstance(tables, tuple) or not all(isinstance(one, str | dict) for one in tables):
            raise ValueError(f"must be a list, [...], of tables but is {text!r:.80}")
        return tuple(build(self._kind, one, f"number {place}") for place, one in enumerate(tables, start=1))
