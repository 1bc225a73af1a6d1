"""Gymnasium's toy-text games: oracles are exact, random play comes to what dynamic programming says, words are true."""

from __future__ import annotations

import math
import re
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit as tk
from toolkit.errors import MissingExtra, SpecError
from toolkit.moves import Tally, actions_of
from toolkit.streams.gym import GymWorld, Optimum, Played
from toolkit.streams.toy_text import GAMES, ToyText
from toolkit.streams.worlds import solved

pytest.importorskip("gymnasium", reason="Gymnasium (extra: worlds) is not installed")


def played(world: GymWorld, seed: int, rng: np.random.Generator | None = None) -> tuple[Tally, float]:
    """An episode by the oracle, or by chance: its tally and its rewards."""
    actions, done = world.reset(seed).actions, False
    total = 0.0
    while not done:
        stepped = world.step(world.best() if rng is None else actions[int(rng.integers(len(actions)))])
        done, total = stepped.terminated or stepped.truncated, total + stepped.reward
    return world.tally(), total


@pytest.mark.parametrize("game", ["lake", "taxi", "cliff"])
def test_oracles_score_the_maximum_and_no_shorter_way_is_known(game: str) -> None:
    stream = ToyText(game, tasks=5, draw=1)  # type: ignore[arg-type]
    for task, key in stream.pairs():
        found = solved(stream.world(task), 3, stream.limits(task).turns)
        assert found.actions == actions_of(key.answers[0])
        assert (found.tally.reached, found.tally.score, key.oracle) == (1.0, 1.0, 1.0)
        assert found.tally.best_steps == len(found.actions) == fewest(stream.world(task))


def fewest(world: GymWorld) -> int:
    """The fewest actions to the goal, by breadth-first search over the environment's own table."""
    world.reset(0)
    env = world._env.unwrapped
    won = max(reward for by in env.P.values() for results in by.values() for _, _, reward, ended in results if ended)
    layer, depth, seen = {int(env.s)}, 0, set[int]()
    while layer:
        depth, seen = depth + 1, seen | layer
        after = [one for state in layer for results in env.P[state].values() for one in results]
        if any(ended and reward == won for _, _, reward, ended in after):
            return depth
        layer = {int(state) for _, state, _, ended in after if not ended} - seen
    raise AssertionError("the goal cannot be reached")


def test_on_slippery_ice_the_oracle_and_random_play_come_to_what_they_must() -> None:
    stream = ToyText("slippery_lake", tasks=3, draw=2, turns=40)
    task, key = min(stream.pairs(), key=lambda pair: pair[1].oracle)
    world, chance = stream.world(task), stream.optimum(task).at_random()[40, 0]
    assert 0 < chance < key.oracle < 1
    best = np.mean([played(world, seed)[0].reached for seed in range(600)])
    rng = np.random.default_rng(0)
    random = np.mean([played(world, seed, rng)[0].reached for seed in range(600)])
    assert abs(best - key.oracle) < 4 * math.sqrt(key.oracle * (1 - key.oracle) / 600)
    assert abs(random - chance) < 4 * math.sqrt(chance * (1 - chance) / 600)


def test_random_driving_costs_what_dynamic_programming_says() -> None:
    stream = ToyText("taxi", tasks=1, turns=20)
    world, rng = stream.world(stream.pairs()[0][0]), np.random.default_rng(1)
    world.reset(0)
    expected = stream.optimum(stream.pairs()[0][0]).at_random()[20, world._env.unwrapped.s]
    costs = [played(world, 0, rng)[1] for _ in range(200)]
    assert abs(np.mean(costs) - expected) < 4 * np.std(costs) / math.sqrt(200)


def test_the_best_way_gets_no_better_by_being_cut_off_and_detours_cost_score() -> None:
    stream = ToyText("cliff", tasks=1)
    world = stream.world(stream.pairs()[0][0])
    world.reset(0)
    world.step("go right")  # over the cliff
    assert world.tally().reached == 0.0
    while not world.tally().reached:
        world.step(world.best())
    assert world.tally().score == pytest.approx(13 / 14)
    assert world.best() == "wait"
    again = world.step("go up")
    assert (again.info["refused"], again.terminated) == ("the episode is over", True)


@settings(max_examples=25)
@given(st.text(max_size=20))
def test_nonsense_moves_nothing(action: str) -> None:
    stream = ToyText("taxi", tasks=1)
    world = stream.world(stream.pairs()[0][0])
    shown = world.reset(0)
    stepped = world.step(action)
    assert stepped.info["refused"]
    assert shown.text in stepped.observation.text
    assert stepped.reward == 0
    assert not stepped.terminated
    assert world.best() == actions_of(stream.pairs()[0][1].answers[0])[0]


