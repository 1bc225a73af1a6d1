"""Games of TextWorld: won by their walkthroughs and from wherever one got lost; the same seed is the same game."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import toolkit as tk
from toolkit.checks import check
from toolkit.errors import MissingExtra, SpecError
from toolkit.moves import actions_of
from toolkit.streams import text_made
from toolkit.streams.text_games import TextGame, TextGames, TextWorldFiles, cleaned
from toolkit.streams.text_made import QUESTS, Recipe, TextWorld
from toolkit.streams.worlds import solved

pytestmark = pytest.mark.filterwarnings("ignore::jericho.UnsupportedGameWarning")  # it knows only published games
pytest.importorskip("textworld", reason="TextWorld (extra: worlds) is not installed")

FOLDER = Path(__file__).parents[3] / "shared" / "data" / "textworld"
needs_files = pytest.mark.skipif(not FOLDER.exists(), reason="games of TextWorld are not beside the project")


def won(stream: TextGames) -> tuple[int, list[str]]:
    """How many games of a stream their walkthroughs win, each step among what is possible; and all that is read."""
    wins, texts = 0, []
    for task, key in stream.pairs():
        world = stream.world(task)
        seen, done = world.reset(0), False
        for action in actions_of(key.answers[0]):
            assert not done
            assert action in seen.actions
            assert world.best() == action
            stepped = world.step(action)
            seen, done = stepped.observation, stepped.terminated
            texts.append(seen.text)
        tally = world.tally()
        assert (done, tally.best_steps, key.oracle) == (True, len(actions_of(key.answers[0])), 1.0)
        wins += tally.reached == 1.0
        world.close()
    return wins, texts


@needs_files
def test_all_files_are_won_by_their_walkthroughs(capsys: pytest.CaptureFixture[str]) -> None:
    stream = TextWorldFiles(str(FOLDER))
    known = {row["file"][:-3]: row["walkthrough"] for row in json.loads((FOLDER / "index.json").read_text("utf-8"))}
    assert {task.id.rpartition("-")[0]: list(actions_of(key.answers[0])) for task, key in stream.pairs()} == known
    wins, texts = won(stream)
    with capsys.disabled():
        print(f" [{wins} of {len(known)} game files won by their walkthroughs]", end="")
    assert wins == len(known) == 9
    assert not any(word in text for text in texts for word in ("$$", "RESTART", "TextWorld", "<score>"))


@needs_files
def test_the_oracle_wins_from_wherever_one_got_lost() -> None:
    stream, rng = TextWorldFiles(str(FOLDER)), np.random.default_rng(2)
    strays = 0
    for task, _ in stream.pairs():
        world = stream.world(task)
        seen = world.reset(0)
        for _ in range(12):
            idle = [action for action in seen.actions if action != world.best() and not action.startswith("eat ")]
            seen = world.step(idle[int(rng.integers(len(idle)))]).observation
            strays += 1
        steps = 0
        while not world.tally().reached and steps < 40:
            steps += 1
            world.step(world.best())
        assert world.tally().reached == 1.0, task.id
        assert world.best() == "wait"
        world.close()
    assert strays == 12 * 9


@needs_files
def test_random_play_finds_the_coin_as_seldom_as_it_must() -> None:
    """Rooms of a coin game are a tree: in as many steps as the walkthrough has, only the walkthrough wins."""
    stream, rng, expected, wins = TextWorldFiles(str(FOLDER), games=3), np.random.default_rng(3), 0.0, 0
    for task, key in stream.pairs():
        assert task.id.startswith("tw-coin_collector")
        world, way, chance = stream.world(task), actions_of(key.answers[0]), 1.0
        for _ in range(12):
            seen, taken = world.reset(0), []
            for _ in way:
                taken.append(seen.actions[int(rng.integers(len(seen.actions)))])
                seen = world.step(taken[-1]).observation
            assert (world.tally().reached == 1.0) == (tuple(taken) == way)
            wins += tuple(taken) == way
        seen = world.reset(0)
        for action in way:
            chance /= len(seen.actions)
            seen = world.step(action).observation
        expected += 12 * chance
        world.close()
    assert wins <= expected + 4 * expected**0.5


@pytest.fixture(scope="module")
def adventure() -> TextGame:
    stream = TextWorldFiles(str(FOLDER), games=1)
    return stream.world(stream.pairs()[0][0])


@needs_files
@settings(max_examples=20)
@given(st.text(max_size=12) | st.sampled_from(["quit", "restart", "undo", "go nowhere", "take coin", "save"]))
def test_nonsense_moves_nothing(adventure: TextGame, action: str) -> None:
    shown = adventure.reset(0)
    stepped = adventure.step(action)
    assert stepped.info["refused"]
    assert (stepped.observation.actions, stepped.reward, stepped.terminated) == (shown.actions, 0.0, False)
    assert adventure.step("look").observation.text.startswith("-= Cookhouse =-")


def test_a_game_made_by_seed_is_won_and_made_again_the_same() -> None:
    stream = TextWorld("custom", games=1)
    before, mark = stream.pairs(), stream.fingerprint()
    text_made._made.cache_clear()
    again = TextWorld("custom", games=1)
    assert again.pairs() == before  # the hash of all its texts is part of a task's id
    assert again.fingerprint() == mark != TextWorld("custom", games=1, draw=1).fingerprint()
    assert check(again) == ["config_round_trip", "clone_is_equal_and_apart", "survives_pickling"]
    assert won(again)[0] == 1


def test_games_with_names_that_can_be_mistaken_are_left_out() -> None:
    infos = {"a": types.SimpleNamespace(name="red locker", type="c"), "b": types.SimpleNamespace(name="key", type="k")}
    game = types.SimpleNamespace(infos=infos)
    assert not text_made._confusing(game)
    infos["r"] = types.SimpleNamespace(name="locker", type="r")  # a room
    assert not text_made._confusing(game)
    infos["c"] = types.SimpleNamespace(name="locker", type="c")
    assert text_made._confusing(game)


@needs_files
def test_our_games_are_those_that_textworld_makes_by_these_seeds() -> None:
    game, _, _ = text_made._made(Recipe("custom", 0, 4, 8, 4, 12))
    held = json.loads((FOLDER / "tw-custom-seed12.json").read_text("utf-8"))
    assert (game.objective, list(game.walkthrough)) == (held["objective"], held["metadata"]["walkthrough"])


@pytest.mark.validate
def test_twenty_games_of_each_kind_of_quest_are_won_and_the_same_in_another_process(
    capsys: pytest.CaptureFixture[str],
) -> None:
    told, count = [], {"coin_collector": 6, "treasure_hunter": 7, "custom": 7}
    for quest in QUESTS:
        wins, texts = won(TextWorld(quest, games=count[quest], draw=1))  # type: ignore[arg-type]
        assert wins == count[quest]
        told.append(texts)
    code = (
        "import json, toolkit as tk, test_text_games as t;"
        f"print(json.dumps([t.won(tk.TextWorld(q, games=n, draw=1))[1] for q, n in {list(count.items())}]))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ
        | {"PYTHONHASHSEED": "77", "PYTHONPATH": f"{Path(tk.__file__).parents[1]}:{Path(__file__).parent}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(found.stdout.splitlines()[-1]) == told
    with capsys.disabled():
        print(f" [{sum(count.values())} games made by seed won by their walkthroughs, twice]", end="")


@needs_files
@pytest.mark.validate
def test_no_walkthrough_of_the_files_is_longer_than_it_must_be() -> None:
    import textworld
    from textworld.generator.game import GameProgression

    for file in sorted(FOLDER.glob("*.json")):
        if file.stem == "index":
            continue
        game = textworld.Game.load(str(file))
        layer, seen = [GameProgression(game)], set()
        for _ in game.metadata["walkthrough"][:-1]:
            after = []
            for progress in layer:
                for action in progress.valid_actions:
                    one = progress.copy()
                    one.update(action)
                    assert not one.completed, file
                    facts = frozenset(one.state.facts)
                    after += [] if facts in seen else [one]
                    seen.add(facts)
            layer = after


def test_files_that_are_missing_or_broken_are_told(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no folder or file of that name with games"):
        TextWorldFiles(str(tmp_path)).pairs()
    (tmp_path / "a.z8").write_bytes(b"x")
    with pytest.raises(SpecError, match=r"a\.json: there is no such file beside the game"):
        TextWorldFiles(str(tmp_path / "a.z8")).pairs()
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(SpecError, match=r"objective and a walkthrough(.|\n)*tw-make"):
        TextWorldFiles(str(tmp_path)).pairs()


@needs_files
def test_files_are_told_apart_by_what_is_in_them_not_by_where_they_lie(tmp_path: Path) -> None:
    for end in ("z8", "json"):
        shutil.copy(FOLDER / f"tw-custom-seed12.{end}", tmp_path / f"tw-custom-seed12.{end}")
    stream = TextWorldFiles(str(tmp_path))
    assert stream.fingerprint() == TextWorldFiles(str(FOLDER / "tw-custom-seed12.z8")).fingerprint()
    assert [file.name for file in stream.files()] == ["tw-custom-seed12.z8", "tw-custom-seed12.json"]
    (tmp_path / "tw-custom-seed12.z8").chmod(0o644)
    with (tmp_path / "tw-custom-seed12.z8").open("ab") as file:
        file.write(b"\0")
    assert TextWorldFiles(str(tmp_path)).fingerprint() != stream.fingerprint()


@pytest.mark.parametrize(
    ("stream", "rule"),
    [
        (TextWorld("cooking"), "quest must be one of"),  # type: ignore[arg-type]
        (TextWorld("custom", level=3), "level says nothing to a game of quest 'custom'"),
        (TextWorld(rooms=3), "rooms says nothing to a game of quest 'treasure_hunter'"),
        (TextWorld(level=31), "level must be a whole number from 1 to 30"),
        (TextWorld("coin_collector", level=199), "level 199 has 198 rooms but 100 are the most"),
        (TextWorld(games=0), "games must be a whole number from 1"),
    ],
)
def test_what_cannot_be_made_is_told(stream: TextWorld, rule: str) -> None:
    with pytest.raises(SpecError, match=rule):
        stream.pairs()


def test_a_quest_that_does_not_fit_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import textworld.generator

    def fail(options: object) -> None:
        raise textworld.generator.QuestGenerationError("no way")

    monkeypatch.setattr(textworld.generator, "make_game", fail)
    with pytest.raises(SpecError, match="no quest of 9 steps fits into 2 rooms by seed 30000: no way; take a shorter"):
        TextWorld("custom", rooms=2, quest_length=9, draw=3).pairs()


def test_without_textworld_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "textworld", None)
    with pytest.raises(MissingExtra, match=r"\[worlds\]"):
        TextWorld(draw=4, games=1).pairs()


def test_texts_are_cleaned() -> None:
    assert cleaned("\n\n-= Attic =-\n  Dust.\n\n>\n") == "-= Attic =-\nDust."


@needs_files
def test_the_key_is_what_playing_would_give() -> None:
    stream = TextWorldFiles(str(FOLDER), games=1)
    task, key = stream.pairs()[0]
    played = solved(stream.world(task), 0, stream.limits(task).turns)
    assert (played.actions, played.tally.reached) == (actions_of(key.answers[0]), key.oracle)
