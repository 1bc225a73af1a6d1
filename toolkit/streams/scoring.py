"""Scorers: how right an answer is, in [0, 1]; and the decorator that makes one out of a function.

A scorer sees the key, so it belongs to the bench and never to an agent. Calling one, ``scorer(task, answer, key)``,
checks what its `Scorer.score` gives: the loop calls, it does not use ``score`` directly.
"""

from __future__ import annotations

import importlib
import inspect
import math
import operator
import pickle
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from numbers import Real
from typing import Any, ClassVar, TypeAlias

import numpy as np

from toolkit.component import Component, Config, digest, registered
from toolkit.errors import SpecError, nearest
from toolkit.records import Key, Task

ScoreFunction: TypeAlias = Callable[[Task, str, Key], float]

_ARTICLES = frozenset({"a", "an", "the"})
_MARK = re.compile(r"(?P<number>(?<!\w)-?\.?\d(?:[^\w\s]?\d)*)|[^\w\s]|_")
_NUMBER = re.compile(r"[+-]?(?:(?:[1-9]\d{0,2}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?:[eE][+-]?\d{1,4})?", re.ASCII)


class Scorer(Component, kind="scorer"):
    """Base of all scorers: a subclass gives `score` and is found by its name from then on.

    Attributes
    ----------
    called
        The scorer's name where it is not that of the class in snake case.
    asks
        Whether it asks a model, which only a run can give it; see `toolkit.Judge`.

    Examples
    --------
    >>> class FirstLetter(Scorer):
    ...     def score(self, task, answer, key):
    ...         return float(any(answer[:1] == right[:1] for right in key.answers))
    >>> FirstLetter().name
    'first_letter'
    >>> scorer_by_name("first_letter")[0](Task("1", {}), "bees", Key(("bears",)))
    1.0
    """

    stateless: ClassVar[bool] = True
    called: ClassVar[str] = ""
    asks: ClassVar[bool] = False

    def __init_subclass__(cls, **rest: Any) -> None:
        taken = {name_of(known): known for known in registered("scorer").values() if known.__name__ != cls.__name__}
        if name_of(cls) in taken:
            other = taken[name_of(cls)].__name__
            raise TypeError(
                f"{cls.__name__}: a scorer needs a name of its own, but {name_of(cls)!r} is that of {other}"
            )
        super().__init_subclass__(**rest)

    @property
    def name(self) -> str:
        """What the metric is called in specifications, tables and the ledger."""
        return name_of(type(self))

    def score(self, task: Task, answer: str, key: Key) -> float:
        """How right ``answer`` is, in [0, 1]; NaN means that it could not be scored, and nothing else."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it scores: define score(task, answer, key)")

    def __call__(self, task: Task, answer: str, key: Key) -> float:
        """`score`, checked.

        Raises
        ------
        ValueError
            If the result is not a number in [0, 1] or NaN.
        """
        return _checked(self.name, task, self.score(task, answer, key))


def name_of(cls: type) -> str:
    """What the metric of a scorer's class is called."""
    called: str = vars(cls).get("called", "")
    return called or _snake(cls.__name__)


@lru_cache(maxsize=1024)
def _snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def _checked(name: str, task: Task, value: object) -> float:
    if not isinstance(value, Real | np.bool_):
        raise ValueError(f"scorer {name!r} must return a number but gave {value!r:.80} for task {task.id!r}")
    found = float(value)
    if not (math.isnan(found) or 0 <= found <= 1):
        raise ValueError(f"scorer {name!r} must return a number in [0, 1] but gave {value!r} for task {task.id!r}")
    return found


class Exact(Scorer):
    """1 if the answer equals one of the right ones, character by character (hence byte by byte), else 0.

    Examples
    --------
    >>> exact, task, key = Exact(), Task("1", {}), Key(("Lima", "Callao"))
    >>> exact(task, "Callao", key), exact(task, "callao", key)
    (1.0, 0.0)
    """

    def score(self, task: Task, answer: str, key: Key) -> float:
        """1 or 0."""
        return float(answer in key.answers)


def normal(text: str) -> str:
    """The text as `Normalised` compares it.

    NFKC and casefold; apostrophes and full stops vanish, other punctuation separates words; English articles are
    dropped; runs of white space become one space. Marks inside a number, a minus or a point before it, stay: ``-5`` is
    not ``5``. Symbols that are no punctuation (``+``, ``$``) stay. Where nothing would be left, nothing is dropped.

    Examples
    --------
    >>> normal("  The U.S. dollar!"), normal("card_arrival"), normal("-1.5"), normal("A")
    ('us dollar', 'card arrival', '-1.5', 'a')
    """
    folded = _plain(_plain(text).casefold())
    words = [word for word in _MARK.sub(_unmarked, folded).split() if word not in _ARTICLES]
    return " ".join(words) or " ".join(folded.split())


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("\N{MINUS SIGN}", "-")


