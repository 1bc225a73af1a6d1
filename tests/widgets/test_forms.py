"""Forms: mistakes at their field, files, code, and classes that are defined while a form is open."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from toolkit.agents.arm import Arm
from toolkit.component import Prose
from toolkit.errors import SpecError
from toolkit.evaluation.spec import load
from toolkit.lm.scripted import Scripted
from toolkit.records import Recall
from toolkit.traits.memory import MemoryPolicy, NoMemory, Retrieval, Shuffled
from toolkit.traits.role import PARTS, NoRole, Role
from toolkit.traits.role_files import role, wordings
from toolkit.traits.rules import MustSay, OnlyAfter
from toolkit.widgets.choosing import UnionField, field_for
from toolkit.widgets.fields import ListField, NumberField
from toolkit.widgets.form import ComponentForm
from toolkit.widgets.forms import ArmForm, MemoryForm
from toolkit.widgets.help import parameter_help, summary
from toolkit.widgets.role_form import RoleForm
from toolkit.widgets.study_form import StudyForm


@pytest.fixture
def form(tmp_path: Path) -> StudyForm:
    made = StudyForm(ledger=tmp_path / "ledger")
    made.parts["lm"].set(Scripted())
    return made


def test_a_number_that_is_none_is_marked_where_it_was_typed() -> None:
    form = MemoryForm(Retrieval())
    k = form.fields["k"]
    k.control.value = "four"
    assert k.marked == "must be a whole number but is 'four'"
    assert form.mistakes == ("Retrieval.k must be a whole number but is 'four'",)
    with pytest.raises(SpecError, match="four"):
        form.value  # noqa: B018
    k.control.value = " 4 "
    assert (k.marked, form.mistakes) == ("", ())
    assert form.value == Retrieval(k=4)


def test_what_the_component_refuses_is_marked_at_the_parameter_it_names() -> None:
    form = MemoryForm(Shuffled(Retrieval()))
    inner = form.fields["of"]
    assert isinstance(inner, ComponentForm)
    inner.fields["k"].control.value = "0"
    assert inner.fields["k"].marked == "Retrieval.k must be an integer of at least 1 but is 0"
    assert form.mistakes == ("Retrieval.k must be an integer of at least 1 but is 0",)
    assert form.fields["of"].marked == ""


def test_choosing_another_class_and_back_keeps_what_was_typed() -> None:
    form = MemoryForm(Retrieval(k=7))
    form.choice.value = "SlidingWindow"
    assert form.value.config() == {"use": "SlidingWindow", "k": 4, "scope": "shared"}
    form.choice.value = "Retrieval"
    assert form.value == Retrieval(k=7)


def test_mistakes_of_a_class_that_is_not_chosen_do_not_count() -> None:
    form = MemoryForm(Retrieval())
    form.fields["k"].control.value = "x"
    form.choice.value = "NoMemory"
    assert form.value == NoMemory()


def test_a_policy_defined_while_a_form_is_open_appears_in_it() -> None:
    form = MemoryForm()

    class Notebook(MemoryPolicy):
        """The last lines of a notebook. They are few.

        Parameters
        ----------
        lines
            How many, at least 1.
        """

        def __init__(self, lines: int = 3, order: Literal["old", "new"] = "old") -> None:
            self.lines, self.order = lines, order

        def recall(self, task):
            return Recall()

    assert "Notebook" in form.choice.options
    assert isinstance(form.value, NoMemory)
    form.choice.value = "Notebook"
    form.fields["lines"].control.value = "5"
    assert form.value == Notebook(lines=5)
    assert form.fields["lines"].control.tooltip == "How many, at least 1."
    assert "The last lines of a notebook.<" in form._told_of.value
    assert "Notebook(lines=5)" in form.code()


def test_a_form_that_was_closed_is_left_alone() -> None:
    """Whoever runs a cell again has two forms, of which the first is seen by nobody."""
    form = MemoryForm()
    form.close()

    class Unseen(MemoryPolicy):
        def recall(self, task):
            return Recall()

    assert "Unseen" in MemoryForm().choice.options
    assert "Unseen" not in form.choice.options


def test_the_library_fills_the_form_and_a_change_makes_it_ones_own() -> None:
    form = RoleForm()
    assert form.value == NoRole()
    form.library.value = "service-desk"
    assert form.value == role("service-desk")
    form.fields["objective"].control.value = "Routes tickets."
    assert form.library.value == "as written below"
    assert form.value.objective == "Routes tickets."
    assert RoleForm("banking-triage").library.value == "banking-triage"


def test_a_saved_role_is_a_file_of_the_library(tmp_path: Path) -> None:
    form = RoleForm("service-desk")
    form.fields["rules"].control.value += "\nBe <b>kind</b>."
    saved = form.save(tmp_path / "mine.toml")
    assert role(str(saved)) == form.value
    other = RoleForm()
    other.load(saved)
    assert other.value == form.value
    assert other.value.rules[-1] == "Be <b>kind</b>."


def test_parts_are_switched_off_and_keep_what_was_typed(tmp_path: Path) -> None:
    form = RoleForm(Role("Clerk", "Files.", "Be quick.", ["Ask."], [{"inputs": {"a": "b"}, "answer": "c"}]))
    whole = form.value
    form.switches["rules"].value = False
    assert form.value == whole.without("rules")
    assert "rules" not in form.code()
    with pytest.raises(SpecError, match="a file holds the whole role; switch on rules first"):
        form.save(tmp_path / "role.toml")
    for part in PARTS:
        form.switches[part].value = False
    assert form.value == NoRole()
    form.value = whole
    assert form.value == whole
    assert all(switch.value for switch in form.switches.values())
    library = RoleForm("service-desk")
    library.switches["rules"].value = False
    assert library.library.value == "service-desk"  # it is not another role that is shown


def test_rules_may_be_components(tmp_path: Path) -> None:
    rules = ("Ask {first}.", "{braces}", MustSay("Escalate threats.", "^escalate", when="sue"))
    form = RoleForm(Role("Clerk", "Files.", rules=rules))
    assert form.value.rules == rules
    rule = '{"use": "OnlyAfter", "text": "Look first.", "tool": "refund", "first": "order"}'
    form.fields["rules"].control.value += f"\n{rule}"
    assert form.value.rules[-1] == OnlyAfter("Look first.", "refund", "order")
    assert role(str(form.save(tmp_path / "clerk.toml"))) == form.value
    form.fields["rules"].control.value = rule.replace("OnlyAfter", "OnlyAftr")
    assert "did you mean 'OnlyAfter'" in form.fields["rules"].marked
    form.fields["rules"].control.value = "{torn"
    assert "must be JSON" in form.fields["rules"].marked


def test_an_example_is_written_in_rows() -> None:
    form = RoleForm(Role("Clerk", "Files."))
    examples = form.fields["examples"]
    examples.columns.value = "inputs.ticket, answer"
    examples.add_button.click()
    examples.cases[0]["inputs.ticket"].value, examples.cases[0]["answer"].value = "It is late.", "post"
    assert [one.answer for one in form.value.worked()] == ["post"]
    examples.columns.value = "ticket"
    assert "examples" in examples.marked


def test_a_role_keeps_its_wordings_through_a_form(tmp_path: Path) -> None:
    file = tmp_path / "clerk.toml"
    file.write_text(
        'name = "Clerk"\nobjective = "Files."\nrules = ["Ask."]\n[[wordings]]\nobjective = "Sorts."\n'
        '[[wordings]]\nname = "Aide"\nrules = ["Inquire."]\n',
        encoding="utf-8",
    )
    form = RoleForm()
    form.load(file)
    form.fields["edition"].control.value = "2"
    saved = str(form.save(tmp_path / "copy.toml"))
    assert role(saved) == form.value
    assert [one.but(edition="") for one in wordings(saved)] == [one.but(edition="") for one in wordings(str(file))]
    form.fields["rules"].control.value += "\nGuess."
    assert "1 are saved with it; 1 have another number of rules" in form.told.value
    assert [one.objective for one in wordings(str(form.save(tmp_path / "more.toml")))] == ["Sorts."]
    form.value = Role("Other", "Does other things.")
    assert form.told.value == "<small></small>"
    assert wordings(str(form.save(tmp_path / "other.toml"))) == ()


def test_roles_are_imported_by_mouse_and_in_code(tmp_path: Path) -> None:
    file = tmp_path / "agents.yaml"
    file.write_text("a: {role: Analyst, goal: Reports., llm: x}\nb: {role: Boss, goal: Leads.}\n", encoding="utf-8")
    form = RoleForm()
    panel = form.elsewhere
    panel.path.value = str(file)
    assert panel.name.options == ("a", "b")
    panel.take.click()
    assert "say which" in panel.said.value
    assert form.value == NoRole()
    panel.name.value = "a"
    panel.take.click()
    assert form.value == Role("Analyst", "Reports.")
    assert "left out: llm" in panel.said.value
    panel.path.value = str(tmp_path / "absent.csv")
    assert "no such file" in panel.said.value
    panel.path.value, panel.text.value, panel.name.value = "", "Sort the letters. Be <b>quick</b>.", "Clerk"
    panel.take.click()
    assert form.value == Role("Clerk", "Sort the letters.", "Be <b>quick</b>.")
    assert form.import_from(file, "b").role == form.value == Role("Boss", "Leads.")


def test_there_is_no_role_to_save(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="no role to save"):
        RoleForm().save(tmp_path / "none.toml")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("use = 'Retrieval'\nk = 0", "at least 1"),
        ("use = 'Retreival'", "did you mean 'Retrieval'"),
        ("use = 'Retrieval'\nn = 3", "no parameter 'n'"),
        ("k = ", "no valid TOML"),
        (None, "cannot be read"),
    ],
)
def test_a_file_that_says_something_else_leaves_the_form_as_it_was(tmp_path: Path, text: str | None, told: str) -> None:
    form = MemoryForm(Retrieval(k=9))
    file = tmp_path / "memory.toml"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=told):
        form.load(file)
    assert form.value == Retrieval(k=9)


def test_save_and_open_by_buttons(tmp_path: Path) -> None:
    form = MemoryForm(Retrieval(k=3))
    desk = form._desk
    assert desk is not None
    desk._path.value = str(tmp_path / "memory.toml")
    _, save, fetch, said = desk.body.children[1].children
    save.click()
    assert said.value.startswith("saved")
    form.fields["k"].control.value = "8"
    fetch.click()
    assert form.value == Retrieval(k=3)
    desk._path.value = str(tmp_path / "no<where>" / "x.toml")
    save.click()
    assert "no&lt;where&gt;" in said.value  # text from outside stays text


def test_an_arm_marks_its_name_and_its_repeat() -> None:
    form = ArmForm(Arm("memory", memory=Retrieval()))
    form.title.control.value = "no spaces, please"
    assert "an arm's name" in form.title.marked
    form.title.control.value = "fine"
    form.parts["repeat"].control.value = "-1"
    assert "repeat must be" in form.parts["repeat"].marked
    assert form.title.marked == ""
    form.parts["repeat"].control.value = "2"
    assert form.value == Arm("fine", memory=Retrieval(), repeat=2)


def test_an_arm_may_have_a_model_of_its_own() -> None:
    form = ArmForm(Arm.static())
    field = form.parts["lm"]
    field.own.value = True
    field.form.set(Scripted(p=0.1))
    assert form.value.lm == Scripted(p=0.1)
    field.own.value = False
    assert form.value.lm is None


def test_a_wrapped_program_passes_through_a_form_untouched() -> None:
    arm = Arm.wrap(lambda task: "a", name="own")
    form = ArmForm(arm)
    assert form.value.decider is arm.decider
    form.parts["memory"].choice.value = "Retrieval"
    assert form.value.decider is arm.decider


@pytest.mark.parametrize(
    ("part", "typed", "told"),
    [
        ("name", "a/b", "a study's name"),
        ("seeds", "0", "seeds must be"),
        ("seeds", "1, 1", "seeds must differ"),
        ("seeds", "many", "must be a number, such as 5"),
        ("study_seed", "x", "whole number"),
        ("scorers", "exakt", "exakt"),
    ],
)
def test_a_study_marks_each_mistake_at_its_field_and_cannot_be_run(
    form: StudyForm, part: str, typed: str, told: str
) -> None:
    before = form.parts[part].control.value
    form.parts[part].control.value = typed
    assert told in form.parts[part].marked
    assert form.button.disabled
    assert form.start() is None
    assert not form.ledger.root.exists()
    form.parts[part].control.value = before
    assert (form.parts[part].marked, form.button.disabled, form.mistakes) == ("", False, ())


def test_a_stream_that_cannot_be_read_is_marked_and_mended(form: StudyForm, tmp_path: Path) -> None:
    stream = form.parts["stream"]
    stream.choice.value = "Table"
    stream.fields["data"].control.value = str(tmp_path / "absent.csv")
    stream.fields["answer"].control.value = "label"
    stream.fields["inputs"].control.value = "one text"
    stream.fields["inputs"]._fields["one text"].control.value = "note"
    assert form.button.disabled
    assert "absent.csv" in "".join(form.mistakes)
    (tmp_path / "there.csv").write_text("note,label\nhello,a\nbye,b\n", encoding="utf-8")
    stream.fields["data"].control.value = str(tmp_path / "there.csv")
    assert form.mistakes == ()
    assert len(form.value.stream.pairs()) == 2


def test_arms_are_added_copied_and_removed(form: StudyForm) -> None:
    add, copy, remove = form.arms.children[2].children
    form.arms.place.selected_index = 1
    copy.click()
    assert [arm.name for arm in form.arms.get()] == ["static", "memory", "memory-2"]
    assert form.mistakes == ("the arms 'memory' and 'memory-2' do the same; for an A/A test give one repeat = 1",)
    form.arms.arm("memory-2").parts["memory"].fields["k"].control.value = "9"
    assert form.mistakes == ()
    add.click()
    assert "arm-2" in form.parts["baseline"].control.label or any(
        value == "arm-2" for _, value in form.parts["baseline"].control.options
    )
    remove.click()
    assert [arm.name for arm in form.arms.get()] == ["static", "memory", "memory-2"]
    assert form.arms.place.titles == (
        "static · all traits off",
        "memory · memory: Retrieval",
        "memory-2 · memory: Retrieval",
    )


def test_a_saved_study_runs_from_the_command_line_and_from_any_folder(
    form: StudyForm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "rows.csv").write_text("note,label\nhello,a\nbye,b\n", encoding="utf-8")
    (tmp_path / "specs").mkdir()
    form.load(_spec(tmp_path, "data/rows.csv").name)
    saved = form.save("specs/study.toml")
    assert 'data = "../data/rows.csv"' in saved.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path / "data")
    assert [task.text for task, _ in load("../specs").stream.pairs()] == ["hello", "bye"]


def _spec(folder: Path, data: str) -> Path:
    file = folder / "first.toml"
    file.write_text(
        f"""[study]\nname = "rows"\nlm = "scripted"\nseeds = 1\n[stream]\nuse = "Table"\ndata = "{data}"\n"""
        """inputs = "note"\nanswer = "label"\noptions = "answers"\n[[arms]]\nname = "static"\n""",
        encoding="utf-8",
    )
    return file


def test_a_study_with_a_wrapped_program_is_not_written_to_a_file(form: StudyForm, tmp_path: Path) -> None:
    form.arms.set((Arm.static(), Arm.wrap(lambda task: "a", name="own")))
    assert form.mistakes == ()
    target = tmp_path / "study.toml"
    target.write_text("kept", encoding="utf-8")
    with pytest.raises(SpecError, match="Wrapped"):
        form.save(target)
    assert target.read_text(encoding="utf-8") == "kept"


def test_run_starts_the_study_that_the_form_shows(form: StudyForm) -> None:
    form.arms.arm("memory").parts["role"].library.value = "service-desk"
    form.button.click()
    assert form.study is not None
    assert form.study.wait(timeout=600)
    assert form.study.arms[1].role == role("service-desk")
    assert {record.status for record in form.study.records()} == {"finished"}
    assert "ledger" in form.said.value
    assert len(form.live.children) == 1


@pytest.mark.parametrize(
    ("hint", "values"),
    [
        (int | None, [None, 3]),
        (str | tuple[str, ...], ["a", ("a",), (), ("a", 'say "b"', " c ", "d\ne", "")]),
        (Prose, ["two\nlines"]),
        (dict[str, int], [{"a": 1}]),
        (float, [0.1, 1e-9, 3, float("inf")]),
        (bool, [True, False]),
    ],
    ids=str,
)
def test_fields_give_back_what_they_show(hint: object, values: list[object]) -> None:
    field = field_for("x", hint)
    for value in values:
        field.set(value)
        assert field.get() == value
        assert type(field.get()) is type(value)


def test_a_line_that_is_no_text_is_told_by_its_number() -> None:
    field = ListField("rules")
    field.control.value = 'fine\n"torn'
    with pytest.raises(ValueError, match="line 2 begins with a double quote"):
        field.get()


def test_mistakes_are_text_not_markup() -> None:
    field = NumberField("k", int)
    field.mark("<img src=x onerror=alert(1)>")
    assert "<img" not in field._wrong.value
    assert field.marked == "<img src=x onerror=alert(1)>"


def test_a_union_shows_the_type_of_its_value() -> None:
    field = field_for("x", int | None)
    assert isinstance(field, UnionField)
    field.set(3)
    assert field.control.value == "a whole number"
    field.control.value = "none"
    assert field.get() is None


def test_help_comes_from_the_docstring() -> None:
    assert summary(Retrieval).startswith("The ``k`` past tasks most similar")
    told = parameter_help(Role)
    assert told["rules"].startswith("Decision rules: texts, or components")
    from toolkit.lm.embedded import Gguf

    assert parameter_help(Gguf)["context"] == "Tokens that a prompt and its answer may have together."
