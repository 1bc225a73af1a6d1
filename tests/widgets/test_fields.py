"""Fields crossed with constructors: the defaults' form is the defaults, what is set comes back, nonsense is marked."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NewType

import ipywidgets
import pytest

import toolkit.evaluation.spec  # noqa: F401  (its imports register every component that a file can name)
from toolkit.component import Component, Prose, is_shipped, kinds, registered
from toolkit.errors import SpecError
from toolkit.hints import hints_of
from toolkit.lm.embedders import OwnEmbedder
from toolkit.traits.learning import Given
from toolkit.traits.memory import Bounded, Facts, Retrieval, SlidingWindow
from toolkit.traits.memory.stored import StoredMemory
from toolkit.traits.role import Role
from toolkit.traits.rules import AtMostWords, MustSay, Rule
from toolkit.widgets.choosing import OptionalField, UnionField, field_for
from toolkit.widgets.examples_field import ExamplesField
from toolkit.widgets.field import Field
from toolkit.widgets.fields import NumbersField
from toolkit.widgets.form import ComponentForm

Steps = NewType("Steps", int)


class Cloth(Component, kind="cloth-of-fields"):
    """A family of this file's own."""


class Linen(Cloth):
    """Plain."""

    def __init__(self, threads: int = 3) -> None:
        self.threads = threads


class Stitched(Cloth):
    """Needs another."""

    def __init__(self, of: Cloth, times: int) -> None:
        self.of, self.times = of, times


TWO, FIVE, SEVEN = Linen(2), Linen(5), Linen(7)


class Everything(Cloth):
    """One parameter of every type that a component can hold.

    Parameters
    ----------
    optional
        What lies below, if anything does.
    """

    def __init__(
        self,
        whole: int = 1,
        number: float = 0.5,
        switch: bool = True,
        text: str = "a",
        prose: Prose = "b\nc",
        notes: Prose | None = None,
        choice: Literal["a", 1, False] = 1,
        chance: Literal["a", "b"] | None = "b",
        steps: Steps = Steps(4),
        whole_or_not: int | None = None,
        text_or_texts: str | tuple[str, ...] = ("x", "y"),
        lags: tuple[int, ...] = (1, 2),
        shares: Sequence[float] | None = (0.5, 1),
        span: tuple[float, float] = (0, 1),
        pair: tuple[int, str] = (1, "a"),
        pairs: tuple[tuple[str, float], ...] = (("a", 0.5),),
        switches: list[bool] = (True, False),  # type: ignore[assignment]
        table: Mapping[str, float] | None = None,
        tables: dict[str, tuple[int, ...]] = {"a": (1, 2)},  # noqa: B006
        cases: Sequence[Mapping[str, object]] = ({"inputs": {"x": "1"}, "answer": "2"},),
        numbers_or_texts: tuple[int, ...] | tuple[str, ...] = ("a",),
        anything: Any = (1, {"a": None}),
        untyped=None,
        nested: Cloth = TWO,
        untyped_nested=FIVE,
        optional: Cloth | None = None,
        itself: Everything | None = None,
        named_or_own: str | Cloth | None = SEVEN,
        several: tuple[Cloth, ...] = (Linen(1), Stitched(Linen(2), 3)),
        mixed: Sequence[Rule | str] = ("Be brief.", MustSay("Say please.", "please")),
    ) -> None:
        given = dict(locals())
        for name in self.parameters():
            setattr(self, name, given[name])


class Thread(Component, kind="thread-of-fields"):
    """A family without a class."""


class Woven(Cloth):
    """Needs a thread."""

    def __init__(self, of: Thread) -> None:
        self.of = of


class Needy(Cloth):
    """Every parameter without a default."""

    def __init__(
        self,
        whole: int,
        text: str,
        choice: Literal["a", "b"],
        lags: tuple[int, ...],
        table: Mapping[str, int],
        optional: Cloth | None,
        nested: Cloth,
        either: int | str,
    ) -> None:
        given = dict(locals())
        for name in self.parameters():
            setattr(self, name, given[name])


CLASSES = [
    cls
    for kind in kinds()
    for cls in registered(kind).values()
    if is_shipped(cls) and cls.__name__ != "Wrapped" and getattr(sys.modules[cls.__module__], cls.__name__, 0) is cls
]


