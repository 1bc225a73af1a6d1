"""What a component can hold is settled where its class is defined, with the way out."""

from __future__ import annotations

import datetime
import enum
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, NewType, TypedDict

import pytest

from toolkit.component import Component, Prose
from toolkit.errors import SpecError
from toolkit.hints import fits, hints_of
from toolkit.traits.memory import MemoryPolicy, NoMemory, Retrieval


class Paint(Component, kind="paint-of-hints"):
    """A family of this file's own."""


class Shade(enum.Enum):
    DARK = "dark"


class Tone(enum.StrEnum):
    LOUD = "loud"


@dataclass
class Point:
    x: int


class Pair(NamedTuple):
    x: int


class Case(TypedDict):
    x: str


Steps = NewType("Steps", int)

REFUSED: list[tuple[Any, str]] = [
    (Shade, "write Literal[...] of its values"),
    (Tone | None, "write Literal[...] of its values"),
    (Literal[Shade.DARK], "is no text, number or switch"),
    (Path, "write str, and make the path of it"),
    (tuple[Path, ...], "write str, and make the path of it"),
    (datetime.date, "such as '2026-05-01'"),
    (datetime.timedelta, "a number of seconds"),
    (set[str], "write tuple"),
    (frozenset, "write tuple"),
    (bytes, "write str or numbers"),
    (complex, "write str or numbers"),
    (Callable[[str], str], "make it a component with a method"),
    (typing.Callable | None, "make it a component with a method"),
    (Point, "derive Point from Component"),
    (Sequence[Point], "derive Point from Component"),
    (Pair, "tuple[...] of its fields"),
    (Case, "write Mapping[str, ...]"),
    (dict[int, str], "the keys of a table are texts, not int"),
    (dict[str, MemoryPolicy], "components stand alone or in one tuple"),
    (tuple[tuple[MemoryPolicy, ...], ...], "components stand alone or in one tuple"),
    (Component, "name a family"),
    (type[MemoryPolicy], "derive type from Component"),
    (typing.TypeVar("T"), "it is no type of values"),
    (3, "it is no type of values"),
]
HELD: list[Any] = [
    str, int, float, bool, object, Any, None, tuple, list, dict, Mapping, Prose, Prose | None, int | str | None, Steps,
    Literal["a", 1, True, None], tuple[int, str], tuple[float, ...], list[bool], Sequence[Mapping[str, object]],
    Mapping[str, tuple[int, ...]], typing.Dict[str, int], typing.List[str], typing.Optional[int],  # noqa: UP006, UP045
    MemoryPolicy, MemoryPolicy | None, tuple[MemoryPolicy, ...], Sequence[str | MemoryPolicy], str | MemoryPolicy,
]  # fmt: skip


def defined(hint: Any, **more: Any) -> type[Component]:
    """A class whose constructor has one parameter, ``what``, of this type."""

    def keep(self, what):
        self.what = what

    keep.__annotations__ = {"what": hint}
    if "usual" in more:
        keep.__defaults__ = (more["usual"],)
    return type("PaintOfOneHint", (Paint,), {"__init__": keep})


@pytest.mark.parametrize(("hint", "way"), REFUSED, ids=[str(hint) for hint, _ in REFUSED])
def test_what_no_component_can_hold_is_refused_where_its_class_is_defined(hint: Any, way: str) -> None:
    with pytest.raises(TypeError) as caught:
        defined(hint)
    told = str(caught.value)
    assert told.startswith("PaintOfOneHint.what: no component can hold ")
    assert way in told


@pytest.mark.parametrize("hint", HELD, ids=str)
def test_what_a_component_can_hold_is_let_through(hint: Any) -> None:
    assert list(defined(hint).parameters()) == ["what"]


