"""Gymnasium's toy-text games in words: an icy lake, a taxi, a cliff; oracles are exact, also where chance decides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property, lru_cache, partial
from typing import Any, ClassVar, Literal, NamedTuple, TypeAlias

import numpy as np

from toolkit.errors import MissingExtra, SpecError, nearest
from toolkit.moves import Tally
from toolkit.records import Key, Step, Task
from toolkit.streams.bounds import outside
from toolkit.streams.gym import GymWorld, Optimum, Played
from toolkit.streams.stream import Pair
from toolkit.streams.worlds import Limits, WorldStream

_STANDS = ("red (row 1, column 1)", "green (row 1, column 5)", "yellow (row 5, column 1)", "blue (row 5, column 4)")
_TILES = {"S": "start", "F": "ice", "H": "hole", "G": "goal"}
_ON = {"S": "at the start", "F": "on ice", "H": "in a hole", "G": "at the goal"}

Options: TypeAlias = tuple[tuple[str, Any], ...]


class Game(NamedTuple):
    """How one of the games reads."""

    env: str
    actions: tuple[str, ...]
    rules: str


_MOVES = ("go left", "go down", "go right", "go up")
_LAKE = (
    "Walk over a frozen lake from the start to the goal, and into no hole. There is an edge all around. The map: {map}."
)
GAMES = {
    "lake": Game("FrozenLake-v1", _MOVES, _LAKE),
    "slippery_lake": Game(
        "FrozenLake-v1",
        _MOVES,
        f"{_LAKE} The ice is slippery: a step goes where it is meant to one time in three, else to either side.",
    ),
    "taxi": Game(
        "Taxi-v4",
        ("go south", "go north", "go east", "go west", "pick up", "drop off"),
        "Drive a taxi in a city of 5 rows and 5 columns: fetch the passenger and drop them off where they want to go. "
        f"The stands are {', '.join(_STANDS)}. Between some columns stand walls: in rows 1 and 2 between columns 2 and "
        "3; in rows 4 and 5 between columns 1 and 2, and between columns 3 and 4. North is up, where row 1 is.",
    ),
    "cliff": Game(
        "CliffWalking-v1",
        ("go up", "go right", "go down", "go left"),
        "Walk from row 4, column 1 to row 4, column 12 of a field of 4 rows and 12 columns. Row 4, columns 2 to 11, is "
        "a cliff: whoever steps there is back at the start. Row 1 is at the top.",
    ),
}
"""The games by name."""


class ToyText(WorldStream):
    """Gymnasium's toy-text games as worlds in words, with exact oracles.

    Reached is 1 where the goal was come to (the passenger was brought there). The score is

    - on slippery ice: reached; a key's ``oracle`` is the chance with which the best policy gets there within the turns,
      and its answer one way in which that came out;
    - else: reached × n* / n, where n actions were taken and n* are the fewest (success weighted by path length).

    Parameters
    ----------
    game
        ``"lake"``, ``"slippery_lake"``, ``"taxi"`` or ``"cliff"``. Each task of a lake has a map of its own, each of
        the taxi a place to begin; the cliff is always the same.
    tasks
        How many, 1 to 1,000.
    size
        Rows and columns of a lake, 3 to 12.
    turns
        After how many actions an episode is cut off, 1 to 1,000. The way to the goal of each game must fit.
    draw
        Which maps and beginnings, at least 0.
    delay
        Tasks that pass before feedback arrives, at least 0.

    Raises
    ------
    MissingExtra
        On reading, if Gymnasium is not installed.

    References
    ----------
    Towers et al. 2024, Gymnasium: a standard interface for reinforcement learning environments, arXiv 2407.17032.
    Anderson et al. 2018, On evaluation of embodied navigation agents, arXiv 1807.06757 (the score).

    Examples
    --------
    >>> stream = ToyText("cliff", tasks=1)
    >>> [(task, key)] = stream.pairs()
    >>> key.answers[0].split("; ")[:2], key.answers[0].count("go right"), key.oracle
    (['go up', 'go right'], 11, 1.0)
    """

    licence: ClassVar[str] = "MIT"
    step = Step("act", "Reach the goal in as few actions as you can. Say what to do next.", ("rules",), "action")

    def __init__(
        self,
        game: Literal["lake", "slippery_lake", "taxi", "cliff"] = "lake",
        tasks: int = 12,
        size: int = 4,
        turns: int = 100,
        draw: int = 0,
        delay: int = 0,
    ) -> None:
        self.game = game
        self.tasks = tasks
        self.size = size
        self.turns = turns
        self.draw = draw
        self.delay = delay

    def load(self) -> Sequence[Pair]:
        """All tasks, in the order in which they were drawn."""
        self._check()
        return tuple(self._pair(place) for place in range(self.tasks))

    def world(self, task: Task) -> GymWorld:
        """The game of a task."""
        name, _, number = task.id.rpartition("-")
        if name != self.game or not number.isdecimal() or int(number) >= self.tasks:
            raise ValueError(f"{task.id!r} is no task of {self!r}: take one of its pairs()")
        return self._world(int(number))

    def limits(self, task: Task) -> Limits:
        """The turns, and ten to spare for what is refused."""
        return Limits(turns=self.turns + 10)

    def optimum(self, task: Task) -> Optimum:
        """The best policy in a task, and what it comes to in expectation."""
        found = self.world(task).optimum
        if found is None:
            raise TypeError(f"{self!r} must have an optimum for each task")
        return found

    def _pair(self, place: int) -> Pair:
        rules = GAMES[self.game].rules.format(map="; ".join(self._rows(place)))
        inputs = {"rules": f"{rules} There is time for {self.turns} actions."}
        task = Task(f"{self.game}-{place:04}", inputs, time=float(place))
        key = self.key_of(task, delay=self.delay)
        if self._slippery:
            chance = self.optimum(task).values[self.turns, _start_of(self._maps[place])]
            return task, Key(key.answers, self.delay, float(chance))
        if key.oracle < 1.0:
            raise SpecError([f"ToyText: {self.turns} turns do not let the goal of {task.id} be reached; give more"])
        return task, key

    def _world(self, place: int) -> GymWorld:
        game, options = GAMES[self.game], self._options(place)
        optimum = _optimum(game.env, self.turns, options)
        return GymWorld(
            partial(_made, game.env, self.turns, options),
            game.actions,
            _describer(self.game, self._maps[place] if options else ()),
            partial(_judged, optimum=optimum, slippery=self._slippery),
            self.turns,
            self._starts[place],
            optimum,
        )

    @property
    def _slippery(self) -> bool:
        return self.game == "slippery_lake"

    @property
    def _lake(self) -> bool:
        return self.game in ("lake", "slippery_lake")

    def _options(self, place: int) -> Options:
        return (("desc", self._maps[place]), ("is_slippery", self._slippery)) if self._lake else ()

    def _rows(self, place: int) -> list[str]:
        maps = self._maps[place] if self._lake else ()
        return [f"row {row}: {', '.join(_TILES[tile] for tile in tiles)}" for row, tiles in enumerate(maps, 1)]

    @cached_property
    def _starts(self) -> list[int]:
        rng = np.random.default_rng(np.random.SeedSequence(self.draw, spawn_key=(0,)))
        return [int(seed) for seed in rng.integers(2**31, size=self.tasks)]

    @cached_property
    def _maps(self) -> list[tuple[str, ...]]:
        """A lake for each task, its goal in reach."""
        _gymnasium()
        from gymnasium.envs.toy_text.frozen_lake import generate_random_map

        return [tuple(generate_random_map(self.size, seed=start)) for start in self._starts]

    def _check(self) -> None:
        bounds = {"tasks": (1, 1000), "size": (3, 12), "turns": (1, 1000), "draw": (0, 2**31), "delay": (0, 10_000)}
        mistakes = outside(self, bounds)
        if self.game not in GAMES:
            rule = f"game must be one of {', '.join(GAMES)} but is {self.game!r}"
            mistakes.append(f"ToyText: {rule}; {nearest(str(self.game), GAMES)}")
        if mistakes:
            raise SpecError(mistakes)


def _gymnasium() -> Any:
    try:
        import gymnasium
    except ImportError as error:
        raise MissingExtra("gymnasium", "worlds", "the stream ToyText") from error
    return gymnasium


def _made(env: str, turns: int, options: Options) -> Any:
    return _gymnasium().make(env, max_episode_steps=turns, disable_env_checker=True, **dict(options))


@lru_cache(maxsize=1024)
def _optimum(env: str, turns: int, options: Options) -> Optimum:
    made = _made(env, turns, options)
    try:
        return Optimum.of(made.unwrapped.P, turns)
    finally:
        made.close()


def _judged(played: Played, optimum: Optimum, slippery: bool) -> Tally:
    """See `ToyText`. Who falls into a hole has come to an end, too, but has got nothing."""
    fell = played.terminated and played.total == 0.0
    reached = float(played.terminated and not fell)
    best = None if slippery or played.start is None else optimum.steps(played.start)
    score = reached if best is None else reached * best / max(best, played.steps)
    return Tally(reached=reached, score=score, best_steps=best)


def _start_of(rows: tuple[str, ...]) -> int:
    return "".join(rows).index("S")


def _describer(game: str, rows: tuple[str, ...]) -> Callable[[Any], str]:
    if game == "taxi":
        return _taxi
    return partial(_walker, rows=rows)


def _walker(shown: Any, rows: tuple[str, ...]) -> str:
    row, column = divmod(int(shown), len(rows[0]) if rows else 12)
    tile = f", {_ON[rows[row][column]]}" if rows else ""
    return f"You are in row {row + 1}, column {column + 1}{tile}."


def _taxi(shown: Any) -> str:
    rest, goal = divmod(int(shown), 4)
    rest, passenger = divmod(rest, 5)
    row, column = divmod(rest, 5)
    where = "is in the taxi" if passenger == 4 else f"waits at {_STANDS[passenger]}"
    place = f"The taxi is in row {row + 1}, column {column + 1}."
    return f"{place} The passenger {where} and wants to go to {_STANDS[goal]}."
