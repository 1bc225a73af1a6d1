"""The public face, ``import toolkit as tk``: every name is there, documented, and loaded when it is first used."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import pkgutil
import re
import subprocess
import sys

import pytest

import toolkit
from toolkit.component import Component

FACES = [
    "toolkit.analysis", "toolkit.lm", "toolkit.report", "toolkit.stats", "toolkit.streams", "toolkit.streams.channels",
    "toolkit.streams.tau2", "toolkit.traits.goals", "toolkit.traits.learning", "toolkit.traits.memory",
    "toolkit.widgets",
]  # fmt: skip
NAMED = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def docstrings(value: object) -> str:
    """Its own, and those of what it derives from: a parameter may be documented once for a family."""
    return "\n".join(
        inspect.cleandoc(one.__doc__ or "") for one in (value.__mro__ if inspect.isclass(value) else [value])
    )


def parameters(value: object) -> list[str]:
    try:
        found = inspect.signature(value).parameters.values()  # type: ignore[arg-type]
    except ValueError:  # an exception that takes any message
        return []
    return [one.name for one in found if one.kind in NAMED and not one.name.startswith("_")]


def says(told: str, parameter: str, *, in_prose: bool) -> bool:
    """Whether a docstring names a parameter: at the head of an entry, or anywhere as ``this`` if prose will do."""
    head = re.search(rf"(?m)^(?:\w+, )*{re.escape(parameter)}(?:, \w+)*$", told)
    return bool(head) or (in_prose and f"``{parameter}``" in told)


@pytest.mark.parametrize("name", toolkit.__all__)
def test_a_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(toolkit, name)
    assert value.__name__ == name
    assert value.__module__.startswith("toolkit.")
    told = docstrings(value)
    assert told.strip()
    record = dataclasses.is_dataclass(value) and not (inspect.isclass(value) and issubclass(value, Component))
    assert [one for one in parameters(value) if not says(told, one, in_prose=record)] == []


def test_a_parameter_is_documented_at_the_head_of_an_entry() -> None:
    told = "Gives ``k``.\n\nParameters\n----------\nseed, order\n    Of the run."
    assert [name for name in ("k", "seed", "order", "run") if says(told, name, in_prose=False)] == ["seed", "order"]
    assert says(told, "k", in_prose=True)


def test_names_are_sorted_and_occur_once() -> None:
    assert list(toolkit.__all__) == sorted(set(toolkit.__all__))
    assert sum(map(len, toolkit._FACE.values())) == len(toolkit.__all__), "a name has two homes"


def test_what_is_shown_is_what_is_public() -> None:
    shown = {name for name in dir(toolkit) if not name.startswith("_")}
    folders = {one.name for one in pkgutil.iter_modules(toolkit.__path__) if one.ispkg}
    assert shown == {*toolkit.__all__, *folders}


def test_a_star_brings_the_public_names_alone() -> None:
    into: dict[str, object] = {}
    exec("from toolkit import *", into)
    assert {name for name in into if name != "__builtins__"} == set(toolkit.__all__)


def test_no_public_name_is_that_of_a_module() -> None:
    """Importing the module would put it in the name's place."""
    assert {one.name for one in pkgutil.iter_modules(toolkit.__path__)} & set(toolkit.__all__) == set()


def test_every_folder_is_reached_by_its_name() -> None:
    code = "import toolkit; print(*(getattr(toolkit, name).__name__ for name in toolkit._FOLDERS))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == [f"toolkit.{name}" for name in toolkit._FOLDERS]


def test_importing_it_loads_nothing_else_of_it() -> None:
    code = "import toolkit, sys; print(*(name for name in sys.modules if name.startswith('toolkit')))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split() == ["toolkit"]


def test_an_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="'toolkit' has no attribute 'Retreival'; did you mean 'Retrieval'"):
        _ = toolkit.Retreival
    with pytest.raises(AttributeError, match=r"no attribute 'xyzzy'; dir\(toolkit\) lists"):
        _ = toolkit.xyzzy


@pytest.mark.parametrize("face", FACES)
def test_a_folders_face_holds_what_it_names_and_all_that_is_public_in_it(face: str) -> None:
    module = importlib.import_module(face)
    assert [name for name in module.__all__ if not hasattr(module, name)] == []
    own = face.removeprefix("toolkit.")
    public = {name for name, home in toolkit._HOME.items() if f"{home}.".startswith(f"{own}.")}
    assert public - set(module.__all__) == set()
