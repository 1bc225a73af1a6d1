"""What people are asked of recorded answers, and what they may say: a scale, right or wrong, labels, one of two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from toolkit.component import digest
from toolkit.errors import SpecError

Kind = Literal["scale", "right/wrong", "labels", "pair"]

RIGHT_WRONG = "right/wrong"
_PAIR = (("a", "A is better", "a"), ("b", "B is better", "b"), ("tie", "Neither: a tie", "t"))
_TAKEN = 10  # digits


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that may be said: as it is kept, as its button names it, and the key that says it."""

    said: str
    label: str
    key: str


@dataclass(frozen=True)
class Sheet:
    """What people are asked.

    Parameters
    ----------
    rubric
        What makes an answer good, in plain text, shown above every answer.
    choices
        Whole numbers ascending (a scale), ``"right/wrong"``, or two or more labels; of a pair nothing but the default.
    pair
        Two arms, whose answers to the same task are held against each other: A, B or a tie. Empty = answers are rated
        one by one.
    arms
        Whose answers are rated; empty = all arms that have recorded any.
    n
        Episodes of each arm, or pairs.
    seed
        Of the draw, and of every rater's order and sides.
    stream
        Only this one of several streams.
    name
        Of the queue, for its folder.
    """

    rubric: str = ""
    choices: tuple[int, ...] | tuple[str, ...] | str = (1, 2, 3, 4, 5)
    pair: tuple[str, ...] = ()
    arms: tuple[str, ...] = ()
    n: int = 20
    seed: int = 0
    stream: str = ""
    name: str = "ratings"

    @property
    def kind(self) -> Kind:
        """How answers are told apart."""
        if self.pair:
            return "pair"
        if isinstance(self.choices, str):
            return "right/wrong"
        return "scale" if all(isinstance(one, int) for one in self.choices) else "labels"

    @property
    def offered(self) -> tuple[Choice, ...]:
        """What may be said, in order.

        Examples
        --------
        >>> [one.key for one in Sheet(pair=("memory", "static")).offered]
        ['a', 'b', 't']
        """
        if self.kind == "pair":
            return tuple(Choice(*one) for one in _PAIR)
        if self.kind == "right/wrong":
            return Choice("wrong", "wrong", "0"), Choice("right", "right", "1")
        said = [str(one) for one in self.choices]
        keys = said if all(len(one) == 1 and one in "0123456789" for one in said) else _places(len(said))
        return tuple(Choice(one, one, key) for one, key in zip(said, keys, strict=False))

    def rated(self, said: str, first: bool | None = None) -> float | None:
        """What was said as a number: see `toolkit.ledger.rated.Rating`.

        Raises
        ------
        ValueError
            If that may not be said.
        """
        if said not in (known := [one.said for one in self.offered]):
            raise ValueError(f"what is said must be one of {', '.join(known)} but is {said!r}: choose one of these")
        if self.kind == "labels":
            return None
        if self.kind == "right/wrong":
            return float(said == "right")
        if self.kind == "scale":
            return float(said)
        return 0.0 if said == "tie" else 1.0 if (said == "a") == first else -1.0

    def fingerprint(self) -> str:
        """Of all that the sheet says; another one is another queue. A sha256."""
        choices = self.choices if isinstance(self.choices, str) else list(self.choices)
        own = [self.rubric, choices, list(self.pair), list(self.arms), self.n, self.seed, self.stream, self.name]
        return digest(own)

    def check(self) -> None:
        """Whether people can be asked that.

        Raises
        ------
        SpecError
            Naming every mistake.
        """
        if found := list(self._mistakes()):
            raise SpecError(found)

    def _mistakes(self) -> Iterator[str]:
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < 1:
            yield f"n must be a whole number of at least 1 but is {self.n!r}: how many episodes of each arm, or pairs"
        if not isinstance(self.seed, int) or isinstance(self.seed, bool) or self.seed < 0:
            yield f"seed must be a whole number of at least 0 but is {self.seed!r}"
        if not self.name or not all(one.isascii() and (one.isalnum() or one in "-_") for one in self.name):
            yield f"name is that of a folder: letters, digits, - and _ only, but it is {self.name!r}"
        if self.pair and (len(self.pair) != 2 or self.pair[0] == self.pair[1]):
            yield f"pair must name two arms that differ but is {self.pair!r}"
        if self.pair and (self.arms or self.choices != Sheet.choices):
            yield "of a pair A, B or a tie is said: leave choices and arms out"
        yield from self._wrong_choices()

    def _wrong_choices(self) -> Iterator[str]:
        if isinstance(self.choices, str):
            if self.choices != RIGHT_WRONG:
                yield f"choices must be numbers, labels or {RIGHT_WRONG!r} but is {self.choices!r}"
            return
        chosen, kinds = list(self.choices), set(map(type, self.choices))
        if kinds not in ({int}, {str}):
            yield f"choices must be whole numbers, or labels, not both, but are {self.choices!r}"
        elif not 2 <= len(chosen) <= _TAKEN or len(set(chosen)) < len(chosen):
            yield f"choices must be 2 to {_TAKEN} that differ, one for each digit, but are {self.choices!r}"
        elif isinstance(chosen[0], int) and chosen != sorted(chosen):  # type: ignore[type-var]
            yield f"a scale must ascend but is {self.choices!r}: (1, 2, 3, 4, 5)"
        elif any(isinstance(one, str) and not one.strip() for one in chosen):
            yield f"a label must be a word but one of {self.choices!r} is empty"


def _places(many: int) -> list[str]:
    """A digit for each of so many: 1, 2, ... 9, 0."""
    return [str(place % 10) for place in range(1, many + 1)]
