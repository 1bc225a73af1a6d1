"""A model that rates what a study has recorded: afterwards, blind to the arm, and on a tape of its own.

The judge is shown a rubric, the task and the answer; never the arm, what it recalled, or its role. Equal questions are
asked once, whoever gave the answer. What it says stands in ``judged/`` in the study's folder, by what was asked:
judging again, also after arms or seeds were added, asks only what is not there, and without a model it replays.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.analysis.judged import Judged, Preferred, judged_rows, preferred_rows
from toolkit.analysis.recorded import RUN
from toolkit.component import digest
from toolkit.errors import AnswerError, nearest
from toolkit.evaluation.given import asked_of, recorded
from toolkit.evaluation.rater import Rater, fenced, prefer_step, rate_step
from toolkit.ledger.alone import alone
from toolkit.ledger.log import LedgerError, Log, read_log
from toolkit.ledger.rows import call_of, call_row
from toolkit.ledger.store import write_atomically
from toolkit.lm.taped import Taped, described, taped
from toolkit.records import Step, Task, Usage

if TYPE_CHECKING:
    import pandas as pd
    from dspy.lm15 import Request, Response

    from toolkit.evaluation.study import Study
    from toolkit.ledger.store import Ledger
    from toolkit.lm.model import Model
    from toolkit.streams.stream import Stream

_CHOICES = ("1", "2", "tie")


def judge(
    study: Study | str,
    rater: Rater | str,
    *,
    baseline: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Judged:
    """Have a model rate every recorded answer of a study, blind to the arm.

    An arm that gave no answer through its own fault has the lowest rating, unasked; where the world or the judge failed
    there is none.

    Parameters
    ----------
    study, ledger
        A `Study`, or the name of one in this ledger (default: ``$TOOLKIT_LEDGER``, else ``./ledger``).
    rater
        Who judges; or the name of one who has judged this study: then nothing is asked, and no model is needed.
    baseline
        The arm that others are compared with; empty = the study's.
    stream
        Only this one of several streams.
    level
        Coverage of the intervals, in (0, 1).

    Returns
    -------
    Judged
        Means with intervals over runs crossed with sessions (or tasks): how the judge would rate, not how good the
        answers are. `Judged.corrected` makes that of it, with some human ratings.

    Raises
    ------
    LedgerError
        If there is no such study, stream or arm, no episode, or nobody of that name has judged.
    SpecError
        If the rater cannot judge, or the study is in worlds, whose episodes are no single answers.
    Outage
        If the model cannot be reached: what it said stands; judge again to go on.
    """
    opened, planned, rows, base = recorded(study, ledger, stream, baseline)
    with _asking(opened, rater) as asked:
        told = [asked.rating(row) for row in rows.to_dict("records")]
    frame = rows[["run", "arm", *RUN, "t", "task", "unit", "answer"]].assign(
        asked=[asked_of(row) for row in rows.to_dict("records")],
        judged=[one for one, _ in told],
        why=[why for _, why in told],
    )
    arms = [arm for arm in planned["arms"] if arm in set(frame.arm)]
    by = asked.rater
    title = f"JUDGED, not scored: ratings from {by.scale[0]} to {by.scale[-1]} by {asked.label}, blind to the arm"
    notes = (*asked.notes(level), *_unasked(frame))
    found = tuple(judged_rows(frame, arms, base, level))
    return Judged(title, base, by.scale, found, notes, level, frame, asked.anew)


def judge_pairs(
    study: Study | str,
    rater: Rater | str,
    *,
    baseline: str = "",
    stream: str = "",
    level: float = 0.95,
    ledger: Ledger | None = None,
) -> Preferred:
    """Have a model say which answer to a task is better, each arm's or the baseline's; asked in both positions.

    A preference that flips when the answers change places counts as a tie, and shows in the position bias. Equal
    answers are tied unasked; an arm that gave none loses.

    Parameters
    ----------
    study, rater, baseline, stream, level, ledger
        As in `judge`; the scale is not used.

    Returns
    -------
    Preferred
        Preference in [-1, 1] with intervals over runs crossed with sessions (or tasks), and the position bias.

    Raises
    ------
    LedgerError, SpecError, Outage
        As `judge`.
    """
    opened, planned, rows, base = recorded(study, ledger, stream, baseline)
    keys = [*RUN, "task"]
    other = rows[rows.arm == base][[*keys, "answer", "usable", "status"]]
    both = rows[rows.arm != base].merge(other, on=keys, suffixes=("", "_base"))
    if both.empty:
        raise LedgerError(f"no arm has a task in common with {base!r}: a preference needs two answers to one task")
    with _asking(opened, rater) as asked:
        told = [asked.preference(row) for row in both.to_dict("records")]
    pairs = both[["arm", *RUN, "t", "task", "unit", "answer", "answer_base"]].assign(
        preferred=[one[0] for one in told], first=[one[1] for one in told], flipped=[one[2] for one in told]
    )
    place = {arm: number for number, arm in enumerate(planned["arms"])}
    pairs = pairs.sort_values("arm", key=lambda names: names.map(place), kind="stable").reset_index(drop=True)
    title = (
        f"JUDGED, not scored: answers preferred to those of {base} by {asked.label}, blind to the arm, both positions"
    )
    about = (
        "Preference: share won less share lost; one that flips with the position is tied. First favoured: share of "
        "askings won by the answer shown first less share won by the second."
    )
    return Preferred(title, base, tuple(preferred_rows(pairs, level)), (about, *asked.notes(level)), pairs, asked.anew)


class _Late:
    """An engine that is opened when it is first asked: what stands on the tape needs none."""

    supports_response_schema = True

    def __init__(self, lm: Model, stream: Stream) -> None:
        self._lm, self._stream = lm, stream
        plain = frozenset({"temperature", "max_tokens", "seed", "stop"})
        self.supported_params = plain if lm.scripted else plain | {"response_format"}

    def complete(self, request: Request) -> Response:
        """As the model."""
        return self._lm.engine(self._stream).complete(request)


class _Asked:
    """What a rater says, each question by its content: from the tape, or asked now."""

    def __init__(self, rater: Rater, stream: Stream, tape: Sequence[Any], log: Log) -> None:
        from toolkit.agents.decision import Decision
        from toolkit.lm.tape import Recorder

        lm, mark = rater.model, rater.fingerprint()
        self.rater, self.label, self._mark = rater, f"{lm.label} ({rater.name} {mark[:12]})", mark
        self._scripted, self.anew, self._spent = lm.scripted, 0, Usage()
        self._said: dict[str, tuple[str, str]] = {}
        self._log = log
        engine = lm.engine(stream) if isinstance(lm, Taped) else _Late(lm, stream)
        self._recorder = Recorder(lm, engine, ("judging", mark), self._write, tape)
        self._decision = Decision(lm, lm.ways[0], self._recorder)

    def rating(self, row: dict[str, Any]) -> tuple[float, str]:
        """A rating (NaN = none) and why it is what it is, where it was not said."""
        if row["status"] == "failed":
            return float("nan"), "the world failed"
        if not row["usable"]:
            return float(self.rater.scale[0]), f"no answer ({row['status']}): lowest, unasked"
        step, inputs = rate_step(self.rater), {"task": fenced(asked_of(row)), "answer": fenced(row["answer"])}
        said, why = self._choose(step, tuple(map(str, self.rater.scale)), inputs)
        return (float(said), "") if said else (float("nan"), why)

    def preference(self, row: dict[str, Any]) -> tuple[float, float, bool]:
        """1, 0 or -1 as the arm's answer was preferred or the baseline's; bias to the first; whether it flipped."""
        nothing = float("nan")
        if "failed" in (row["status"], row["status_base"]):
            return nothing, nothing, False
        if not (row["usable"] and row["usable_base"]):
            return float(row["usable"]) - float(row["usable_base"]), nothing, False
        if row["answer"] == row["answer_base"]:
            return 0.0, nothing, False
        step = prefer_step(self.rater)
        task, own, base = fenced(asked_of(row)), fenced(row["answer"]), fenced(row["answer_base"])
        said = [
            self._choose(step, _CHOICES, {"task": task, "answer_1": one, "answer_2": other})[0]
            for one, other in ((own, base), (base, own))
        ]
        if not all(said):
            return nothing, nothing, False
        value = {"1": 1, "2": -1, "tie": 0}
        ahead, behind = value[said[0]], -value[said[1]]  # of the arm, when it stood first and when it stood second
        return float(ahead if ahead == behind else 0), (ahead - behind) / 2, ahead * behind < 0

    def notes(self, level: float) -> tuple[str, ...]:
        """Whose opinion it is and what it cost."""
        spent, lm = self._spent, self.rater.model
        paid = f", {spent.dollars:.4g} dollars" if spent.dollars > 0 else ""
        told = (
            f"A model's opinion: {100 * level:g} % intervals say how it would judge other runs and tasks, not whether "
            "it is right. Hold it against human ratings.",
            f"Judging, booked to no arm: {len(self._said)} questions, {spent.calls} calls, "
            f"{spent.input_tokens} + {spent.output_tokens} tokens{paid}.",
            f"The judge is {lm.label} ({lm.fingerprint()[:12]}) at temperature {lm.temperature:g}.",
        )
        return (*told, "SCRIPTED JUDGE: a program plays it.") if self._scripted else told

    def _choose(self, step: Step, options: tuple[str, ...], inputs: dict[str, str]) -> tuple[str, str]:
        """What it chose, or nothing and why."""
        from toolkit.agents.decision import Context

        key = digest([step.name, inputs])[:32]
        if key not in self._said:
            self._decision.at("stream", 0)
            try:
                with self._decision.booked("judging", f"{step.name} {key}"):
                    found = self._decision.decide(step, Task("", inputs, options), Context()).answer, ""
            except AnswerError as error:
                found = "", f"no verdict ({error.status}): {error}"[:300]
            self._spent += self._recorder.take("judging")
            self._said[key] = found
        return self._said[key]

    def _write(self, call: Any) -> None:
        self.anew += 1
        self._log.append(call_row(call, self._mark))


@contextmanager
def _asking(study: Study, rater: Rater | str) -> Iterator[_Asked]:
    """A rater with its tape open, in the study's folder; one process at a time."""
    home = study.ledger.find(study.name) / "judged"
    who = _kept(home, rater) if isinstance(rater, str) else rater
    who.check()
    folder = home / f"{who.name}-{who.fingerprint()[:12]}"
    folder.mkdir(parents=True, exist_ok=True)
    with alone(folder, "is being judged"):
        told = {"rubric": who.rubric, "scale": list(who.scale), "name": who.name, "model": described(who.model)}
        write_atomically(folder / "rater.json", json.dumps(told, ensure_ascii=True, indent=1) + "\n")
        tape = [call_of(row) for row in read_log(folder / "calls.jsonl")]
        log = Log(folder / "calls.jsonl")
        try:
            yield _Asked(who, study.streams[0], tape, log)
        finally:
            log.close()


def _kept(home: Path, name: str) -> Rater:
    """The rater of a name who has judged already; its model answers from tape only."""
    known = {path.parent.name: path for path in sorted(home.glob("*/rater.json"))}
    found = [folder for folder in known if name in (folder, folder.rpartition("-")[0])]
    if len(found) != 1:
        why = "more than one rater" if found else "no rater"
        raise LedgerError(f"{why} of this study is called {name!r}; {nearest(name, list(known))}")
    told = json.loads(known[found[0]].read_text(encoding="ascii"))
    return Rater(taped(told["model"]), told["rubric"], tuple(told["scale"]), told["name"])


def _unasked(frame: pd.DataFrame) -> Iterator[str]:
    if lowest := int(frame.why.str.contains("unasked", regex=False).sum()):
        yield f"{lowest} episodes hold no answer and have the lowest rating, unasked."
    if gone := int(frame.judged.isna().sum()):
        yield f"{gone} episodes have no verdict and are left out; see the column why."
