"""Cases and watches of the desk: the oracle has the most everywhere, simple players what arithmetic says, no leaks."""

import copy
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from statistics import fmean

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.errors import SpecError
from toolkit.moves import WAIT, Observation, Tally, actions_of, call, called
from toolkit.records import Task
from toolkit.streams.case_world import FACTS, CaseWorld, Matter, case_texts
from toolkit.streams.cases import DeskCases
from toolkit.streams.company import wordings
from toolkit.streams.desk import Desk
from toolkit.streams.stream import shuffled
from toolkit.streams.watch_world import Duty, Event, WatchWorld, events_of
from toolkit.streams.worlds import World

Player = Callable[[World, Observation], str]

streams = st.builds(
    DeskCases,
    tasks=st.integers(1, 16),
    draw=st.integers(0, 2**70),
    watch=st.floats(0, 1),
    hidden=st.floats(0, 1),
    silent=st.floats(0, 1),
    returning=st.floats(0, 1),
    queues=st.integers(2, 4),
    ticks=st.integers(1, 19),
    grace=st.integers(0, 4),
    annoyance=st.floats(0.01, 1),
    reading=st.floats(0, 1),
    listed=st.booleans(),
    drift=st.one_of(st.none(), st.just(0)),
)


def play(world: World, player: Player, turns: int = 100) -> tuple[Tally, list[str]]:
    """What a player comes to, and all it was shown; whoever waits where there are no ticks has left."""
    seen, shown = world.reset(0), []
    for _ in range(turns):
        shown.append(seen.text)
        action = player(world, seen)
        if seen.actions:
            assert action in seen.actions or (action == WAIT and not world.ticks)
        stepped = world.step(action)
        seen = stepped.observation
        if stepped.terminated or (action == WAIT and not world.ticks):
            assert stepped.reward == world.tally().score
            break
    return world.tally(), [*shown, seen.text]


def planned(*first: str, then: Player = lambda world, _: world.best()) -> Player:
    """Does these, then as another."""
    left = list(first)
    return lambda world, seen: left.pop(0) if left else then(world, seen)


def best(world: World, seen: Observation) -> str:
    return world.best()


def again(stream: DeskCases, **other: object) -> DeskCases:
    """The same with other parameters."""
    return DeskCases(**{name: other.get(name, getattr(stream, name)) for name in DeskCases.parameters()})


def of_kind(stream: DeskCases, kind: type) -> list:
    return [stream.world(task) for task, _ in stream.pairs() if isinstance(stream.world(task), kind)]


# What is drawn


@settings(max_examples=40, deadline=None)
@given(stream=streams)
def test_proportions_are_exact(stream):
    for pairs in (stream.pairs(), stream.pool()):
        truths = [stream.truth(task) for task, _ in pairs]
        matters = [truth for truth in truths if isinstance(truth, Matter)]
        assert sum(bool(matter.hidden) for matter in matters) == round(stream.hidden * len(matters))
        for task, _ in pairs:
            world = stream.world(task)
            if isinstance(world, WatchWorld):
                assert world.needed.count(False) == round(stream.silent * stream.ticks)
                assert len(world.events) == stream.ticks
    watches = sum(task.user == "duty" for task, _ in stream.pairs())
    assert watches == round(stream.watch * stream.tasks)


def test_what_is_hidden_is_dealt_in_turn_and_each_rule_comes_up():
    matters = [one.matter for one in of_kind(DeskCases(tasks=300, watch=0.0, returning=0.0), CaseWorld)]
    assert Counter(one.hidden for one in matters) == {None: 150, "order": 50, "cause": 50, "channel": 50}
    remedies = Counter(actions_of(key.answers[0])[-2].partition(" ")[0] for _, key in DeskCases(tasks=300).pairs())
    assert min(remedies[one] for one in ("refund", "replace", "escalate")) > 30


