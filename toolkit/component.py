"""Components: parts of a study that are named, configured, fingerprinted and found again by name.

A component's constructor stores its parameters and does nothing else. From that one rule come, without another line:
`config()` and `from_config()` (hence TOML and forms), `repr`, equality, `clone()`, the fingerprint that identifies a
run, and the registry in which a class is found as soon as it is defined.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Self, TypeAlias

from toolkit.display import Displayed as Displayed
from toolkit.errors import SpecError, nearest
from toolkit.hints import fits, hints_of, plain, refused, spelt

Config: TypeAlias = dict[str, Any]
"""A component as plain TOML values: ``{"use": class name, parameter: value, ...}``; nested components likewise."""

Prose: TypeAlias = Annotated[str, "prose"]
"""A parameter's type: text of several lines, for which a form has room."""

_registry: dict[str, dict[str, type[Component]]] = {}
_watchers: list[Callable[[type[Component]], None]] = []


def digest(value: object) -> str:
    """A sha256 (hex) of any JSON-like value, independent of the order of keys.

    Examples
    --------
    >>> digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    True
    """
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def canonical(value: object) -> str:
    """The one JSON text of a value that `digest` is taken of.

    Examples
    --------
    >>> canonical({"b": (1, 2), "a": None})
    '{"a": null, "b": [1, 2]}'
    """
    return _encoder.encode(value)


def read_toml(file: Path) -> Config:
    """The tables of a TOML file.

    Raises
    ------
    SpecError
        If there is none, or it cannot be read, with the reason.
    """
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SpecError([f"{file}: cannot be read: {error.strerror}"]) from error
    except (ValueError, RecursionError) as error:  # what is malformed, no UTF-8, too long a number, too deep
        raise SpecError([f"{file}: is no valid TOML: {error}"]) from error


def _plain(value: object) -> object:
    if isinstance(value, Component):
        return value.config()
    if hasattr(value, "__dataclass_fields__"):
        held = {name: (getattr(value, name), field.metadata) for name, field in value.__dataclass_fields__.items()}
        return {name: one for name, (one, told) in held.items() if one is not None or "later" not in told}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"cannot be written as JSON: {type(value).__name__} {value!r:.80}")


_encoder = json.JSONEncoder(sort_keys=True, ensure_ascii=True, default=_plain)


