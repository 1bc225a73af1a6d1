"""What a live agent is: arm, model, decision step. It stands in the agent's file; what opens it must be the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from toolkit.agents.arm import Arm
from toolkit.agents.diary import Seeds
from toolkit.component import Component, build, canonical, parts_of
from toolkit.errors import Outage, SpecError, ToolkitError
from toolkit.lm.model import Deciding, Engine, Model, model
from toolkit.lm.taped import Absent, Taped, described
from toolkit.records import Step
from toolkit.streams.stream import Pair, Stream

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

DEFAULT_STEP = Step("answer", "Answer the message.", ("message",), "answer")
"""What an agent does that was given no step of its own."""

_ARROW = re.compile(r"\s*->\s*")


class OtherAgent(ToolkitError):
    """An agent is opened as something else than it was made as."""


class _Nowhere(Stream):
    """The stream of an agent that meets tasks nobody has listed."""

    step = DEFAULT_STEP

    def pairs(self) -> tuple[Pair, ...]:
        """None."""
        return ()


class _OnCall:
    """An engine that is opened by its first request."""

    supports_response_schema = True

    def __init__(self, identity: Identity) -> None:
        self._identity = identity
        self.supported_params = identity.absent().supported_params

    def complete(self, request: Request) -> Response:
        """Open it and ask."""
        engine = self._identity.engine()
        if engine is None:
            raise Outage(f"{self._identity.arm!r} uses no model, but memory or learning asked one")
        return engine.complete(request)


@dataclass(frozen=True)
class Identity:
    """What a live agent is.

    Parameters
    ----------
    arm
        Its traits; without a model of its own.
    model
        What answers.
    step
        Its decision step.
    options
        Closed answers of its tasks, where they are always the same; empty = a task says, or is free text.
    deciding
        How closed options are chosen.
    seeds
        The path that its random numbers derive from.
    stream
        The stream that a scripted model has its answers from; None for any other model.
    origin
        The study, arm and seed that it came from; empty where it began by itself.
    """

    arm: Arm
    model: Model
    step: Step = DEFAULT_STEP
    options: tuple[str, ...] = ()
    deciding: Deciding = "likelihood"
    seeds: Seeds = (0, 0)
    stream: Stream | None = None
    origin: Mapping[str, object] | None = None

    def engine(self) -> Engine | None:
        """What answers, opened on first use; None where nobody asks a model."""
        return self.model.engine(self.stream or _Nowhere()) if self.arm.decider.uses_model else None

    def absent(self) -> Absent:
        """In place of what answers, where all calls stand on a tape."""
        told: dict[str, Any] = described(self.model)
        engine = Taped(**{**told, "offered": tuple(told["offered"])}).engine(_Nowhere())
        if not isinstance(engine, Absent):
            raise AssertionError("unreachable")
        return engine

    def on_call(self) -> Engine:
        """What answers, opened when it is asked, as it may never be."""
        return _OnCall(self)

    def config(self) -> dict[str, object]:
        """As plain values, as they stand in the file; secrets are no part of a model's configuration."""
        return {
            "arm": self.arm.config(),
            "arm_fingerprint": self.arm.fingerprint(),
            "model": self.model.config(),
            "model_fingerprint": self.model.fingerprint(),
            "embedders": embedders(self.arm.memory),
            "step": {one.name: getattr(self.step, one.name) for one in fields(Step)},
            "options": self.options,
            "deciding": self.deciding,
            "seeds": self.seeds,
            "stream": None if self.stream is None else self.stream.config(),
            "origin": None if self.origin is None else dict(self.origin),
        }


def embedders(part: Component) -> list[str]:
    """Fingerprints of the embedders that a policy, or one inside it, was given; none where it has the toolkit's own."""
    own = getattr(part, "embedder", None)
    found = [own.fingerprint()] if isinstance(own, Component) else []
    for one in parts_of(part):
        found += embedders(one) if one is not own else []
    return found