def usual(cls: type[Component]) -> list[Component]:
    """The class with its defaults, where they make one that is whole."""
    try:
        made = cls()
        made.check()
    except (TypeError, ValueError):
        return []
    return [made]


MADE = [made for cls in CLASSES for made in usual(cls)]
WITHOUT = [cls for cls in CLASSES if cls not in map(type, MADE)]
MORE: list[Component] = [
    Everything(),
    Everything(whole_or_not=3, table={"a": 1}, notes="n", optional=Everything(), itself=Everything(text="in")),
    Everything(named_or_own="x", untyped="plain", numbers_or_texts=(3,), chance=None, shares=None, choice=False),
    Everything(named_or_own=None, anything={"b": [1, 2]}, cases=({"a": 3},), lags=(), several=(), mixed=()),
    Bounded(Facts(), size=2),
    Role("Clerk", "Files.", memory=Retrieval(k=2), rules=("Be brief.", AtMostWords("Briefer.", 3))),
    Given("Heed it.", ({"inputs": {"ticket": "lamp"}, "answer": "b"},)),
]
WRONG = {
    "whole": "x", "number": "x", "lags": "1; 2", "shares": "a", "span": "1", "pair": "[1]", "pairs": "[[1, 2]]",
    "switches": "[1]", "tables": "[", "cases": "a, a", "several": '[{"use": "Nothing"}]', "mixed": '"torn',
    "anything": "{", "untyped": "", "table": '{"a": "b"}', "steps": "1.5",
}  # fmt: skip


@pytest.mark.parametrize("component", [*MADE, *MORE], ids=lambda one: f"{type(one).__name__}")
def test_a_form_shows_a_component_and_gives_it_back(component: Component) -> None:
    form = ComponentForm(component.kind, component)
    assert form.mistakes == ()
    assert form.value == component
    assert set(form.fields) == set(component.parameters())
    for name, field in form.fields.items():
        found = field.get()
        field.set(found)
        assert field.get() == found, name
        standing = field.contents()
        field.refill(standing)
        assert (field.contents(), field.get()) == (standing, found), name
    assert form.value == component
    assert unlabelled(form) == []


@pytest.mark.parametrize("cls", [*WITHOUT, Needy, Stitched], ids=lambda cls: cls.__name__)
def test_a_class_without_defaults_has_a_form_that_can_be_filled(cls: type[Component]) -> None:
    form = ComponentForm(cls.kind, None if cls.kind != Cloth.kind else Linen())
    form.choice.value = cls.__name__
    assert set(form.fields) == set(cls.parameters())
    assert unlabelled(form) == []
    form.contents()


def unlabelled(widget: Any) -> list[Any]:
    """Controls within, which are shown, that have no label of their own."""
    controls = (ipywidgets.Text, ipywidgets.Textarea, ipywidgets.Checkbox, ipywidgets.Dropdown, ipywidgets.Button)
    own = [widget] if isinstance(widget, controls) and not widget.description.strip() else []
    return own + [one for child in getattr(widget, "children", ()) for one in unlabelled(child)]


@pytest.mark.parametrize("name", WRONG)
def test_what_is_none_is_marked_at_its_field_and_mended(name: str) -> None:
    form = ComponentForm("cloth-of-fields", Everything(table={"a": 1}))
    field = form.fields[name]
    control = control_of(field)
    before = control.value
    control.value = WRONG[name]
    assert field.marked
    assert [other for other, one in form.fields.items() if one.marked] == [name]
    assert len(form.mistakes) == 1
    assert form.mistakes[0].startswith(f"Everything.{name} ") or name == "several"
    control.value = before
    assert (form.mistakes, field.marked) == ((), "")


def control_of(field: Field) -> Any:
    """The text control of a field, or of the field of the type that is chosen in it."""
    if isinstance(field, UnionField):
        return control_of(field.chosen)
    return field.columns if isinstance(field, ExamplesField) else field.control  # type: ignore[attr-defined]


