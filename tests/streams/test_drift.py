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


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"tasks": 10, "drift": 10}, "drift must be a whole number from 0 to 9 but is 10"),
        ({"drift": -1}, "drift must be a whole number from 0"),
        ({"drift": 1, "redrawn": 0.0}, r"redrawn must be a share in \(0, 1\] but is 0.0"),
        ({"redrawn": 0.5}, "nothing drifts"),
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
