"""What a reader should hold against a comparison: the doubts of each row, and the notes below all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from toolkit.analysis import looked
from toolkit.analysis.contrast import Gap, decisive
from toolkit.analysis.tested import Finding, edited
from toolkit.ledger import served
from toolkit.ledger.planned import heard
from toolkit.ledger.rows import Row
from toolkit.stats import Estimate

if TYPE_CHECKING:
    import pandas as pd

FEW_RUNS = 5


def doubts(
    own: pd.DataFrame,
    ran: pd.DataFrame,
    score: Estimate,
    difference: Estimate | None,
    missing: int,
    pairs: int,
    bounds: tuple[float, float],
    wanted: int,
) -> list[str]:
    """Of one arm's row."""
    found = []
    if bool(ran.scripted.any()):
        found.append("scripted model: plays a known skill, says nothing about a real one")
    if len(ran) < wanted:
        found.append(f"{wanted - len(ran)} runs not begun")
    unfinished = ran[ran.status != "finished"]
    found += [f"{count} runs {status}" for status, count in unfinished.status.value_counts().items()]
    found += [f"an outage cut off {count} runs" for count in [int((ran.status == "suspended").sum())] if count]
    found += [*_budget_stops(unfinished), *looked.doubts(unfinished)]
    shown = difference or score
    if shown.reason:
        found.append(shown.reason)
    if score.runs < FEW_RUNS and "run" not in shown.reason:
        found.append(f"only {score.runs} runs")
    if missing:
        low, high = bounds
        found.append(
            f"{missing} of {pairs + missing} pairs missing ({pairs / (pairs + missing):.0%} jointly completed): "
            f"the difference may be {low:+.2f} to {high:+.2f}"
        )
    failed = int(own.failed.sum())
    if failed:
        found.append(f"{failed} episodes without a usable answer")
    cut = int((own.status == "truncated").sum())
    if cut:
        found.append(f"{cut} answers truncated")
    return [*found, *_unvaried(ran), *served.doubts(own, ran)]


def _unvaried(ran: pd.DataFrame) -> Iterator[str]:
    """What repeats of a model that draws nothing can vary."""
    if len(ran) < 2 or not bool((ran.uses_model & (ran.temperature == 0)).all()):
        return
    if bool((ran.order == "given").all()):
        yield "seeds changed nothing: temperature 0, and tasks in the given order"
    else:
        yield "seeds changed the order only: temperature 0"


def of_contrast(
    gap: Gap, difference: Estimate, ran: pd.DataFrame, base: pd.DataFrame, registered: str, confirmatory: bool
) -> list[str]:
    """Of a row's difference to the baseline; ``confirmatory``: whether the study has hypotheses at all."""
    found = list(decisive(gap, difference))
    if registered == "late":
        found.append("exploratory: its hypothesis was registered after the first run")
    elif registered == "exploratory" and confirmatory:
        found.append("exploratory: none of the study's hypotheses")
    for column, what in (("deciding", "options are decided by"), ("adapter", "prompts are made by")):
        own, other = (_used(one, column) for one in (ran, base))
        if own and other and own != other:
            found.append(f"answers in another way than the baseline: {what} {', '.join(own)}, there {', '.join(other)}")
    return found


def _used(ran: pd.DataFrame, column: str) -> list[str]:
    """In which ways the runs that ask a model go about it."""
    return sorted(set(ran[column][ran.uses_model.astype(bool)].astype(str))) if column in ran else []


def _budget_stops(unfinished: pd.DataFrame) -> list[str]:
    """Which limits stopped runs, e.g. ``budget stop: tokens``; see `toolkit.evaluation.budget`."""
    stops = unfinished.error[unfinished.error.str.startswith("budget stop: ", na=False)]
    return sorted({": ".join(told.split(": ", 2)[:2]) for told in stops})


def notes(
    planned: Row, runs: pd.DataFrame, level: float, tested: tuple[Finding, ...] = (), contrasts: bool = False
) -> tuple[str, ...]:
    """Of a whole comparison, verdicts on its hypotheses included."""
    used = runs[runs.uses_model]
    found = [
        f"Intervals: two-way cluster-robust t, {100 * level:g}%, runs (orders) crossed with sessions; they speak of "
        f"new orders of new sessions of {planned['stream']} for {planned['model']}, and of nothing else."
    ]
    if len(used):
        ways = f"Closed options are decided by {planned['deciding']}, for all arms."
        found.append(f"{ways} Feedback: {heard(planned)}.")
        if bool((used.temperature == 0).all()):
            found.append(served.cold(used))
    if len(_several(planned)) > 1:
        found.append(f"Episodes of {', '.join(_several(planned))} are pooled; one by one: compare(stream=...).")
    taken = runs.reused_from.fillna("")
    for other in sorted(set(taken[taken != ""])):
        found.append(f"{int((taken == other).sum())} of {len(planned['runs'])} runs reused from study {other}.")
    if stops := _budget_stops(runs[runs.status != "finished"]):
        found.append(f"A limit was reached before the study was finished ({', '.join(stops)}): a higher one goes on.")
    found += planned.get("cautions", ())
    if bool(runs.scripted.any()):
        found.append("SCRIPTED MODEL: answers were drawn with planted probabilities; a rehearsal, not a finding.")
    return (*found, *(_standing(planned, tested, level) if contrasts else ()))


def verdicts(planned: Row, metric: str) -> Iterator[str]:
    """Who gave the scores of a metric, if it was a model."""
    for judge in planned.get("judges", ()):
        if judge["metric"] != metric:
            continue
        model, mark, prompt = judge["model"], judge["fingerprint"][:12], judge["prompt"][:12]
        yield (
            f"JUDGED: scores are verdicts of {model} (fingerprint {mark}), asked with the prompt {prompt}: a model's "
            "opinion, with a judge's biases (Zheng et al. 2023). What it did not decide is missing."
        )
        own = [arm for arm, told in planned.get("taped", {}).items() if told["identity"] == judge["fingerprint"]]
        if own:
            yield f"The judge is the model of {', '.join(own)}: judges favour answers of their own."
        if judge["taped"]["plays"]:
            yield "SCRIPTED JUDGE: its verdicts are played; a rehearsal, not a finding."


def _standing(planned: Row, tested: tuple[Finding, ...], level: float) -> Iterator[str]:
    """What was set down beforehand and what became of it; or that nothing was."""
    if not tested:
        yield "Nothing was set down beforehand: every contrast is exploratory; p by Holm is over all arms here."
        return
    yield from (f"Hypothesis: {one}." for one in tested)
    primary = [one for one in tested if one.registered == "primary"]
    if primary:
        yield (
            f"{len(primary)} primary {'hypothesis' if len(primary) == 1 else 'hypotheses'}, set down {primary[0].at} "
            f"before the first run; verdicts at {1 - level:.2g} over all of them (Holm). All else is exploratory."
        )
    for at in edited(planned):
        yield f"The registration of {at} was edited afterwards: its hash is another."


def _several(planned: Row) -> list[str]:
    """The streams that a plan's runs go over."""
    return list(dict.fromkeys(run.get("stream", planned["stream"]) for run in planned["runs"]))
