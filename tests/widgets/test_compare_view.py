"""Asking why: what each step down shows is what the ledger holds, and what was asked again is kept and booked apart."""

from __future__ import annotations

import re

import pytest
from asked_again import queried
from errands import Errands, finish
from halls import Halls
from wicked import WickedErrands

import toolkit as tk
from toolkit.ledger.rows import SCHEMAS
from toolkit.traits.goals import Reactive
from toolkit.widgets.compare_view import CompareView
from toolkit.widgets.curves import POINTS


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    place = tk.Ledger(tmp_path_factory.mktemp("ledger"))
    lm = tk.Scripted(p=0.2, p_example=0.9)
    return finish(tk.Study("why", Errands(tasks=30), arms=arms, lm=lm, seeds=2, ledger=place, counterfactuals=0.5))


def pressed(view: CompareView, command: str, value: object) -> None:
    """Press the button of the page that sends this; it must be there, and not be barred."""
    sent = f'data-do="{command}" data-value="{value}"'
    marks = [one for one in re.findall(r"<button [^>]*>", view.html) if sent in one]
    assert marks
    assert not any(" disabled" in one for one in marks)
    view._heard(view, {"command": command, "value": str(value)}, [])
    assert view.note == ""


def test_points_of_curves_are_buttons_with_what_the_curve_says(made: tk.Study) -> None:
    view = CompareView(made)
    bands = tk.learning_curves(made, window=view._evidence.window)
    points = re.findall(r'<button [^>]*class="point"[^>]*aria-label="([^"]*)"', view.html)
    first = view._evidence.window - 1
    assert len(points) == sum(len(band.t) - first for band in bands.values())
    band = bands["memory"]
    told = f"memory, task 20: {band.mean[20]:.2f} [{band.low[20]:.2f}, {band.high[20]:.2f}]"
    assert told in points
    assert len(re.findall('class="point"[^>]*tabindex="0"', view.html)) == len(bands)  # arrow keys reach the others
    assert view.html.count("<polygon") == 2
    assert str(view.comparison.contrast("memory")).split("\n")[1].strip() in view.html
    queried(view, made.ledger)
    static = view._repr_mimebundle_()[0]["text/html"]
    assert "<polyline" in static
    assert "<button" not in static


def test_a_point_leads_to_its_tasks_those_that_differ_first(made: tk.Study) -> None:
    view = CompareView(made)
    own = made.episodes().query("phase == 'stream'")
    t = next(
        t for t in range(29, 0, -1) if own[own.t == t].groupby("seed").score.nunique().tolist() in ([1, 2], [2, 1])
    )
    pressed(view, "place", t)
    assert [case.apart for case in view.met] == [2, view.met[1].apart]
    assert view.met[1].apart < 2
    for case in view.met:
        for one in case.said:
            row = own[(own.arm == one.which.arm) & (own.seed == case.seed) & (own.t == t)].iloc[0]
            assert (one.which.task, one.answer, one.score) == (row.task, row.answer, row.score)
            assert (case.task, case.expected) == (row.task, row.correction)
    queried(view, made.ledger)
    assert "Tasks on which arms differ" in view.html
    view._heard(view, {"command": "place", "value": "999"}, [])
    assert "no run has come to task 999: 30 tasks so far" in view.note
    view._heard(view, {"command": "place", "value": "<b>"}, [])
    assert "a task has a number" in view.note


