"""Roles from elsewhere: agents of CrewAI, collections of prompts, plain system prompts, DSPy signatures."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toolkit.agents.crewai import of_agent, read_agents
from toolkit.agents.role_texts import PLACEHOLDER, Draft, of_signature, of_text, place
from toolkit.errors import SpecError, names
from toolkit.streams.sheet import read_sheet, read_text
from toolkit.traits.role import Role
from toolkit.traits.role_files import role
from toolkit.traits.wording import words

_YAML, _CSV, _TEXT = (".yaml", ".yml"), (".csv", ".tsv"), (".txt", ".md")


@dataclass(frozen=True)
class Imported:
    """A role as it was read from elsewhere.

    Parameters
    ----------
    role
        It has passed the same checks as a role of one's own.
    left_out
        What the source says and the role does not; one sentence each, beginning with the key.
    notes
        What stands in the role otherwise than in the source, or should be looked at.
    """

    role: Role
    left_out: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        told = [f"{self.role.name} ({self.role.tokens} tokens)"]
        told += [f"  left out: {one}" for one in self.left_out] + [f"  note: {one}" for one in self.notes]
        return "\n".join(told)


def import_role(
    source: object,
    name: str = "",
    *,
    values: Mapping[str, str] | None = None,
    tools: Collection[str] = (),
    budget: int = 1000,
    encoding: str = "utf-8",
) -> Imported:
    """A role from a file, a text or a DSPy signature, and what could not be carried over.

    ================================  ==========================================================================
    Source                            What becomes of it
    ================================  ==========================================================================
    ``agents.yaml`` of CrewAI         role: name, goal: objective, backstory: instructions
    .csv with columns act and prompt  act: name, first sentence of the prompt: objective, the rest: instructions
    .txt, .md, any other text         likewise; a text that `Role.prompt` wrote is taken apart again
    a DSPy signature or predictor     its instructions likewise, descriptions of fields added; demos: examples
    .toml                             a role's own file, as `toolkit.role` reads it
    ================================  ==========================================================================

    A text is one on several lines, or one that ends in none of these endings.

    Parameters
    ----------
    source
        A path, a text, a signature, or a ``dspy.Predict``.
    name
        Which agent or prompt of the file (see `roles_in`), where there are several; of a text or a signature, what the
        role is to be called.
    values
        What stands for placeholders, ``{topic}`` or ``${Topic:usual}``.
    tools
        Names of the tools that the world has: of the agent's own only these are carried over.
    budget
        The most tokens that the role may take.
    encoding
        Of a file.

    Raises
    ------
    SpecError
        Naming the file, the key or the line: broken YAML or quotes, another encoding, unknown or missing keys, no such
        agent, two of the same name, a placeholder that is not there, a text beyond the budget.

    References
    ----------
    CrewAI, Agents, https://docs.crewai.com/concepts/agents. The columns are those of https://prompts.chat.

    Examples
    --------
    >>> found = import_role("Act as a travel guide. Suggest one place a time for {city}.", "Guide")
    >>> found.role.objective, found.role.instructions
    ('Act as a travel guide.', 'Suggest one place a time for {city}.')
    >>> found.notes
    ('{city} is not filled: values={"city": ...}',)
    """
    if isinstance(source, str | Path):
        path = _path(source)
        if path is not None and path.suffix.lower() == ".toml":
            return Imported(role(str(path)))
        raw = of_text(str(source), name, "the text") if path is None else _of_file(path, name, tools, encoding)
    else:
        raw = of_signature(source, name)
    raw.fill(values or {})
    made = Role.from_config({"use": "Role", **raw.parameters, "budget": budget}, raw.where)
    return Imported(made, tuple(raw.left_out), tuple(raw.notes))


def roles_in(path: str | Path, search: str = "", encoding: str = "utf-8") -> tuple[str, ...]:
    """The names in a file that `import_role` reads: agents of CrewAI, or prompts of a collection.

    Parameters
    ----------
    path
        A .yaml or .csv file.
    search
        Words that name and text must hold together, in any order and case; names that hold them all come first.
        Empty = all, in the order of the file.
    encoding
        Of the file.

    Raises
    ------
    SpecError
        If the file cannot be read; see `import_role`.
    """
    file = Path(path).expanduser()
    found = _known(file, encoding)
    texts = {one: " ".join(map(str, (one, *table.values()))) for one, (_, table) in found.items()}
    wanted = set(words(search))
    near = [one for one in texts if wanted <= set(words(one))]
    return (*near, *(one for one, text in texts.items() if one not in near and wanted <= set(words(text))))


def _path(source: str | Path) -> Path | None:
    """The file that is meant, if one is."""
    if isinstance(source, Path):
        return source.expanduser()
    endings = (*_YAML, *_CSV, *_TEXT, ".toml")
    return Path(source).expanduser() if "\n" not in source and source.lower().endswith(endings) else None


def _of_file(path: Path, name: str, tools: Collection[str], encoding: str) -> Draft:
    if path.suffix.lower() not in (*_YAML, *_CSV):
        return of_text(read_text(str(path), encoding), name or path.stem, str(path))
    found = _known(path, encoding)
    line, table = found[_chosen(path, name, found)]
    if path.suffix.lower() in _CSV:
        return _of_row(f"{path}, line {line}", table)
    raw = of_agent(f"{path}: {_chosen(path, name, found)}", table, tools)
    texts = [text for _, one in found.values() for text in one.values() if isinstance(text, str)]
    raw.places = {place(match) for text in texts for match in PLACEHOLDER.finditer(text)}
    return raw


def _known(path: Path, encoding: str) -> dict[str, tuple[int, Mapping[str, Any]]]:
    """What a file holds, by name, each with its line."""
    if path.suffix.lower() in _YAML:
        return {name: (0, table) for name, table in read_agents(path, encoding).items()}
    if path.suffix.lower() in _CSV:
        return _rows(path, encoding)
    raise SpecError([f"{path}: names are known of a .yaml or .csv file, and this is {path.suffix!r}"])


def _chosen(path: Path, name: str, found: Mapping[str, object]) -> str:
    if name in found:
        return name
    if not name and len(found) == 1:
        return next(iter(found))
    alike = [one for one in found if one.strip().casefold() == name.strip().casefold()]
    if len(alike) == 1:
        return alike[0]
    if not name:
        raise SpecError([f"{path}: holds {len(found)} roles; say which, name=...: {names(list(found))}"])
    lowered = {one.casefold(): one for one in found}
    close = [lowered[one] for one in difflib.get_close_matches(name.casefold(), lowered, n=3)]
    hint = f"did you mean {' or '.join(map(repr, close))}?" if close else f"it has {names(list(found))}"
    raise SpecError([f"{path}: nobody is called {name!r}; {hint} Or search: roles_in(path, 'some words')"])


# A collection of prompts


def _rows(path: Path, encoding: str) -> dict[str, tuple[int, Mapping[str, Any]]]:
    sheet = read_sheet(str(path), encoding)
    for column in ("act", "prompt"):
        if column not in sheet.columns:
            sheet.note(0, "", f"needs a column {column!r}; it has {names(sheet.columns) or 'none'}")
    sheet.check()
    found: dict[str, tuple[int, Mapping[str, Any]]] = {}
    for line, row in sheet.rows:
        table = {column: sheet.text(line, row, column) for column in sheet.columns}
        name = table["act"]
        for column in ("act", "prompt"):
            if not table[column].strip():
                sheet.note(line, column, "is empty; every prompt has a name and a text")
        if name in found:
            sheet.note(line, "act", f"{name!r} is the name of line {found[name][0]} too; rename one")
        found.setdefault(name, (line, table))
    sheet.check()
    return found


def _of_row(where: str, row: Mapping[str, Any]) -> Draft:
    raw = of_text(row["prompt"], row["act"], where)
    kind = str(row.get("type") or "TEXT")
    if kind != "TEXT":
        raw.notes.append(f"type = {kind!r}: an agent here answers in plain text")
    return raw