def test_every_type_has_its_field() -> None:
    fields = {
        name: type(field).__name__ for name, field in ComponentForm("cloth-of-fields", Everything()).fields.items()
    }
    assert fields["lags"] == fields["span"] == "NumbersField"
    assert fields["shares"] == fields["named_or_own"] == fields["table"] == fields["notes"] == "UnionField"
    assert fields["optional"] == fields["itself"] == "OptionalField"
    assert fields["nested"] == fields["untyped_nested"] == "ComponentForm"
    assert fields["mixed"] == "MixedField"
    assert fields["cases"] == "ExamplesField"
    assert {fields[name] for name in ("pair", "pairs", "tables", "anything", "untyped")} == {"PlainField"}


def test_an_optional_component_has_a_form_and_a_switch() -> None:
    form = ComponentForm("role", Role("Clerk", "Files."))
    memory = form.fields["memory"]
    assert isinstance(memory, OptionalField)
    assert (memory.form, memory.get()) == (None, None)
    memory.control.value = True
    inner = memory.form
    assert isinstance(inner, ComponentForm)
    inner.choice.value = "Retrieval"
    inner.fields["k"].control.value = "0"
    assert form.mistakes == ("Retrieval.k must be an integer of at least 1 but is 0",)
    assert (inner.fields["k"].marked != "", memory.marked) == (True, "")  # once, and at the innermost
    memory.control.value = False
    assert form.value == Role("Clerk", "Files.")
    memory.control.value = True
    inner.fields["k"].control.value = "2"
    assert form.value == Role("Clerk", "Files.", memory=Retrieval(k=2))


def test_a_component_within_a_union_has_a_form() -> None:
    form = ComponentForm("cloth-of-fields", Everything())
    field = form.fields["named_or_own"]
    assert isinstance(field, UnionField)
    assert isinstance(field.chosen, ComponentForm)
    field.chosen.fields["threads"].control.value = "x"
    assert field.chosen.fields["threads"].marked
    assert field.marked == ""
    field.control.value = "one text"
    field.chosen.control.value = "silk"
    assert form.value.named_or_own == "silk"


def test_only_the_classes_of_its_family_are_offered() -> None:
    form = ComponentForm("memory", Bounded(Facts(), size=2))
    of = form.fields["of"]
    assert isinstance(of, ComponentForm)
    assert set(of.choice.options) == {
        name for name, cls in registered("memory").items() if issubclass(cls, StoredMemory)
    }
    assert "NoMemory" not in of.choice.options


def test_a_family_without_a_usual_class_waits_for_a_choice() -> None:
    form = ComponentForm("cloth-of-fields", Linen())
    form.choice.value = "Woven"
    assert form.mistakes == ("of: choose which thread-of-fields",)
    assert form.fields["of"].marked == "of: choose which thread-of-fields"

    class Silk(Thread):
        def __init__(self, of: Thread | None) -> None:
            self.of = of

    form.fields["of"].choice.value = "Silk"
    assert form.value == Woven(Silk(None))


def test_a_part_that_lives_in_code_passes_through_a_form() -> None:
    own = OwnEmbedder(lambda texts: [[len(text), 1.0] for text in texts], name="lengths")
    form = ComponentForm("memory", Retrieval(embedder=own))
    form.fields["k"].control.value = "7"
    assert form.value.embedder is own


def test_a_value_of_another_type_is_shown_and_marked() -> None:
    form = ComponentForm("cloth-of-fields", Everything(lags="x", whole_or_not="x", pair=None))  # type: ignore[arg-type]
    assert {name for name, field in form.fields.items() if field.marked} == {"lags", "whole_or_not", "pair"}


def test_none_where_no_file_can_hold_it_is_said(tmp_path: Any) -> None:
    form = ComponentForm("cloth-of-fields", Everything(chance=None))
    with pytest.raises(SpecError, match="None only where it is the default"):
        form.save(tmp_path / "cloth.toml")
    assert not (tmp_path / "cloth.toml").exists()


@pytest.mark.parametrize(
    ("hint", "text", "found"),
    [
        (tuple[int, ...], " 1,2 , -3", (1, 2, -3)),
        (tuple[int, ...], " ", ()),
        (tuple[float, float], "1, 2e3", (1, 2000.0)),
        (tuple[int, ...], "1,,2", "must be a whole number but is ''"),
        (tuple[int, int], "1", "must be 2 numbers"),
        (tuple[int, int], "", "must be 2 numbers"),
    ],
    ids=str,
)
def test_numbers_on_a_line(hint: Any, text: str, found: Any) -> None:
    field = field_for("lags", hint)
    assert isinstance(field, NumbersField)
    field.control.value = text
    if isinstance(found, str):
        with pytest.raises(ValueError, match=found):
            field.get()
    else:
        assert field.get() == found


