"""Text adventures of TextWorld as worlds, from game files that the user has; `text_made` makes some by seed.

A game is played in TextWorld's own interpreter; what can be done at each point, and what would win from there, is what
TextWorld says.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from os.path import expanduser
from pathlib import Path
from typing import Any, ClassVar

from toolkit.errors import MissingExtra, SpecError, nearest
from toolkit.moves import WAIT, Cause, Observation, Tally, planned
from toolkit.records import Key, Step, Task
from toolkit.streams.bounds import outside
from toolkit.streams.stream import Pair
from toolkit.streams.worlds import Limits, Stepped, World, WorldStream

ONE_AT_A_TIME = threading.RLock()
"""Held by whoever asks anything of TextWorld: it reads with a parser that threads share, and mixes them up."""


@dataclass(frozen=True)
class Adventure:
    """What is known of a game before it is played.

    Parameters
    ----------
    name
        Its task's id: what it is called, and the first digits of the hash of what it consists of.
    objective
        What is to be done, in words.
    walkthrough
        Commands that win it.
    file
        Gives the game file, which is made first where there is none.
    """

    name: str
    objective: str
    walkthrough: tuple[str, ...]
    file: Callable[[], Path]


class TextGame(World):
    """A text adventure: actions are the commands that would do something now, goals are its quests.

    Parameters
    ----------
    game
        Which.
    """

    def __init__(self, game: Adventure) -> None:
        self.game = game
        self._env: Any = None
        self._state: Any = None
        self._done: list[str] = []

    def reset(self, seed: int) -> Observation:
        """The game from its beginning; nothing is drawn, since a game holds its own seed."""
        with ONE_AT_A_TIME:
            if self._env is None:
                self._env = self._opened()
            self._state = self._env.reset()
        self._done = []
        return self._seen(_beginning(self._state.feedback, self.game.objective), "prompt")

    def _opened(self) -> Any:
        textworld = textworld_or_raise()
        infos = textworld.EnvInfos(
            feedback=True, admissible_commands=True, policy_commands=True, score=True, max_score=True, won=True
        )
        return textworld.start(str(self.game.file()), infos)

    def step(self, action: str) -> Stepped:
        """Give a command to the game; one that is not possible now is refused and never reaches it."""
        over = bool(self._state.done)
        if over or action not in self._state.admissible_commands:
            why = "the game is over" if over else f"{action[:60]!r} is not possible now"
            seen = self._seen(f"That is refused: {why}.")
            return Stepped(seen, terminated=over, info={"refused": why})
        before = self._state.score or 0
        with ONE_AT_A_TIME:
            self._state, score, done = self._env.step(action)
        self._done.append(action)
        return Stepped(self._seen(cleaned(self._state.feedback)), float((score or 0) - before), bool(done))

    def _seen(self, text: str, cause: Cause = "result") -> Observation:
        return Observation(text, cause, () if self._state.done else tuple(sorted(self._state.admissible_commands)))

    def tally(self) -> Tally:
        """Reached is 1 in a game that is won, else its score over its highest.

        The steps of its walkthrough stand as ``best_steps``: TextWorld wins by it, but nobody has shown that none is
        shorter.
        """
        most = self._state.max_score or 0
        share = (self._state.score or 0) / most if most else 0.0
        reached = 1.0 if self._state.won else min(1.0, max(0.0, share))
        return Tally(reached=reached, best_steps=len(self.game.walkthrough))

    def best(self) -> str:
        """The next of the walkthrough while nothing else was done; then what TextWorld's planner wins by from here.

        Where nothing wins any more: to wait, which is to leave.
        """
        if self._state.done:
            return WAIT
        done, way = len(self._done), self.game.walkthrough
        found = [*way[done : done + 1]] if tuple(self._done) == way[:done] else []
        found += self._state.policy_commands[:1]
        possible = [command for command in found if command in self._state.admissible_commands]
        return possible[0] if possible else WAIT

    def close(self) -> None:
        """Leave the interpreter."""
        if self._env is not None:
            with ONE_AT_A_TIME:
                self._env.close()
            self._env = None


def cleaned(text: str) -> str:
    """What a game says, without blank lines, its prompt, and what it asks when it is over.

    Examples
    --------
    >>> cleaned("You take the key.\\n\\n\\n\\nWould you like to RESTART, RESTORE a saved game, QUIT?\\n\\n>")
    'You take the key.'
    """
    kept = (line.strip() for line in text.splitlines())
    lines = [line for line in kept if line and line != ">" and not line.startswith("Would you like to RESTART")]
    return "\n".join(lines)


def _beginning(text: str, objective: str) -> str:
    """The first room: the banner goes, and the objective, since the task tells it."""
    lines = text.splitlines()
    banner = max((place for place, line in enumerate(lines) if "$$" in line), default=-1)
    return cleaned("\n".join(lines[banner + 1 :]).replace(objective, "", 1))


def textworld_or_raise() -> Any:
    """TextWorld, which is optional."""
    try:
        import textworld
    except ImportError as error:
        raise MissingExtra("textworld", "worlds", "a game of TextWorld") from error
    return textworld


class TextGames(WorldStream, abstract=True):
    """Base of streams of text adventures; a subclass says which.

    A task tells the objective; the score is the share of the game's points, 1 for a game that is won. An episode may
    take 50 turns, or five times the steps of the walkthrough where that is more. Games are played one command at a
    time, also where runs go on beside one another, since TextWorld knows no threads. Nothing needs to be played for
    the keys: their answers are the walkthroughs.
    """

    licence: ClassVar[str] = "MIT"
    scorers = ("reached", "tallied")
    step = Step("act", "Play this text adventure until its goal is reached. Say what to do next.", ("goal",), "action")
    delay: int

    def read(self) -> Sequence[Adventure]:
        """The games, in order."""
        raise NotImplementedError(f"{type(self).__name__} does not say which games it has: define read()")

    @cached_property
    def _games(self) -> Mapping[str, Adventure]:
        return {game.name: game for game in self.read()}

    def load(self) -> Sequence[Pair]:
        """A task for each game."""
        found = []
        for place, game in enumerate(self._games.values()):
            task = Task(game.name, {"goal": game.objective}, time=float(place))
            found.append((task, Key((planned(game.walkthrough),), self.delay)))
        return tuple(found)

    def world(self, task: Task) -> TextGame:
        """The game of a task."""
        return TextGame(self._game(task))

    def limits(self, task: Task) -> Limits:
        """See the class."""
        return Limits(turns=max(50, 5 * len(self._game(task).walkthrough)), seconds=300.0)  # a game may be compiled

    def _game(self, task: Task) -> Adventure:
        if task.id not in self._games:
            raise ValueError(f"{task.id!r} is no game of {self!r}; {nearest(task.id, self._games)}")
        return self._games[task.id]


class TextWorldFiles(TextGames):
    """Text adventures from files that TextWorld made.

    Parameters
    ----------
    path
        A folder of ``.z8`` files, each with the ``.json`` file of the same name beside it, or one such file.
    games
        How many, from the first by name; 0 = all.
    delay
        Tasks that pass before feedback arrives, at least 0.

    Raises
    ------
    SpecError
        On reading, if a file is missing or broken.

    References
    ----------
    Côté et al. 2018, TextWorld: a learning environment for text-based games, arXiv 1806.11532.

    Examples
    --------
    >>> TextWorldFiles("games").label
    'textworldfiles'
    """

    def __init__(self, path: str, games: int = 0, delay: int = 0) -> None:
        self.path = path
        self.games = games
        self.delay = delay

    def files(self) -> tuple[Path, ...]:
        """Each game and what TextWorld knows of it."""
        return tuple(file for game in self._paths() for file in (game, game.with_suffix(".json")))

    def read(self) -> Sequence[Adventure]:
        """The games, by name; TextWorld need not be installed for that."""
        if mistakes := outside(self, {"games": (0, 10_000), "delay": (0, 10_000)}):
            raise SpecError(mistakes)
        games = self._paths()
        way = "make some with tw-make, and give their folder"
        if not games:
            raise SpecError([f"{self.path}: there is no folder or file of that name with games in it (.z8); {way}"])
        missing = [file for file in self.files() if not file.is_file()]
        if missing:
            raise SpecError([f"{file}: there is no such file beside the game; {way}" for file in missing])
        return tuple(_from_file(file) for file in games)

    def _paths(self) -> list[Path]:
        given = Path(expanduser(self.path))
        found = sorted(given.glob("*.z8")) if given.is_dir() else [given] if given.is_file() else []
        return found[: self.games or None]


def _from_file(file: Path) -> Adventure:
    known = file.with_suffix(".json")
    try:
        text = known.read_bytes()
        held = json.loads(text)
        objective, walkthrough = held["objective"], tuple(held["metadata"]["walkthrough"])
    except (ValueError, KeyError, TypeError) as error:
        rule = f"is not as TextWorld writes it, with an objective and a walkthrough: {error!r}"
        raise SpecError([f"{known}: {rule}; make the game again with tw-make"]) from error
    return Adventure(f"{file.stem}-{mark(file.read_bytes(), text)}", objective, walkthrough, lambda: file)


def mark(*parts: bytes) -> str:
    """The first digits of a hash, to tell games of one name apart."""
    return hashlib.sha256(b"".join(parts)).hexdigest()[:8]