def test_a_drift_exchanges_remedies_and_duties_from_its_place_on_and_nothing_before():
    plain, drifting = DeskCases(tasks=60), DeskCases(tasks=60, drift=2)
    assert list(drifting.drifts()) == [20, 40]
    first, second, third = drifting.practices()
    assert first == plain.practice() == drifting.practice()
    for old, new in ((first, second), (second, third)):
        moved = [topic for topic in old.rules if old.rules[topic] != new.rules[topic]]
        assert len(moved) == len(old.rules) // 2
        assert all(new.rules[topic] == old.rules[topic].exchanged() for topic in moved)
        assert all(new.rules[topic].remedies.keys() == old.rules[topic].remedies.keys() for topic in moved)
        assert new.channels == old.channels
        assert all(getattr(new.duty, one) != getattr(old.duty, one) for one in ("window", "hours", "days"))
    assert drifting.pairs()[:20] == plain.pairs()[:20]
    assert drifting.pool() == plain.pool()
    assert drifting.fingerprint() != plain.fingerprint()
    for place, (task, _) in enumerate(drifting.pairs()):
        world = drifting.world(task)
        practice = drifting.practices()[place // 20]
        assert (world.rules if isinstance(world, CaseWorld) else world.duty) in (practice.rules, practice.duty)
        assert play(world, best)[0].score == 1


def test_no_order_moves_a_case_across_a_drift():
    stream = DeskCases(tasks=40, drift=1)
    order = shuffled(stream, np.random.default_rng(3))
    assert {place < 20 for place in order[:20]} == {True}
    assert sorted(order) == list(range(40))


def test_drifts_are_fewer_than_tasks():
    with pytest.raises(SpecError, match=r"drift must be a whole number of at least 0 and at most 3 but is 4"):
        DeskCases(tasks=4, drift=4).pairs()


def needs(texts: list[str], duty: Duty) -> list[bool]:
    """The labels as the texts alone give them: another reading than the world's own."""
    found, topics = [], []
    for text in texts:
        number = int(next(iter(re.findall(r"(?:in|for) (\d+) (?:hour|day)s?\.$", text)), 0))
        topics.append(wordings().topic(text) if text.startswith("New ticket") else None)
        recent = topics[-duty.window :]
        outage = topics[-1] is not None and recent.count(topics[-1]) >= 3
        found.append(outage or ("due" in text and 0 < number <= duty.hours and topics[-1] is None))
        found[-1] = found[-1] or ("has not answered" in text and topics[-1] is None and number >= duty.days)
    return found


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    duty=st.builds(Duty, st.integers(4, 6), st.integers(2, 5), st.integers(3, 6)),
    ticks=st.integers(1, 24),
    share=st.floats(0, 1),
)
def test_labels_of_a_watch_follow_from_its_texts(seed, duty, ticks, share):
    quiet = round(share * ticks)
    events = events_of(np.random.default_rng(seed), duty, ticks, quiet)
    assert needs([event.text for event in events], duty) == list(WatchWorld(events, duty).needed)
    assert needs([event.text for event in events], duty).count(False) == quiet


def test_watches_hold_outages_and_what_only_looks_like_one():
    worlds = of_kind(DeskCases(tasks=60, watch=1.0), WatchWorld)
    seen = Counter(
        (event.happening, need) for one in worlds for event, need in zip(one.events, one.needed, strict=True)
    )
    assert min(seen[kind, need] for kind in ("ticket", "deadline", "absence") for need in (True, False)) > 40


def test_equal_parameters_give_equal_streams_in_another_process():
    code = "from toolkit.streams.cases import DeskCases; print(DeskCases(tasks=12, draw=3).fingerprint())"
    found = {
        subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        ).stdout.strip()
        for seed in ("1", "2")
    }
    assert found == {DeskCases(tasks=12, draw=3).fingerprint()}


def test_what_stands_in_no_task_is_in_the_fingerprint():
    assert DeskCases(tasks=3).fingerprint() != DeskCases(tasks=3, annoyance=0.3).fingerprint()


def test_two_draws_are_two_companies():
    one, other = DeskCases(draw=1), DeskCases(draw=2)
    assert one.practice() != other.practice()
    assert not {task.inputs["task"] for task, _ in one.pairs() if task.user != "duty"} & {
        task.inputs["task"] for task, _ in other.pairs() if task.user != "duty"
    }
    assert one.company() == Desk(draw=1, queues=3).company()


def test_the_rules_cannot_be_known_beforehand():
    practices = [DeskCases(draw=draw).practice() for draw in range(60)]
    for topic, texts in case_texts()["topics"].items():
        first = Counter(one.rules[topic].remedies[next(iter(texts["causes"]))] for one in practices)
        assert 15 <= first["refund"] <= 45  # 30 expected, sd 3.9
    assert len({one.duty for one in practices}) > 20


# Customers who return


