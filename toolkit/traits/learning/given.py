"""A learned block that never changes: written by hand, or learned elsewhere and saved as JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from toolkit.component import Prose
from toolkit.errors import SpecError, nearest
from toolkit.records import Example, Learned
from toolkit.traits.learning.learner import Learner

_FORMAT = 1
_MOST = 1_000_000  # characters of a block, and bytes of a file twice as many
_KEYS = ("learned", "instruction", "notes", "examples", "steps", "program", "from")


class Given(Learner):
    """An instruction, worked examples and notes that stand in every prompt and never change.

    So a prompt that was tuned in one study goes into another (`toolkit.learned` reads it off a run), and an instruction
    written by hand is an arm. What it cost to find it is not charged here: say it beside the arm.

    Parameters
    ----------
    instruction
        Takes the place of the decision step's own; empty = that one stays.
    examples
        Worked cases, before the task: tables with ``inputs`` (a table of texts) and ``answer``.
    notes
        Stand below the instruction, whichever it is.
    steps
        By name the instructions of other steps that the arm takes, each in place of the step's own.
    program
        The state of a wrapped program's predictors as JSON, as DSPy saves it.

    Examples
    --------
    >>> given = Given("Heed the rules.", examples=({"inputs": {"ticket": "lamp broken"}, "answer": "b"},))
    >>> given.learned().instruction
    'Heed the rules.'
    >>> Given.from_json(given.to_json()) == given
    True
    """

    stateless = True

    def __init__(
        self,
        instruction: Prose = "",
        examples: Sequence[Mapping[str, object]] = (),
        notes: Prose = "",
        steps: Mapping[str, str] | None = None,
        program: str | None = None,
    ) -> None:
        self.instruction = instruction
        self.examples = tuple(examples)
        self.notes = notes
        self.steps = steps
        self.program = program

    def check(self) -> None:
        """Texts, worked cases that are whole, and no more than a million characters."""
        mistakes = [
            f"Given.{name} must be a text but is {getattr(self, name)!r:.60}"
            for name in ("instruction", "notes")
            if not isinstance(getattr(self, name), str)
        ]
        mistakes += [found for number, one in enumerate(self.examples, start=1) if (found := _mistake(number, one))]
        mistakes += [found for found in (_no_texts(self.steps), _no_state(self.program)) if found]
        if mistakes:
            raise SpecError(mistakes)
        others = sum(map(len, (*(self.steps or {}).values(), self.program or "")))
        length = len(self.instruction) + len(self.notes) + sum(map(_length, self.examples)) + others
        if length > _MOST:
            raise SpecError([f"Given may have {_MOST:,} characters in all but has {length:,}: leave examples out"])

    @property
    def rewrites(self) -> tuple[str, ...]:  # type: ignore[override]
        """The other steps that it has instructions for."""
        return tuple(self.steps or ())

    def learned(self) -> Learned:
        """The block."""
        examples = (_example(number, one) for number, one in enumerate(self.examples, start=1))
        steps = dict(self.steps) if self.steps else None
        return Learned(self.instruction, tuple(examples), self.notes, steps, self.program)

    @classmethod
    def of(cls, learned: Learned) -> Self:
        """The same block, wherever it was learned; its examples do not say any more which episodes they came from.

        Raises
        ------
        SpecError
            If it is too large.
        """
        examples = tuple({"inputs": dict(one.inputs), "answer": one.answer} for one in learned.examples)
        steps = dict(learned.steps) if learned.steps else None
        made = cls(learned.instruction, examples, learned.notes, steps, learned.program)
        made.check()
        return made

    def to_json(self, origin: Mapping[str, str] | None = None) -> str:
        """The block as JSON, with whatever ``origin`` says of where it is from; it is no part of the block."""
        table: dict[str, object] = {"learned": _FORMAT, "instruction": self.instruction, "notes": self.notes}
        table["examples"] = [{"inputs": dict(one.inputs), "answer": one.answer} for one in self.learned().examples]
        table |= {"steps": dict(self.steps)} if self.steps else {}
        table |= {"program": self.program} if self.program else {}
        table |= {"from": dict(origin)} if origin else {}
        text = json.dumps(table, indent=1, ensure_ascii=False)
        # Half a character, as an answer that was cut off may hold it, can be written as its code only.
        return text if text.isascii() or _whole(text) else json.dumps(table, indent=1)

    @classmethod
    def from_json(cls, text: str, where: str = "") -> Self:
        """The block that JSON describes.

        Parameters
        ----------
        text
            As `to_json` makes it.
        where
            What to call it in messages.

        Raises
        ------
        SpecError
            Listing every unknown key and every value of another type.
        """
        where = where or "what was learned"
        if len(text) > 2 * _MOST:
            raise SpecError([f"{where}: may have {2 * _MOST:,} characters but has {len(text):,}"])
        try:
            table = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise SpecError([f"{where}: no JSON: {error}"]) from error
        mistakes = _mistakes(table)
        if mistakes:
            raise SpecError(f"{where}: {mistake}" for mistake in mistakes)
        made = cls(
            table.get("instruction", ""),
            tuple(table.get("examples", ())),
            table.get("notes", ""),
            table.get("steps"),
            table.get("program"),
        )
        made.check()
        return made

    def save(self, file: str | Path, origin: Mapping[str, str] | None = None) -> Path:
        """Write `to_json` into a file, in UTF-8; its path."""
        path = Path(file)
        path.write_text(self.to_json(origin) + "\n", encoding="utf-8")
        return path

    @classmethod
    def load(cls, file: str | Path) -> Self:
        """The block that was saved in a file.

        Raises
        ------
        SpecError
            If it cannot be read; see `from_json`.
        """
        path = Path(file)
        try:
            size = path.stat().st_size
            if size > 8 * _MOST:
                raise SpecError([f"{path}: may have {8 * _MOST:,} bytes but has {size:,}"])
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise SpecError([f"{path}: cannot be read: {error}"]) from error
        return cls.from_json(text, str(path))


def _mistakes(table: Any) -> list[str]:
    """What is wrong with a table read from JSON, beside its values."""
    if not isinstance(table, dict):
        return [f"must be an object with {', '.join(_KEYS[:6])} but is {table!r:.60}"]
    found = [f"has no key {key!r:.60}; {nearest(key, _KEYS)}" for key in table if key not in _KEYS]
    if table.get("learned") != _FORMAT or isinstance(table.get("learned"), bool):
        found.append(f"'learned' must be {_FORMAT}, the version of this form, but is {table.get('learned')!r:.60}")
    if not isinstance(table.get("examples", []), list):
        found.append(f"'examples' must be a list but is {table['examples']!r:.60}")
    return found


def _no_texts(steps: object) -> str:
    """What is wrong with the instructions of steps; empty if nothing is."""
    fine = steps is None or (
        isinstance(steps, Mapping) and all(isinstance(one, str) for p in steps.items() for one in p)
    )
    return "" if fine else f"Given.steps must be a table of texts but is {steps!r:.60}"


def _no_state(program: object) -> str:
    """What is wrong with a program's state; empty if nothing is."""
    if program is None:
        return ""
    try:
        fine = isinstance(program, str) and isinstance(json.loads(program), dict)
    except (ValueError, RecursionError):
        fine = False
    return "" if fine else f"Given.program must be a JSON object but is {program!r:.60}"


