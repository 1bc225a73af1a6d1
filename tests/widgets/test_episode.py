"""The view of an episode: what it shows is what the ledger holds, hostile or not, and its buttons are methods."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence

import pytest
from asked_again import queried
from halls import RING, WHO, Halls, Nights, Says

from toolkit.agents.arm import Arm
from toolkit.analysis.played import Played, playable, played
from toolkit.evaluation.study import Study
from toolkit.ledger.log import LedgerError
from toolkit.lm.scripted import Scripted
from toolkit.moves import Observation, Tally
from toolkit.records import Task
from toolkit.streams.stream import Pair
from toolkit.streams.worlds import Stepped, World, WorldStream
from toolkit.traits.goals import Agenda, GoalPolicy, Reactive
from toolkit.widgets.episode import EpisodeView
from toolkit.widgets.memory_view import MemoryInspector

Make = Callable[..., Study]
EVIL = "<img src=x onerror=alert(1)>\x1b[31m</span></article>\u202e & \"'"
ARMS = (Arm("turns", goals=Reactive("turns")), Arm("polled", goals=Reactive("ticks")))


class Musing(GoalPolicy):
    """Acts on every turn; its thought is data like any other."""

    autonomy = "free"

    def wants(self, now) -> bool:
        return True

    def act(self, now, choose):
        return self.acted(now, choose(), EVIL)


class Evil(WorldStream):
    """Whose every text would like to be more than data."""

    def load(self) -> Sequence[Pair]:
        return [(task, self.key_of(task)) for task in [Task(EVIL, {EVIL: EVIL})]]

    def world(self, task: Task) -> World:
        return EvilWorld()


class EvilWorld(World):
    def reset(self, seed: int) -> Observation:
        return Observation(EVIL, "prompt", (EVIL, "go"))

    def step(self, action: str) -> Stepped:
        return Stepped(Observation(EVIL, "result", (EVIL,)), math.pi, True)

    def best(self) -> str:
        return EVIL

    def tally(self) -> Tally:
        return Tally(reached=1.0)


def sides(made: Study) -> list[Played]:
    return [played(made.ledger, made.name, one) for one in playable(made.ledger, made.name)]


@pytest.mark.usefixtures("form")
def test_turns_and_their_sums_are_those_of_the_ledger(study: Make) -> None:
    asking = Arm("agenda", goals=Agenda(autonomy="notify"))
    made = study(*ARMS, asking, stream=Nights(tasks=2, granted="ask"), lm=Scripted(p=0.5), seeds=1)
    made.run()
    assert any(stop.refused and stop.tool for side in sides(made) for stop in side.stops)  # costs nothing
    for side in sides(made):
        which, outcome, last = side.which, side.outcome, side.stops[-1]
        rows = made.ledger.sql("SELECT * FROM moves WHERE run = ? AND t = ? ORDER BY turn", which.run, which.t)
        for name in ("cause", "seen", "action", "reward", "refused", "manner", "prompts", "thought"):
            assert [getattr(stop.move, name) for stop in side.stops] == rows[name].tolist()
        row = made.ledger.sql("SELECT score, outcome FROM episodes WHERE run = ? AND t = ?", which.run, which.t).iloc[0]
        assert (side.score, outcome.flat) == (row.score, row.outcome)
        assert (last.cost, last.prompts) == (outcome.cost, outcome.prompts)
        assert last.reward == pytest.approx(outcome.reward)
        assert [tool.name for tool in side.tools] == [RING.name, WHO.name]
        assert all(stop.move.action in stop.can for stop in side.stops if stop.acted)


def test_it_shows_every_turn_also_to_a_reader_without_a_kernel(study: Make) -> None:
    made = study(*ARMS, stream=Nights(tasks=2), lm=Scripted(p=0.5), seeds=1)
    made.run()
    view = made.watch("polled", beside="turns")
    assert [side.which.arm for side in view.sides] == ["polled", "turns"]
    assert len({side.which.case for side in view.sides}) == 1
    static = view._repr_mimebundle_()[0]["text/html"]
    assert static.count("<article") == sum(len(side.stops) + 1 for side in view.sides)
    assert "http" not in static
    assert "application/vnd.jupyter.widget-view+json" in view._repr_mimebundle_()[0]


def test_whatever_a_button_does_a_method_does(study: Make) -> None:
    made = study(*ARMS, stream=Halls(tasks=2), lm=Scripted(p=0.5), seeds=2)
    made.run()
    view = made.watch()
    assert view.turn == 0
    assert view.forward().forward().back().turn == 1
    assert view.go(10_000).turn == view.last == len(view.sides[0].stops)
    for name, value in (("task", "hall-1"), ("arm", "polled"), ("seed", 1), ("beside", "turns")):
        view._heard(view, {"command": name, "value": str(view.menu[name].index(value))}, [])
    first, second = view.sides
    assert (first.which.case, first.which.arm, view.turn) == (second.which.case, "polled", 0)
    assert first.which.case[:2] == ("hall-1", 1)
    assert re.findall("<option [^>]*selected>([^<]*)", view.html) == ["polled", "turns", "hall-1", "1"]
    view._heard(view, {"command": "task", "value": "<nowhere>"}, [])
    assert "no place '<nowhere>'" in view.note
    assert view.sides == (first, second)
    with pytest.raises(LedgerError, match="arm 'agent'; "):
        view.show(arm="agent")
    assert view.show(beside="").sides == (first,)


def test_a_study_that_goes_on_can_be_looked_at_again(study: Make) -> None:
    made = study(Arm("turns", goals=Reactive("turns")), stream=Halls(tasks=3), lm=Says(), seeds=1, order="given")
    with pytest.raises(LedgerError, match="no study is called"):
        made.watch()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Says, "calls", 14)
        made.run()
    view = made.watch().go(2)
    begun = view.menu["task"]
    assert 1 <= len(begun) < 3
    made.run()
    assert view.look().menu["task"] == ["hall-0", "hall-1", "hall-2"]
    assert (view.turn, view.sides[0].which.task) == (2, "hall-0")
    assert EpisodeView(made.name, ledger=made.ledger).html == view.html


def test_hostile_texts_are_data(study: Make) -> None:
    made = study(Arm("agent", goals=Musing()), name="evil", stream=Evil(), lm=Says(), seeds=1)
    made.run()
    view = made.watch()
    static = view._repr_mimebundle_()[0]["text/html"]
    assert "onerror=alert(1)&gt;" in static
    assert "<img" not in static
    assert "\x1b" not in static
    assert "\u202e" not in static
    opened, closed = (len(re.findall(f"<{mark}(?:article|span|td|div|section)[ >]", static)) for mark in ("", "/"))
    assert opened == closed


def test_it_is_a_page_as_other_views_are(study: Make) -> None:
    made = study(*ARMS, stream=Halls(tasks=2), lm=Scripted(p=0.5), seeds=1)
    made.run()
    view = made.watch("polled")
    queried(view, made.ledger)
    slider = re.search('<input type="range"[^>]*>', view.html)
    assert slider
    assert f'max="{view.last}"' in slider[0]
    assert "aria-label" in slider[0]
    static = view._repr_mimebundle_()[0]["text/html"]
    assert "<input" not in static
    assert "<button" not in static
    inspector = MemoryInspector(made, "polled")
    inspector._heard(inspector, {"command": "open", "value": "0"}, [])
    assert inspector.html.count("data-play") == 1
