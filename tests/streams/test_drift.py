"""Streams that drift: every order keeps the change in its place, and the desk's truth is another from there on."""

from __future__ import annotations

from itertools import pairwise

import pytest
from errands import Errands

from toolkit.errors import SpecError
from toolkit.evaluation.design import ORDERS, order
from toolkit.streams.desk import Desk, wordings
from toolkit.streams.kept import Kept, written
from toolkit.streams.stream import sessions


class Changing(Errands):
    """Errands whose truth is said to change where a test wants it."""

    places: tuple[object, ...] = (7, 12)

    def drifts(self):
        return self.places

    def difficulty(self):
        return [float(number % 3) for number in range(len(self.pairs()))]


@pytest.mark.parametrize("kind", ORDERS)
@pytest.mark.parametrize("seed", range(3))
def test_no_order_moves_a_task_across_a_drift(kind: str, seed: int) -> None:
    stream = Changing(tasks=20)
    found = order(stream, kind, 0, seed)
    for stretch in (range(7), range(7, 12), range(12, 20)):
        assert sorted(found[stretch.start : stretch.stop]) == list(stretch)


def test_the_orders_of_a_drifting_stream_still_differ_between_seeds_and_keep_sessions() -> None:
    desk = Desk(tasks=60, drift=1)
    one, other = (order(desk, "shuffled", 0, seed) for seed in (0, 1))
    assert one != other
    for start in (0, 30):
        for session in sessions(desk.pairs()[start : start + 30]):
            places = [start + place for place in session]
            assert [place for place in one if place in places] == places


@pytest.mark.parametrize("places", [(0,), (20,), (9, 7), (7, 7), (7.0,), (True,)])
def test_places_that_are_none_are_refused(places: tuple[object, ...]) -> None:
    stream = Changing(tasks=20)
    stream.places = places
    with pytest.raises(SpecError, match=r"drifts\(\) must be ascending places from 1 to 19 but is"):
        order(stream, "shuffled", 0, 0)


def test_a_desk_that_does_not_drift_is_what_it_was() -> None:
    desk = Desk(tasks=50)
    assert set(desk.config()) == {"use", "tasks", "queues", "draw", "returning", "delay"}
    still = Desk(tasks=50, drift=0)
    assert (still.pairs(), still.pool(), tuple(still.drifts())) == (desk.pairs(), desk.pool(), ())


@pytest.mark.parametrize("share", [None, 0.25, 1.0])
def test_a_reorganisation_moves_its_share_of_topics_and_nothing_else(share: float | None) -> None:
    desk, plain = Desk(tasks=200, drift=3, redrawn=share), Desk(tasks=200)
    assert tuple(desk.drifts()) == (50, 100, 150)
    regimes = desk.companies()
    assert regimes[0] == plain.company()
    for before, after in pairwise(regimes):
        moved = sum(before.rules[topic] != after.rules[topic] for topic in before.rules)
        assert moved == round((0.5 if share is None else share) * len(wordings().topics))
        assert (after.queues, after.regulars) == (before.queues, before.regulars)
    assert [task for task, _ in desk.pairs()] == [task for task, _ in plain.pairs()]
    assert desk.pool() == plain.pool()
    assert desk.pairs()[:50] == plain.pairs()[:50]
    assert desk.pairs()[50:] != plain.pairs()[50:]