def _mistake(number: int, table: object) -> str:
    """What is wrong with a worked case; empty if nothing is."""
    place = f"Given.examples, number {number}"
    if not isinstance(table, Mapping):
        return f"{place}: must be a table with 'inputs' and 'answer' but is {table!r:.60}"
    unknown = [key for key in table if key not in ("inputs", "answer")]
    if unknown:
        return f"{place}: has no key {unknown[0]!r:.60}; it has 'inputs' and 'answer'"
    inputs, answer = table.get("inputs"), table.get("answer")
    if not isinstance(inputs, Mapping) or not inputs:
        return f"{place}: 'inputs' must be a table of texts but is {inputs!r:.60}"
    strange = [part for pair in inputs.items() for part in pair if not isinstance(part, str)]
    if strange:
        return f"{place}: 'inputs' must hold texts but holds {strange[0]!r:.60}"
    return "" if isinstance(answer, str) else f"{place}: 'answer' must be a text but is {answer!r:.60}"


def _example(number: int, table: Mapping[str, object]) -> Example:
    if mistake := _mistake(number, table):
        raise SpecError([mistake])
    inputs: Any = table["inputs"]
    return Example(dict(inputs), str(table["answer"]), f"given/{number}")


def _length(table: Mapping[str, object]) -> int:
    case = _example(1, table)
    return len(case.answer) + sum(len(name) + len(text) for name, text in case.inputs.items())


def _whole(text: str) -> bool:
    """Whether it can be written in UTF-8."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