class Component(Displayed):
    """Base of every part of a study that a user may choose, configure or write anew.

    A subclass names its ``kind`` once per family (``"memory"``, ``"learner"``, …); its own classes then register
    themselves by class name. ``version`` is raised when a class behaves differently under equal parameters, so that
    finished runs are not taken for runs of the new code.

    Examples
    --------
    >>> class Colour(Component, kind="paint"):
    ...     pass
    >>> class Mixed(Colour):
    ...     def __init__(self, share: float = 0.5):
    ...         self.share = share
    >>> Mixed(share=0.25)
    Mixed(share=0.25)
    >>> Mixed.from_config({"use": "Mixed", "share": 0.25}) == Mixed(0.25)
    True
    """

    kind: ClassVar[str] = ""
    version: ClassVar[int] = 1
    stateless: ClassVar[bool] = False

    def __init_subclass__(cls, *, kind: str | None = None, abstract: bool = False, **rest: Any) -> None:
        super().__init_subclass__(**rest)
        if kind is not None:
            cls.kind = kind
        if abstract or kind is not None or cls.__name__.startswith("_"):
            return
        if not cls.kind:
            raise TypeError(f"{cls.__name__} must derive from a family with a kind, such as MemoryPolicy")
        _check_signature(cls)
        family = _registry.setdefault(cls.kind, {})
        known = family.get(cls.__name__)
        if known is not None and is_shipped(known) and not is_shipped(cls):
            raise TypeError(f"{cls.kind} {cls.__name__!r} is the toolkit's own name: give the class another one")
        family[cls.__name__] = cls
        for told in _watchers:
            told(cls)

    @classmethod
    def parameters(cls) -> dict[str, inspect.Parameter]:
        """The constructor's parameters by name, in order."""
        return dict(_parameters(cls.__init__)) if cls.__init__ is not object.__init__ else {}

    def check(self) -> None:
        """Raise a `ValueError` where a parameter is out of range; called before anything is spent."""

    def config(self) -> Config:
        """This component as plain values: ``{"use": name, ...}`` with every parameter.

        A parameter that is None, and is None by default, is left out: no TOML file can hold it.
        """
        found: Config = {"use": type(self).__name__}
        values = {name: (getattr(self, name), p.default) for name, p in self.parameters().items()}
        found |= {name: _to_plain(v) for name, (v, default) in values.items() if not (v is None and default is None)}
        return found

    @classmethod
    def from_config(cls, config: Config | str, where: str = "") -> Self:
        """The component that ``config`` describes.

        Parameters
        ----------
        config
            A class name, or a table with ``use`` and any of the class's parameters.
        where
            What to call the place in messages, e.g. ``"study.toml: arms[2].memory"``.

        Raises
        ------
        SpecError
            Listing every unknown name or key, with the nearest valid ones.
        """
        built = build(cls.kind, config, where or cls.kind)
        if not isinstance(built, cls):
            raise SpecError([f"{where or cls.kind}: {type(built).__name__} is no {cls.__name__}"])
        return built

    def clone(self) -> Self:
        """An equal component without any state."""
        return type(self)(**{name: _cloned(getattr(self, name)) for name in self.parameters()})

    def fingerprint(self) -> str:
        """What identifies this component in a run's id: kind, name, config, version, and for user code its source."""
        cls = type(self)
        source = "" if is_shipped(cls) else _source(cls)  # type: ignore[arg-type]
        own = [getattr(self, name) for name in self.parameters()]
        nested = [one.fingerprint() for one in own if isinstance(one, Component)]
        # Shipped ones in a tuple stand in the config already; of a user's own, the source counts.
        several = [one for value in own if isinstance(value, tuple | list) for one in value]
        nested += [one.fingerprint() for one in several if isinstance(one, Component) and not is_shipped(type(one))]
        return digest([self.kind, self.config(), cls.version, source, nested])

    def __repr__(self) -> str:
        """The first parameter, and all others that are not at their default."""
        told = [(name, getattr(self, name), p.default) for name, p in self.parameters().items()]
        shown = [f"{name}={value!r}" for place, (name, value, usual) in enumerate(told) if not place or value != usual]
        return f"{type(self).__name__}({', '.join(shown)})"

    def _shown_parts(self) -> Iterator[tuple[str, object]]:
        """Its parameters, for the table that a notebook shows."""
        yield from ((name, getattr(self, name)) for name in self.parameters())

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Component) and self.config() == other.config()

    def __hash__(self) -> int:
        return hash((type(self), digest(self.config())))


@lru_cache(maxsize=1024)
def _parameters(constructor: Any) -> dict[str, inspect.Parameter]:
    return {name: p for name, p in inspect.signature(constructor).parameters.items() if name != "self"}


_OWN_NAMES = frozenset(name for name in dir(Component) if not name.startswith("_"))


def registered(kind: str) -> dict[str, type[Component]]:
    """The classes of a kind by name, the toolkit's own and every one a user has defined.

    Parameters
    ----------
    kind
        Such as ``"memory"`` or ``"scorer"``; of an unknown kind there are none.
    """
    return dict(_registry.get(kind, {}))


def watch_registry(told: Callable[[type[Component]], None]) -> None:
    """Call ``told`` with every class that registers itself from now on: a form offers what was just defined."""
    _watchers.append(told)


def parts_of(component: Component) -> Iterator[Component]:
    """The components that a component was given, alone or several in one parameter; not theirs in turn."""
    for name in component.parameters():
        value = getattr(component, name, None)
        yield from (
            one for one in (value if isinstance(value, tuple | list) else (value,)) if isinstance(one, Component)
        )


def kinds() -> tuple[str, ...]:
    """Every kind that has a class."""
    return tuple(sorted(_registry))


def defaults(name: str) -> Config:
    """The parameters of the class of this name with their defaults as plain values; nothing of an unknown class."""
    cls = next((family[name] for family in _registry.values() if name in family), None)
    found = cls.parameters() if cls else {}
    return {key: _to_plain(p.default) for key, p in found.items()}


