"""Gymnasium's environments as worlds in words, and what the best that can be had in a tabular one is.

Any environment with discrete actions will do: say what its actions are called, how what it shows reads, and what an
episode came to.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from toolkit.moves import WAIT, Cause, Observation, Tally
from toolkit.streams.worlds import Stepped, World

Chances: TypeAlias = Mapping[int, Mapping[int, Sequence[tuple[float, int, float, bool]]]]
"""A tabular environment as Gymnasium's toy-text games hold it in ``P``: by state and action what may come of it, each
with its chance, the next state, the reward, and whether that is the end."""

_SAME = 1e-9
"""Expected rewards that differ by less are equal but for rounding."""


@dataclass(frozen=True, slots=True)
class Played:
    """What an episode came to so far.

    Parameters
    ----------
    total
        Rewards, summed.
    steps
        Actions taken.
    terminated
        Whether it is over.
    start
        The state it began in, where states are numbered; else None.
    """

    total: float = 0.0
    steps: int = 0
    terminated: bool = False
    start: int | None = None


@dataclass(frozen=True)
class Optimum:
    """The best policy of a tabular environment for a limited number of turns, exactly.

    Parameters
    ----------
    values
        Expected sum of rewards by turns left (0 to the limit) and state, shape (turns + 1, states).
    choices
        The best action likewise, shape (turns, states); row h is for h + 1 turns left. Of equally good ones it is the
        one that is expected to end sooner, of those the first.
    chances
        What it was made of.
    """

    values: np.ndarray
    choices: np.ndarray
    chances: Chances

    @classmethod
    def of(cls, chances: Chances, turns: int) -> Optimum:
        """By backward induction, without discounting: V_h(s) = max_a Σ p (r + V_{h−1}(s') unless that is the end).

        References
        ----------
        Puterman 1994, Markov decision processes, chapter 4 (finite horizon).

        Examples
        --------
        >>> coin = {0: {0: [(0.5, 0, 0.0, False), (0.5, 1, 1.0, True)]}, 1: {0: [(1.0, 1, 0.0, True)]}}
        >>> Optimum.of(coin, turns=2).values[:, 0].tolist()
        [0.0, 0.5, 0.75]
        """
        rewards, onward = _arrays(chances)
        values = np.zeros((turns + 1, len(chances)))
        choices = np.zeros((turns, len(chances)), dtype=int)
        spent, every = np.zeros(len(chances)), np.arange(len(chances))
        for left in range(turns):
            worth, length = rewards + onward @ values[left], 1 + onward @ spent
            values[left + 1] = np.max(worth, axis=0)
            length[worth < values[left + 1] - _SAME] = np.inf
            choices[left] = np.argmin(length, axis=0)
            spent = length[choices[left], every]
        return cls(values, choices, chances)

    @property
    def turns(self) -> int:
        """The limit."""
        return len(self.choices)

    def at_random(self) -> np.ndarray:
        """Expected sums of rewards of one who takes each action with equal chance, shaped as ``values``."""
        rewards, onward = _arrays(self.chances)
        values = np.zeros_like(self.values)
        for left in range(self.turns):
            values[left + 1] = np.mean(rewards + onward @ values[left], axis=0)
        return values

    def steps(self, state: int) -> int | None:
        """Actions that the best policy takes from a state; None if chance decides, or the end is out of reach."""
        for left in range(self.turns, 0, -1):
            followed = [one for one in self.chances[state][int(self.choices[left - 1, state])] if one[0] > 0]
            if len(followed) > 1:
                return None
            _, state, _, ended = followed[0]
            state = int(state)
            if ended:
                return self.turns - left + 1
        return None


def _arrays(chances: Chances) -> tuple[np.ndarray, np.ndarray]:
    """Expected rewards, shape (actions, states), and chances of going on, shape (actions, states, states)."""
    states, actions = len(chances), len(chances[0])
    rewards, onward = np.zeros((actions, states)), np.zeros((actions, states, states))
    for state, by_action in chances.items():
        for action, results in by_action.items():
            for chance, after, reward, ended in results:
                rewards[action, state] += chance * reward
                onward[action, state, after] += 0.0 if ended else chance
    return rewards, onward


class GymWorld(World):
    """An environment with discrete actions as a world in words.

    Parameters
    ----------
    make
        An environment, by Gymnasium's contract; made once, then reset for each episode.
    actions
        What its actions are called, in their order.
    describe
        What it shows, in words.
    judge
        What an episode came to.
    turns
        After how many actions an episode is cut off.
    start
        The seed from which it begins; the episode's seed then only draws what happens on the way. None = both.
    optimum
        The best policy, where it is tabular: without one it has no oracle. See `Optimum`.
    """

    def __init__(
        self,
        make: Callable[[], Any],
        actions: Sequence[str],
        describe: Callable[[Any], str],
        judge: Callable[[Played], Tally],
        turns: int = 100,
        start: int | None = None,
        optimum: Optimum | None = None,
    ) -> None:
        self.make = make
        self.actions = tuple(actions)
        self.describe = describe
        self.judge = judge
        self.turns = turns
        self.start = start
        self.optimum = optimum
        self._env: Any = None
        self._played = Played()
        self._cut = False
        self._shown = ""

    def reset(self, seed: int) -> Observation:
        """The environment from its beginning, its generator as the seed says."""
        if self._env is None:
            self._env = self.make()
        shown, _ = self._env.reset(seed=seed if self.start is None else self.start)
        if self.start is not None:
            self._env.unwrapped.np_random = np.random.default_rng(seed)
        self._cut = False
        self._played = Played(start=None if self.optimum is None else int(self._env.unwrapped.s))
        return self._seen(self.describe(shown), "prompt")

    def step(self, action: str) -> Stepped:
        """Take one of ``actions``; anything else, and whatever comes after the end, is refused."""
        before = self._played
        if before.terminated or self._cut or action not in self.actions:
            over = before.terminated or self._cut
            why = "the episode is over" if over else f"{action[:40]!r} is none of {', '.join(self.actions)}"
            seen = Observation(f"{why}. {self._shown}", "result", self.actions)
            return Stepped(seen, 0.0, before.terminated, self._cut, {"refused": why})
        shown, reward, terminated, truncated, _ = self._env.step(self.actions.index(action))
        self._played = Played(before.total + float(reward), before.steps + 1, bool(terminated), before.start)
        self._cut = not terminated and (bool(truncated) or self._played.steps >= self.turns)
        return Stepped(self._seen(self.describe(shown)), float(reward), bool(terminated), self._cut)

    def _seen(self, text: str, cause: Cause = "result") -> Observation:
        self._shown = text
        return Observation(text, cause, self.actions)

    def tally(self) -> Tally:
        """As ``judge`` says."""
        return self.judge(self._played)

    def best(self) -> str:
        """The best action for the turns that are left.

        Raises
        ------
        NotImplementedError
            If it was given no optimum.
        """
        if self.optimum is None:
            return super().best()
        left = min(self.turns, self.optimum.turns) - self._played.steps
        if self._played.terminated or self._cut or left < 1:
            return WAIT
        return self.actions[int(self.optimum.choices[left - 1, int(self._env.unwrapped.s)])]

    def close(self) -> None:
        """Close the environment."""
        if self._env is not None:
            self._env.close()
            self._env = None
