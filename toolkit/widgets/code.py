"""Components as Python source: what a form shows is code that makes the same thing."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import toolkit
from toolkit.agents.arm import Arm
from toolkit.component import Component
from toolkit.evaluation.budget import Budget
from toolkit.evaluation.exams import Exams
from toolkit.evaluation.hypotheses import Hypothesis
from toolkit.evaluation.study import Study
from toolkit.ledger.target import target
from toolkit.streams.scoring import as_named

_WIDTH = 100


@dataclass
class _Source:
    """Source being written, and the imports that it needs beside the toolkit's face."""

    imports: dict[str, None] = field(default_factory=dict)

    def of(self, value: Any, depth: int = 0) -> str:
        """An expression that makes ``value``."""
        if isinstance(value, Component):
            return _call(self._name(type(value)), self._arguments(value, depth), depth)
        if isinstance(value, Arm):
            given = {part.name: getattr(value, part.name) for part in fields(value)[1:]}
            plain = {name: one for name, one in given.items() if one != getattr(Arm.static(), name)}
            inner = [f"{name}={self.of(one, depth + 1)}" for name, one in plain.items()]
            return _call("tk.Arm", [repr(value.name), *inner], depth)
        if isinstance(value, Budget | Exams | Hypothesis):
            usual = {part.name: part.default for part in fields(value)}
            plain = {name: getattr(value, name) for name in usual if getattr(value, name) not in (usual[name], {})}
            return _call(
                self._name(type(value)), [f"{name}={self.of(one, depth + 1)}" for name, one in plain.items()], depth
            )
        if isinstance(value, Mapping):
            return "{" + ", ".join(f"{key!r}: {self.of(one, depth + 1)}" for key, one in value.items()) + "}"
        if isinstance(value, Sequence) and not isinstance(value, str):
            return self._sequence(value, depth)
        if isinstance(value, float) and not math.isfinite(value):
            return f'float("{value}")'
        return repr(value)

    def _arguments(self, component: Component, depth: int) -> list[str]:
        """What differs from the defaults, by name."""
        given = {name: (getattr(component, name), p.default) for name, p in component.parameters().items()}
        return [f"{name}={self.of(one, depth + 1)}" for name, (one, usual) in given.items() if not _same(one, usual)]

    def _sequence(self, values: Sequence[Any], depth: int) -> str:
        inner = [self.of(one, depth + 1) for one in values]
        if isinstance(values, list):
            return _broken("[", inner, "]", depth)
        return f"({inner[0]},)" if len(inner) == 1 else _broken("(", inner, ")", depth)

    def _name(self, cls: type) -> str:
        if getattr(toolkit, cls.__name__, None) is cls:
            return f"tk.{cls.__name__}"
        if cls.__module__ != "__main__":
            self.imports[f"from {cls.__module__} import {cls.__name__}"] = None
        return cls.__name__


def _same(one: Any, usual: Any) -> bool:
    return type(one) is type(usual) and bool(one == usual)


def _call(name: str, arguments: list[str], depth: int) -> str:
    return _broken(f"{name}(", arguments, ")", depth)


def _broken(head: str, inner: list[str], tail: str, depth: int) -> str:
    flat = head + ", ".join(inner) + tail
    if len(flat) + 4 * depth <= _WIDTH and "\n" not in flat:
        return flat
    room = "    " * (depth + 1)
    return f"{head}\n" + "".join(f"{room}{one},\n" for one in inner) + "    " * depth + tail


def source(name: str, value: Component | Arm | Study) -> str:
    """Statements that make ``value`` under the name ``name``.

    Examples
    --------
    >>> print(source("memory", toolkit.Retrieval(k=2)))
    import toolkit as tk
    <BLANKLINE>
    memory = tk.Retrieval(k=2)
    """
    written = _Source()
    made = _study(written, value) if isinstance(value, Study) else written.of(value)
    return "\n".join(["import toolkit as tk", *written.imports, "", f"{name} = {made}"])


def _study(written: _Source, study: Study) -> str:
    """A study; how it was chosen to decide, score and compare is spelled out, since it is part of what it found."""
    whole = range(len(study.seeds))
    told: dict[str, Any] = {
        "lm": study.lm,
        "arms": list(study.arms),
        "seeds": len(study.seeds) if study.seeds == tuple(whole) else list(study.seeds),
        "study_seed": study.study_seed,
        "order": study.order if isinstance(study.order, str) else list(study.order),
        "deciding": study.deciding,
        "channel": study.channel,
        "scorers": list(map(as_named, study.scorers)),
        "baseline": study.baseline,
    }
    if len(study.streams) > 1:
        told["streams"] = list(study.streams[1:])
    if study.code:
        told["code"] = [str(path) for path in study.code]
    told |= {name: one for name, one in _plans(study).items() if one}
    if not study.reuse:
        told["reuse"] = False
    inner = [f"{name}={written.of(one, 1)}" for name, one in told.items()]
    return _call("tk.Study", [repr(study.name), written.of(study.stream, 1), *inner], 0)


def _plans(study: Study) -> dict[str, Any]:
    """What a study need not have; a password in a tracking address stays out of code."""
    asked = study.tracking.target.asked
    return {
        "budget": study.budget,
        "hypotheses": list(study.hypotheses),
        "stop_when": list(study.stop_when),
        "second_pass": study.second_pass,
        "counterfactuals": study.counterfactuals,
        "exams": study.exams,
        "workers": study.workers,
        "tracking": asked if asked != target("", study.ledger.root).asked else "",
    }
