"""Drafts: what was typed outlives the kernel, the code's value wins, and no file can hurt a form."""

from __future__ import annotations

import json
import os
import sys
import types
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit.agents.arm import Arm
from toolkit.errors import SpecError
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.streams.channel import OneBit
from toolkit.streams.desk import Desk
from toolkit.traits.memory import Layered, MemoryPolicy, Retrieval, SlidingWindow
from toolkit.traits.role import Role
from toolkit.traits.role_files import role
from toolkit.widgets.drafts import Draft, notebook
from toolkit.widgets.form_base import Form
from toolkit.widgets.forms import ArmForm, MemoryForm
from toolkit.widgets.role_form import RoleForm
from toolkit.widgets.study_form import StudyForm


def kept(form: Form, folder: Path, of: str = "work.ipynb") -> Draft:
    return Draft(form, folder, of)


def shown(draft: Draft) -> bool:
    return draft._line.layout.display != "none"


def test_what_is_typed_is_there_again_also_what_is_no_value(tmp_path: Path) -> None:
    form = MemoryForm(Retrieval(k=2))
    draft = kept(form, tmp_path)
    assert not shown(draft)
    assert list(tmp_path.iterdir()) == []  # nothing was typed
    form.fields["k"].control.value = "many"
    again = MemoryForm(Retrieval(k=2))
    draft = kept(again, tmp_path)
    assert again.fields["k"].control.value == "many"
    assert again.mistakes == ("Retrieval.k must be a whole number but is 'many'",)
    assert shown(draft)
    assert draft.said.value.startswith('<span role="status">')
    assert draft.button.layout.display == ""
    again.fields["k"].control.value = "5"
    third = MemoryForm(Retrieval(k=2))
    kept(third, tmp_path)
    assert third.value == Retrieval(k=5)


def test_back_to_the_codes_value_forgets_the_draft(tmp_path: Path) -> None:
    form = MemoryForm(Retrieval(k=2))
    kept(form, tmp_path)
    form.choice.value = "SlidingWindow"
    form.fields["k"].control.value = "x"
    again = MemoryForm(Retrieval(k=2))
    draft = kept(again, tmp_path)
    assert again.choice.value == "SlidingWindow"
    draft.button.click()
    assert (again.value, again.mistakes, shown(draft)) == (Retrieval(k=2), (), False)
    assert list(tmp_path.iterdir()) == []
    again.fields["k"].control.value = "3"
    assert draft.file.exists()
    again.fields["k"].control.value = "2"  # by hand
    third = MemoryForm(Retrieval(k=2))
    assert not shown(kept(third, tmp_path)) or third.value == Retrieval(k=2)


def test_undone_by_hand_there_is_no_draft(tmp_path: Path) -> None:
    form = MemoryForm(Retrieval(k=2))
    draft = kept(form, tmp_path)
    form.choice.value = "SlidingWindow"
    form.choice.value = "Retrieval"
    assert not draft.file.exists()


def test_the_code_wins_when_it_says_another_value(tmp_path: Path) -> None:
    form = MemoryForm(Retrieval(k=2))
    kept(form, tmp_path)
    form.fields["k"].control.value = "9"
    other = MemoryForm(Retrieval(k=4))
    assert not shown(kept(other, tmp_path))
    assert other.value == Retrieval(k=4)
    other.fields["k"].control.value = "8"
    back = MemoryForm(Retrieval(k=2))
    kept(back, tmp_path)
    assert back.value == Retrieval(k=9)  # neither took the other's


def test_notebooks_names_and_classes_do_not_share(tmp_path: Path) -> None:
    form = MemoryForm(Retrieval(k=2))
    kept(form, tmp_path)
    form.fields["k"].control.value = "9"
    for other, of in (
        (MemoryForm(Retrieval(k=2)), "other.ipynb"),
        (MemoryForm(Retrieval(k=2), name="second"), "work.ipynb"),
    ):
        assert not shown(kept(other, tmp_path, of))
        assert other.value == Retrieval(k=2)


def test_nested_and_optional_parts_and_switches_come_back(tmp_path: Path) -> None:
    start = Layered(SlidingWindow(k=2), Retrieval(k=3))
    form = MemoryForm(start)
    kept(form, tmp_path)
    form.fields["short"].choice.value = "Retrieval"
    form.fields["short"].fields["k"].control.value = "seven"
    form.fields["long"].fields["embedder"].choice.value = "HostedEmbedder"
    again = MemoryForm(start)
    kept(again, tmp_path)
    assert again.contents() == form.contents()
    assert again.mistakes == form.mistakes != ()


def test_a_roles_form_comes_back(tmp_path: Path) -> None:
    form = RoleForm("service-desk")
    kept(form, tmp_path)
    form.fields["objective"].control.value = "Routes tickets, <b>fast</b>."
    form.fields["memory"].control.value = True
    form.fields["memory"].form.choice.value = "Retrieval"
    form.switches["rules"].value = False
    again = RoleForm("service-desk")
    kept(again, tmp_path)
    assert again.value == form.value != role("service-desk")
    assert again.config() == form.config()
    assert (again.switches["rules"].value, again.library.value) == (False, form.library.value)