def test_a_channel_is_left_out_only_after_the_customer_was_met_in_every_order():
    stream = DeskCases(tasks=80, watch=0.2, returning=0.8, hidden=0.6)
    orders = [range(80), *(shuffled(stream, np.random.default_rng(seed)) for seed in range(3))]
    for tasks in ([stream.pairs()[place][0] for place in order] for order in orders):
        channels: dict[str, str] = {}
        for task in tasks:
            truth = stream.truth(task)
            if isinstance(truth, Matter):
                assert truth.known == (task.user in channels)
                assert channels.setdefault(task.user, truth.channel) == truth.channel
        truths = [stream.truth(task) for task in tasks]
        assert sum(one.known for one in truths if isinstance(one, Matter)) > 30


def test_who_remembers_a_customer_need_not_ask_again():
    worlds = [one for one in of_kind(DeskCases(tasks=60, watch=0.0, returning=1.0), CaseWorld) if one.matter.known]
    assert len(worlds) > 30
    for world in worlds:
        again, _ = play(world, planned("customer", call("ask", about="channel")))
        assert (again.score, again.questions - again.useful) == (0.8, 1)
        wrong = next(one for one in case_texts()["channels"] if one != world.matter.channel)
        guessed, _ = play(world, guessing(call("close", by=wrong)))
        assert guessed.score == 0.5
        assert play(world, best)[0].score == 1


def guessing(close: str) -> Player:
    """The oracle, but for how it closes."""
    return lambda world, _: close if world.best().startswith("close") else world.best()


# The oracle


@settings(max_examples=60, deadline=None)
@given(stream=streams)
def test_the_oracle_has_the_most_everywhere(stream):
    for task, key in (*stream.pairs(), *stream.pool()):
        world = stream.world(task)
        tally, _ = play(world, best)
        assert tally.score == key.oracle == tally.reached == 1
        assert tally.found == tally.blockers == tally.useful == tally.questions
        assert (tally.false_alarms, tally.misses) == (0, 0)
        assert tally.lead == stream.grace * tally.hits
        plan = actions_of(key.answers[0])
        assert sum(action != WAIT for action in plan) == tally.best_steps
        replayed, _ = play(world, planned(*plan))
        assert replayed == tally


@settings(max_examples=60, deadline=None)
@given(stream=streams, seed=st.integers(0, 2**32), length=st.integers(0, 12))
def test_from_any_state_the_oracle_takes_a_case_to_all_that_is_left(stream, seed, length):
    rng, stream = np.random.default_rng(seed), again(stream, listed=True, watch=0.0)
    for task, _ in stream.pairs()[:4]:
        world, left = stream.world(task), length
        seen = world.reset(0)
        while left and seen.actions:
            seen, left = world.step(str(rng.choice(seen.actions))).observation, left - 1
        tally, after = world.tally(), copy.deepcopy(world)
        spoilt = after._done and not after._right  # a wrong remedy cannot be taken back
        reached = tally.reached if not seen.actions else 0.0 if spoilt else 1.0
        spent = stream.annoyance * (tally.questions - tally.useful) + stream.reading * after._pages
        while seen.actions:
            seen = after.step(after.best()).observation
        assert after.tally().score == max(0.0, reached - spent)


def leaves(world: World, seen: Observation) -> tuple[float, float]:
    """The most that can be had from here on, and what comes of choosing evenly, both by trying everything."""
    if not seen.actions:
        score = world.tally().score
        assert score is not None
        return score, score
    found = []
    for action in seen.actions:
        other = copy.deepcopy(world)
        found.append(leaves(other, other.step(action).observation))
    return max(most for most, _ in found), fmean(mean for _, mean in found)


@pytest.mark.parametrize("grace", [0, 1, 3])
@pytest.mark.parametrize("silent", [0.0, 0.5, 1.0])
def test_from_any_state_the_oracle_has_the_most_of_a_watch(grace, silent):
    stream = DeskCases(tasks=2, watch=1.0, ticks=4, grace=grace, silent=silent, reading=0.02)
    for world in of_kind(stream, WatchWorld):
        for first in ([WAIT] * 2, [WAIT] * 3, [call("policy", topic="duty")] * 3):
            seen = world.reset(0)
            for action in first:
                seen = world.step(action).observation
            most, _ = leaves(world, seen)
            while seen.actions:
                seen = world.step(world.best()).observation
            assert world.tally().score == pytest.approx(most, abs=1e-12)


