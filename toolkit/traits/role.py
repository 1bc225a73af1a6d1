"""Roles: a specialist that is ready on day one, as text and worked examples; it never changes over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path

from toolkit.component import Prose, read_toml
from toolkit.errors import SpecError, nearest
from toolkit.records import Example
from toolkit.traits.trait import Trait


class RolePolicy(Trait, kind="role"):
    """Who the agent is. `text` and `examples` are what it adds to every prompt."""

    stateless = True

    def text(self) -> str:
        """The role's block of the system text; empty adds nothing."""
        return ""

    def worked(self) -> tuple[Example, ...]:
        """The role's own worked examples."""
        return ()


class NoRole(RolePolicy):
    """A general-purpose model: adds nothing."""


class Role(RolePolicy):
    """A specialist.

    Parameters
    ----------
    name
        Who it is, in a few words.
    objective
        What it is for, in one sentence.
    instructions
        How it works.
    rules
        Decision rules, one sentence each.
    examples
        Worked cases: tables with ``inputs`` (a table of texts) and ``answer``.
    edition
        Raised whenever a role's text changes; part of its identity.

    Examples
    --------
    >>> print(Role("Triage nurse", objective="Sorts patients.", rules=("When unsure, choose urgent.",)).text())
    You are: Triage nurse. Sorts patients.
    Rules:
    - When unsure, choose urgent.
    """

    def __init__(
        self,
        name: str,
        objective: Prose = "",
        instructions: Prose = "",
        rules: Sequence[str] = (),
        examples: Sequence[Mapping[str, object]] = (),
        edition: str = "1",
    ) -> None:
        self.name = name
        self.objective = objective
        self.instructions = instructions
        self.rules = tuple(rules)
        self.examples = tuple(examples)
        self.edition = edition

    def check(self) -> None:
        """A name, and worked cases that are whole."""
        if not self.name.strip():
            raise ValueError(f"Role.name must say who the agent is but is {self.name!r}")
        self.worked()

    def text(self) -> str:
        """The role's block of the system text."""
        lines = [f"You are: {self.name.strip()}. {self.objective.strip()}".strip()]
        if self.instructions.strip():
            lines.append(self.instructions.strip())
        if self.rules:
            lines += ["Rules:", *(f"- {rule.strip()}" for rule in self.rules)]
        return "\n".join(lines)

    def worked(self) -> tuple[Example, ...]:
        """The role's own worked examples.

        Raises
        ------
        ValueError
            If one has no table of inputs or no answer.
        """
        return tuple(_example(self.name, number, table) for number, table in enumerate(self.examples, start=1))


def _example(role: str, number: int, table: Mapping[str, object]) -> Example:
    inputs, answer = table.get("inputs"), table.get("answer")
    if not isinstance(inputs, Mapping) or not inputs or not isinstance(answer, str):
        wanted = "needs a table 'inputs' and a text 'answer'"
        raise ValueError(f"role {role!r}, Role.examples, number {number}: {wanted} but is {table!r}")
    return Example({str(key): str(value) for key, value in inputs.items()}, answer, f"role/{number}")


def library() -> dict[str, Path]:
    """The shipped roles by name, with their files."""
    folder = Path(str(resources.files("toolkit.traits").joinpath("roles")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def role(name: str) -> Role:
    """A role from the library, or from a TOML file of one's own.

    Parameters
    ----------
    name
        A name in the library, or a path that ends in ``.toml``.

    Raises
    ------
    SpecError
        If there is no such role, or the file has unknown keys; the nearest names are given.
    """
    shipped = library()
    path = Path(name) if name.endswith(".toml") else shipped.get(name)
    if path is None:
        raise SpecError([f"no role is called {name!r}; {nearest(name, shipped)}"])
    found = Role.from_config({"use": "Role", **read_toml(path)}, where=str(path))
    found.worked()
    return found
