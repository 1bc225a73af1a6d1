"""Text adventures made by seed with TextWorld, which compiles them by its own copy of Inform 7."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

from toolkit.errors import SpecError
from toolkit.streams.bounds import outside
from toolkit.streams.text_games import ONE_AT_A_TIME, Adventure, TextGames, mark, textworld_or_raise

QUESTS = ("coin_collector", "treasure_hunter", "custom")
_MOST_ROOMS = 100
_SEEDS = 10_000  # for each draw
_CUSTOM = {"rooms": 4, "objects": 8, "quest_length": 4}
_NOT_THINGS = ("r", "P", "I")  # rooms, the player, what the player carries
_BOUNDS = {"rooms": (1, 30), "objects": (1, 60), "quest_length": (1, 10)}


class Recipe(NamedTuple):
    """What a game is made by; the seed is TextWorld's own."""

    quest: str
    level: int
    rooms: int
    objects: int
    quest_length: int
    seed: int


class TextWorld(TextGames):
    """Text adventures made by seed: the same parameters make the same games, on every machine.

    The games of draw ``d`` are those that TextWorld makes by the seeds ``10000 d``, ``10000 d + 1``, …, but for those
    in which one thing's name is part of another's ("locker", "red locker"): there the interpreter asks back which is
    meant, and the walkthrough need not win. Texts are made when the stream is read; a game is compiled when it is first
    played, into a temporary folder of the process (games of coins already when the stream is read: a second each).

    Parameters
    ----------
    quest
        ``"coin_collector"``: find the coin along a chain of rooms; ``"treasure_hunter"``: find the right one of two
        things; ``"custom"``: a quest of several steps among rooms, doors, things and containers.
    level
        How hard the first two are: of coins 1 to 100 rooms (from 101 on also others, 100 rooms at most), of treasures 1
        to 30. None = 5. Not for ``"custom"``.
    games
        How many, 1 to 1,000.
    draw
        Which, at least 0.
    rooms, objects, quest_length
        Of ``"custom"`` only: 1 to 30 rooms, 1 to 60 things, 1 to 10 steps. None = 4, 8 and 4.
    delay
        Tasks that pass before feedback arrives, at least 0.

    Raises
    ------
    MissingExtra
        On reading, if TextWorld is not installed.
    SpecError
        On reading, if a parameter is out of range, or no quest of that length fits.

    References
    ----------
    Côté et al. 2018, TextWorld: a learning environment for text-based games, arXiv 1806.11532.

    Examples
    --------
    >>> TextWorld("custom", rooms=6, quest_length=3)
    TextWorld(quest='custom', rooms=6, quest_length=3)
    """

    def __init__(
        self,
        quest: Literal["coin_collector", "treasure_hunter", "custom"] = "treasure_hunter",
        level: int | None = None,
        games: int = 10,
        draw: int = 0,
        rooms: int | None = None,
        objects: int | None = None,
        quest_length: int | None = None,
        delay: int = 0,
    ) -> None:
        self.quest = quest
        self.level = level
        self.games = games
        self.draw = draw
        self.rooms = rooms
        self.objects = objects
        self.quest_length = quest_length
        self.delay = delay

    def read(self) -> Sequence[Adventure]:
        """The games, in the order of their seeds."""
        self._check()
        level = 0 if self.quest == "custom" else 5 if self.level is None else self.level
        sizes = [_CUSTOM[name] if (own := getattr(self, name)) is None else own for name in _CUSTOM]
        found: list[Adventure] = []
        with ONE_AT_A_TIME:
            for seed in range(_SEEDS * self.draw, _SEEDS * (self.draw + 1)):
                if len(found) == self.games:
                    break
                told, game, _ = _made(Recipe(self.quest, level, sizes[0], sizes[1], sizes[2], seed))
                found += [] if _confusing(game) else [told]
        if len(found) < self.games:
            rule = f"only {len(found)} of {_SEEDS} games name their things so that none is taken for another"
            raise SpecError([f"TextWorld: {rule}, but games is {self.games}; ask for fewer games, or fewer objects"])
        return tuple(found)

    def _check(self) -> None:
        mistakes = outside(self, {"games": (1, 1000), "draw": (0, 2**20), "delay": (0, 10_000)})
        if self.quest not in QUESTS:
            mistakes.append(f"TextWorld: quest must be one of {', '.join(QUESTS)} but is {self.quest!r}")
        custom = self.quest == "custom"
        for name in ("rooms", "objects", "quest_length", "level"):
            if getattr(self, name) is not None and custom == (name == "level"):
                mistakes.append(f"TextWorld: {name} says nothing to a game of quest {self.quest!r}; leave it out")
        given = {name: bounds for name, bounds in _BOUNDS.items() if custom and getattr(self, name) is not None}
        if self.level is not None and not custom:
            given["level"] = (1, 30 if self.quest == "treasure_hunter" else 300)
        mistakes += outside(self, given)
        if not mistakes and self.quest == "coin_collector" and self.level is not None:
            rooms = ((self.level - 1) // 100 + 1) * ((self.level - 1) % 100 + 1)
            if rooms > _MOST_ROOMS:
                mistakes.append(f"TextWorld: level {self.level} has {rooms} rooms but {_MOST_ROOMS} are the most")
        if mistakes:
            raise SpecError(mistakes)


@cache
def _made(recipe: Recipe) -> tuple[Adventure, Any, Any]:
    """A game, as it is told of and as TextWorld holds it, and its options; made once in a process."""
    textworld = textworld_or_raise()
    from textworld.generator import QuestGenerationError, make_game
    from textworld.generator.inform7 import generate_inform7_source

    options = textworld.GameOptions()
    options.seeds = recipe.seed
    try:
        if recipe.quest == "custom":
            options.nb_rooms, options.nb_objects = recipe.rooms, recipe.objects
            options.quest_length = recipe.quest_length
            game = make_game(options)
        else:
            from textworld.challenges import CHALLENGES

            game = CHALLENGES[f"tw-{recipe.quest}"][1]({"level": recipe.level}, options)
    except QuestGenerationError as error:
        rule = f"no quest of {recipe.quest_length} steps fits into {recipe.rooms} rooms by seed {recipe.seed}: {error}"
        raise SpecError([f"TextWorld: {rule}; take a shorter one, or more rooms"]) from error
    size = "-".join(map(str, recipe[2:5])) if recipe.quest == "custom" else f"l{recipe.level}"
    name = f"{recipe.quest}-{size}-seed{recipe.seed}-{mark(generate_inform7_source(game).encode())}"
    return Adventure(name, game.objective, tuple(game.walkthrough), partial(_file, recipe)), game, options


def _confusing(game: Any) -> bool:
    """Whether one thing's name is part of another's."""
    named = [
        set(info.name.lower().split()) for info in game.infos.values() if info.name and info.type not in _NOT_THINGS
    ]
    return any(one <= other for place, one in enumerate(named) for at, other in enumerate(named) if at != place)


def _file(recipe: Recipe) -> Path:
    """The game file; a process that was forked from another makes its own."""
    with ONE_AT_A_TIME:
        return _compiled(recipe, os.getpid())


@cache
def _compiled(recipe: Recipe, process: int) -> Path:
    """The file of a game, in a folder of this process."""
    from textworld.generator import compile_game

    told, game, options = _made(recipe)
    options.path = str(Path(_folder(process).name) / f"{told.name}.z8")
    return Path(compile_game(game, options))


@cache
def _folder(process: int) -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="textworld-")