@pytest.mark.parametrize(
    "cases",
    [
        (),
        ({"inputs": {"a": "x\ny", "b": ""}, "answer": "<b>"},) * 2,
        ({"answer": "first", "inputs": {"a": "x"}},),
        ({"a": "x"}, {"b": "y"}),
        ({"a.b": "x"},),
        ({"a, b": "x"}, {"": "y"}),
        ({"inputs": {}, "answer": "a"},),
        ({"inputs": {"a": {"b": "c"}}},),
        ({"inputs": {"a": 3}, "answer": "y"},),
        ({"inputs": {"a": "1", "b": "2"}, "answer": "y"}, {"inputs": {"b": "2", "a": "1"}, "answer": "y"}),
    ],
    ids=str,
)
def test_cases_come_back_in_their_order(cases: tuple[Mapping[str, Any], ...]) -> None:
    field = ExamplesField("examples")
    field.set(cases)
    assert field.get() == cases
    assert str(field.get()) == str(cases)  # in the order of their keys, which a prompt shows
    again = ExamplesField("examples")
    again.refill(field.contents())
    assert (again.get(), again.contents()) == (cases, field.contents())
    field.as_json.value = not field.as_json.value
    assert field.get() == cases


def test_rows_are_added_and_removed_and_a_column_keeps_what_was_typed() -> None:
    field = ExamplesField("examples")
    told: list[int] = []
    field.on_change(lambda: told.append(1))
    field.add_button.click()
    field.add_button.click()
    field.cases[0]["answer"].value = "pay"
    field.cases[1]["inputs.text"].value = "A bill."
    assert field.get() == ({"inputs": {"text": ""}, "answer": "pay"}, {"inputs": {"text": "A bill."}, "answer": ""})
    field.columns.value = "answer"
    assert field.get() == ({"answer": "pay"}, {"answer": ""})
    field.columns.value = "answer, inputs.text"
    assert field.get()[1] == {"answer": "", "inputs": {"text": "A bill."}}
    remove = field._place.children[0].children[-1]
    assert remove.description == "Remove case 1"
    remove.click()
    assert field.get() == ({"answer": "", "inputs": {"text": "A bill."}},)
    assert len(told) == 7


@pytest.mark.parametrize("columns", ["a, a", "a,", "", "a, a.b", "a.b.c", ".a"])
def test_columns_that_are_none_are_marked_and_keep_the_cases(columns: str) -> None:
    field = ExamplesField("examples")
    field.set([{"a": "x"}])
    field.columns.value = columns
    with pytest.raises(ValueError, match="column"):
        field.get()
    assert field.cases[0]["a"].value == "x"
    field.columns.value = "a"
    assert field.get() == ({"a": "x"},)


def test_json_that_is_no_rows_stays_and_says_why() -> None:
    field = ExamplesField("examples")
    field.set([{"a": 1}])
    assert field.as_json.value
    field.as_json.value = False
    assert field.as_json.value
    assert "the same columns in every case" in field._json.marked
    assert field.get() == ({"a": 1},)


def test_help_stands_at_components_too() -> None:
    form = ComponentForm("cloth-of-fields", Everything())
    assert "What lies below" in form.fields["optional"]._help.value
    shown = [one.value for one in form.fields["nested"].children if isinstance(one, ipywidgets.HTML)]
    assert not any("What lies" in one for one in shown)
    assert form.fields["optional"].control.tooltip == "What lies below, if anything does."


def test_each_hint_of_the_toolkit_has_a_field_of_its_own_type() -> None:
    for cls in CLASSES:
        for name, hint in hints_of(cls).items():
            if name in cls.parameters() and inspect.isclass(hint) and hint in (int, float, bool, str):
                assert type(field_for(name, hint)).__name__ != "PlainField", f"{cls.__name__}.{name}"


def test_a_window_offers_numbers_from_its_docstring() -> None:
    form = ComponentForm("memory", SlidingWindow())
    assert "Number of tasks, at least 1." in form.fields["k"]._help.value
