"""What a call is known by, and what it came to: the hash of a request, its prompt, and an answer's cost."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from toolkit.component import canonical, digest
from toolkit.ledger.call import Call
from toolkit.lm.model import Model
from toolkit.records import Usage

if TYPE_CHECKING:
    from dspy.lm15 import Message, Request, Response


def request_hash(request: Request) -> str:
    """sha256 of everything in a request that may change its answer."""
    from dspy._vendor.lm15.serde import request_to_dict

    return digest(request_to_dict(request))


def _text(message: Message) -> str:
    """A message's text, "" where it holds anything else; most have one part, whose text is theirs."""
    only = message.parts[0]
    return only.text if len(message.parts) == 1 and only.type == "text" else message.text or ""


def prompt_of(request: Request) -> tuple[tuple[str, str], ...]:
    """Role and text of each message."""
    messages = tuple((message.role, _text(message)) for message in request.messages)
    if request.system is None:
        return messages
    system = request.system if isinstance(request.system, str) else "".join(part.text for part in request.system)
    return (("system", system), *messages)


def answered(call: Call, response: Response, seconds: float, model: Model) -> Call:
    """The call with what it was answered, and its cost."""
    from dspy._vendor.lm15.serde import response_to_dict

    told: Mapping[str, Any] = response.provider_data or {}
    used = response.usage
    wire: dict[str, Any] = response_to_dict(response)  # without provider_data
    return replace(
        call,
        status="truncated" if response.finish_reason == "length" else "ok",
        answer=response.text or "",
        response=canonical(wire),
        usage=Usage(
            calls=1,
            input_tokens=used.input_tokens or 0,
            output_tokens=used.output_tokens or 0,
            reused_tokens=used.cache_read_tokens or 0,
            reasoning_tokens=used.reasoning_tokens or 0,
            seconds=max(0.0, seconds - float(told.get("waited", 0.0))),
            dollars=priced(response, model),
        ),
        server=str(told.get("server", "")),
        adapted=_adapted(response),
    )


def priced(response: Response, model: Model) -> float:
    """What an answer cost: as the engine says, else by the model's prices; NaN where neither is known."""
    told: Mapping[str, Any] = response.provider_data or {}
    if "dollars" in told:
        return math.nan if told["dollars"] is None else float(told["dollars"])
    read, wrote = response.usage.input_tokens or 0, response.usage.output_tokens or 0
    return (read * (model.dollars_in or 0.0) + wrote * (model.dollars_out or 0.0)) / 1e6


def _adapted(response: Response) -> tuple[str, ...]:
    """Settings that did not reach the model as they were asked for; those that the client makes good are none."""
    lost = ("dropped", "clamped", "substituted")
    notes = (note for note in response.adaptations if note.action in lost)
    return tuple(dict.fromkeys(f"{note.field.removeprefix('config.')} {note.action}" for note in notes))