def _unmarked(match: re.Match[str]) -> str:
    mark = match[0]
    if match["number"] or not unicodedata.category(mark).startswith("P"):
        return mark
    return "" if mark in "'.\N{RIGHT SINGLE QUOTATION MARK}" else " "


class Normalised(Scorer):
    """1 if the answer equals one of the right ones but for case, punctuation, articles and white space; see `normal`.

    Examples
    --------
    >>> Normalised()(Task("1", {}), "the  Eiffel tower.", Key(("Eiffel Tower",)))
    1.0
    """

    def score(self, task: Task, answer: str, key: Key) -> float:
        """1 or 0."""
        return float(normal(answer) in {normal(right) for right in key.answers})


def number_in(text: str) -> Decimal | None:
    """The number that a text consists of, or None.

    The whole text must be one decimal number, with nothing around it but white space, one currency sign before or
    after, and one full stop at the end. Commas may part groups of three digits. So ``5 apples``, ``50%``, ``1,5``,
    ``1/2``, ``1_000``, ``nan`` and ``between 5 and 7`` are no numbers: a unit that is wrong must not pass for right.

    Examples
    --------
    >>> number_in("1,000"), number_in("-$5."), number_in("2.50 €"), number_in("1e3")
    (Decimal('1000'), Decimal('-5'), Decimal('2.50'), Decimal('1E+3'))
    >>> [number_in(text) for text in ("5 apples", "1,00", "50%", "inf", "")]
    [None, None, None, None, None]
    """
    plain = _plain(text).strip().removesuffix(".").strip()
    signs = [sign for sign in plain if unicodedata.category(sign) == "Sc"]
    if len(signs) == 1:
        before, _, after = plain.partition(signs[0])
        if before not in ("", "+", "-") and after:
            return None
        plain = f"{before.strip()}{after.strip()}"
    if not _NUMBER.fullmatch(plain) or len(signs) > 1:
        return None
    found = Decimal(plain.replace(",", ""))
    return found if not found or abs(found.adjusted()) <= 308 else None


class Numeric(Scorer):
    """1 if the answer is a number within reach of a right one, else 0; see `number_in` for what is a number.

    NaN where none of the reference answers is a number: then nothing can be right.

    Parameters
    ----------
    tolerance
        Largest absolute difference, at least 0.
    relative
        Largest difference as a share of the right number, at least 0; the wider of the two counts.

    Examples
    --------
    >>> task, key = Task("1", {}), Key(("1000",))
    >>> Numeric()(task, "$1,000", key), Numeric()(task, "1000 apples", key), Numeric(relative=0.1)(task, "901", key)
    (1.0, 0.0, 1.0)
    """

    def __init__(self, tolerance: float = 1e-9, relative: float = 0.0) -> None:
        self.tolerance = tolerance
        self.relative = relative

    def score(self, task: Task, answer: str, key: Key) -> float:
        """1 or 0, or NaN without a numeric reference."""
        for name in ("tolerance", "relative"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"Numeric: {name} must be a number of at least 0 but is {getattr(self, name)!r}")
        rights = [right for right in map(number_in, key.answers) if right is not None]
        given = number_in(answer)
        if not rights:
            return math.nan
        return float(given is not None and any(self._near(given, right) for right in rights))

    def _near(self, given: Decimal, right: Decimal) -> bool:
        return abs(given - right) <= max(Decimal(self.tolerance), Decimal(self.relative) * abs(right))


class SetMatch(Scorer):
    """F1 of the answer's items against those of the right answer that is nearest; order and repeats do not count.

    Each of a key's answers is one whole set, written like the answer. Items are compared as `Normalised` does.

    Parameters
    ----------
    separator
        What parts the items, at least one character.

    Examples
    --------
    >>> task, key = Task("1", {}), Key(("red, green",))
    >>> SetMatch()(task, "Green,red", key), SetMatch()(task, "red, blue", key), SetMatch()(task, "", key)
    (1.0, 0.5, 0.0)
    """

    called: ClassVar[str] = "set"

    def __init__(self, separator: str = ",") -> None:
        self.separator = separator

    def score(self, task: Task, answer: str, key: Key) -> float:
        """F1, in [0, 1]."""
        if not self.separator:
            raise ValueError("SetMatch: separator must be at least one character but is ''; a comma is the default")
        return max((_f1(self._items(answer), self._items(right)) for right in key.answers), default=math.nan)

    def _items(self, text: str) -> frozenset[str]:
        return frozenset(normal(item) for item in text.split(self.separator) if item.strip())


def _f1(given: frozenset[str], right: frozenset[str]) -> float:
    return 1.0 if given == right else 2 * len(given & right) / (len(given) + len(right))


