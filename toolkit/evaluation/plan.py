"""What a study sets out to do, as it stands in its folder before the first run: files, orders, environment, code."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from toolkit.agents.arm import Arm
from toolkit.component import Component, parts_of
from toolkit.evaluation.design import Run, labels
from toolkit.evaluation.environment import copy_code, environment
from toolkit.evaluation.hypotheses import registrations
from toolkit.evaluation.judge import judge_rows
from toolkit.evaluation.paths import relative
from toolkit.evaluation.stopping import registered
from toolkit.evaluation.unchanged import model_rows, stream_row, stream_rows
from toolkit.ledger.store import write_atomically
from toolkit.lm.taped import described
from toolkit.traits.learning.detectors import Detector
from toolkit.traits.role import Role

if TYPE_CHECKING:
    from toolkit.evaluation.study import Study


def describe(study: Study, runs: Sequence[Run]) -> None:
    """Write ``study.toml``, ``plan.json``, ``environment.json`` and ``code/``."""
    import tomli_w

    folder = study.folder
    write_atomically(folder / "study.toml", tomli_w.dumps(relative(study.config(), folder)))
    write_atomically(folder / "plan.json", json.dumps(_plan(study, runs), indent=1) + "\n")
    write_atomically(folder / "environment.json", json.dumps(environment(), indent=1) + "\n")
    second = [] if isinstance(study.second_pass, str) else [study.second_pass]
    copy_code(
        folder / "code", [*study.streams, *second, study.lm, study.channel, *study.scorers], study.arms, study.code
    )


def _plan(study: Study, runs: Sequence[Run]) -> dict[str, Any]:
    arms = {a.name: _arm(a) for a in study.arms}
    return {
        "study": study.name,
        "baseline": study.baseline,
        "stream": ", ".join(labels(study.streams)),
        "stream_fingerprint": study.stream.fingerprint(),
        "licence": ", ".join(dict.fromkeys(stream.licence for stream in study.streams if stream.licence)),
        **({"cautions": cautions} if (cautions := _cautions(study)) else {}),
        "model": study.lm.label,
        "taped": _taped(study),
        "deciding": study.deciding,
        "channel": repr(study.channel),
        "scorers": [scorer.name for scorer in study.scorers],
        "arms": arms,
        "orders": {order_name(study, run.label, run.order, run.seed): run.places for run in runs},
        "tasks": [task.id for task, _ in study.stream.pairs()],
        "streams": stream_rows(study),
        "models": model_rows(study),
        "runs": [_run(study, run) for run in runs],
        **registered(study, runs, _before(study)),
        **({"hypotheses": claims} if (claims := registrations(study)) else {}),
        **_second_pass(study, runs),
        **({"counterfactuals": study.counterfactuals} if study.counterfactuals else {}),
        **({"judges": judged} if (judged := judge_rows(study)) else {}),
    }


def _cautions(study: Study) -> list[str]:
    return list(dict.fromkeys(stream.caution for stream in study.streams if stream.caution))


def _before(study: Study) -> dict[str, Any] | None:
    """The plan as it stood, if a run has begun under it."""
    path = study.folder / "plan.json"
    if not path.exists() or not any(study.folder.glob("runs/*/run.json")):
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def _second_pass(study: Study, runs: Sequence[Run]) -> dict[str, Any]:
    """What the second pass goes over, and in which orders; nothing where there is none."""
    if not study.second_pass:
        return {}
    if isinstance(study.second_pass, str):
        return {"second_pass": {"kind": study.second_pass}}
    row = {key: value for key, value in stream_row(study.second_pass, "held-out", study).items() if key != "tasks"}
    orders = {order_name(study, run.label, run.order, run.seed): run.second_places for run in runs}
    return {"second_pass": {"kind": "held-out", **row, "orders": orders}}


def order_name(study: Study, label: str, order: str, seed: int) -> str:
    """What an order is called in a study's plan: the seed, and before it what else tells two orders apart."""
    parts = [label] * (len(study.streams) > 1) + [order] * (len(study.orders) > 1)
    return ", ".join([*parts, str(seed)])


def _run(study: Study, run: Run) -> dict[str, Any]:
    told = {"id": run.id, "folder": run.folder, "arm": run.arm.name, "seed": run.seed}
    told |= {"stream": run.label, "order": run.order, "tasks": len(run.places)}
    told |= {"frozen": len(run.second_places)} if run.second is not None else {}
    told |= {"exams": run.exams.count(run.places)} if run.exams else {}
    record = study.ledger.record(study.folder / "runs" / run.folder)
    return told | ({"reused_from": record.reused_from} if record is not None and record.reused_from else {})


def _taped(study: Study) -> dict[str, Any]:
    """What a replay needs of each arm's model when the model itself is not there."""
    return {arm.name: described(arm.lm or study.lm) for arm in study.arms if arm.decider.uses_model}


def _arm(arm: Arm) -> dict[str, Any]:
    told: dict[str, Any] = {"on": arm.on, "repr": _told(arm), "fingerprint": arm.fingerprint()}
    told |= {"watched": True} if _watched(arm.memory) or _watched(arm.learning) else {}
    told |= {"role": arm.role.told()} if isinstance(arm.role, Role) else {}
    return told | ({"channel": repr(arm.channel)} if arm.channel is not None else {})


def _watched(part: Component) -> bool:
    """Whether a part holds a detector of drift."""
    return any(isinstance(one, Detector) or _watched(one) for one in parts_of(part))


def _told(arm: Arm) -> str:
    parts = [f"{part} = {getattr(arm, part)!r}" for part in arm.on]
    if arm.config().get("decider"):
        parts.append(f"decider = {arm.decider!r}")
    if not arm.transcript:
        parts.append("no transcript")
    if arm.lm is not None:
        parts.append(f"lm = {arm.lm!r}")
    if arm.channel is not None:
        parts.append(f"hears {arm.channel!r}")
    return ", ".join(parts) or "all traits off"
