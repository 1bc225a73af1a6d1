"""ProactiveBench: what is shown, how it is counted, and that preparation and play share nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.agents.decider import GroundTruth
from toolkit.errors import SpecError
from toolkit.evaluation.study import Study
from toolkit.moves import WAIT, actions_of
from toolkit.records import Task
from toolkit.streams.proactive import OFFER, ProactiveBench, Trace
from toolkit.streams.windows import Window, parted
from toolkit.streams.worlds import solved
from toolkit.traits.goals import Reactive
from toolkit.traits.learning import FixedExamples

DATA = Path(__file__).parents[3] / "shared" / "data" / "proactivebench"
DOCUMENTED = " ".join((Path(__file__).parents[2] / "docs" / "proactivebench.md").read_text("utf-8").split())
needs_data = pytest.mark.skipif(not DATA.exists(), reason="ProactiveBench is not beside the project")


def write(folder: Path, traces: dict[str, str], *, more: tuple[tuple[tuple[str, ...], bool], ...] = ()) -> Path:
    """The files, with a trace for each name; its labels are letters: y, n, or others to say both in that order."""
    rows: list[tuple[tuple[str, ...], bool]] = []
    for name, labels in traces.items():
        for place, label in enumerate(labels):
            events = tuple(f"{name} does thing {number}." for number in range(place + 1))
            rows += [(events, said == "y") for said in {"t": "yn", "m": "yyn", "l": "nyn"}.get(label, label)]
    rows += more
    lines = [
        json.dumps({"obs": [{"time": "1", "event": event} for event in events], "help_needed": needed})
        for events, needed in rows
    ]
    (folder / "reward_data").mkdir()
    (folder / "reward_data" / "train_data.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    (folder / "reward_data" / "test_data.jsonl").write_text(lines[0] + "\n", "utf-8")
    return folder


@pytest.fixture
def small(tmp_path: Path) -> str:
    return str(write(tmp_path, {"Mara": "nyny", "Jan": "ynnn", "Ida": "nny"}))


def played(world: Trace, *actions: str) -> Trace:
    world.reset(0)
    for action in actions:
        world.step(action)
    return world


# What the real files hold: docs/proactivebench.md says the same.


@needs_data
def test_what_there_is_is_as_the_documentation_says() -> None:
    counts = ProactiveBench(str(DATA)).counts()
    assert (counts.rows, counts.windows, counts.needed, counts.traces) == (787, 152, 64, 8)
    assert (counts.leaked, counts.conflicting, counts.ties) == (38, 0, 0)
    assert "787 rows on 152 windows of 8 traces; 38 windows stand in both files" in DOCUMENTED
    assert "needed in 64 windows; in 41 of the others" in DOCUMENTED


@needs_data
def test_help_was_needed_where_all_annotators_accept_one_proposal_which_is_not_the_majority() -> None:
    said: dict[str, list[dict[str, object]]] = {}
    for file in ProactiveBench(str(DATA)).files():
        for row in map(json.loads, file.read_text("utf-8").splitlines()):
            said.setdefault(json.dumps(row["obs"]), []).append(row)
    accepted = 0
    for rows in said.values():
        proposals = [row["annotation"] for row in rows if row["pred_task"] is not None]
        needed = rows[0]["help_needed"]
        assert needed == any(all(annotation) for annotation in proposals)
        accepted += not needed and any(2 * sum(annotation) > len(annotation) for annotation in proposals)
    assert accepted == 41


@needs_data
def test_traces_without_labels_have_no_event_of_their_own() -> None:
    stream = ProactiveBench(str(DATA), pooled=0)
    known = {event for task, _ in stream.pairs() for window in stream.world(task).windows for event in window.events}
    files = sorted((DATA / "test_data").glob("*.json"))
    seen = [row["observation"]["event"] for file in files for row in json.loads(file.read_text("utf-8"))]
    assert set(seen) <= known
    assert f"hold {len(seen)} events of {len(files)} of these traces" in DOCUMENTED


@needs_data
@pytest.mark.parametrize("draw", range(5))
@pytest.mark.parametrize("pooled", [1, 2, 7])
def test_no_window_and_no_event_of_the_pool_is_played(draw: int, pooled: int) -> None:
    stream = ProactiveBench(str(DATA), pooled=pooled, draw=draw)
    kept = {event for task, _ in stream.pool() for window in stream.world(task).windows for event in window.events}
    windows = [window for task, _ in stream.pairs() for window in stream.world(task).windows]
    assert kept
    assert kept.isdisjoint(event for window in windows for event in window.events)
    assert len(windows) + len(stream.pool()) == 152
    assert len(stream.pairs()) == 8 - pooled
    for task, _ in stream.pool():
        shown = [line[2:] for line in task.inputs["now"].splitlines()]
        assert kept >= {text for text in shown if not text.endswith("…")}


@needs_data
def test_truth_scores_1_and_the_constant_arms_what_the_labels_come_to() -> None:
    stream = ProactiveBench(str(DATA), pooled=0)
    offering, waiting = list[float](), list[float]()
    for task, key in stream.pairs():
        best = solved(stream.world(task), 0, stream.limits(task).turns)
        assert (best.tally.reached, key.oracle, actions_of(key.answers[0])) == (1.0, 1.0, best.actions)
        always = played(stream.world(task), *[OFFER] * len(best.actions)).tally()
        never = played(stream.world(task), *[WAIT] * len(best.actions)).tally()
        assert always.hits == never.misses == best.tally.hits == best.tally.best_steps
        assert always.false_alarms == never.silences == best.tally.silences
        assert (best.tally.false_alarms, best.tally.misses, always.misses, never.hits) == (0, 0, 0, 0)
        assert always.reached == best.tally.hits / len(best.actions) == pytest.approx(1 - never.reached)
        offering.append(always.reached)
        waiting.append(never.reached)
    told = f"always scores {mean(offering):.3f} on average over traces, and never to offer {mean(waiting):.3f}"
    assert told in DOCUMENTED


@needs_data
def test_the_same_parameters_are_the_same_stream_and_what_is_seen_is_part_of_it() -> None:
    stream = ProactiveBench(str(DATA), draw=3)
    again = ProactiveBench.from_config(stream.config())
    assert (again.pairs(), again.pool(), again.fingerprint()) == (stream.pairs(), stream.pool(), stream.fingerprint())
    for changed in ({"events": 1}, {"letters": 40}, {"windows": 4}, {"draw": 4}, {"pooled": 1}, {"tasks": 2}):
        other = ProactiveBench.from_config(stream.config() | changed)
        assert other.fingerprint() != stream.fingerprint(), changed
    for seen in ({"events": 1}, {"letters": 40}):  # which no key and no pool tells of
        other = ProactiveBench.from_config(stream.config() | {"pooled": 0} | seen)
        assert other.fingerprint() != ProactiveBench(str(DATA), draw=3, pooled=0).fingerprint()
    assert ProactiveBench(str(DATA), draw=3, tasks=2).pairs() == stream.pairs()[:2]


# What the class does, on files of our own.


def test_the_order_of_the_rows_does_not_matter(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in "ab"]
    for folder in folders:
        folder.mkdir()
        write(folder, {"Mara": "nyny", "Jan": "ynnn", "Ida": "nny"})
    file = folders[1] / "reward_data" / "train_data.jsonl"
    file.write_text("".join(reversed(file.read_text("utf-8").splitlines(keepends=True))), "utf-8")
    one, other = (ProactiveBench(str(folder), pooled=1) for folder in folders)
    assert one.fingerprint() == other.fingerprint()


def test_labels_change_nothing_that_is_seen_whatever_is_done(tmp_path: Path) -> None:
    seen = []
    for name, labels in {"a": "nyny", "b": "ynyn", "c": "nnnn"}.items():
        folder = tmp_path / name
        folder.mkdir()
        stream = ProactiveBench(str(write(folder, {"Mara": labels})), pooled=0)
        (task, key) = stream.pairs()[0]
        world = stream.world(task)
        shown = [task, world.reset(0), *(world.step(action) for action in (OFFER, WAIT, "dance", OFFER, OFFER, WAIT))]
        seen.append(shown)
        assert actions_of(key.answers[0]) == tuple(OFFER if label == "y" else WAIT for label in labels)
    assert seen[0] == seen[1] == seen[2]
    assert {stepped.reward for stepped in seen[0][2:]} == {0.0}


def test_the_majority_of_the_rows_is_the_label_and_a_tie_is_left_out(tmp_path: Path) -> None:
    stream = ProactiveBench(str(write(tmp_path, {"Mara": "lmty"})), pooled=0)
    counts = stream.counts()
    assert (counts.rows, counts.windows, counts.needed, counts.conflicting, counts.ties) == (10, 4, 2, 3, 1)
    (task, key) = stream.pairs()[0]
    assert actions_of(key.answers[0]) == (WAIT, OFFER, OFFER)
    assert [len(window.events) for window in stream.world(task).windows] == [1, 2, 4]


def test_each_tick_shows_the_newest_events_cut_at_a_word(small: str) -> None:
    stream = ProactiveBench(small, pooled=0, events=2, letters=20)
    for task, _ in stream.pairs():
        world = stream.world(task)
        first, second = world.reset(0), world.step(WAIT).observation
        third = world.step(OFFER).observation
        assert (first.cause, first.actions) == ("tick", (OFFER, WAIT))
        assert first.text == second.text.splitlines()[0]
        assert second.text.splitlines()[1:] == third.text.splitlines()[:1]
        assert all(len(line) <= 2 + 20 for line in third.text.splitlines())
    cut = ProactiveBench(small, pooled=0, events=1, letters=20, windows=1)
    assert {cut.world(task).reset(0).text for task, _ in cut.pairs()} == {
        "- Mara does thing 0.",
        "- Jan does thing 0.",
        "- Ida does thing 0.",
    }


def test_what_is_no_action_is_refused_and_time_stands_still(small: str) -> None:
    stream = ProactiveBench(small, pooled=0)
    world = stream.world(stream.pairs()[0][0])
    first = world.reset(0)
    stepped = world.step("dance")
    assert stepped.observation == first
    assert "no action 'dance'" in stepped.info["refused"]
    assert world.tally() == replace(world.tally(), hits=0, false_alarms=0, misses=0, silences=0, reached=0.0)
    for _ in world.windows:
        assert not stepped.terminated
        stepped = world.step(world.best())
    assert stepped.terminated
    assert world.tally().reached == 1.0
    late = world.step(OFFER)
    assert (late.terminated, world.tally().reached, world.best()) == (True, 1.0, WAIT)
    assert "it is over" in late.info["refused"]


@given(st.lists(st.booleans(), min_size=1, max_size=12), st.data())
def test_every_window_is_counted_once(needs: list[bool], data: st.DataObject) -> None:
    windows = [Window(tuple(map(str, range(place + 1))), needed) for place, needed in enumerate(needs)]
    offers = data.draw(st.lists(st.booleans(), max_size=len(needs)))
    tally = played(Trace(windows), *(OFFER if offer else WAIT for offer in offers)).tally()
    met = list(zip(needs, offers, strict=False))
    assert tally.hits + tally.misses == sum(needed for needed, _ in met)
    assert tally.hits + tally.false_alarms == sum(offer for _, offer in met)
    assert tally.hits + tally.misses + tally.false_alarms + tally.silences == len(offers)
    assert tally.reached == sum(needed == offer for needed, offer in met) / len(needs)


@given(st.lists(st.lists(st.sampled_from("abcdefgh"), min_size=1, max_size=3), max_size=10))
def test_windows_are_parted_as_finely_as_can_be_without_sharing_an_event(held: list[list[str]]) -> None:
    windows = [Window(tuple(events), False) for events in held]
    groups = parted(windows)
    key = lambda window: window.events  # noqa: E731
    assert sorted((window for group in groups for window in group), key=key) == sorted(windows, key=key)
    texts = [{event for window in group for event in window.events} for group in groups]
    assert sum(map(len, texts)) == len(set().union(*texts))
    for group in groups:  # within one, every window is reached from the first by shared events
        reached, left = set(group[0].events), group[1:]
        while near := [window for window in left if reached & set(window.events)]:
            reached.update(*(window.events for window in near))
            left = [window for window in left if window not in near]
        assert not left


def test_a_window_of_the_pool_can_be_played(small: str) -> None:
    stream = ProactiveBench(small, pooled=1)
    for task, key in stream.pool():
        assert task.options == (OFFER, WAIT)
        assert solved(stream.world(task), 0, 1).actions == key.answers == (stream.world(task).best(),)
        assert task.inputs["now"] == stream.world(task).reset(0).text
    assert {key.answers[0] for _, key in stream.pool()} == {OFFER, WAIT}


@pytest.mark.parametrize("name", ["trace-0", "", "/1"])
def test_a_task_of_another_stream_is_no_world_here(small: str, name: str) -> None:
    stream = ProactiveBench(small)
    with pytest.raises(SpecError, match="no trace or window"):
        stream.world(Task(name, {}))
    with pytest.raises(SpecError, match="no trace or window"):
        stream.world(Task(f"{stream.pairs()[0][0].id}/99", {}))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"events": 0}, "events must be a whole number of at least 1 but is 0"),
        ({"letters": 5}, "letters must be a whole number of at least 20 but is 5"),
        ({"pooled": True}, "pooled must be a whole number of at least 0 but is True"),
        ({"pooled": 3}, "there are 3 traces, but pooled is 3"),
        ({"tasks": 2}, "pooled is 2 and tasks is 2"),
        ({"path": "nowhere"}, "cannot be read.*thunlp/ProactiveAgent"),
    ],
)
def test_what_cannot_be_is_refused_with_the_way_out(small: str, changed: dict[str, object], message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ProactiveBench(**{"path": small, **changed}).pairs()


@pytest.mark.parametrize(
    "line",
    [
        "{",
        "[]",
        '{"obs": [], "help_needed": true}',
        '{"obs": [{"event": "a"}], "help_needed": "yes"}',
        '{"obs": [{"event": 1}], "help_needed": true}',
        '{"obs": [{"time": "1"}], "help_needed": true}',
        '{"obs": [{"event": "a"}]}',
    ],
)
def test_a_broken_row_is_named(small: str, line: str) -> None:
    file = Path(small) / "reward_data" / "train_data.jsonl"
    file.write_text(file.read_text("utf-8") + line + "\n", "utf-8")
    with pytest.raises(SpecError, match="line 12"):
        ProactiveBench(small).pairs()


def test_windows_that_go_two_ways_are_no_trace(tmp_path: Path) -> None:
    branch = (("Mara does thing 0.", "Mara goes home.", "Mara sleeps."), True)
    stream = ProactiveBench(str(write(tmp_path, {"Mara": "nyn", "Jan": "n"}, more=(branch,))), pooled=0)
    with pytest.raises(SpecError, match="each begin with the one before"):
        stream.pairs()


def test_arms_play_it_prepared_or_not_and_a_replay_is_the_same(small: str, study: Callable[..., Study]) -> None:
    arms = (
        Arm("truth", decider=GroundTruth(), goals=Reactive(prompted="ticks")),
        Arm("polled", goals=Reactive(prompted="ticks")),
        Arm("few-shot", learning=FixedExamples(2), goals=Reactive(prompted="ticks")),
    )
    made = study(*arms, stream=ProactiveBench(small, pooled=1), seeds=1)
    assert [one.status for one in made.run()] == ["finished"] * 3
    rows = made.episodes()
    assert (rows[rows.arm == "truth"].score == 1).all()
    assert made.replay().identical
