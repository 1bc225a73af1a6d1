"""A queue in a notebook shows a task and answers and nothing else; its buttons are methods, and each counts once."""

from __future__ import annotations

import re
from pathlib import Path

import ipywidgets
import pytest
from errands import Errands, finish
from hypothesis import given, settings
from hypothesis import strategies as st
from wicked import EVIL, WickedErrands

import toolkit as tk
from toolkit.errors import SpecError
from toolkit.widgets.annotation import AnnotationQueue

SECRET = ("hidden-arm", "plain-arm", "Secretive", "Reads the stars", "betraying-study", "memory", "static", "arm-")
ACTS = st.lists(st.sampled_from(["rate", "skip", "undo"]), max_size=5)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tk.Study:
    role = tk.Role("Secretive clerk", "Reads the stars.")
    arms = [tk.Arm("plain-arm"), tk.Arm("hidden-arm", role=role, memory=tk.Retrieval(k=2))]
    place = tk.Ledger(tmp_path_factory.mktemp("ledger"))
    return finish(
        tk.Study("betraying-study", Errands(8), arms=arms, lm=tk.Scripted(0.3), seeds=1, ledger=place,
                 baseline="plain-arm")
    )  # fmt: skip


def shown(view: AnnotationQueue) -> str:
    """All that reaches a browser."""
    bundle = view._repr_mimebundle_()[0]
    texts = [view.html, view.progress, view.note, repr(view), bundle["text/html"], bundle["text/plain"]]
    return "\n".join(re.sub(r"<style>.*?</style>", "", told, flags=re.DOTALL) for told in texts)


@settings(max_examples=6, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(["ann", "Bob B."]), st.booleans(), ACTS)
def test_nothing_betrays_the_arm(made: tk.Study, seed: int, rater: str, pair: bool, acts: list[str]) -> None:
    asked = {"pair": ("hidden-arm", "plain-arm")} if pair else {}
    view = AnnotationQueue(made, 4, seed=seed, rater=rater, rubric="Is it right?", **asked)
    runs = {run.id for run in made.runs} | {run.folder for run in made.runs}
    for act in ["", *acts]:
        try:
            if act == "rate":
                view.rate("tie" if pair else 3)
            elif act:
                view.skip("no idea") if act == "skip" else view.undo()
        except ValueError:
            continue  # nothing to undo, or nothing waits
        told = shown(view)
        assert not [word for word in SECRET if word in told]
        assert not [run for run in runs if run[:10] in told]
        assert len(set(re.findall(r"note \d+ about", view.html))) == (view.progress.count("done") == 0)
        assert view.queries == ()
    own = {name for name in view.keys if name not in ipywidgets.DOMWidget().keys and not name.startswith("_")}
    assert own == {"html", "note", "progress"}  # nothing else is sent


def test_what_is_hostile_is_text_and_nothing_else(tmp_path: Path) -> None:
    place = tk.Ledger(tmp_path)
    evil = finish(tk.Study("evil", WickedErrands(), arms=[tk.Arm("m")], lm=tk.Scripted(1.0), seeds=1, ledger=place))
    view = AnnotationQueue(evil, 4, rubric=EVIL, choices=(EVIL, "b"), rater="ann")
    assert "&lt;script&gt;" in view.html
    view._heard(view, {"command": "rate", "value": f"0:{EVIL} not"}, [])
    assert "must be one of" in view.note
    view._heard(view, {"command": "skip", "value": f"0:{EVIL}"}, [])
    view._heard(view, {"command": "rate", "value": f"1:{EVIL}"}, [])
    view._heard(view, {"command": "begin", "value": EVIL}, [])
    assert "letters that can be seen" in view.note
    for told in (view.html, view.document(), view._repr_mimebundle_()[0]["text/html"]):
        assert "<script" not in told
        assert "<img" not in told
        assert "\x1b" not in told
        assert "\u202e" not in told
    assert list(view.ratings().frame.said) == [EVIL]
    assert list(view.ratings().skipped.why) == [EVIL]


