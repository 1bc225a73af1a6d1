"""Events of a live agent as rows of its file: all words in ASCII JSON, so that no text is too odd to be kept."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal

from toolkit.component import canonical
from toolkit.ledger.call import Call
from toolkit.ledger.rows import call_row
from toolkit.records import Experience, Feedback, Phase, Task, Usage, Weighed

EventKind = Literal["prepare", "tell", "answer", "failed", "feedback", "forget", "tick"]
Stage = Literal["act", "learn"]


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that an agent met, acknowledged once it is in the file.

    Parameters
    ----------
    kind
        ``"prepare"``: a labelled task before the first one; ``"tell"``: what there was nothing to answer to;
        ``"answer"``: a task and what was answered; ``"failed"``: a task without an answer; ``"feedback"``: what was
        said of an answer, whenever it came; ``"forget"``: that there was more once; ``"tick"``: that time passed, and
        what was said unprompted, if anything was.
    phase, t
        Where its calls stand on the tape.
    calls
        The calls that it took, each with its stage: ``"act"`` up to the answer, ``"learn"`` what memory and learning
        made of it.
    status, error
        Of a failed one.
    why
        Of a tick: the goal that made it speak.
    at
        When, UTC; for people, no agent is told.
    """

    kind: EventKind
    phase: Phase
    t: int
    experience: Experience
    calls: tuple[tuple[Stage, Call], ...] = ()
    status: str = "ok"
    error: str = ""
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seq: int = -1
    why: str = ""


def numbered(event: Event, seq: int) -> Event:
    """The event under its number."""
    return replace(event, seq=seq)


def event_row(event: Event) -> list[object]:
    """One event as a row, in the order of the table's columns."""
    seen = event.experience
    body: dict[str, object] = {
        "task": _task(seen.task),
        "answer": seen.answer,
        "recalled": seen.recalled,
        "feedback": None if seen.feedback is None else _told(seen.feedback),
        "status": event.status,
        "error": event.error,
        "usage": {name: _known(getattr(seen.usage, name)) for name in Usage.__dataclass_fields__},
    }
    if event.why:
        body["why"] = event.why
    if seen.weighed is not None:
        body["weighed"] = asdict(seen.weighed)
    at = event.at.astimezone(UTC).replace(tzinfo=None)
    return [event.seq, event.kind, event.phase, event.t, canonical(seen.id), at, canonical(body)]


def event_of(row: tuple[Any, ...]) -> Event:
    """The event that a row holds."""
    seq, kind, phase, t, experience, at, body = row
    told = json.loads(body)
    feedback = None if told["feedback"] is None else _feedback(*told["feedback"])
    used: dict[str, Any] = told.get("usage") or {}  # files of earlier versions have none
    used = {name: math.nan if value is None else value for name, value in used.items()}  # null: not known
    recalled = tuple(told["recalled"])
    weighed = Weighed(**told["weighed"]) if "weighed" in told else None
    task, spent = _task_of(told["task"]), Usage(**used)
    seen = Experience(json.loads(experience), task, told["answer"], feedback, recalled, spent, weighed)
    why = told.get("why", "")
    return Event(kind, phase, t, seen, (), told["status"], told["error"], at.replace(tzinfo=UTC), seq, why)


def kept_call_row(seq: int, place: int, stage: Stage, call: Call) -> list[object]:
    """One call of an event as a row, in the order of the table's columns."""
    return [seq, place, stage, call.purpose, canonical(call.step), call.ordinal, canonical(call_row(call, ""))]


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number


def _told(feedback: Feedback) -> list[object]:
    plain = [feedback.score, feedback.correction, feedback.text]
    return [*plain, *([feedback.preferred] if feedback.preferred is not None else [])]


def _feedback(score: float | None, correction: str | None, text: str, preferred: Sequence[str] = ()) -> Feedback:
    return Feedback(score, correction, text, (preferred[0], preferred[1]) if preferred else None)


def _task(task: Task) -> dict[str, object]:
    named = {"id": task.id, "user": task.user, "session": task.session, "time": task.time}
    # Pairs, since a JSON object is sorted by its names and the order of a task's inputs is that of the prompt.
    return {**named, "inputs": list(task.inputs.items()), "options": task.options, "tools": task.tools}


def _task_of(told: Mapping[str, Any]) -> Task:
    return Task(
        told["id"],
        dict(told["inputs"]),
        tuple(told["options"]),
        told["user"],
        told["session"],
        told["time"],
        tuple(told["tools"]),
    )