# Simple players have what arithmetic says

SETTINGS = [
    DeskCases(tasks=24, draw=1),
    DeskCases(tasks=30, draw=2, hidden=0.3, silent=0.25, annoyance=0.5, ticks=8, watch=0.5),
    DeskCases(tasks=20, draw=3, hidden=1.0, silent=1.0, annoyance=0.1, grace=0, returning=1.0),
    DeskCases(tasks=20, draw=4, hidden=0.0, silent=0.0, queues=2),
]


@pytest.mark.parametrize("stream", SETTINGS, ids=lambda one: f"draw{one.draw}")
def test_who_is_always_silent_has_the_silences(stream):
    quiet = round(stream.silent * stream.ticks)
    loud, weight = stream.ticks - quiet, stream.annoyance
    watches = round(stream.watch * stream.tasks)
    scores = []
    for task, _ in stream.pairs():
        tally, _ = play(stream.world(task), lambda *_: WAIT)
        scores.append(tally.score)
        if task.user == "duty":
            assert (tally.hits, tally.false_alarms, tally.misses, tally.silences) == (0, 0, loud, quiet)
    expected = weight * quiet / (loud + weight * quiet) * watches / stream.tasks
    assert fmean(scores) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("stream", SETTINGS, ids=lambda one: f"draw{one.draw}")
def test_who_always_acts_has_every_hit_and_every_false_alarm(stream):
    quiet = round(stream.silent * stream.ticks)
    loud = stream.ticks - quiet
    for world in of_kind(stream, WatchWorld):
        tally, _ = play(world, lambda _, seen: seen.actions[2] if len(seen.actions) > 2 else WAIT)
        assert (tally.hits, tally.false_alarms, tally.misses, tally.silences) == (loud, quiet, 0, 0)
        assert tally.score == pytest.approx(loud / (loud + stream.annoyance * quiet), abs=1e-12)
        assert tally.lead == loud * stream.grace
    for world in of_kind(stream, CaseWorld):
        matter = world.matter
        first = call("order", id=matter.orders[0].id)
        tally, _ = play(world, planned("customer", first, "refund", call("close", by="email")))
        rule = world.rules[matter.topic]
        right = matter.which == 0 and matter.order.price <= rule.limit and rule.remedies[matter.cause] == "refund"
        assert tally.score == right * (1 + (matter.channel == "email")) / 2


@pytest.mark.parametrize("stream", SETTINGS, ids=lambda one: f"draw{one.draw}")
def test_who_always_asks_pays_for_all_but_what_is_hidden(stream):
    worlds = of_kind(stream, CaseWorld)
    hidden, every = round(stream.hidden * len(worlds)), [call("ask", about=fact) for fact in FACTS]
    tallies = [play(world, planned(*every))[0] for world in worlds]
    paid = [max(0.0, 1 - stream.annoyance * (3 - needed)) for needed in (1, 0)]
    expected = (hidden * paid[0] + (len(worlds) - hidden) * paid[1]) / len(worlds)
    assert fmean(tally.score for tally in tallies) == pytest.approx(expected, abs=1e-12)
    assert sum(tally.useful for tally in tallies) == hidden == sum(tally.found for tally in tallies)
    assert {tally.questions for tally in tallies} == {3}


@pytest.mark.parametrize("stream", SETTINGS, ids=lambda one: f"draw{one.draw}")
def test_who_never_asks_and_guesses_wrongly_loses_all_that_is_hidden(stream):
    def wrongly(world: CaseWorld, seen: Observation) -> str:
        truth, hidden = world.matter, world.matter.hidden
        if hidden == "order" and world._looked and not world._open:
            return call("order", id=truth.orders[1 - truth.which].id)
        if hidden and world.best() == call("ask", about=hidden):
            if hidden == "channel" and world._done:
                return call("close", by=next(one for one in case_texts()["channels"] if one != truth.channel))
            if world._open is None:
                return call("order", id=truth.order.id)
            rule = world.rules[truth.topic]
            swapped = {"refund": "replace", "replace": "refund"}
            right = rule.remedy(truth.cause, truth.order.price)
            return swapped.get(right, right) if hidden == "cause" else right if hidden == "channel" else "refund"
        return world.best()

    worlds = of_kind(stream, CaseWorld)
    tallies = [play(world, wrongly)[0] for world in worlds]
    lost = {None: 1.0, "order": 0.0, "cause": 0.0, "channel": 0.5}
    assert [tally.score for tally in tallies] == [lost[world.matter.hidden] for world in worlds]
    assert sum(tally.questions for tally in tallies) == 0