def test_the_oracle_is_right_under_every_regime_and_in_the_pool() -> None:
    desk = Desk(tasks=120, drift=2, redrawn=1.0)
    for task, key in [*desk.pairs(), *desk.pool()]:
        assert key.answers == (desk.oracle(task),)
    for place, (task, key) in enumerate(desk.pairs()):
        company = desk.companies()[place // 40]
        assert key.answers == (company.route(wordings().topic(task.inputs["ticket"]), task.user),)
    handled = {one.user: one.handler for one in desk.company().regulars if one.handler}
    for (task, key), hard in zip(desk.pairs(), desk.difficulty(), strict=True):
        assert not hard or key.answers == (handled[task.user],)


@pytest.mark.parametrize("change", ["gradual", "recurring"])
def test_the_oracle_is_right_however_the_rules_change(change: str) -> None:
    desk, sudden = Desk(tasks=120, drift=2, redrawn=1.0, change=change), Desk(tasks=120, drift=2, redrawn=1.0)
    assert tuple(desk.drifts()) == (40, 80)
    assert [task for task, _ in desk.pairs()] == [task for task, _ in sudden.pairs()]
    assert desk.pairs()[:40] == sudden.pairs()[:40]
    assert desk.pool() == sudden.pool()
    for task, key in [*desk.pairs(), *desk.pool()]:
        assert key.answers == (desk.oracle(task),)
    handled = {one.user: one.handler for one in desk.company().regulars if one.handler}
    for (task, key), hard in zip(desk.pairs(), desk.difficulty(), strict=True):
        assert not hard or key.answers == (handled[task.user],)
    assert Desk.from_config(desk.config()).fingerprint() == desk.fingerprint() != sudden.fingerprint()


def test_what_recurs_is_the_rules_of_before() -> None:
    desk = Desk(tasks=100, drift=4, change="recurring")
    first, second, *rest = desk.companies()
    assert first.rules != second.rules
    assert rest == [first, second, first]


def test_a_gradual_change_comes_with_rising_chance_and_no_order_moves_its_tickets() -> None:
    desk = Desk(tasks=2000, drift=1, redrawn=1.0, change="gradual", returning=0.0)
    new = [key.answers[0] == desk.companies()[1].rules[wordings().topic(task.inputs["ticket"])]
           for task, key in desk.pairs()]  # fmt: skip
    assert not any(new[:1000])
    assert all(new[1500:])
    shares = [sum(new[start : start + 100]) / 100 for start in range(1000, 1500, 100)]
    assert shares == pytest.approx([0.1, 0.3, 0.5, 0.7, 0.9], abs=0.15)
    small = Desk(tasks=60, drift=1, change="gradual")
    for kind in ORDERS:
        places = order(small, kind, 0, 1)
        assert places[30:45] == tuple(range(30, 45)), kind
        assert sorted(places[45:]) == list(range(45, 60))
    assert order(small, "shuffled", 0, 1)[45:] != order(small, "shuffled", 0, 2)[45:]
    kept = Kept(written(small))
    assert order(kept, "shuffled", 0, 1) == order(small, "shuffled", 0, 1)
    assert list(kept.drifts()) == [30]


def test_borders_must_hold_every_drift() -> None:
    class Leaky(Changing):
        def borders(self):
            return (7,)

    with pytest.raises(SpecError, match=r"borders\(\) must hold every drift but lacks 12"):
        order(Leaky(tasks=20), "shuffled", 0, 0)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tasks": 10, "drift": 10}, "drift must be a whole number from 0 to 9 but is 10"),
        ({"drift": -1}, "drift must be a whole number from 0"),
        ({"drift": 1, "redrawn": 0.0}, r"redrawn must be a share in \(0, 1\] but is 0.0"),
        ({"redrawn": 0.5}, "nothing drifts"),
        ({"change": "gradual"}, "change='gradual' needs a drift of at least 1 but it is None"),
        ({"change": "recurring", "drift": 1}, "needs a drift of at least 2 but it is 1"),
        ({"change": "slow", "drift": 1}, "'gradual', 'recurring' or None but is 'slow'"),
    ],
)
def test_a_drift_out_of_range_is_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        Desk(**parameters).load()


def test_kept_tasks_keep_their_drifts() -> None:
    desk = Desk(tasks=40, drift=1)
    kept = Kept(written(desk))
    assert kept.fingerprint() == desk.fingerprint()
    assert order(kept, "shuffled", 0, 1) == order(desk, "shuffled", 0, 1)
    assert "drifts" not in written(Desk(tasks=40))