class _FunctionScorer(Scorer):
    """A scorer made by `scorer`; its fingerprint is the function's source, so an edited function is another scorer."""

    function: ClassVar[ScoreFunction]
    source: ClassVar[str]

    def score(self, task: Task, answer: str, key: Key) -> float:
        return _checked(self.name, task, type(self).function(task, answer, key))

    def fingerprint(self) -> str:
        return digest([self.kind, self.config(), type(self).version, type(self).source])

    def __reduce__(self) -> tuple[Callable[[str, str], object], tuple[str, str]]:
        where = type(self).function
        if "<locals>" in where.__qualname__:
            raise pickle.PicklingError(
                f"scorer {self.name!r} is defined inside a function and cannot go to another "
                "process: define it at the top of a module"
            )
        return _restored, (where.__module__, where.__qualname__)


def _restored(module: str, name: str) -> object:
    return operator.attrgetter(name)(importlib.import_module(module))


def scorer(function: ScoreFunction) -> Scorer:
    """A function ``f(task, answer, key) -> float`` as a registered scorer of that name; use it as a decorator.

    What comes back is the scorer itself: it can be called like the function, and streams may name it. Its fingerprint
    covers the function's source as it was when decorated, not what the function reads from elsewhere.

    Parameters
    ----------
    function
        Takes a `Task`, an answer and a `Key`; gives a score in [0, 1].

    Raises
    ------
    TypeError
        If the function has no name, does not take the three arguments, or its name is another scorer's.

    Examples
    --------
    >>> @scorer
    ... def same_length(task, answer, key):
    ...     return len(answer) == len(key.answers[0])
    >>> same_length(Task("1", {}), "abc", Key(("xyz",))), scorer_by_name("same_length") == (same_length,)
    (1.0, True)
    """
    name = getattr(function, "__name__", "")
    if not name.isidentifier():
        raise TypeError(f"a scorer needs a function with a name but got {function!r}; write it with def")
    try:
        inspect.signature(function).bind(None, None, None)
    except TypeError as error:
        taken = inspect.signature(function)
        raise TypeError(f"scorer {name!r} must take (task, answer, key) but takes {taken}") from error
    title = "".join(part[:1].upper() + part[1:] for part in name.split("_"))
    space = {
        "__module__": function.__module__,
        "__doc__": function.__doc__,
        "called": name,
        "function": staticmethod(function),
        "source": _source(function),
    }
    made: type[Scorer] = type(title, (_FunctionScorer,), space)
    return made()


def _source(function: ScoreFunction) -> str:
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):  # typed at a prompt: the code itself, as far as it can be written down
        code: Any = getattr(function, "__code__", None)
        constants = [value for value in getattr(code, "co_consts", ()) if not inspect.iscode(value)]
        return f"{getattr(code, 'co_code', b'').hex()} {constants!r} {getattr(code, 'co_names', ())!r}"


def scorer_by_name(named: str | Sequence[str | Config | Scorer]) -> tuple[Scorer, ...]:
    """The scorers that are meant, in the same order: one name or several.

    Parameters
    ----------
    named
        Names, which have the default parameters; tables with ``use`` and parameters; scorers themselves.

    Raises
    ------
    SpecError
        Listing every unknown or repeated name, with the nearest known ones.

    Examples
    --------
    >>> scorer_by_name(["exact", "set", {"use": "Numeric", "tolerance": 0.5}])
    (Exact(), SetMatch(separator=','), Numeric(tolerance=0.5))
    """
    wanted: tuple[str | Config | Scorer, ...] = (named,) if isinstance(named, str) else tuple(named)
    known = {name_of(cls): cls for cls in registered("scorer").values()}
    strange = [one for one in wanted if not isinstance(one, Scorer | dict) and one not in known]
    mistakes = [f"scorers: no scorer is called {one!r}; {nearest(str(one), known)}" for one in strange]
    made = tuple(_made(one, known) for one in wanted if one not in strange)
    names = [one.name for one in made]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    mistakes += [f"scorers: {name!r} is named twice; a metric occurs once" for name in twice]
    if mistakes:
        raise SpecError(mistakes)
    return made


def _made(one: str | Config | Scorer, known: Mapping[str, type[Component]]) -> Scorer:
    if isinstance(one, Scorer):
        return one
    config, where = (one, "scorers") if isinstance(one, dict) else (known[one].__name__, f"scorer {one!r}")
    return Scorer.from_config(config, where)


def as_named(one: Scorer) -> str | Scorer:
    """A scorer's name where that says all of it, else the scorer itself.

    Examples
    --------
    >>> as_named(Numeric()), as_named(Numeric(tolerance=0.5))
    ('numeric', Numeric(tolerance=0.5))
    """
    usual = all(getattr(one, name) == parameter.default for name, parameter in one.parameters().items())
    return one.name if usual else one