def restored(
    name: str, told: Mapping[str, Any], *, arm: Arm | None, lm: Model | None, stream: Stream | None
) -> Identity:
    """What stands in a file, with what was given in place of what stands there.

    Raises
    ------
    SpecError
        If something that it names is not there: a class that is not defined, a program that lives in code.
    """
    try:
        made = arm or Arm.from_config(told["arm"], f"agent {name!r}")
        chosen = lm or model(told["model"], f"agent {name!r}: lm")
        kept = stream
        if stream is None and told["stream"] is not None:
            kept = build("stream", told["stream"], f"agent {name!r}: stream")  # type: ignore[assignment]
    except SpecError as error:
        way_out = "define or import what is missing first, or give the arm itself: tk.Agent.open(name, arm=...)"
        raise SpecError([*error.mistakes, way_out]) from error
    step: dict[str, Any] = {key: tuple(v) if isinstance(v, list) else v for key, v in told["step"].items()}
    return Identity(
        replace(made, lm=None),
        chosen,
        Step(**step),
        tuple(told["options"]),
        told["deciding"],
        tuple(told["seeds"]),
        kept,
        told["origin"],
    )


def differences(told: Mapping[str, Any], now: Identity) -> Iterator[str]:
    """In what an agent is not what its file says that it is, each with both sides."""
    found: Mapping[str, Any] = now.config()
    if found["arm_fingerprint"] != told["arm_fingerprint"]:
        sides = _sides(told["arm"], found["arm"], told["arm_fingerprint"], found["arm_fingerprint"])
        embedding = " (another embedder)" if found["embedders"] != told["embedders"] else ""
        yield f"arm{embedding}: it was made as {sides}"
    if json.loads(canonical(found["step"])) != told["step"] or list(now.options) != told["options"]:
        yield f"step: it was made for {told['step']}, options {told['options']}, but is for {now.step}, {now.options}"
    if found["model_fingerprint"] != told["model_fingerprint"]:
        yield "model: it was made with " + _sides(
            told["model"], found["model"], told["model_fingerprint"], found["model_fingerprint"]
        )


def refuse(name: str, wrong: list[str]) -> OtherAgent:
    """The error for an agent that is opened as something else."""
    return OtherAgent(
        f"the agent {name!r} is opened as something else than it was made as; " + "; ".join(wrong) + ". Open it as it "
        f"was (tk.Agent.open({name!r})), give what is to differ another name, or say reembed=True: then everything "
        "that it has met is lived through again as what it is now, and memory and learning ask the model anew"
    )


def _sides(was: Mapping[str, Any], now: Any, then: str, today: str) -> str:
    if dict(was) == now:
        return f"{_short(was)} of other code (fingerprint {then[:12]}, now {today[:12]})"
    return f"{_short(was)} ({then[:12]}) but is {_short(now)} ({today[:12]})"


def _short(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in config.items())


def step_of(given: Step | str | object) -> Step:
    """A decision step from itself, a text such as ``"ticket, history -> queue"``, or a `dspy.Signature`.

    Raises
    ------
    ValueError
        If it is none of these.

    Examples
    --------
    >>> step_of("ticket, history -> queue").inputs
    ('ticket', 'history')
    """
    if isinstance(given, Step):
        return given
    if isinstance(given, str):
        sides = _ARROW.split(given.strip())
        named = tuple(part.strip() for part in sides[0].split(","))
        if len(sides) == 2 and all(one.isidentifier() for one in (*named, sides[1])):
            return Step("answer", f"Given {', '.join(named)}, give the {sides[1]}.", named, sides[1])
    inputs, outputs = getattr(given, "input_fields", None), getattr(given, "output_fields", None)
    if isinstance(inputs, Mapping) and isinstance(outputs, Mapping) and len(outputs) == 1:
        return Step("answer", str(getattr(given, "instructions", "")), tuple(inputs), next(iter(outputs)))
    raise ValueError(
        f"step must be a Step, a text such as 'ticket -> queue', or a dspy.Signature with one output but is {given!r}"
    )
