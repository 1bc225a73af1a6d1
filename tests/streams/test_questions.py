"""Twenty questions: the plan is the least there is, the oracle wins, and others come to what arithmetic says."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.moves import actions_of, call, called
from toolkit.streams.questions import Guessing, Plan, TwentyQuestions, things
from toolkit.streams.worlds import solved


def brute(yes: tuple[int, ...], left: int) -> float:
    """The least total of questions over every tree there is, by plain recursion."""

    @cache
    def total(left: int) -> float:
        if left.bit_count() < 2:
            return 0
        parts = [left & one for one in yes if left & one not in (0, left)]
        return left.bit_count() + min((total(part) + total(left ^ part) for part in parts), default=math.inf)

    return total(left)


@given(st.integers(2, 8), st.lists(st.integers(0, 255), min_size=1, max_size=6))
def test_the_plan_is_the_least_of_all_trees_and_greed_is_never_below_it(size: int, rows: list[int]) -> None:
    everything = (1 << size) - 1
    plan, least = Plan([row & everything for row in rows]), brute(tuple(rows), everything)
    if math.isinf(least):
        with pytest.raises(ValueError, match="no question tells them apart"):
            plan.least(everything)
        return
    assert plan.least(everything) == least
    assert plan.greedy(everything) >= least
    assert sum(plan.depth(everything, thing) for thing in range(size)) == least
    assert least >= size * math.log2(size) - 1e-9


def test_somewhere_greed_asks_more_so_that_the_two_are_told_apart() -> None:
    streams = [TwentyQuestions(draw=draw) for draw in range(8)]
    assert all(math.log2(32) <= stream.fewest <= stream.greedy for stream in streams)
    assert any(stream.fewest < stream.greedy for stream in streams)
    for stream in (TwentyQuestions(things=14, draw=draw) for draw in range(6)):
        assert stream.fewest * 14 == brute(stream.table.plan.yes, (1 << 14) - 1)


def test_the_table_is_sound() -> None:
    table = things()
    assert len(set(table.yes.values())) == len(table.yes) == 52
    known = {name for own in table.yes.values() for name in own}
    assert known == set(table.attributes)


def test_the_oracle_finds_everything_in_the_fewest_questions() -> None:
    stream = TwentyQuestions(tasks=32, draw=3)
    asked = []
    for task, key in stream.pairs():
        played = solved(stream.world(task), 0, stream.limits(task).turns)
        tally = played.tally
        assert (tally.reached, tally.score, key.oracle) == (1.0, 1.0, 1.0)
        assert tally.best_steps == len(played.actions) == len(actions_of(key.answers[0]))
        assert tally.useful == tally.questions == len(played.actions) - 1
        assert tally.found == tally.blockers == tally.questions
        asked.append(tally.questions)
    assert np.mean(asked) == stream.fewest  # each thing was hidden once
    assert len({key.answers[0] for _, key in stream.pairs()}) == 32


def test_whoever_guesses_at_once_is_right_once_for_each_thing() -> None:
    stream = TwentyQuestions(tasks=16, things=16)
    first = next(iter(stream.table.yes))
    found = []
    for task, _ in stream.pairs():
        world = stream.world(task)
        world.reset(0)
        world.step(call("guess", thing=first))
        found.append(world.tally())
    assert sum(one.reached for one in found) == 1  # 1 / things
    assert {(one.questions, one.found, one.score) for one in found} == {(0, 0, 0.0), (0, 0, 1.0)}


def test_random_play_is_right_one_time_in_as_many_as_there_are_things() -> None:
    stream, rng, right = TwentyQuestions(tasks=8, things=8), np.random.default_rng(5), 0
    for number in range(600):
        world = stream.world(stream.pairs()[number % 8][0])
        actions = world.reset(0).actions
        done = False
        while not done:
            stepped = world.step(actions[int(rng.integers(len(actions)))])
            done, actions = stepped.terminated, stepped.observation.actions
        right += world.tally().reached == 1.0
    assert abs(right / 600 - 1 / 8) < 4 * math.sqrt(1 / 8 * 7 / 8 / 600)


def test_more_questions_than_the_plan_needs_cost_score() -> None:
    table = things().only(("dog", "apple", "car", "lamp"))
    world = Guessing(table, "dog")
    world.reset(0)
    for about in ("animal", "animal", "worn"):
        world.step(call("ask", about=about))
    assert (world.tally().questions, world.tally().useful, world.tally().found) == (3, 1, 1)
    assert world.best() == call("guess", thing="dog")
    world.step(world.best())
    assert world.tally().score == pytest.approx((world.tally().best_steps or 0) / 4)


@given(st.text(max_size=30))
def test_nonsense_moves_nothing(action: str) -> None:
    world = Guessing(things().only(("dog", "apple", "car")), "car", questions=2)
    shown = world.reset(0)
    try:
        called(action, world.tools)
    except ValueError:
        before = world.tally()
        stepped = world.step(action)
        assert stepped.info["refused"]
        assert (world.tally(), stepped.observation.actions, stepped.terminated) == (before, shown.actions, False)


def test_questions_run_out_and_a_game_is_over_once() -> None:
    world = Guessing(things().only(("dog", "apple", "car")), "car", questions=1)
    world.reset(0)
    left = world.step(call("ask", about="worn")).observation.actions
    assert set(left) == {call("guess", thing=thing) for thing in ("dog", "apple", "car")}
    assert "guess" in world.step(call("ask", about="animal")).info["refused"]
    assert world.step(call("guess", thing="dog")).terminated
    again = world.step(call("guess", thing="car"))
    assert again.info["refused"] == "the game is over"
    assert again.terminated
    assert world.tally().reached == 0.0


def test_bad_parameters_are_told_with_the_way_out() -> None:
    with pytest.raises(SpecError, match=r"things must be a whole number from 2 to 52 but is 99(.|\n)*draw"):
        TwentyQuestions(things=99, draw=-1).pairs()
    with pytest.raises(SpecError, match="questions must be at least"):
        TwentyQuestions(questions=2).pairs()
    with pytest.raises(ValueError, match="is no task of"):
        TwentyQuestions(tasks=2).world(tk.Task("q0009", {}))


def test_equal_streams_are_equal_and_other_draws_are_other() -> None:
    assert TwentyQuestions(draw=1).pairs() == TwentyQuestions(draw=1).pairs()
    assert TwentyQuestions(draw=1).fingerprint() != TwentyQuestions(draw=2).fingerprint()