def test_the_walls_of_the_city_are_where_the_rules_say() -> None:
    stream = ToyText("taxi", tasks=1)
    told = stream.pairs()[0][0].inputs["rules"]
    assert "in rows 1 and 2 between columns 2 and 3; in rows 4 and 5 between columns 1 and 2, and" in told
    walls = {(row, column) for row in (1, 2) for column in (2,)} | {(r, c) for r in (4, 5) for c in (1, 3)}
    chances = stream.optimum(stream.pairs()[0][0]).chances
    east = GAMES["taxi"].actions.index("go east")
    for row in range(5):
        for column in range(4):
            state = (row * 5 + column) * 20
            stays = chances[state][east][0][1] == state
            assert stays == ((row + 1, column + 1) in walls)


def test_what_is_seen_is_where_one_is() -> None:
    stream = ToyText("lake", tasks=1, draw=4)
    (task, key) = stream.pairs()[0]
    world = stream.world(task)
    seen = [world.reset(0).text, *(world.step(action).observation.text for action in actions_of(key.answers[0]))]
    places = [re.search(r"row (\d), column (\d), (.*)\.", text).groups() for text in seen]  # type: ignore[union-attr]
    assert places[0] == ("1", "1", "at the start")
    assert places[-1] == ("4", "4", "at the goal")
    assert {place[2] for place in places[1:-1]} == {"on ice"}
    rows = dict(re.findall(r"row (\d): ([a-z, ]+)", task.inputs["rules"]))
    assert all(rows[row].split(", ")[int(column) - 1] != "hole" for row, column, _ in places)


def test_an_episode_follows_from_its_seed_and_the_task_from_its_draw() -> None:
    stream = ToyText("slippery_lake", tasks=2)
    world = stream.world(stream.pairs()[0][0])
    runs = [[world.reset(seed).text, *(world.step("go right").observation.text for _ in range(12))] for seed in (5, 5)]
    assert runs[0] == runs[1]
    many = {tuple(world.step("go right").observation.text for _ in range(12)) for seed in range(9) if world.reset(seed)}
    assert len(many) > 1
    assert stream.fingerprint() == ToyText("slippery_lake", tasks=2).fingerprint()
    assert stream.fingerprint() != ToyText("slippery_lake", tasks=2, draw=1).fingerprint()
    assert stream.fingerprint() != ToyText("slippery_lake", tasks=2, turns=99).fingerprint()


def test_any_environment_with_discrete_actions_becomes_a_world() -> None:
    import gymnasium

    world = tk.GymWorld(
        make=lambda: gymnasium.make("Blackjack-v1"),
        actions=("stick", "hit"),
        describe=lambda hand: f"You hold {hand[0]}, the dealer shows {hand[1]}.",
        judge=lambda one: Tally(reached=float(one.total > 0), score=(one.total + 1) / 2),
    )
    assert re.match(r"You hold \d+, the dealer shows \d+\.", world.reset(0).text)
    scores = {world.tally().score for seed in range(30) if world.reset(seed) and world.step("stick").terminated}
    assert scores == {0.0, 0.5, 1.0}
    with pytest.raises(NotImplementedError, match="knows no oracle"):
        world.best()


def test_of_equally_good_ways_the_oracle_takes_the_shorter() -> None:
    sure = {0: {0: [(1.0, 0, 0.0, False)], 1: [(1.0, 1, 1.0, True)]}, 1: {0: [(1.0, 1, 0.0, True)], 1: []}}
    best = Optimum.of(sure, turns=9)
    assert best.choices[:, 0].tolist() == [1] * 9
    assert best.steps(0) == 1
    assert Played().start is None


def test_mistakes_are_told_with_the_way_out(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SpecError, match=r"size must be a whole number from 3 to 12(.|\n)*did you mean 'taxi'"):
        ToyText("taxy", size=2).pairs()  # type: ignore[arg-type]
    with pytest.raises(SpecError, match="12 turns do not let the goal of cliff-0000 be reached; give more"):
        ToyText("cliff", turns=12).pairs()
    with pytest.raises(ValueError, match="is no task of"):
        ToyText("cliff", tasks=1).world(tk.Task("cliff-0003", {}))
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(MissingExtra, match=r"\[worlds\]"):
        ToyText("cliff").pairs()
