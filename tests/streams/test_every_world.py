"""What holds of every shipped world: its oracle reaches the most there is, and nothing outside of it is touched."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from errands import DATA

from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth, RandomChoice
from toolkit.component import is_shipped, registered
from toolkit.evaluation.study import Study
from toolkit.streams import (
    DeskCases,
    ProactiveBench,
    Tau2,
    TextWorld,
    TextWorldFiles,
    ToyText,
    TwentyQuestions,
    WorldStream,
)
from toolkit.traits.goals import GoalPolicy, Reactive

OWN = {
    "cases": lambda: DeskCases(tasks=4, watch=0.25),
    "unlisted": lambda: DeskCases(tasks=4, watch=0.25, listed=False),
    "questions": lambda: TwentyQuestions(tasks=3, things=12),
    "lake": lambda: ToyText("lake", tasks=2),
    "slippery": lambda: ToyText("slippery_lake", tasks=2),
    "taxi": lambda: ToyText("taxi", tasks=2),
    "cliff": lambda: ToyText("cliff", tasks=1),
    "textworld": lambda: TextWorld("coin_collector", level=2, games=2),
}
READ = {
    "retail": ("tau2", lambda path: Tau2(str(path), "retail", tasks=3)),
    "mock": ("tau2", lambda path: Tau2(str(path), "mock", tasks=2)),
    "proactive": ("proactivebench", lambda path: ProactiveBench(str(path), tasks=2)),
    "games": ("textworld", lambda path: TextWorldFiles(str(path), games=2)),
}
DRAWN = {"slippery"}  # the best play is the best in the mean
FORBIDDEN = ("socket.", "subprocess.", "os.system", "os.exec", "os.posix_spawn", "os.fork", "shutil.", "os.remove")
LOADING = ("libfrotz.so", "shutil.rmtree")  # TextWorld's interpreter: copied to a folder of its own for each game
_watching: list[list[str]] = []


class Free(GoalPolicy):
    """Acts on every turn, as far as it may."""

    autonomy = "notify"

    def wants(self, now) -> bool:
        return True


def _hook(event: str, given: tuple[object, ...]) -> None:
    if not _watching:
        return
    writes = event == "open" and len(given) > 1 and isinstance(given[1], str) and set(given[1]) & set("wax+")
    if writes or event.startswith(FORBIDDEN):
        _watching[-1].append(f"{event} {given!r:.200}")


sys.addaudithook(_hook)


@contextmanager
def watched() -> Iterator[list[str]]:
    """What happens within that no world may do."""
    seen: list[str] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.pop()


@pytest.fixture(params=[*OWN, *READ])
def world(request: pytest.FixtureRequest) -> tuple[str, WorldStream]:
    name = request.param
    if name in OWN:
        return name, OWN[name]()
    folder, made = READ[name]
    if not (DATA / folder).exists():
        pytest.skip(f"needs the data of {folder}, which are not part of the project")
    return name, made(DATA / folder)


def test_its_oracle_reaches_the_most_and_nobody_more(
    world: tuple[str, WorldStream], study: Callable[..., Study]
) -> None:
    name, stream = world
    random = Arm("random", goals=Reactive("ticks"), decider=RandomChoice())
    made = study(Arm("truth", goals=Free(), decider=GroundTruth()), random, stream=stream, seeds=1)
    assert [one.status for one in made.run()] == ["finished", "finished"]
    rows = made.episodes()
    assert (rows.status == "ok").all()
    if name not in DRAWN:
        truth = rows[rows.arm == "truth"]
        assert truth.score.tolist() == pytest.approx(truth.oracle.tolist())
        assert (rows.score <= rows.oracle + 1e-9).all()
    assert made.replay().identical


def test_it_touches_nothing_outside(world: tuple[str, WorldStream], tmp_path: Path) -> None:
    _, stream = world
    task, _ = stream.pairs()[0]
    stream.world(task).reset(0)  # what is loaded once is loaded
    with watched() as seen:
        game = stream.world(task)
        now = game.reset(3)
        for turn in range(8):
            stepped = game.step(now.actions[turn % len(now.actions)] if now.actions else game.best())
            now = stepped.observation
            game.tally()
            if stepped.terminated or stepped.truncated:
                break
        game.close()
    own = LOADING if isinstance(stream, TextWorld | TextWorldFiles) else ()
    assert [one for one in seen if not any(part in one for part in own)] == []


def test_the_watch_sees_what_is_forbidden(tmp_path: Path) -> None:
    with watched() as seen:
        (tmp_path / "x").write_text("x")
    assert len(seen) == 1


def test_no_shipped_world_is_left_out() -> None:
    plays = {name for name, cls in registered("stream").items() if cls.plays and is_shipped(cls)}
    tried = {type(made()).__name__ for made in OWN.values()}
    assert plays == tried | {"Tau2", "ProactiveBench", "TextWorldFiles"}
