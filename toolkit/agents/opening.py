"""Opening a live agent by its name: made at first, found again later, refused where it is not the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from toolkit.agents.arm import NAME, Arm
from toolkit.agents.identity import DEFAULT_STEP, Identity, differences, refuse, restored, step_of
from toolkit.agents.live import LiveAgent
from toolkit.component import Config
from toolkit.errors import nearest
from toolkit.ledger.agents import AgentFile, names
from toolkit.ledger.events import Event
from toolkit.ledger.log import LedgerError
from toolkit.ledger.store import Ledger
from toolkit.lm.model import Deciding, Model, model
from toolkit.records import Step
from toolkit.streams.stream import Stream

USUAL = "smollm2-135m"


def path_of(name: str, ledger: Ledger) -> Path:
    """Where an agent of a ledger is kept.

    Raises
    ------
    ValueError
        If it cannot be called that.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise ValueError(f"an agent's name must be 1 to 40 letters, digits, '.', '_' or '-' but is {name!r}")
    return ledger.root / "agents" / f"{name}.duckdb"


def opened(
    name: str,
    *,
    arm: Arm | None = None,
    lm: Model | Config | str | None = None,
    step: Step | str | object = None,
    stream: Stream | None = None,
    options: Sequence[str] = (),
    deciding: Deciding | None = None,
    seed: int = 0,
    ledger: Ledger | str | Path | None = None,
    reembed: bool = False,
) -> LiveAgent:
    """An agent that goes on remembering; see `toolkit.Agent.open`."""
    kept = ledger if isinstance(ledger, Ledger) else Ledger(ledger)
    path = path_of(name, kept)
    if arm is None and not path.exists():
        known = nearest(name, names(path.parent))
        raise LedgerError(
            f"no agent is called {name!r} in {kept.root}; {known}. To make one, give arm=, and lm= or step="
        )
    file = AgentFile(path)
    try:
        meta = file.meta()
        if "arm" in meta:
            return _again(file, meta, arm, None if lm is None else model(lm), step, stream, options, reembed)
        if arm is None:
            raise LedgerError(f"the agent {name!r} was never finished being made: give arm=, and lm= or step=")
        chosen = model(lm or arm.lm or USUAL)
        identity = Identity(
            replace(arm, lm=None),
            chosen,
            step_of(step) if step is not None else stream.step if stream is not None else DEFAULT_STEP,
            tuple(options),
            deciding or chosen.ways[0],
            (seed, 0),
            stream if chosen.scripted else None,
        )
        file.describe(identity.config())
        return LiveAgent(file, identity)
    except BaseException:
        file.close()
        raise


def made(
    name: str,
    identity: Identity,
    events: Sequence[Event],
    ledger: Ledger,
    vectors: Mapping[tuple[str, str], bytes] | None = None,
) -> LiveAgent:
    """An agent with a past, and with what was embedded in it; one that was made of the same past goes on.

    Raises
    ------
    LedgerError
        If there is another one of that name.
    """
    path = path_of(name, ledger)
    file = AgentFile(path)
    try:
        known = file.meta()
        if "arm" in known and identity.origin is not None and known["origin"] == dict(identity.origin):
            return _again(file, known, identity.arm, identity.model, None, identity.stream, (), False)
        if "arm" in known:
            raise LedgerError(
                f"there is an agent called {name!r} in {ledger.root} already: open it (tk.Agent.open({name!r})), or "
                "give the new one another name"
            )
        file.append(events, identity.config(), vectors)
        return LiveAgent(file, identity)
    except BaseException:
        file.close()
        raise


def _again(
    file: AgentFile,
    meta: Mapping[str, Any],
    arm: Arm | None,
    lm: Model | None,
    step: Step | str | object,
    stream: Stream | None,
    options: Sequence[str],
    reembed: bool,
) -> LiveAgent:
    name = file.path.stem
    own = lm or (arm.lm if arm is not None else None)
    identity = restored(name, meta, arm=arm, lm=own, stream=stream)
    if step is not None:
        identity = replace(identity, step=step_of(step))
    if options:
        identity = replace(identity, options=tuple(options))
    wrong = list(differences(meta, identity))
    if wrong and not reembed:
        raise refuse(name, wrong)
    return LiveAgent(file, identity, anew=bool(wrong) or reembed)