@pytest.mark.parametrize("queues", [2, 3, 4])
def test_who_chooses_at_random_reaches_what_the_chain_of_states_gives(queues):
    """Of the calls that lead on, 1 in 4 looks up; then 1 in 5 opens the right order, and so on: 1 / (30 (5 + q))."""
    for world in of_kind(DeskCases(tasks=4, watch=0.0, queues=queues), CaseWorld):
        states, moves, reached = [(world, world.reset(0))], [], {}
        names = {_state(*states[0]): 0}
        for place, (one, seen) in enumerate(states):
            reached[place] = one.tally().reached if not seen.actions else 0.0
            for action in seen.actions:
                other = copy.deepcopy(one)
                after = other, other.step(action).observation
                if _state(*after) not in names:
                    names[_state(*after)] = len(states)
                    states.append(after)
                moves.append((place, names[_state(*after)], 1 / len(seen.actions)))
        chain = np.eye(len(states))
        for here, there, chance in moves:
            chain[here, there] -= chance
        expected = np.linalg.solve(chain, [reached[place] for place in range(len(states))])[0]
        assert expected == pytest.approx(1 / (30 * (5 + queues)), abs=1e-12)


def _state(world: World, seen: Observation) -> tuple[object, ...]:
    return seen.actions, world.tally().reached


def test_who_chooses_at_random_on_a_watch_has_the_mean_of_all_that_can_be_done():
    """Without grace each tick offers to wait, to act, and to read until that was done: half of the time at first."""
    stream = DeskCases(tasks=4, watch=1.0, ticks=4, silent=0.5, grace=0, reading=0.0, annoyance=0.3)
    for world in of_kind(stream, WatchWorld):
        unread = [1 / 2 * (2 / 3) ** tick for tick in range(4)]
        acts = [share / 3 + (1 - share) / 2 for share in unread]
        right = sum(act if need else 0.3 * (1 - act) for act, need in zip(acts, world.needed, strict=True))
        _, mean = leaves(world, world.reset(0))
        assert mean == pytest.approx(right / (2 + 0.3 * 2), abs=1e-12)


# All can be found out


class Reader:
    """Knows nothing but what it is shown, and the shipped sentences: reads a page, asks what the ticket lacks."""

    def __init__(self, ticket: str) -> None:
        self.ticket = ticket
        self.left = ["customer"]
        self.limit, self.remedies, self.queue, self.product, self.cause, self.price = 0, {}, "", "", "", 0
        self.causes = {
            one: cause
            for texts in case_texts()["topics"].values()
            for cause, all_of_it in texts["causes"].items()
            for one in all_of_it
        }

    def __call__(self, world: World, seen: Observation) -> str:
        self.take(seen.text)
        if not self.left:
            self.left = list(self.next(seen))
        return self.left.pop(0)

    def take(self, text: str) -> None:
        for sentence, cause in self.causes.items():
            if sentence in text or sentence in self.ticket:
                self.cause = cause
        if found := re.search(r"It is (?:my|the) ([a-z ]+)(?: for|, order)", f"{text} {self.ticket}"):
            self.product = found[1]
        if found := re.search(r"Policy on .*? Up to (\d+) euros, (.*)\. Above: escalate to (.*)\.", text):
            self.limit, self.queue = int(found[1]), found[3]
            self.remedies = dict(one.split(": ") for one in found[2].split(", "))
        if found := re.search(r"Order .*, (\d+) euros", text):
            self.price = int(found[1])
        if found := re.search(r"by (email|phone|chat)\b", f"{text.lower()} {self.ticket}"):
            self.channel = found[1]
        if text.startswith("Bought: "):
            self.bought = dict(reversed(one.split(" ", 1)) for one in text[8:-1].split("; "))

    def next(self, seen: Observation) -> list[str]:
        if not self.product:
            return [call("ask", about="order")]
        if not self.price:
            page = next(one for one in seen.actions if one.startswith("policy"))
            return [page, call("order", id=self.bought[self.product])]
        if not self.cause and self.price <= self.limit:
            return [call("ask", about="cause")]
        if "refund" in seen.actions:
            over = self.price > self.limit
            return [call("escalate", queue=self.queue) if over else self.remedies[self.cause]]
        return [call("close", by=self.channel)] if hasattr(self, "channel") else [call("ask", about="channel")]


