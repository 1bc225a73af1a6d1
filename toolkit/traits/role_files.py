"""Roles in files: the library of pre-built ones, files of one's own, and their wordings."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from pathlib import Path

from toolkit.component import Config, read_toml
from toolkit.errors import SpecError, nearest
from toolkit.traits.role import Role

_WORDED = ("name", "objective", "instructions", "rules")  # what another wording may put in other words


def library() -> dict[str, Path]:
    """The shipped roles by name, with their files."""
    folder = Path(str(resources.files("toolkit.traits").joinpath("roles")))
    return {path.stem: path for path in sorted(folder.glob("*.toml"))}


def role(name: str) -> Role:
    """A role from the library, or from a TOML file of one's own.

    Parameters
    ----------
    name
        A name in the library, or a path that ends in ``.toml``. A file holds a role's parameters, among them its
        ``name`` and ``objective``, and, if it likes, other `wordings`.

    Raises
    ------
    SpecError
        If there is no such role, or the file has unknown keys, no objective, a text beyond the budget, or an example
        that breaks a rule; it names the file and the key.
    """
    path, table = _read(name)
    table.pop("wordings", None)
    found = Role.from_config({"use": "Role", **table}, where=str(path))
    if not found.objective.strip():
        raise SpecError([f"{path}: a role's file needs a text for 'objective': what the role is for, in a sentence"])
    return found


def wordings(name: str) -> tuple[Role, ...]:
    """The same role in other words: what a role is worth must not hang on one way to put it.

    Parameters
    ----------
    name
        As in `role`. The file's ``[[wordings]]`` hold any of ``name``, ``objective``, ``instructions`` and ``rules``,
        the latter as many texts as the role has rules; what checks a rule stays.

    Returns
    -------
    tuple of Role
        One for each table, of editions such as ``"1/w2"``.

    Raises
    ------
    SpecError
        As `role`, or for a table with other keys or another number of rules.

    Examples
    --------
    >>> all(one.rules != role("banking-triage").rules for one in wordings("banking-triage"))
    True
    """
    original = role(name)
    path, table = _read(name)
    tables = table.get("wordings", [])
    if not isinstance(tables, list):
        raise SpecError([f"{path}: wordings must be a list of tables, [[wordings]], but is {tables!r:.80}"])
    return tuple(_worded(original, k, one, f"{path}: wordings[{k}]") for k, one in enumerate(tables, start=1))


def _worded(original: Role, number: int, table: object, where: str) -> Role:
    if not isinstance(table, Mapping):
        raise SpecError([f"{where}: a wording must be a table but is {table!r:.80}"])
    mistakes = [
        f"{where}: a wording has no key {key!r}; {nearest(key, _WORDED)}" for key in table if key not in _WORDED
    ]
    mistakes += [f"{where}.{key} must be a text" for key in _WORDED[:3] if not isinstance(table.get(key, ""), str)]
    rules = table.get("rules", [])
    if not isinstance(rules, list) or not all(isinstance(one, str) for one in rules):
        mistakes.append(f"{where}.rules must be a list of texts but is {rules!r:.80}")
    if mistakes:
        raise SpecError(mistakes)
    try:
        found = original.in_words(number, **table)
        found.check()
    except ValueError as error:
        raise SpecError([f"{where}: {error}"]) from error
    return found


def _read(name: str) -> tuple[Path, Config]:
    """A role's file, and what it holds."""
    shipped = library()
    path = Path(name) if name.endswith(".toml") else shipped.get(name)
    if path is None:
        raise SpecError([f"no role is called {name!r}; {nearest(name, shipped)}"])
    return path, dict(read_toml(path))