def test_down_to_the_memory_that_flipped_an_answer_and_back(made: tk.Study) -> None:
    view = CompareView("why", ledger=made.ledger)
    t = 25
    pressed(view, "place", t)
    case, said = next(
        (place, number) for place, one in enumerate(view.met) for number, each in enumerate(one.said) if each.recalled
    )
    pressed(view, "open", f"{case}:{said}")
    own, static = view.opened.sides
    assert (own.which.arm, static.which.arm, own.which.case) == ("memory", "static", static.which.case)
    assert 'class="piece memory"' in view.html
    assert {one.memory for one in view.hung} == {"", *own.recalled}
    queried(view, made.ledger)
    place = next(number for number, one in enumerate(view.hung) if one.memory)
    name = view.hung[place].memory
    before = view.hung[place].without
    pressed(view, "memory", place)
    assert [row.id for row in view._inspector.rows] == [name]
    queried(view, made.ledger)
    files = {path: path.read_bytes() for path in (made.folder / "runs").rglob("*") if path.is_file()}
    pressed(view, "ask", place)
    again = study_again(made, own, name)
    *known, last = view.memory.without
    assert (tuple(known), last.answer, last.score) == (before, again.other, again.other_score)
    assert last.tokens > 0
    assert last.answer in view.html
    assert view.memory.flipped == any(one.answer != own.answer for one in view.memory.without)
    assert files == {path: path.read_bytes() for path in (made.folder / "runs").rglob("*") if path.is_file()}
    queried(view, made.ledger)
    names = re.findall(r'data-do="back" data-value="(\d)"', view.html)
    assert names == ["0", "1", "2"]
    pressed(view, "back", 2)
    assert view.opened.sides == (own, static)
    pressed(view, "back", 1)
    assert (view.opened, view.at) == (None, t)
    pressed(view, "back", 0)
    assert view.at is None
    queried(view, made.ledger)
    kept = CompareView(made).place(t).answer("memory", seed=own.which.seed)
    assert last in next(one for one in kept.hung if one.memory == name).without  # kept, and shown again


def study_again(made: tk.Study, side, memory: str):
    return made.episode("memory", side.which.t, seed=side.which.seed).without(memory)


def test_what_was_asked_again_is_booked_to_judging_beside_the_runs(made: tk.Study) -> None:
    view = CompareView(made).place(28).answer("memory", seed=1)
    asked = made.folder / "asked"
    spent = made.compare().row("memory").tokens
    both = view.without()
    assert both.left_out == ("any memory",)
    (rows,) = [
        made.ledger.sql(f"SELECT purpose, answer, t FROM read_json_auto('{path}')")
        for path in asked.glob("*/calls.jsonl")
        if "28" in {str(t) for t in made.ledger.sql(f"SELECT t FROM read_json_auto('{path}')").t}
    ]
    assert set(rows[rows.t == 28].purpose) == {"judging"}
    assert made.compare().row("memory").tokens == spent
    assert made.replay().identical
    assert {path.stem for path in asked.rglob("*.jsonl")} == {"calls", "answers"}
    assert "answers" not in SCHEMAS


def test_where_nobody_can_be_asked_the_button_says_why(made: tk.Study, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object, **__: object) -> None:
        raise tk.SpecError(["its <model> is gone"])

    monkeypatch.setattr(tk.Study, "open", cannot)
    view = CompareView("why", ledger=made.ledger).place(25).answer("memory")
    asks = re.findall(r'<button [^>]*data-do="ask"[^>]*>', view.html)
    assert asks
    assert all(" disabled" in one and "its &lt;model&gt; is gone" in one for one in asks)
    view._heard(view, {"command": "ask", "value": "0"}, [])
    assert "its <model> is gone" in view.note
    with pytest.raises(tk.ToolkitError, match="nobody can be asked"):
        view.without()
    assert "nobody can be asked" not in CompareView(made).place(25).answer("memory").html


def test_methods_say_what_they_cannot_show(made: tk.Study) -> None:
    view = CompareView(made)
    with pytest.raises(tk.ToolkitError, match="no answer of arm 'memory' is shown: choose a place"):
        view.answer("memory")
    with pytest.raises(tk.ToolkitError, match="no such answer is shown"):
        view.without()
    with pytest.raises(ValueError, match="did not recall 'note/9'"):
        view.place(25).answer("memory").remember("note/9")
    with pytest.raises(tk.ToolkitError, match="no stream called 'nowhere'"):
        view.show("nowhere")
    assert view.stream == ""
    assert view.back().back().back().at is None


