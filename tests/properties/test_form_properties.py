"""Code, form, file, form, code is the identity for every registered component, whichever are registered later too."""

from __future__ import annotations

import inspect
import tempfile
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import ipywidgets
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import toolkit.evaluation.spec  # noqa: F401  (its imports register every component that a file can name)
from toolkit.agents.arm import Arm
from toolkit.component import Component, is_shipped, kinds, registered
from toolkit.evaluation.study import Study
from toolkit.ledger.store import Ledger
from toolkit.lm.scripted import Scripted
from toolkit.streams.desk import Desk
from toolkit.widgets.form import ComponentForm
from toolkit.widgets.forms import ArmForm
from toolkit.widgets.study_form import StudyForm

IN_CODE_ONLY = {"OwnEmbedder", "Wrapped"}
CLASSES = [
    cls
    for kind in kinds()
    for name, cls in registered(kind).items()
    if is_shipped(cls) and name not in IN_CODE_ONLY and "<locals>" not in cls.__qualname__
]
CLASSES = [cls for cls in CLASSES if getattr(inspect.getmodule(cls), cls.__name__, None) is cls]  # no docstring's
PLAIN = st.text(max_size=8) | st.integers(-9, 9) | st.booleans()


def values(hint: Any, name: str, depth: int) -> st.SearchStrategy[Any]:
    """Values of a parameter's type."""
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    known = {
        int: st.integers(0, 40) | st.integers(-3, 10**9),
        float: st.floats(0, 1) | st.floats(allow_nan=False) | st.integers(0, 1),
        bool: st.booleans(),
        str: st.text(max_size=30) | st.sampled_from(["a", " b ", '"c', "d\ne", "<b>", "\t", "exact"]),
        type(None): st.none(),
    }
    if hint in known:
        return known[hint]
    if origin is typing.Literal:
        return st.sampled_from(inner)
    if origin in (typing.Union, types.UnionType):
        return st.one_of([values(one, name, depth) for one in inner])
    if isinstance(hint, type) and issubclass(hint, Component):
        families = [c for c in CLASSES if issubclass(c, hint)]
        return st.sampled_from(families if depth else families[:1]).flatmap(lambda cls: components(cls, depth - 1))
    if origin in (tuple, list, Sequence):
        return st.lists(values(inner[0], name, depth), max_size=3).map(tuple)
    if origin in (dict, Mapping):
        return st.dictionaries(st.text(min_size=1, max_size=5), PLAIN | st.dictionaries(st.text(min_size=1), st.text()))
    raise AssertionError(f"{name} is of a type that this test has no values for: {hint!r}")


def components(cls: type[Component], depth: int = 2) -> st.SearchStrategy[Component]:
    """Valid components of a class."""
    hints = typing.get_type_hints(cls.__init__)
    parameters = cls.parameters()
    needed = [name for name, p in parameters.items() if p.default is p.empty]
    fields = {name: values(hints[name], name, depth) for name in parameters}
    # Of these nothing by default is two or more: else hardly a draw were valid.
    for name in {"Routed": ("deciders",), "Several": ("models",)}.get(cls.__name__, ()):
        inner = values(typing.get_args(hints[name])[0], name, depth)
        fields[name] = st.lists(inner, min_size=2, max_size=3).map(tuple)
        needed.append(name)
    if cls.__name__ == "TakingTurns":  # of models that are prompted alike
        alike = st.integers(0, 9).map(lambda seed: Scripted(seed=seed))
        fields["models"] = st.lists(alike, min_size=2, max_size=3).map(tuple)
    if cls.__name__ == "Judge":  # its fingerprint is its model's too, and that of a file needs the file
        fields["lm"] = components(Scripted, 0)
    for step in {"step", "steps"} & fields.keys():  # which an arm must take
        fields[step] = st.none()
    if cls.__name__ == "Role":
        case = st.fixed_dictionaries(
            {"inputs": st.dictionaries(st.text(min_size=1), st.text(), min_size=1), "answer": st.text()}
        )
        fields["examples"] = st.lists(case, max_size=2).map(tuple)

    def made(given: dict[str, Any]) -> Component | None:
        try:
            component = cls(**given)
            component.check()
        except ValueError:
            return None
        return component

    # A few parameters at a time leave their defaults: most values of many at once would contradict each other.
    some = st.lists(st.sampled_from(sorted(fields)), max_size=3, unique=True) if fields else st.just([])
    drawn = some.flatmap(lambda names: st.fixed_dictionaries({name: fields[name] for name in {*needed, *names}}))
    return drawn.map(made).filter(lambda one: one is not None)


def by_code(text: str, name: str) -> Any:
    """What source text makes."""
    space: dict[str, Any] = {}
    exec(text, space)
    return space[name]


@pytest.fixture(autouse=True)
def _widgets_are_closed():
    yield
    ipywidgets.Widget.close_all()


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.kind}:{cls.__name__}")
@settings(max_examples=12, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_code_form_file_form_code_is_the_identity(cls: type[Component], data: st.DataObject) -> None:
    component = data.draw(components(cls))
    form = ComponentForm(cls.kind, component)
    assert form.value == component
    assert form.mistakes == ()
    with tempfile.TemporaryDirectory() as folder:
        again = ComponentForm(cls.kind)
        again.load(form.save(Path(folder) / "part.toml"))
    assert again.value == component
    assert again.value.config() == component.config()
    assert by_code(again.code(), cls.kind) == component
    if cls.kind not in ("stream", "lm"):  # those are identified by content that need not be there
        assert by_code(again.code(), cls.kind).fingerprint() == component.fingerprint()


ARMS = st.builds(
    Arm,
    st.from_regex(r"[a-z0-9][a-z0-9._-]{0,10}", fullmatch=True),
    **{
        part: st.sampled_from([c for c in CLASSES if c.kind == part]).flatmap(components)
        for part in (*Arm.traits, "decider")
    },
    transcript=st.booleans(),
    repeat=st.integers(0, 5),
    lm=st.none() | components(Scripted),
)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(arm=ARMS)
def test_arms_come_back(arm: Arm) -> None:
    form = ArmForm(arm)
    assert form.value == arm
    with tempfile.TemporaryDirectory() as folder:
        again = ArmForm()
        again.load(form.save(Path(folder) / "arm.toml"))
    assert again.value == arm
    assert by_code(again.code(), "arm") == arm


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(
    arms=st.lists(ARMS, min_size=1, max_size=3),
    lm=components(Scripted),
    seeds=st.integers(1, 9) | st.lists(st.integers(0, 99), min_size=1, max_size=4, unique=True),
    study_seed=st.integers(0, 10**6),
    order=st.sampled_from(["shuffled", "given"]),
)
def test_studies_come_back(arms: list[Arm], lm: Scripted, seeds: Any, study_seed: int, order: Any) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            study = Study(
                "s", Desk(tasks=6), arms=arms, lm=lm, seeds=seeds, study_seed=study_seed, order=order, ledger=folder
            )
        except ValueError:
            assume(False)
        form = StudyForm(study)
        assert form.value.config() == study.config()
        again = StudyForm(ledger=Ledger(folder))
        again.load(form.save(Path(folder) / "study.toml"))
        assert [run.id for run in again.value.runs] == [run.id for run in study.runs]
        made = by_code(again.code(), "study")
    assert made.config() == study.config()
