"""Type hints of a component's constructor: what they resolve to, what fits them, and what no component can hold."""

from __future__ import annotations

import collections.abc
import datetime
import enum
import inspect
import pathlib
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

_SEVERAL = (tuple, list, Sequence)
_TABLES = (dict, Mapping)
_SINGLE = (str, int, float, bool, type(None))
_IN_CODE = "or define the class with abstract=True: then it lives in code, and neither a file nor a form knows it"
_WAYS: tuple[tuple[tuple[type, ...], str], ...] = (
    ((enum.Enum,), "write Literal[...] of its values"),
    ((pathlib.PurePath,), "write str, and make the path of it where it is used"),
    ((datetime.date, datetime.time, datetime.timedelta), "write str, such as '2026-05-01', or a number of seconds"),
    ((set, frozenset), "write tuple[..., ...]: a set has no order to be written in"),
    ((bytes, bytearray, complex), "write str or numbers"),
    ((tuple, list), "write tuple[...] of its fields: a file gives back a plain one"),
    ((dict,), "write Mapping[str, ...]"),
)


def hints_of(cls: type) -> dict[str, Any]:
    """The types of a constructor's parameters, `Annotated` ones whole; a class may name itself.

    Raises
    ------
    TypeError
        If one does not resolve, naming class and parameter.
    """
    constructor = inspect.unwrap(cls.__init__)  # type: ignore[misc]  # asked of the class itself, not of an instance
    if constructor is object.__init__:
        return {}
    names = {one.__name__: one for one in reversed(cls.__mro__)}
    try:
        return typing.get_type_hints(constructor, localns=names, include_extras=True)
    except (NameError, AttributeError, SyntaxError, TypeError) as error:
        written = getattr(constructor, "__annotations__", {})
        missing = getattr(error, "name", None) or ""
        at = next((name for name, hint in written.items() if missing and missing in str(hint)), "")
        place = f"{cls.__name__}.{at}: its type, {written[at]!r}," if at else f"{cls.__name__}: a parameter's type"
        way = "define or import what it names above the class, at the module's or the notebook's top level"
        raise TypeError(f"{place} does not resolve: {error}; {way}") from error


def fits(value: object, hint: Any) -> bool:
    """Whether a value is of a parameter's type, as it is read from a file: a whole number is a number, a list a tuple.

    Examples
    --------
    >>> fits(3, float), fits(True, int), fits((1, "a"), tuple[int, str]), fits((1, "a"), tuple[int, ...])
    (True, False, True, False)
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Annotated:
        return fits(value, inner[0])
    if origin is typing.Literal:
        return any(type(value) is type(one) and value == one for one in inner)
    if origin in (typing.Union, types.UnionType):
        return any(fits(value, one) for one in inner)
    if origin in _SEVERAL or hint in _SEVERAL:
        return isinstance(value, tuple | list) and _each_fits(value, origin, inner)
    if origin in _TABLES or hint in _TABLES:
        key, held = inner or (str, Any)
        return isinstance(value, Mapping) and all(fits(k, key) and fits(v, held) for k, v in value.items())
    if isinstance(hint, typing.NewType):
        return fits(value, hint.__supertype__)
    return hint is Any or _one_fits(value, hint)


def _one_fits(value: object, hint: Any) -> bool:
    """Of a hint that is a class; what is none is fitted by everything."""
    if hint in (int, float):
        return isinstance(value, int | hint) and not isinstance(value, bool)
    return isinstance(value, hint) if isinstance(hint, type) else True


def _each_fits(value: Sequence[object], origin: Any, inner: tuple[Any, ...]) -> bool:
    if fixed_length(origin, inner):
        return len(value) == len(inner) and all(map(fits, value, inner))
    return all(fits(item, inner[0]) for item in value) if inner else True


def fixed_length(origin: Any, inner: tuple[Any, ...]) -> bool:
    """Whether a type is a tuple with a type for each place, such as ``tuple[int, str]``."""
    return origin is tuple and bool(inner) and inner[-1] is not Ellipsis


def spelt(hint: Any) -> str:
    """A type as a message names it.

    Examples
    --------
    >>> spelt(typing.Literal["a", "b"]), spelt(int), spelt(typing.Optional[int])
    ("one of 'a', 'b'", 'int', 'Optional[int]')
    """
    if typing.get_origin(hint) is typing.Literal:
        return "one of " + ", ".join(map(repr, typing.get_args(hint)))
    if isinstance(hint, type) and not typing.get_args(hint):
        return hint.__name__
    return str(hint).replace("typing.", "").replace("collections.abc.", "")


def refused(hint: Any, part: type, within: str = "") -> str:
    """Why no component can hold a parameter of this type, and the way out; empty if it can.

    What it holds must be written in TOML, be read back equal, and be told apart in a run's identity: texts, numbers,
    switches, nothing, tuples and tables of those; and components, alone or several in one tuple.

    Parameters
    ----------
    part
        The base of all components.
    within
        What it stands in: ``""``, ``"tuple"`` or ``"table"``.
    """
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if hint in (Any, object, *_SINGLE, *_SEVERAL, *_TABLES):
        return ""
    if origin is Annotated or isinstance(hint, typing.NewType):
        return refused(inner[0] if inner else hint.__supertype__, part, within)
    if origin is typing.Literal:
        odd = [one for one in inner if type(one) not in (*_SINGLE, type(None))]
        return f"{odd[0]!r} is no text, number or switch: write its value" if odd else ""
    if origin in (typing.Union, types.UnionType):
        return next(filter(None, (refused(one, part, within) for one in inner)), "")
    if origin in _SEVERAL:
        deeper = "table" if within else "tuple"
        return next(filter(None, (refused(one, part, deeper) for one in inner if one is not Ellipsis)), "")
    if origin in _TABLES:
        key, held = inner or (str, Any)
        if not fits("a", key):
            return f"the keys of a table are texts, not {spelt(key)}: write Mapping[str, ...]"
        return refused(held, part, "table")
    return _refused_class(hint, part, within)


def _refused_class(hint: Any, part: type, within: str) -> str:
    if isinstance(hint, type) and issubclass(hint, part):
        if not getattr(hint, "kind", ""):
            return "it is of no kind: name a family, such as MemoryPolicy"
        found = "components stand alone or in one tuple, not in a table nor in a tuple of tuples"
        return f"{found}: give each a parameter" if within == "table" else ""
    if typing.get_origin(hint) is collections.abc.Callable or hint in (collections.abc.Callable, typing.Callable):
        return f"a function has neither a text nor an identity: make it a component with a method, {_IN_CODE}"
    base = typing.get_origin(hint) or hint
    if isinstance(base, type):
        way = next((told for bases, told in _WAYS if issubclass(base, bases)), "")
        return way or f"derive {base.__name__} from Component, take its fields as parameters, {_IN_CODE}"
    return "it is no type of values: write str, int, float, bool, a tuple or a table of them, or a component's family"


def plain(value: object, part: type) -> bool:
    """Whether a value is one that a component can hold, whatever its type is called."""
    if isinstance(value, tuple | list):
        return all(plain(one, part) for one in value)
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and plain(one, part) for key, one in value.items())
    return isinstance(value, part) or type(value) in _SINGLE