@pytest.mark.parametrize(
    ("hint", "usual", "told"),
    [
        (int, None, "its default, None, must be int; write int | None"),
        (int, 0.5, "its default, 0.5, must be int"),
        (bool, 1, "its default, 1, must be bool"),
        (tuple[int, int], (1, 2, 3), "must be tuple[int, int]"),
        (Literal["a"], "b", "must be one of 'a'"),
        (MemoryPolicy, Paint(), "must be MemoryPolicy"),
        (object, Path("a"), "no component can hold its default"),
        (object, (1, {"a": {1, 2}}), "no component can hold its default"),
    ],
    ids=str,
)
def test_a_default_must_be_of_its_type(hint: Any, usual: Any, told: str) -> None:
    with pytest.raises(TypeError, match=r"PaintOfOneHint\.what") as caught:
        defined(hint, usual=usual)
    assert told in str(caught.value)


def test_a_type_that_does_not_resolve_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match=r"Lost\.of: its type, 'Nowhere \| None', does not resolve.*define or import"):

        class Lost(Paint):
            def __init__(self, k: int = 1, of: Nowhere | None = None) -> None:  # type: ignore[name-defined]  # noqa: F821
                self.k, self.of = k, of

    with pytest.raises(TypeError, match="a parameter's type does not resolve"):

        class Torn(Paint):
            def __init__(self, k: "int |") -> None:  # type: ignore[syntax]  # noqa: F722
                self.k = k


def test_a_class_may_name_itself_and_so_may_its_heirs() -> None:
    class Layer(Paint):
        def __init__(self, below: Layer | None = None) -> None:
            self.below = below

    class Coat(Layer):
        pass

    assert hints_of(Coat)["below"] == Layer | None
    assert Coat.from_config({"use": "Coat", "below": {"use": "Layer"}}) == Coat(Layer())
    with pytest.raises(SpecError, match=r"Coat\.below must be"):
        Coat.from_config({"use": "Coat", "below": {"use": "NoMemory"}})


def test_a_parameter_needs_a_name_that_is_free() -> None:
    with pytest.raises(TypeError, match="a name of its own"):

        class Nameless(Paint):
            def __init__(self, share: float, /) -> None:
                self.share = share

    with pytest.raises(TypeError, match="'config' is taken"):

        class Shadow(Paint):
            def __init__(self, config: str = "") -> None:
                self.config = config  # type: ignore[method-assign,assignment]


def test_what_lives_in_code_only_is_let_through() -> None:
    class Own(Paint, abstract=True):
        def __init__(self, call: Callable[[], str]) -> None:
            self.call = call

    assert Own(lambda: "a").call() == "a"


@pytest.mark.parametrize(
    ("value", "hint", "whether"),
    [
        ((1, "a"), tuple[int, str], True),
        ([1, "a"], tuple[int, str], True),
        (("a", 1), tuple[int, str], False),
        ((1,), tuple[int, str], False),
        ((), tuple[int, ...], True),
        ("ab", Sequence[str], False),
        ({"a": 1}, Mapping[str, float], True),
        ({"a": "b"}, dict[str, float], False),
        ((("a", 1),), Mapping[str, int], False),
        (True, Literal[1], False),
        (3, Steps, True),
        ("x", Prose, True),
        (3, Prose | None, False),
        (NoMemory(), Retrieval | None, False),
        ((Retrieval(),), tuple[str | MemoryPolicy, ...], True),
    ],
    ids=str,
)
def test_fits(value: object, hint: Any, whether: bool) -> None:
    assert fits(value, hint) is whether


def test_a_file_is_held_to_types_within_tuples_and_tables() -> None:
    made = defined(Mapping[str, tuple[int, str]])
    assert made.from_config({"use": "PaintOfOneHint", "what": {"a": [1, "b"]}}).what == {"a": [1, "b"]}
    with pytest.raises(SpecError, match=r"what must be Mapping\[str, tuple\[int, str\]\]"):
        made.from_config({"use": "PaintOfOneHint", "what": {"a": ["b", 1]}})
