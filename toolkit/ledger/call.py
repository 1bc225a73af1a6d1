"""One model call as it stands on the tape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from toolkit.records import Phase, Usage


@dataclass(frozen=True, slots=True)
class Call:
    """One model call as it stands on the tape.

    Parameters
    ----------
    phase, t, step, ordinal
        Its key: where in the run it was made, and the how-manieth call of that step there, from 0.
    purpose
        ``"acting"``, ``"adapting"`` or ``"judging"``: what its cost is booked to.
    hash
        sha256 of the request; verified when the tape is read.
    status
        ``"ok"``, ``"truncated"`` (cut by the token limit), ``"overflow"`` (the prompt did not fit the context; no
        answer) or ``"error"`` (no answer; repeated or given up).
    prompt
        Pairs of role and text, as the model was sent them.
    response
        The response in DSPy's wire form, as JSON; empty where there is none.
    memo
        True if an equal request had been answered before by a deterministic model; its cost is what it was then.
    server
        What answered, in its own words: the model's version, and the server's fingerprint where it tells one.
    adapted
        What the provider was asked for and does not do, e.g. ``("seed dropped",)``.
    """

    phase: Phase
    t: int
    step: str
    ordinal: int
    purpose: Literal["acting", "adapting", "judging"]
    hash: str
    status: Literal["ok", "truncated", "overflow", "error"]
    answer: str
    prompt: tuple[tuple[str, str], ...]
    response: str
    usage: Usage
    seed: int = 0
    memo: bool = False
    error: str = ""
    server: str = ""
    adapted: tuple[str, ...] = ()
