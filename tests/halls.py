"""Worlds for tests: a hall of doors (words), and a night watch with tools and ticks; both with known oracles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from toolkit.errors import Outage
from toolkit.lm.model import Engine, Model
from toolkit.lm.scripted import replied
from toolkit.moves import WAIT, Observation, Tally, Tool, call
from toolkit.randomness import generator
from toolkit.records import Key, Task
from toolkit.streams.stream import Pair, Stream
from toolkit.streams.worlds import Limits, Stepped, World, WorldStream

DOORS = ("blue", "green", "red")


class Hall(World):
    """Behind each right door is the next; the wrong ones do not open."""

    def __init__(self, doors: Sequence[str]) -> None:
        self.doors = tuple(doors)

    def reset(self, seed: int) -> Observation:
        self.passed = 0
        return replace(self._seen(), cause="prompt")

    def step(self, action: str) -> Stepped:
        right = action == self.best()
        self.passed += right
        done = self.passed == len(self.doors)
        return Stepped(self._seen() if right or done else Observation("It is locked.", "result", DOORS), right, done)

    def best(self) -> str:
        return self.doors[self.passed] if self.passed < len(self.doors) else WAIT

    def tally(self) -> Tally:
        return Tally(reached=self.passed / len(self.doors), best_steps=len(self.doors))

    def _seen(self) -> Observation:
        return Observation(f"Hall {self.passed} of {len(self.doors)}.", "result", DOORS)


class Halls(WorldStream):
    """Halls of doors in a row that are drawn."""

    def __init__(self, tasks: int = 4, doors: int = 3, turns: int = 12) -> None:
        self.tasks = tasks
        self.doors = doors
        self.turns = turns

    def load(self) -> Sequence[Pair]:
        tasks = [Task(f"hall-{n}", {"task": f"Pass hall number {n}."}) for n in range(self.tasks)]
        return [(task, self.key_of(task)) for task in tasks]

    def world(self, task: Task) -> World:
        rng = generator(7, task.id)
        return Hall([DOORS[int(rng.integers(3))] for _ in range(self.doors)])

    def limits(self, task: Task) -> Limits:
        return Limits(turns=self.turns)


RING = Tool("ring", "Wake somebody.", {"floor": {"type": "integer"}}, changes=True, cost=1.0)
WHO = Tool("who", "Ask who is there.", asks=True, cost=0.5)


class Night(World):
    """A watch over some ticks: on a fire ring on its floor; else be silent. Who asks, asks for nothing."""

    tools = (RING, WHO)
    ticks = True

    def __init__(self, fires: Sequence[int], listed: bool) -> None:
        self.fires, self.listed = tuple(fires), listed  # 0 = none

    def reset(self, seed: int) -> Observation:
        self.hour = self.hits = self.alarms = self.misses = self.quiet = self.asked = 0
        return self._seen()

    def step(self, action: str) -> Stepped:
        if action == call("who"):
            self.asked += 1
            return Stepped(replace(self._seen(), text="Nobody.", cause="result"))
        fire = self.fires[self.hour]
        hit = bool(fire) and action == call("ring", floor=fire)
        self.hits += hit
        self.misses += bool(fire) and not hit
        self.alarms += action != WAIT and not hit
        self.quiet += action == WAIT and not fire
        self.hour += 1
        return Stepped(self._seen(), float(hit), self.hour == len(self.fires))

    def best(self) -> str:
        fire = self.fires[min(self.hour, len(self.fires) - 1)]
        return call("ring", floor=fire) if fire else WAIT

    def tally(self) -> Tally:
        right = (self.hits + self.quiet) / len(self.fires)
        counted = {"hits": self.hits, "false_alarms": self.alarms, "misses": self.misses, "silences": self.quiet}
        return Tally(reached=right, questions=self.asked, **counted)

    def _seen(self) -> Observation:
        fire = self.fires[self.hour] if self.hour < len(self.fires) else 0
        text = f"Hour {self.hour}: {f'smoke on floor {fire}' if fire else 'all is quiet'}."
        rings = tuple(call("ring", floor=floor) for floor in (1, 2)) if self.listed else ()
        return Observation(text, "tick", (*rings, call("who"), WAIT) if self.listed else ())


class Nights(WorldStream):
    """Night watches; every third hour there is a fire."""

    def __init__(self, tasks: int = 4, hours: int = 6, granted: str = "free", listed: bool = True, cost: float = 50.0):
        self.tasks = tasks
        self.hours = hours
        self.granted = granted
        self.listed = listed
        self.cost = cost

    def load(self) -> Sequence[Pair]:
        tasks = [Task(f"night-{n}", {"task": f"Keep watch in night {n}."}) for n in range(self.tasks)]
        return [(task, self.key_of(task)) for task in tasks]

    def world(self, task: Task) -> World:
        number = int(task.id.rpartition("-")[2])
        return Night([1 + (number + h) % 2 if (number + h) % 3 == 0 else 0 for h in range(self.hours)], self.listed)

    def limits(self, task: Task) -> Limits:
        return Limits(turns=4 * self.hours, granted=self.granted, cost=self.cost)  # type: ignore[arg-type]


def key(text: str) -> Key:
    return Key((text,))


class Ruin(Hall):
    """A hall that breaks down at the second door, in a way of its own."""

    def __init__(self, way: str) -> None:
        super().__init__(("blue", "green"))
        self.way = way

    def reset(self, seed: int) -> Observation:
        if self.way == "reset":
            raise RuntimeError("out of order")
        return super().reset(seed)

    def step(self, action: str) -> Stepped:
        sound = super().step(action)
        if not self.passed:
            return sound
        match self.way:
            case "raise":
                raise RuntimeError("out of order")
            case "hang":
                while True:
                    pass
            case "nonsense":
                return 3, 4  # type: ignore[return-value]
            case "no number":
                return sound._replace(reward=float("nan"))
            case "no observation":
                return sound._replace(observation="a door")  # type: ignore[arg-type]
            case "endless":
                return sound._replace(observation=Observation("door " * 10_000))
        return sound


class Ruins(WorldStream):
    """One ruin of each kind, and one that is none."""

    ways = ("reset", "raise", "hang", "nonsense", "no number", "no observation", "endless")

    def load(self) -> Sequence[Pair]:
        return [(Task(way, {"task": f"Pass the {way}."}), Key(("blue; green",))) for way in (*self.ways, "sound")]

    def world(self, task: Task) -> World:
        return Ruin(task.id)

    def limits(self, task: Task) -> Limits:
        return Limits(turns=9, seconds=0.05 if task.id == "hang" else 60.0)


class Says(Model):
    """A model that says a text, or else takes an option by chance; it leaves after so many calls, if told to."""

    scripted = True
    temperature = 1.0
    ways = ("likelihood", "generation")
    calls: ClassVar[int | None] = None

    def __init__(self, text: str = "") -> None:
        self.text = text

    def engine(self, stream: Stream) -> Engine:
        return _Saying(self.text)


class _Saying:
    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop"})

    def __init__(self, text: str) -> None:
        self.text, self.seen = text, 0

    def complete(self, request):
        self.seen += 1
        if Says.calls is not None and self.seen > Says.calls:
            raise Outage("it has left")
        options = (request.config.extensions or {}).get("options") or [self.text]
        said = self.text or options[int(generator(request.config.seed).integers(len(options)))]
        return replied(request, said, [], 1)