def test_a_case_can_be_settled_from_what_is_shown_alone():
    stream = DeskCases(tasks=80, draw=9, watch=0.0, hidden=0.6)
    for task, _ in stream.pairs():
        world = stream.world(task)
        tally, _ = play(world, Reader(task.inputs["task"]))
        assert tally.reached == 1
        assert tally.score == 1 - stream.reading - stream.annoyance * world.matter.known
        assert tally.useful == tally.found == tally.blockers


def test_a_watch_can_be_kept_from_what_is_shown_alone():
    stream = DeskCases(tasks=20, draw=9, watch=1.0, grace=0)
    for world in of_kind(stream, WatchWorld):
        texts: list[str] = []

        def keep(world: World, seen: Observation, texts: list[str] = texts) -> str:
            if seen.cause == "prompt":
                return call("policy", topic="duty")
            numbers = re.search(
                r"Alert at ticket 3 .* within (\d).* in (\d) .* silent (\d)", " ".join([*texts[:1], seen.text])
            )
            texts.append(seen.text)
            events = [text.partition(f" of {stream.ticks}. ")[2] for text in texts]
            return seen.actions[1] if needs(events, Duty(*map(int, numbers.groups())))[-1] else WAIT

        tally, _ = play(world, keep)
        assert (tally.reached, tally.score) == (1, 1 - stream.reading)


# Nothing is given away


def twins(matter: Matter) -> list[Matter]:
    """The same case with another truth of what it hides."""
    if matter.hidden == "order":
        return [replace(matter, which=1 - matter.which)]
    if matter.hidden == "cause":
        causes = case_texts()["topics"][matter.topic]["causes"]
        return [replace(matter, cause=cause) for cause in causes if cause != matter.cause]
    return [replace(matter, channel=one) for one in case_texts()["channels"] if one != matter.channel]


@settings(max_examples=30, deadline=None)
@given(draw=st.integers(0, 2**40), seed=st.integers(0, 2**32))
def test_until_the_right_question_nothing_seen_depends_on_what_is_hidden(draw, seed):
    stream, rng = DeskCases(tasks=6, draw=draw, watch=0.0, hidden=1.0), np.random.default_rng(seed)
    for task, _ in stream.pairs():
        world, matter = stream.world(task), stream.truth(task)
        for twin in twins(matter):
            other = CaseWorld(twin, world.rules, world.prices, world.queues)
            texts = [one.ticket(np.random.default_rng(seed)) for one in (matter, twin)]
            assert texts[0] == texts[1]
            here, there = world.reset(0), other.reset(0)
            barred = (call("ask", about=matter.hidden), "close")
            for _ in range(12):
                assert here == there
                assert matter.answer(matter.hidden) not in here.text
                offered = [one for one in here.actions if not one.startswith(barred)]
                if not offered:
                    break
                action = str(rng.choice(offered))
                mine, its = world.step(action), other.step(action)
                assert mine.reward == its.reward == 0
                here, there = mine.observation, its.observation


def test_no_task_holds_what_it_hides_nor_what_is_to_be_done():
    for task, _ in (pairs := DeskCases(tasks=60, watch=0.0).pairs()):
        truth, text = DeskCases(tasks=60, watch=0.0).truth(task), task.inputs["task"]
        spoken = {"order": truth.order.product, "channel": truth.channel}
        for fact, word in spoken.items():
            left_out = truth.hidden == fact or (fact == "channel" and truth.known)
            assert (word in text) != left_out
        causes = case_texts()["topics"][truth.topic]["causes"][truth.cause]
        assert any(one in text for one in causes) == (truth.hidden != "cause")
        assert not re.search(r"refund|replace|escalate|[A-H]-\d{3}", text)
        assert not any(queue in text for queue in DeskCases().company().queues)
    assert len({task.id for task, _ in pairs}) == 60


def test_events_do_not_tell_their_labels():
    """The rules are on the page only: no text of a tick says what must be done."""
    for world in of_kind(DeskCases(tasks=10, watch=1.0), WatchWorld):
        _, shown = play(world, lambda *_: WAIT)
        assert not any("Alert" in text or "Remind" in text or "Hurry" in text for text in shown)
        _, told = play(world, planned(call("policy", topic="duty"), then=lambda *_: WAIT))
        assert world.duty.page in told[1]