def test_another_answer_chosen_within_moves_the_place(made: tk.Study) -> None:
    view = CompareView(made).place(25).answer("memory", seed=0)
    tasks = view.opened._menu()["task"]
    other = next(one for one in tasks if one != view.opened.sides[0].which.task)
    pressed_menu = {"command": "task", "value": str(tasks.index(other))}
    view._heard(view, pressed_menu, [])
    which = view.opened.sides[0].which
    assert (which.task, view.at) == (other, which.t)
    assert {one.side.which for one in view.hung} <= {side.which for side in view.opened.sides}
    assert which in [one.which for case in view.met for one in case.said]
    view._heard(view, {"command": "look", "value": ""}, [])
    assert view.opened.sides[0].which == which


def test_in_worlds_an_answer_is_an_episode(tmp_path) -> None:
    arms = [tk.Arm("turns", goals=Reactive("turns")), tk.Arm("polled", goals=Reactive("ticks"))]
    place = tk.Ledger(tmp_path)
    made = finish(tk.Study("halls", Halls(tasks=2), arms=arms, lm=tk.Scripted(p=0.5), seeds=1, ledger=place))
    view = CompareView(made).place(0).answer("polled")
    assert isinstance(view.opened, tk.EpisodeView)
    assert view.html.count("data-play") == 1
    assert [side.which.arm for side in view.opened.sides] == ["polled", "turns"]
    with pytest.raises(tk.SpecError, match="is a world"):
        view.without()


def test_a_study_that_has_only_begun_says_so_and_can_be_looked_at_again(tmp_path) -> None:
    arms = [tk.Arm.static(), tk.Arm("memory", memory=tk.Retrieval(k=2))]
    made = tk.Study("begun", Errands(tasks=4), arms=arms, lm="scripted", seeds=1, ledger=tk.Ledger(tmp_path))
    with pytest.raises(tk.ToolkitError, match="no study is called"):
        CompareView(made)
    begin(made)
    view = CompareView(made)
    assert view.comparison is None
    assert "no episodes yet" in view.html
    finish(made)
    view._heard(view, {"command": "look", "value": ""}, [])
    assert view.comparison is not None


def begin(made: tk.Study) -> None:
    """Have it planned, with nothing recorded."""

    def never(*_: object, **__: object) -> None:
        raise tk.Outage("the model is away")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("toolkit.evaluation.run.iter_episodes", never)
        assert [one.status for one in made.run()] == ["suspended"] * 2


def test_hostile_texts_are_data_on_every_step(tmp_path) -> None:
    arms = [tk.Arm.static(), tk.Arm("m", memory=tk.Retrieval(k=2))]
    made = finish(
        tk.Study("evil", WickedErrands(), arms=arms, lm="scripted", seeds=1, ledger=tmp_path, counterfactuals=1.0)
    )
    view = CompareView(made)
    for step in (lambda: view, lambda: view.place(3), lambda: view.answer("m"), lambda: view.remember("")):
        step()
        shown = view._repr_mimebundle_()[0]
        for told in (view.html, shown["text/html"], shown["text/plain"]):
            assert "\x1b" not in told
            assert "\u202e" not in told
        for told in (view.html, shown["text/html"]):
            assert "<script" not in told
            assert "<img" not in told
    assert "&lt;img src=x onerror=alert(1)&gt;" in view.html


def test_long_curves_have_few_points(made: tk.Study) -> None:
    from toolkit.stats import curve_band
    from toolkit.widgets.curves import thinned

    points = thinned(curve_band([[float("nan")] * 500 + [1.0] * 500] * 2), 0)
    assert len(points) < POINTS
    assert points[-1][0] == 999
    assert all(one[1] == 1.0 for one in points)