def test_every_control_has_a_label_and_a_key(made: tk.Study) -> None:
    for asked, keys in (
        ({}, "12345u"),
        ({"choices": "right/wrong"}, "01u"),
        ({"pair": ("hidden-arm", "plain-arm")}, "abtu"),
    ):
        html = AnnotationQueue(made, 4, rater="ann", name="keys", **asked).html
        buttons = re.findall(r"<button ([^>]*)>([^<]*)</button>", html)
        assert all(name.strip() for _, name in buttons)
        pressed = [re.search(r'data-press="(.)" aria-keyshortcuts="(.)"', how) for how, _ in buttons]
        assert "".join(one[1] for one in pressed if one) == keys
        assert all(one[1] == one[2] for one in pressed if one)
        for field in re.findall(r"<input[^>]*>", html):
            assert re.search(rf"<label>[^<]+{re.escape(field)}</label>", html)
        assert all('role="region" aria-label=' in one for one in re.findall(r"<div [^>]*tabindex[^>]*>", html))
    assert "lmSuppressShortcuts" in AnnotationQueue._esm
    assert AnnotationQueue._esm.count("innerHTML") == 1


def test_a_button_counts_once_wherever_it_is_pressed(made: tk.Study) -> None:
    one, other = (AnnotationQueue(made, 6, name="once", rater="ann") for _ in range(2))
    old = one.html
    one._heard(one, {"command": "rate", "value": "0:4"}, [])
    assert (one.note, one.html != old) == ("", True)
    one._heard(one, {"command": "rate", "value": "0:4"}, [])  # pressed twice
    assert one.note.startswith("nothing was recorded: ann has answered that already")
    assert other.progress.startswith("ann: 1 of")
    other._heard(other, {"command": "rate", "value": "0:1"}, [])  # in another notebook, which has not looked
    assert other.note.startswith("nothing was recorded")
    assert other.progress == one.progress
    assert other.html == one.html
    assert set(one.ratings().frame.said) == {"4"}
    for value in (":4", "x:4", ""):
        one._heard(one, {"command": "rate", "value": value}, [])
        assert "what it was shown on" in one.note
    assert one.progress.startswith("ann: 2 of")


def test_it_goes_on_where_each_rater_was(made: tk.Study) -> None:
    view = AnnotationQueue(made, 3, name="rest", choices="right/wrong")
    assert view.progress.endswith("type your name to begin")
    assert "note " not in view.html
    with pytest.raises(ValueError, match="nobody has said who rates"):
        view.rate("right")
    view._heard(view, {"command": "begin", "value": "Ann"}, [])
    first = view.html
    many = int(view.progress.rpartition(" ")[2])
    view.rate("right")
    second = view.html
    view.skip("blurred")
    view.undo()
    assert (view.progress, view.html.replace("3:", "1:")) == (f"ann: 2 of {many}", second)
    view.undo()
    assert view.html.count("disabled") == first.count("disabled") == 1
    view.begin("bob")
    assert view.progress == f"bob: 1 of {many}"
    for rater in ("ann", "bob"):
        view.begin(rater)
        for _ in range(many):
            assert "Between raters" not in view.html
            view.rate("right")
        assert view.progress == f"{rater}: all {many} done"
        with pytest.raises(ValueError, match="nothing waits"):
            view.rate("right")
    assert "Between raters: Krippendorff" in view.html
    again = AnnotationQueue("betraying-study", 3, name="rest", choices="right/wrong", rater="ANN", ledger=made.ledger)
    assert again.progress == f"ann: all {many} done"
    view.undo()
    assert view.progress == f"bob: {many} of {many}"


def test_mistakes_are_refused_before_anything_is_drawn(made: tk.Study) -> None:
    with pytest.raises(SpecError, match="n must be"):
        AnnotationQueue(made, 0, name="wrong")
    with pytest.raises(ValueError, match="a rater's name"):
        AnnotationQueue(made, 1, name="wrong", rater=" ")
    assert {path.parent.name.rpartition("-")[0] for path in made.folder.glob("rated/*/*.jsonl")} <= {
        "ratings", "keys", "once", "rest",
    }  # fmt: skip
