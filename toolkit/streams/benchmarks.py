"""Public benchmarks, read from files that the user has; nothing is downloaded."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import ClassVar

import numpy as np

from toolkit.component import build, registered
from toolkit.errors import SpecError, names, nearest
from toolkit.records import Key, Step
from toolkit.streams.stream import Pair, Stream
from toolkit.streams.table import Table


class Benchmark(Stream, abstract=True):
    """A public data set as a stream; `benchmark` finds its subclasses by class name in lower case."""


class Banking77(Benchmark):
    """BANKING77: questions of bank customers, each with one of 77 fine-grained intents, English.

    Tasks are drawn from ``test.csv``, the `pool` from ``train.csv``, both only among the intents drawn, and both in
    the order of the drawing (the files are sorted by intent). With the same ``draw`` and ``options`` a shorter stream
    is the beginning of a longer one. Training questions that equal a task's but for case are left out of the pool.

    Parameters
    ----------
    path
        Folder with ``train.csv``, ``test.csv`` and ``categories.json``: the folder ``banking_data`` of the repository
        PolyAI-LDN/task-specific-datasets.
    options
        How many intents, 2 to 77.
    tasks
        How many questions, at least 1; there are about 40 an intent.
    draw
        Seed of the drawing of intents, tasks and pool, at least 0.
    delay
        Tasks that pass before feedback arrives, at least 0.

    Raises
    ------
    SpecError
        On reading, if a file is missing or broken, or more is asked for than there is.

    References
    ----------
    Casanueva, Temčinas, Gerz, Henderson, Vulić: Efficient Intent Detection with Dual Sentence Encoders. Proceedings of
    the 2nd Workshop on NLP for Conversational AI, 2020. The data are licensed under CC BY 4.0.

    Examples
    --------
    >>> Banking77("banking_data", options=5).step.output
    'intent'
    """

    licence: ClassVar[str] = "CC BY 4.0"
    step = Step("decide", "Choose the intent of the customer's query.", ("query",), "intent")
    largest_pool: ClassVar[int] = 2000

    def __init__(self, path: str, options: int = 20, tasks: int = 150, draw: int = 0, delay: int = 0) -> None:
        self.path = path
        self.options = options
        self.tasks = tasks
        self.draw = draw
        self.delay = delay

    def load(self) -> Sequence[Pair]:
        """The tasks, in the order in which they were drawn."""
        self._check_parameters()
        found = self._drawn("test.csv", 1)
        if self.tasks > len(found):
            raise SpecError(
                [
                    f"Banking77: tasks must be at most {len(found)}, the test questions of these "
                    f"{self.options} intents, but is {self.tasks}; ask for fewer tasks or more options"
                ]
            )
        return found[: self.tasks]

    def pool(self) -> Sequence[Pair]:
        """At most 2,000 training questions of the same intents, in the order in which they were drawn."""
        return self._pool

    @cached_property
    def _pool(self) -> tuple[Pair, ...]:
        asked = {task.text.strip().casefold() for task, _ in self.pairs()}
        found = [pair for pair in self._drawn("train.csv", 2) if pair[0].text.strip().casefold() not in asked]
        return tuple(found[: self.largest_pool])

    @cached_property
    def _intents(self) -> dict[str, str]:
        """The intents drawn, as the files write them and as words, in the order of the alphabet."""
        every = self._categories()
        if not 2 <= self.options <= len(every):
            raise SpecError([f"Banking77: options must be from 2 to {len(every)} intents but is {self.options}"])
        chosen = np.random.default_rng([self.draw, 0]).permutation(len(every))[: self.options]
        return {name: every[name] for name in sorted(list(every)[place] for place in chosen)}

    def _categories(self) -> dict[str, str]:
        """Every intent of the data set, as words by name."""
        file = self._file("categories.json")
        try:
            found = json.loads(file.read_text("utf-8"))
        except (OSError, ValueError) as error:
            raise SpecError([f"{file}: the list of intents cannot be read: {error}"]) from error
        if not isinstance(found, list) or len(found) < 2 or not all(isinstance(name, str) and name for name in found):
            raise SpecError([f"{file}: must be a JSON list of at least two names of intents but is {found!r:.80}"])
        words = {name: name.replace("_", " ").strip() for name in found}
        shown = list(words.values())
        twice = [name for name, word in words.items() if shown.count(word) > 1]
        if twice or len(words) < len(found):
            raise SpecError([f"{file}: intents must differ as words but these do not: {names(twice or found)}"])
        return words

    def _drawn(self, name: str, part: int) -> tuple[Pair, ...]:
        """The rows of a file that have the intents drawn, as tasks, shuffled."""
        intents = self._intents
        every = tuple(self._categories())
        table = Table(str(self._file(name)), inputs="text", answer="category", options=every, delay=self.delay)
        rows = [pair for pair in table.pairs() if pair[1].answers[0] in intents]
        options = tuple(intents.values())
        found = []
        for place in np.random.default_rng([self.draw, part]).permutation(len(rows)):
            task, key = rows[place]
            mark = f"{Path(name).stem}-{task.id}"
            task = replace(task, id=mark, inputs={"query": task.text}, options=options)
            found.append((task, Key((intents[key.answers[0]],), key.delay)))
        return tuple(found)

    def files(self) -> tuple[Path, ...]:
        """The three files of the folder."""
        return tuple(self._file(name) for name in ("train.csv", "test.csv", "categories.json"))

    def _file(self, name: str) -> Path:
        return Path(expanduser(self.path)) / name

    def _check_parameters(self) -> None:
        """Every parameter is in range and every file there."""
        least = {"options": 2, "tasks": 1, "draw": 0, "delay": 0}
        mistakes = [
            f"Banking77: {name} must be at least {bound} but is {getattr(self, name)}"
            for name, bound in least.items()
            if getattr(self, name) < bound
        ]
        files = self.files()
        wrong = "file" if files[0].parent.is_dir() else "folder"
        mistakes += [
            f"{file}: there is no such {wrong}; BANKING77 is the folder banking_data of "
            "github.com/PolyAI-LDN/task-specific-datasets: copy it and give its path"
            for file in files
            if not file.is_file()
        ]
        if mistakes:
            raise SpecError(mistakes)


def benchmark(name: str, **parameters: object) -> Stream:
    """The public data set of this name, e.g. ``benchmark("banking77", path="banking_data", options=20)``.

    Parameters
    ----------
    name
        The class name of a `Benchmark` in any case.
    parameters
        Those of the class.

    Raises
    ------
    SpecError
        If there is no such data set or parameter, naming the nearest.

    Examples
    --------
    >>> benchmark("banking77", path="banking_data", options=5)
    Banking77(path='banking_data', options=5)
    """
    known = {cls.__name__.lower(): cls.__name__ for cls in registered("stream").values() if issubclass(cls, Benchmark)}
    if name.lower() not in known:
        raise SpecError([f"no benchmark is called {name!r}; {nearest(name, known)}"])
    made = build("stream", {"use": known[name.lower()], **parameters}, f"benchmark {name!r}")
    if not isinstance(made, Stream):
        raise TypeError(f"benchmark {name!r} must be a Stream but is a {type(made).__name__}")
    return made
