"""Folds open and close what stands below them, and say so to whoever cannot see it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import ipywidgets
import pytest

import toolkit.widgets.fold as module
from toolkit.widgets.fold import Fold, Folds


def test_a_fold_shows_what_it_holds_only_while_it_is_open() -> None:
    inner = ipywidgets.Text()
    fold = Fold("<b>more</b>", [inner])
    assert (fold.title, fold.opened, fold.body.layout.display) == ("<b>more</b>", False, "none")
    fold.button.opened = True  # as a press in the browser does
    assert (fold.opened, fold.body.layout.display) == (True, "")
    inner.value = "kept"
    fold.opened = False
    assert fold.body.layout.display == "none"
    assert fold.body.children[0].value == "kept"


def test_of_several_at_most_one_is_open() -> None:
    folds = Folds([ipywidgets.Text() for _ in range(3)], ("a", "b", "c"), 1)
    assert [fold.opened for fold in folds.folds] == [False, True, False]
    folds.folds[2].button.opened = True
    assert (folds.selected_index, [fold.opened for fold in folds.folds]) == (2, [False, False, True])
    folds.folds[2].button.opened = False
    assert folds.selected_index is None


def test_a_body_keeps_its_fold_while_others_come_and_go() -> None:
    one, two, three = (ipywidgets.Text() for _ in range(3))
    folds = Folds([one, two], ("1", "2"), 1)
    kept, gone = folds.folds[1], folds.folds[0]
    folds.bodies = [two, three]
    assert folds.bodies == (two, three)
    assert folds.folds[0] is kept
    assert (kept.opened, kept.title) == (True, "2")
    assert folds.children == tuple(folds.folds)
    assert gone.comm is None  # closed; what it held is not
    assert one.comm is not None


PAGE = "globalThis.document = { documentElement: { dataset: {} }, addEventListener() {} };\n"
PRESS = """
const listeners = {}, state = { open: 0, opened: false, text: "<i>more</i>" }, told = {};
const make = (tag) => ({ tag, attributes: {}, inner: [], setAttribute(k, v) { this.attributes[k] = v; },
  append(...all) { this.inner.push(...all); }, addEventListener(name, done) { this[name] = done; } });
document.createElement = make;
const model = { get: (k) => state[k], set: (k, v) => { state[k] = v; told["change:" + k](); }, save_changes() {},
  on: (k, done) => { told[k] = done; }, off: (k) => { delete told[k]; } };
const el = make("div"), end = view.render({ model, el }), button = el.inner[0];
const look = () => [button.tag, button.type, button.attributes["aria-expanded"], button.inner[1].textContent];
const before = look();
button.click();
const after = look();
end();
console.log(JSON.stringify([before, after, Object.keys(told)]));
"""


@pytest.mark.skipif(shutil.which("node") is None, reason="no node here")
def test_the_heading_is_a_button_that_says_whether_it_is_open(tmp_path: Path) -> None:
    source = (Path(module.__file__).parent / "fold.js").read_text(encoding="utf-8")
    script = tmp_path / "press.mjs"
    script.write_text(PAGE + source.replace("export default", "const view =") + PRESS, encoding="utf-8")
    told = subprocess.run(["node", str(script)], capture_output=True, text=True, check=True, timeout=300).stdout
    before, after = ["button", "button", "false", "<i>more</i>"], ["button", "button", "true", "<i>more</i>"]
    assert told.strip().replace(" ", "") == str([before, after, []]).replace("'", '"').replace(" ", "")
