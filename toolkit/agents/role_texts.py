"""What a role is made of where it comes as a text, or as the signature of a DSPy program."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from toolkit.errors import SpecError, names, nearest
from toolkit.traits.wording import lettered

PLACEHOLDER = re.compile(r"\$\{\s*([^{}:]+?)\s*(?::([^{}]*))?\}|(?<!\$)\{([A-Za-z_][\w-]*)\}")
"""What a source leaves open: ``${Topic:usual}`` or ``{topic}``."""

_SENTENCE = re.compile(r"(?<=[.!?])\s+|\s*\n\s*")
_FIELD = re.compile(r"([^:\n]+):(?: (.*))?", re.DOTALL)
_FIRST = re.compile(r"\bmy first (?:\w+ )?(?:request|sentence|question|command|query|prompt|message|suggestion)", re.I)


def place(match: re.Match[str]) -> str:
    """What a `PLACEHOLDER` is called."""
    return str(match[1] or match[3])


@dataclass
class Draft:
    """What a source says: parameters of a role, and what is to be told of them.

    Parameters
    ----------
    where
        What to call the source in messages.
    parameters
        Of the role.
    left_out, notes
        As in `toolkit.agents.role_import.Imported`.
    places
        Placeholders that another part of the source has.
    """

    where: str
    parameters: dict[str, Any]
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    places: set[str] = field(default_factory=set)

    def fill(self, values: Mapping[str, str]) -> None:
        """Put values in the place of placeholders, once: what a value holds is text."""
        met, usual, empty = set(self.places), dict[str, str](), dict[str, str]()

        def filled(match: re.Match[str]) -> str:
            key = place(match)
            met.add(key)
            if key in values:
                return str(values[key])
            told = usual if match[2] is not None else empty
            told[key] = match[0]
            return match[2] if match[2] is not None else match[0]

        for key in ("name", "objective", "instructions"):
            self.parameters[key] = PLACEHOLDER.sub(filled, self.parameters.get(key, "")).strip()
        strange = [f"{self.where}: has no placeholder {key!r}; {nearest(key, met)}" for key in values if key not in met]
        if strange:
            raise SpecError(strange)
        self.notes += [f"{match} is filled with its default: values={{{key!r}: ...}}" for key, match in usual.items()]
        self.notes += [f'{match} is not filled: values={{"{key}": ...}}' for key, match in empty.items()]


def of_text(text: str, name: str, where: str) -> Draft:
    """A text as a role: its first sentence is the objective; one that `Role.prompt` wrote is taken apart again."""
    text = text.strip()
    if not text:
        raise SpecError([f"{where}: a role needs a text but it is empty"])
    own = _exported(text)
    if own is not None:
        return Draft(where, {**own, **({"name": name} if name and not own["name"] else {})})
    if not name.strip():
        raise SpecError([f"{where}: a role needs a name: import_role(text, 'Travel guide')"])
    head, *rest = _SENTENCE.split(text, maxsplit=1)
    raw = Draft(where, {"name": name, "objective": head, "instructions": "".join(rest)})
    if len(lettered(head)) < 2:  # a heading, or the bracket of a table
        raw.parameters |= {"objective": f"Works as {name.strip()}.", "instructions": text}
        raw.notes.append(f"objective: the text begins with no sentence, so it is {raw.parameters['objective']!r}")
    first = _FIRST.search(text)
    if first:
        raw.notes.append(f"instructions: they hold a first request ({first[0]!r}), which every task would be read with")
    return raw


def _exported(text: str) -> dict[str, Any] | None:
    """The parts of a role in a text that `Role.prompt` wrote; None for any other text."""
    head, *cases = text.split("\n\n")
    fields = re.split(r"\n(?! )", head)  # only a field begins at the margin
    found = re.fullmatch(r"You are: (.+?)\.(?: (.*))?", fields[0], re.DOTALL)
    if found is None:
        return None
    rest = fields[1:]
    instructions = rest.pop(0) if rest and rest[0] != "Rules:" else ""
    rules = rest[1:]
    examples = [_case(case) for case in cases]
    if rest[:1] not in ([], ["Rules:"]) or not all(rule.startswith("- ") for rule in rules) or None in examples:
        return None
    return {
        "name": _margin(found[1]),
        "objective": _margin(found[2] or ""),
        "instructions": _margin(instructions),
        "rules": [_margin(rule[2:]) for rule in rules],
        "examples": examples,
    }


def _case(text: str) -> dict[str, Any] | None:
    found = [_FIELD.fullmatch(line) for line in re.split(r"\n(?! )", text)]
    named = [(one[1].lower().replace(" ", "_"), _margin(one[2] or "")) for one in found if one]
    if len(named) < max(2, len(found)) or named[-1][0] != "answer":
        return None
    return {"inputs": dict(named[:-1]), "answer": named[-1][1]}


def _margin(text: str) -> str:
    return text.replace("\n  ", "\n")


def of_signature(source: Any, name: str) -> Draft:
    """The instructions of a signature, or of a predictor with its demonstrations; DSPy itself is not needed."""
    signature: Any = source if hasattr(source, "instructions") else getattr(source, "signature", None)
    if not all(hasattr(signature, part) for part in ("instructions", "input_fields", "output_fields")):
        named = [one for one, _ in source.named_predictors()] if hasattr(source, "named_predictors") else []
        hint = f"; give one of its predictors: {names(named)}" if named else ""
        wanted = "import_role takes a path, a text, a DSPy signature or a dspy.Predict but got"
        raise SpecError([f"{wanted} {type(source).__name__} {source!r:.80}{hint}"])
    called = getattr(signature, "__name__", "")
    where = f"signature {called}"
    if not name and called in ("", "Signature", "StringSignature"):
        raise SpecError([f"{where}: has no name of its own: import_role(signature, 'Ticket sorter')"])
    raw = of_text(str(signature.instructions), name or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", called), where)
    told = {one: (f.json_schema_extra or {}).get("desc", "") for one, f in _fields(signature).items()}
    described = [f"{one}: {text}" for one, text in told.items() if text and text != f"${{{one}}}"]
    raw.parameters["instructions"] = "\n".join([raw.parameters["instructions"], *described]).strip()
    if described:
        raw.notes.append("descriptions of fields: stand at the end of the instructions")
    shape = f"{', '.join(signature.input_fields)} -> {', '.join(signature.output_fields)}"
    raw.left_out.append(f"fields {shape}: what is given and what is answered, the stream says")
    _worked(raw, signature, getattr(source, "demos", ()))
    return raw


def _fields(signature: Any) -> dict[str, Any]:
    return {**signature.input_fields, **signature.output_fields}


def _worked(raw: Draft, signature: Any, demos: Sequence[Any]) -> None:
    """Demonstrations become examples where they are whole and have one answer."""
    outputs, examples = list(signature.output_fields), []
    for demo in map(dict, demos):
        if len(outputs) == 1 and all(isinstance(demo.get(one), str) for one in _fields(signature)):
            examples.append({"inputs": {one: demo[one] for one in signature.input_fields}, "answer": demo[outputs[0]]})
    if examples:
        raw.parameters["examples"] = examples
    if len(examples) < len(demos):
        lost = len(demos) - len(examples)
        raw.left_out.append(f"demos: {lost} of {len(demos)} lack a field or have other answers than one text")
