"""The live view from elsewhere and for readers: another process's study, what is hidden, the budget, a still page."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
import traitlets
from errands import ROOT, Errands, finish
from made_up import made_up, write_record
from waiting import until

from toolkit.agents.arm import Arm
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.run import Control
from toolkit.evaluation.study import Study
from toolkit.ledger.follow import following
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.traits.memory import Retrieval
from toolkit.widgets.live import LiveStudy
from toolkit.widgets.spent import Spending, Spent

Make = Callable[..., Study]
HOSTILE = '<script>alert("x")</script>\u202e\x1b[31m'


def test_two_views_and_a_terminal_follow_another_process_and_steer_it(tmp_path: Path) -> None:
    ledger, gate = Ledger(tmp_path / "ledger"), tmp_path / "go"
    command = [sys.executable, str(ROOT / "tests" / "held.py"), str(ledger.root)]
    env = os.environ | {"HELD_AFTER": "40", "HELD_UNTIL": str(gate)}
    seen: list[int] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=env) as child:
        assert child.stdout is not None
        child.stdout.readline()  # its 41st call waits
        with following(ledger, "held", lambda found: seen.extend(one.t for one in found), every=0.1):
            one, two = (LiveStudy("held", ledger, every=0.1) for _ in range(2))
            assert [view.state for view in (one, two)] == ["running", "running"]
            assert [view.frame["arms"][0]["done"] for view in (one, two)] == [40, 40]
            one.pause()
            until(lambda: two.frame["state"] == "paused")
            Control(ledger.study("held") / "control.json").write("run")  # as another kernel or a shell would
            until(lambda: {one.frame["state"], two.frame["state"]} == {"running"})
            two.stop()
            until(lambda: one.frame["state"] == "stopping")
            gate.touch()
            assert child.wait(300) == 0
            until(lambda: {one.frame["state"], two.frame["state"]} == {"stopped"})
            stopped = one.frame["arms"][0]["done"]
            assert 40 <= stopped < 150
            Control(ledger.study("held") / "control.json").write("run")
            finished = subprocess.run(command, env=os.environ, check=False, timeout=600)
            assert finished.returncode == 0
            until(lambda: {one.frame["state"], two.frame["state"]} == {"finished"})  # gone on elsewhere, after a stop
    assert [view.frame["arms"][0]["done"] for view in (one, two)] == [150, 150]
    assert sorted(seen) == list(range(150))


def test_what_is_hidden_stays_so_over_frames_and_for_whoever_shows_the_view_again(study: Make) -> None:
    made = finish(study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=10)))
    view = LiveStudy(made)
    view.set_state({"hidden": ["memory", "memory"]})  # as the browser does
    view.look()
    assert view.hidden == ["memory"]
    assert view.get_state(["hidden"]) == {"hidden": ["memory"]}
    page = view._repr_mimebundle_()[0]["text/html"]
    assert [name for name in ("static", "memory") if f"<title>{name}</title>" in page] == ["static"]
    with pytest.raises(traitlets.TraitError, match="none is called 'memroy'; did you mean 'memory'"):
        view.hidden = ["memroy"]


def test_a_budget_is_shown_as_far_as_it_is_spent(study: Make) -> None:
    limits = Budget(tokens=10**6, arms={"memory": Budget(calls=1000)})
    made = finish(study(Arm.static(), Arm("memory", memory=Retrieval()), stream=Errands(tasks=10), budget=limits))
    own = made.ledger.sql(
        "SELECT sum(input_tokens + output_tokens) AS tokens, count(*) FILTER (arm = 'memory') AS calls FROM calls "
        "JOIN (SELECT run, arm FROM runs) USING (run)"
    )
    tokens, calls = int(own.tokens[0]), int(own.calls[0])
    frame = LiveStudy(made).frame
    assert [one["text"] for one in frame["spent"]] == [
        f"{tokens:,} of 1,000,000 tokens",
        f"memory: {calls} of 1,000 calls",
    ]
    assert (frame["spent"][0]["spent"], frame["spent"][0]["limit"]) == (tokens, 10**6)


def test_a_spent_budget_says_so(study: Make) -> None:
    made = study(Arm.static(), stream=Errands(tasks=10), budget=Budget(calls=4), workers=1)
    made.run()
    frame = LiveStudy(made).frame
    assert frame["note"].startswith("budget stop: calls: the study has spent 4 of 4")
    assert frame["spent"][0]["text"] == "4 of 4 calls"


def test_without_a_budget_there_is_no_bar(study: Make) -> None:
    assert LiveStudy(finish(study(Arm.static(), stream=Errands(tasks=4)))).frame["spent"] == []


def test_the_seconds_of_a_study_are_those_of_its_sittings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "study.toml").write_text("[budget]\nseconds = 60\n", encoding="utf-8")
    spending = Spending(tmp_path)
    assert spending.look(False) == (Spent("", "seconds", 0.0, 60.0),)
    book = {"before": 10.0, "since": 1000.0, "last": 1005.0, "runs": {}, "hit": {}}
    (tmp_path / "budget.json").write_text(json.dumps(book), encoding="ascii")
    monkeypatch.setattr("toolkit.widgets.spent.time.time", lambda: 1020.0)
    assert spending.look(False)[0].spent == 15.0
    assert spending.look(True)[0].spent == 30.0
    (tmp_path / "study.toml").write_text("[budget]\nsecond = 60000\n", encoding="utf-8")
    spending.look(False)
    assert "no key 'second'" in spending.wrong


def test_a_price_that_is_not_known_is_no_number(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text("[budget]\ndollars = 2.5\n", encoding="utf-8")
    book = {"runs": {"r": {"arm": "a", "dollars": float("nan")}}}
    (tmp_path / "budget.json").write_text(json.dumps(book), encoding="ascii")
    (one,) = Spending(tmp_path).look(False)
    assert (one.spent, str(one)) == (None, "n/a of 2.50 dollars")


def test_time_left_is_said_only_while_it_runs(study: Make) -> None:
    made = study(Arm.static(), lm=Scripted(), stream=Errands(tasks=60), seeds=1, workers=1)
    during: list[str] = []

    def watch(run: object, episode: object) -> None:
        if episode.t == 30:
            during.append(LiveStudy(made.name, made.ledger, every=1000).frame["left"][0])
            made.stop()

    made.run(watch=watch)
    assert during == ["under 1 s"]
    assert LiveStudy(made.name, made.ledger, every=1000).frame["left"] == ("n/a",)
    finish(made)
    assert LiveStudy(made.name, made.ledger, every=1000).frame["left"] == ("",)


class Tags(HTMLParser):
    """Collects the tags and the text of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags, self.text = list[str](), ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def test_a_still_page_and_plain_text_hold_the_same_and_nothing_hostile(ledger: Ledger) -> None:
    folder = made_up(ledger, 2, 2, 30, answer=HOSTILE, task=HOSTILE)
    run = {"id": "arm1-1", "arm": "arm1", "seed": 1, "tasks": 30}
    write_record(folder / "runs" / "arm1-1", run, status="failed", error=HOSTILE)
    view = LiveStudy("made", ledger, every=1000)
    bundle = view._repr_mimebundle_()[0]
    page, told = bundle["text/html"], bundle["text/plain"]
    assert repr(view) == told
    found = Tags(page)
    assert "script" not in found.tags
    assert found.tags.count("polyline") == 2
    shown = '<script>alert("x")</script>\\u202e\\x1b[31m'
    for text in (found.text, told):
        assert text.count(shown) == 2 * 8 + 1
        assert f"arm1, seed 1: failed: {shown}" in text
        assert "60 / 60" in text
        assert "arm0 (baseline)" in text
        assert not set("\u202e\x1b") & set(text)


def test_a_view_of_a_plan_without_episodes_is_a_page_too(ledger: Ledger) -> None:
    made_up(ledger, 2, 2, 0)
    view = LiveStudy("made", ledger, every=1000)
    assert "polyline" in view._repr_mimebundle_()[0]["text/html"]
    assert "0 / 0" in repr(view)


def test_the_latest_episodes_say_what_went_wrong(ledger: Ledger) -> None:
    made_up(ledger, 1, 1, 3, ended="finished", status="failed", error="no\nroom", score=None)
    (first, *_) = LiveStudy("made", ledger, every=1000).frame["latest"]
    assert (first["t"], first["score"], first["answer"]) == (3, None, "failed: no room")