def test_a_role_chosen_from_the_library_comes_back_with_its_wordings(tmp_path: Path) -> None:
    form = RoleForm()
    kept(form, tmp_path)
    form.library.value = "service-desk"
    form.fields["edition"].control.value = "mine"
    again = RoleForm()
    kept(again, tmp_path)
    assert again.config() == form.config()
    assert again.config()["wordings"]
    assert again.told.value == form.told.value


def test_what_no_field_shows_is_not_lost_in_silence(tmp_path: Path) -> None:
    form = ArmForm()
    kept(form, tmp_path)
    form.set(Arm("opened", channel=OneBit()))  # as a file that is opened does
    form.parts["repeat"].control.value = "2"
    again = ArmForm()
    draft = kept(again, tmp_path)
    assert "it stood for more than its fields show" in draft.said.value
    assert again.value == ArmForm().value
    assert '"opened"' in draft.file.with_suffix(".unread").read_text(encoding="utf-8")


def test_an_arms_form_comes_back(tmp_path: Path) -> None:
    start = Arm("a", memory=Retrieval(k=3), channel=OneBit())
    form = ArmForm(start)
    kept(form, tmp_path)
    form.title.control.value = "no spaces"
    form.parts["lm"].own.value = True
    form.parts["lm"].form.choice.value = "Scripted"
    form.parts["lm"].form.fields["p"].control.value = "0.25"
    form.parts["repeat"].control.value = "2"
    again = ArmForm(start)
    kept(again, tmp_path)
    assert again.contents() == form.contents()
    again.title.control.value = "fine"
    assert again.value.lm.p == 0.25
    assert again.value.channel == OneBit()


def test_a_studys_form_comes_back_with_arms_added_and_removed(tmp_path: Path) -> None:
    def study() -> Study:
        arms = [Arm.static(), Arm("memory", memory=Retrieval(k=2)), Arm("more", memory=Retrieval(k=3))]
        return Study("drafted", Desk(tasks=6), arms=arms, seeds=2, lm="scripted", ledger=tmp_path / "ledger")

    form = StudyForm(study())
    kept(form, tmp_path)
    form.arms.place.selected_index = 1
    form.arms._remove()
    form.arms._add(Arm("new", memory=Retrieval(k=7)))
    form.arms._add(Arm("other", memory=SlidingWindow()))
    form.arms.arm("other").parts["memory"].fields["k"].control.value = "x"
    form.parts["seeds"].control.value = "4"
    form.parts["baseline"].control.value = "new"
    again = StudyForm(study())
    draft = kept(again, tmp_path)
    assert shown(draft)
    assert again.mistakes == form.mistakes != ()
    again.arms.arm("other").parts["memory"].fields["k"].control.value = "1"
    form.arms.arm("other").parts["memory"].fields["k"].control.value = "1"
    assert again.value.config() == form.value.config()
    assert [arm.name for arm in again.value.arms] == ["static", "more", "new", "other"]
    draft.button.click()
    assert again.value.config() == study().config()


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("{", "Expecting property"),
        ("[]", "list indices"),
        ("null", "NoneType"),
        ('{"format": 0}', "it is of format 0"),
        ('{"format": 1, "of": []}', "another form"),
        (b"\xff\xfe", "codec"),
    ],
    ids=range(7),
)
def test_a_damaged_draft_is_put_aside_and_said(tmp_path: Path, text: str | bytes, why: str) -> None:
    form = MemoryForm(Retrieval(k=2))
    file = kept(form, tmp_path).file
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    again = MemoryForm(Retrieval(k=2))
    draft = kept(again, tmp_path)
    assert why in draft.said.value
    assert shown(draft)
    assert draft.button.layout.display == "none"  # there is nothing to go back from
    assert (again.value, again.mistakes) == (Retrieval(k=2), ())
    assert (file.exists(), file.with_suffix(".unread").exists()) == (False, True)


def changed(file: Path, **more: Any) -> None:
    told = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(told | more), encoding="utf-8")


@pytest.mark.parametrize(
    "contents",
    [
        None,
        {},
        {"choice": "Gone<img>", "classes": {}},
        {"choice": "Retrieval", "classes": {"Retrieval": {}}},
        {"choice": "Retrieval", "classes": 3},
        {"choice": ["Retrieval"], "classes": {}},
        {"choice": "Retrieval", "classes": {}, "more": 1},
    ],
    ids=str,
)
def test_a_draft_of_other_classes_or_parameters_is_put_aside(tmp_path: Path, contents: Any) -> None:
    form = MemoryForm(Retrieval(k=2))
    file = kept(form, tmp_path).file
    form.fields["k"].control.value = "3"
    changed(file, contents=contents)
    again = MemoryForm(Retrieval(k=2))
    draft = kept(again, tmp_path)
    assert "could not be shown" in draft.said.value
    assert "<img" not in draft.said.value
    assert (again.value, again.mistakes) == (Retrieval(k=2), ())
    again.fields["k"].control.value = "4"  # and it goes on
    third = MemoryForm(Retrieval(k=2))
    kept(third, tmp_path)
    assert third.value == Retrieval(k=4)


TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["choice", "classes", "Retrieval", "k", "control", "type", "value"]), inner)
    ),
    max_leaves=12,
)


@settings(max_examples=40)
@given(tree=TREES, deep=st.booleans())
def test_whatever_a_draft_holds_the_form_opens(tmp_path_factory: pytest.TempPathFactory, tree: Any, deep: bool) -> None:
    folder = tmp_path_factory.mktemp("drafts")
    form = MemoryForm(Retrieval(k=2))
    file = kept(form, folder).file
    form.fields["k"].control.value = "3"
    held = json.loads(file.read_text(encoding="utf-8"))["contents"]
    if deep:
        held["classes"]["Retrieval"]["k"] = tree
    changed(file, contents=held if deep else tree)
    again = MemoryForm(Retrieval(k=2))
    draft = kept(again, folder)
    assert shown(draft)
    again.set(Retrieval(k=2))
    assert again.value == Retrieval(k=2)
    ipywidgets.Widget.close_all()


def test_a_class_that_has_other_parameters_now(tmp_path: Path) -> None:
    class Jotter(MemoryPolicy):
        def __init__(self, lines: int = 3) -> None:
            self.lines = lines

    form = MemoryForm(Retrieval())
    kept(form, tmp_path)
    form.choice.value = "Jotter"
    form.fields["lines"].control.value = "9"

    class Jotter(MemoryPolicy):  # type: ignore[no-redef]  # noqa: F811  # as when its cell is run again, changed
        def __init__(self, pages: int = 3) -> None:
            self.pages = pages

    again = MemoryForm(Retrieval())
    assert "Jotter has other parameters now" in kept(again, tmp_path).said.value
    assert again.value == Retrieval()


def test_a_form_that_begins_with_mistakes_has_drafts_too(tmp_path: Path) -> None:
    form = MemoryForm(Retrieval(k=0))
    kept(form, tmp_path)
    form.fields["search"].control.value = "lexical"
    again = MemoryForm(Retrieval(k=0))
    draft = kept(again, tmp_path)
    assert again.fields["search"].control.value == "lexical"
    draft.button.click()
    assert again.contents() == MemoryForm(Retrieval(k=0)).contents()
    with pytest.raises(SpecError, match="at least 1"):
        again.value  # noqa: B018


def test_edits_that_cannot_be_kept_are_said(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where the folder should be", encoding="utf-8")
    form = MemoryForm(Retrieval(k=2))
    draft = kept(form, tmp_path / "taken" / "drafts")
    form.fields["k"].control.value = "3"
    assert "Edits are not kept" in draft.said.value
    assert form.value == Retrieval(k=3)


def test_plain_python_keeps_no_drafts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("JPY_SESSION_NAME", "work.ipynb")
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "ledger"))
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: None))
    assert notebook() == ""
    form = MemoryForm(Retrieval(k=2))
    form.fields["k"].control.value = "3"
    assert form.draft is None
    assert list(tmp_path.iterdir()) == []


def test_a_kernel_keeps_drafts_under_its_ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    kernel = types.SimpleNamespace(kernel=object())
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    assert MemoryForm().draft is None
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/a/work.ipynb")
    monkeypatch.setenv("TOOLKIT_LEDGER", str(tmp_path / "usual"))
    form = MemoryForm(Layered(SlidingWindow(), Retrieval()))
    assert form.draft is not None
    assert form.draft.file.parent == tmp_path / "usual" / "drafts"
    assert form.fields["short"].draft is None  # the form around it keeps it all
    form.fields["short"].fields["k"].control.value = "9"
    assert [path.suffix for path in form.draft.file.parent.iterdir()] == [".json"]
    again = MemoryForm(Layered(SlidingWindow(), Retrieval()))
    assert again.value == Layered(SlidingWindow(k=9), Retrieval())
    study = StudyForm(ledger=Ledger(tmp_path / "own"))
    assert study.draft is not None
    assert study.draft.file.parent == tmp_path / "own" / "drafts"
    study.parts["name"].control.value = "other"
    assert study.ledger.names() == []
    os.environ["JPY_SESSION_NAME"] = "/home/a/second.ipynb"
    assert MemoryForm(Layered(SlidingWindow(), Retrieval())).value == Layered(SlidingWindow(), Retrieval())


def test_a_draft_of_a_role_written_anew(tmp_path: Path) -> None:
    start = Role("Clerk", examples=[{"inputs": {"a": "b"}, "answer": "c"}])
    form = RoleForm(start)
    kept(form, tmp_path)
    form.fields["examples"].cases[0]["answer"].value = ""
    again = RoleForm(start)
    kept(again, tmp_path)
    assert again.fields["examples"].cases[0]["answer"].value == ""