def build(kind: str, config: Config | str, where: str) -> Component:
    """Make the component that ``config`` describes; see `Component.from_config`."""
    table: Config = {"use": config} if isinstance(config, str) else dict(config)
    name = table.pop("use", None)
    family = registered(kind)
    if name is None:
        raise SpecError([f"{where}: the key 'use' is missing; it names a {kind}: {', '.join(sorted(family))}"])
    cls = family.get(name)
    if cls is None:
        raise SpecError([f"{where}: no {kind} is called {name!r}; {nearest(str(name), family)}"])
    known = cls.parameters()
    mistakes = [f"{where}: {name} has no parameter {key!r}; {nearest(key, known)}" for key in table if key not in known]
    needed = [key for key, p in known.items() if p.default is p.empty and key not in table]
    mistakes += [f"{where}: {name} needs a value for {key!r}" for key in needed]
    values: Config = {}
    for key, value in table.items():
        try:
            values[key] = from_plain(value, f"{where}.{key}")
        except SpecError as error:
            mistakes += error.mistakes
    if mistakes:
        raise SpecError(mistakes)
    mistakes = _type_mistakes(cls, values, where)
    if mistakes:
        raise SpecError(mistakes)
    try:
        made = cls(**values)
        made.check()
    except SpecError as error:
        raise SpecError([f"{where}: {mistake}" for mistake in error.mistakes]) from error
    except (ValueError, TypeError) as error:
        raise SpecError([f"{where}: {error}"]) from error
    return made


def _type_mistakes(cls: type[Component], values: Config, where: str) -> list[str]:
    hints = hints_of(cls)
    found = []
    for key, value in values.items():
        if key in hints and not fits(value, hints[key]):
            wanted = spelt(hints[key])
            found.append(f"{where}: {cls.__name__}.{key} must be {wanted} but is {value!r}")
    return found


def from_plain(value: object, where: str) -> object:
    """A value of a file as a component holds it: a list as a tuple, a table with ``use`` as the component it names."""
    if isinstance(value, dict) and "use" in value:
        for kind in kinds():
            if value["use"] in _registry[kind]:
                return build(kind, value, where)
        known = [name for kind in kinds() for name in _registry[kind]]
        raise SpecError([f"{where}: nothing is called {value['use']!r}; {nearest(str(value['use']), known)}"])
    if isinstance(value, list):
        return tuple(from_plain(item, where) for item in value)
    return value


def _to_plain(value: object) -> object:
    if isinstance(value, Component):
        return value.config()
    if isinstance(value, tuple | list):
        return [_to_plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _to_plain(item) for key, item in value.items()}
    return value


def _cloned(value: object) -> object:
    if isinstance(value, tuple | list):
        return type(value)(_cloned(one) for one in value)
    return value.clone() if isinstance(value, Component) else value


def _check_signature(cls: type[Component]) -> None:
    parameters = cls.parameters()
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD, parameter.POSITIONAL_ONLY):
            raise TypeError(f"{cls.__name__}: every parameter needs a name of its own, but got {parameter}")
        if name == "use" or name in _OWN_NAMES:
            raise TypeError(f"{cls.__name__}: the parameter name {name!r} is taken; choose another")
    hints = hints_of(cls) if parameters else {}
    for name, parameter in parameters.items():
        _check_type(f"{cls.__name__}.{name}", hints.get(name, object), parameter)


def _check_type(where: str, hint: Any, parameter: inspect.Parameter) -> None:
    """What a parameter may be is known when its class is defined: no run, file or form finds out later."""
    way = refused(hint, Component)
    if way:
        raise TypeError(f"{where}: no component can hold {spelt(hint)}: {way}")
    usual = parameter.default
    if usual is parameter.empty:
        return
    if not plain(usual, Component):
        raise TypeError(
            f"{where}: no component can hold its default, {usual!r:.80}: use texts, numbers, tuples, tables"
        )
    if not fits(usual, hint):
        also = f"; write {spelt(hint)} | None" if usual is None else ""
        raise TypeError(f"{where}: its default, {usual!r:.80}, must be {spelt(hint)}{also}")


def is_shipped(cls: type) -> bool:
    """Whether a class is the toolkit's own."""
    return cls.__module__.partition(".")[0] == "toolkit"


def _source(cls: type) -> str:
    """The source that a class was made from, read once: what its file says later is another class's."""
    return _read_source(cls)  # type: ignore[arg-type]  # classes can be hashed, whatever their instances' __hash__ says


@lru_cache(maxsize=1024)
def _read_source(cls: type) -> str:
    try:
        return inspect.getsource(cls)
    except (OSError, TypeError):
        return f"{cls.__module__}.{cls.__qualname__}"