# What can be done


def test_lists_are_short_and_every_call_on_them_fits_the_tools():
    for stream in SETTINGS:
        rng = np.random.default_rng(0)
        for task, _ in stream.pairs():
            world = stream.world(task)
            seen = world.reset(0)
            while seen.actions:
                assert 2 <= len(seen.actions) <= 15
                for action in set(seen.actions) - {WAIT}:
                    assert call(called(action, world.tools)[0].name, **called(action, world.tools)[1]) == action
                stepped = world.step(str(rng.choice(seen.actions)))
                assert "refused" not in stepped.info
                seen = stepped.observation


@pytest.mark.parametrize("watch", [0.0, 1.0])
def test_unlisted_worlds_take_the_same_calls_and_refuse_all_others(watch):
    stream = DeskCases(tasks=3, watch=watch, listed=False)
    for task, key in stream.pairs():
        world = stream.world(task)
        assert world.reset(0).actions == ()
        before = world.tally()
        for wrong in ("fly", "refund", 'order {"id": "Z-1"}', 'hurry {"ticket": "x"}', "policy {", 'close {"by": 3}'):
            stepped = world.step(wrong)
            assert stepped.info["refused"]
            assert (world.tally(), stepped.terminated) == (before, False)
        assert play(world, planned(*actions_of(key.answers[0])))[0].score == 1


def test_all_that_changes_something_says_so_and_questions_ask():
    tools = {tool.name: tool for one in DeskCases(watch=0.5).pairs()[:20] for tool in DeskCases().world(one[0]).tools}
    changing = {"refund", "replace", "escalate", "close", "alert", "hurry", "remind"}
    assert {name for name, tool in tools.items() if tool.changes} == changing
    assert {name for name, tool in tools.items() if tool.asks} == {"ask"}
    assert tools["ask"].cost == 2


def test_the_third_ticket_is_what_an_alert_is_about_and_late_is_late():
    events = [*[Event("ticket", "subscription", words="x")] * 3, *[Event("deadline", "T-1", 9)] * 3]
    world = WatchWorld(events, Duty(4, 3, 3), grace=1)
    alert = call("alert", kind="subscription")
    early, _ = play(world, planned(WAIT, WAIT, alert, alert))
    assert (early.hits, early.false_alarms, early.lead) == (1, 1, 1)
    later, _ = play(world, planned(WAIT, WAIT, WAIT, WAIT, alert))
    assert (later.hits, later.misses, later.lead) == (1, 0, 0)
    missed, _ = play(world, lambda *_: WAIT)
    assert (missed.hits, missed.misses, missed.silences) == (0, 1, 5)
    world.reset(0)
    assert [world.step(WAIT).observation.actions for _ in range(5)][-1][2:] == ('hurry {"ticket": "T-1"}',)


def test_an_outage_counts_to_the_edge_of_its_window_and_an_alert_is_about_the_ticket_that_needs_it():
    kind, other = Event("ticket", "subscription", words="x"), Event("deadline", "T-1", 9)
    duty = Duty(4, 3, 3)
    assert duty.needs([kind, other, kind, kind], 3)
    assert not duty.needs([kind, other, other, kind, kind], 4)
    world = WatchWorld([kind, other, kind, kind, other, other, kind], duty, grace=3)
    assert world.needed == (False, False, False, True, False, False, False)
    tally, _ = play(world, planned(*[WAIT] * 7, call("alert", kind="subscription")))
    assert (tally.hits, tally.false_alarms, tally.lead) == (1, 0, 0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"tasks": 0}, "tasks"),
        ({"hidden": 1.5}, "hidden"),
        ({"silent": float("nan")}, "silent"),
        ({"annoyance": 0.0}, "annoyance"),
        ({"ticks": 25}, "ticks"),
        ({"turns": 12}, "turns must be at least 13"),
        ({"granted": "all"}, "granted"),
        ({"question": -1.0}, "question"),
        ({"queues": 5}, "queues"),
    ],
)
def test_what_is_out_of_range_is_said(wrong, said):
    with pytest.raises(SpecError, match=said):
        DeskCases(**wrong).pairs()


def test_a_task_of_another_stream_is_refused():
    with pytest.raises(ValueError, match="has no task 'x'"):
        DeskCases(tasks=2).world(Task("x", {}))
