"""Games as studies: the oracle's arm scores the maximum, and a replay needs no game."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import toolkit as tk
from toolkit.agents.decider import GroundTruth, RandomChoice
from toolkit.evaluation.study import Study
from toolkit.streams.text_games import TextGame
from toolkit.traits.goals import Reactive

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "textworld"
GAMES = [
    tk.TwentyQuestions(tasks=2, things=5),
    tk.ToyText("lake", tasks=2, turns=30),
    pytest.param(
        tk.TextWorldFiles(str(FOLDER), games=1),
        marks=[
            pytest.mark.skipif(not FOLDER.exists(), reason="games of TextWorld are not beside the project"),
            pytest.mark.filterwarnings("ignore::jericho.UnsupportedGameWarning"),
        ],
    ),
]


@pytest.mark.parametrize("stream", GAMES, ids=lambda stream: stream.label)
def test_the_oracle_wins_random_play_does_not_and_both_replay(
    study: Callable[..., Study], stream: tk.WorldStream, monkeypatch: pytest.MonkeyPatch
) -> None:
    polled = Reactive(prompted="turns")
    arms = (
        tk.Arm("truth", goals=polled, decider=GroundTruth()),
        tk.Arm("random", goals=polled, decider=RandomChoice()),
    )
    made = study(*arms, stream=stream, seeds=1)
    assert [one.status for one in made.run()] == ["finished"] * 2
    rows = made.episodes().set_index("arm")
    assert (rows.loc[["truth"]].score == 1).all()
    assert {one["ended"] for one in rows.loc[["truth"]].outcome} == {"done"}
    assert [one["steps"] for one in rows.loc[["truth"]].outcome] == [
        one["best_steps"] for one in rows.loc[["truth"]].outcome
    ]
    assert {one["invalid"] for one in rows.outcome} == {0}
    straight = [one["reached"] * one["best_steps"] / one["steps"] for one in rows.loc[["random"]].outcome]
    assert sum(straight) < len(straight)

    def gone(self: object, seed: int) -> None:
        raise RuntimeError("a replay asks no world")

    for world in (tk.GymWorld, TextGame, type(tk.TwentyQuestions().world(tk.TwentyQuestions().pairs()[0][0]))):
        monkeypatch.setattr(world, "reset", gone)
    assert made.replay().identical
