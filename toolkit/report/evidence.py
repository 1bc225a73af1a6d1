"""What lets a reader judge a study: how sure its numbers are, what speaks against them, single episodes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.analysis import ArmRow, Comparison, compare
from toolkit.ledger.later import figures
from toolkit.ledger.rows import USABLE
from toolkit.report.facts import Facts, count, plain, signed
from toolkit.report.page import Html, element, folded, listed, paragraphs, portable, shortened, table

if TYPE_CHECKING:
    import pandas as pd

FAILED, SAMPLES = 10, 3
"""Failed episodes that are shown in all; right ones, and wrong ones, that are shown of each arm."""

QUERY = '''from toolkit.ledger.store import Ledger

Ledger(".").sql("""
    SELECT arm, seed, count(*) AS episodes, avg(score) AS score FROM episodes
    WHERE study = '{study}' GROUP BY ALL ORDER BY ALL
""")'''
"""How to ask the ledger something that a report does not answer."""


def sure(facts: Facts) -> Html:
    """Method and target of the intervals, and per contrast what they rest on."""
    found = facts.comparison
    if found is None:
        return paragraphs("Nothing has been estimated: no episode has been recorded.")
    contrasts = [row for row in found.rows if row.difference is not None]
    estimates = [row.difference or row.score for row in found.rows]
    methods, targets = ({getattr(one, name) for one in estimates} for name in ("method", "target"))
    told = [f"Method: {', '.join(sorted(methods))}. Target: {', '.join(sorted(targets))}."]
    told += [note for note in found.notes if not note.startswith("Hypothesis: ")]  # these have a table below
    primary = [one for one in found.hypotheses if one.registered == "primary"]
    if len(contrasts) > 1 and not primary:
        chance = len(contrasts) * (1 - found.level)
        told.append(
            f"{len(contrasts)} contrasts are shown, each at {100 * found.level:g} % by itself, without correction for "
            f"their number: were there no differences at all, about {chance:.1f} of them would still be expected to "
            "exclude 0."
        )
    if not contrasts:
        return paragraphs(*told)
    head = ("contrast", "pairs", "runs", "clusters", "df", "p", "at worst to at best", "interval in doubt because")
    rows = [_ground(row, found.baseline) for row in contrasts]
    legend = (
        "Pairs: the same task met by both arms in the same order. Clusters: sessions (or tasks), crossed with runs. "
        "df: degrees of freedom. At worst to at best: the difference if the missing pairs were as bad, or as good, "
        "as they can be."
    )
    return element("div", paragraphs(*told), _hypotheses(found), table(head, rows), paragraphs(legend), _beside(found))


def _hypotheses(found: Comparison) -> Html:
    """What was set down beforehand, or late, and what became of it; nothing where nothing was."""
    if not found.hypotheses:
        return Html("")
    head = ("hypothesis", "set down", "difference", "interval", "p", "p by Holm", "verdict")
    rows = []
    for one in found.hypotheses:
        gap = one.estimate
        interval = f"[{signed(gap.low)}, {signed(gap.high)}]"
        when = f"{one.at[:16].replace('T', ' ')} UTC{'' if one.registered == 'primary' else ', after the first run'}"
        rows.append((one.claim, when, signed(gap.value), interval, _p(one.p_value), _p(one.adjusted_p), one.verdict))
    return element("div", element("h3", "Hypotheses"), table(head, rows))


def _beside(found: Comparison) -> Html:
    """The same differences by other roads."""
    head = ("contrast", "crossed bootstrap", "p, sign flips", "what is flipped", "effect size", "interval", "standing")
    rows = []
    for row in found.rows:
        if row.difference is not None and row.bootstrap is not None and row.size is not None:
            bounds, size = (f"[{signed(one.low)}, {signed(one.high)}]" for one in (row.bootstrap, row.size))
            name = f"{row.arm} − {found.baseline}"
            flips = (_p(row.permutation_p), row.exchangeable)
            rows.append((name, bounds, *flips, signed(row.size.value), size, row.registered))
    legend = "Effect size: the difference in standard deviations of single differences, with its interval."
    return folded("The same by other roads", table(head, rows), paragraphs(legend)) if rows else Html("")


def _p(value: float) -> str:
    return "n/a" if math.isnan(value) else f"{value:.2g}"


def _ground(row: ArmRow, baseline: str) -> tuple[str, ...]:
    gap = row.difference or row.score
    low, high = row.bounds
    bounds = "none missing" if low == high else f"{low:+.2f} to {high:+.2f}"
    name = f"{row.arm} − {baseline}"
    return name, f"{gap.n:,}", str(gap.runs), str(gap.clusters), plain(gap.df, 1), _p(gap.p_value), bounds, gap.reason


def later(facts: Facts) -> Html:
    """Metrics that were computed after the runs, from their recorded answers; nothing where there are none."""
    found = facts.comparison
    metrics = sorted(set(figures(facts.ledger, facts.name, facts.ids).metric))
    if found is None or not metrics:
        return Html("")
    base = found.baseline if any(row.arm == found.baseline for row in found.rows) else found.rows[0].arm
    parts = []
    for metric in metrics:
        one = compare(facts.name, baseline=base, metric=metric, ledger=facts.ledger)
        head, body = one.table()
        parts += [element("h4", metric), paragraphs(one.notes[-1]), table(head[:6], [line[:6] for line in body])]
    return element("div", element("h3", "Figures that were computed later"), *parts)


def doubt(facts: Facts) -> Html:
    """Doubts, runs that did not finish, episodes without a usable answer, damaged lines."""
    doubts = [*facts.doubts.values(), *_ceiling(facts)]
    damage = facts.ledger.sql("SELECT filename, lines FROM damage ORDER BY filename")
    runs = facts.folder.resolve() / "runs"
    own = [(Path(file), lines) for file, lines in zip(damage.filename, damage.lines, strict=True)]
    torn = [(file.relative_to(runs), int(lines)) for file, lines in own if file.is_relative_to(runs)]
    harm = listed(f"runs/{file}: {count(lines, 'damaged line')}, left out of every number" for file, lines in torn)
    return element(
        "div",
        listed(doubts) or paragraphs("No doubt was raised by the numbers themselves."),
        element("h3", "Runs that did not finish"),
        _unfinished(facts),
        element("h3", "Episodes without a usable answer"),
        _failed(facts),
        element("h3", "Damage"),
        harm or paragraphs("None: every line of the study's logs is whole."),
    )


def _ceiling(facts: Facts) -> Iterator[str]:
    for row in facts.comparison.rows if facts.comparison else ():
        told = facts.planned["arms"][row.arm]["repr"]
        if "decider = GroundTruth()" in told and row.score.value < 1:
            yield f"{row.arm}: knows the right answers but scored {plain(row.score.value, 3)}: mistrust scorer and keys"


def _unfinished(facts: Facts) -> Html:
    bad = facts.runs[facts.runs.status != "finished"]
    begun = set(facts.runs.run)
    again = {run["id"]: run.get("frozen", 0) + run.get("exams", 0) for run in facts.planned["runs"]}
    rows = [
        (r.arm, str(r.seed), r.status, f"{r.episodes} of {r.tasks + again[r.run]}", _error(r.error))
        for r in bad.itertuples()
    ]
    rows += [(r["arm"], str(r["seed"]), "not begun", "0", "") for r in facts.planned["runs"] if r["id"] not in begun]
    if not rows:
        return paragraphs("None: every planned run has finished.")
    head = ("arm", "seed", "status", "episodes", "error")
    more = paragraphs(f"… and {len(rows) - 50} more: see the view runs.") if len(rows) > 50 else Html("")
    return element("div", table(head, rows[:50]), more)


def _failed(facts: Facts) -> Html:
    total = int(facts.ask(f"SELECT count(*) AS n FROM mine WHERE NOT {USABLE}").n[0])
    if not total:
        return paragraphs("None.")
    place = "row_number() OVER (PARTITION BY arm ORDER BY seed, phase, t)"
    frame = facts.ask(
        f"SELECT arm, seed, t, inputs, status, error, {place} AS place FROM mine WHERE NOT {USABLE} "
        f"ORDER BY place, arm LIMIT {FAILED}"
    )
    rows = [
        (r.arm, str(r.seed), str(r.t), told_inputs(r.inputs), r.status, _error(r.error)) for r in frame.itertuples()
    ]
    shown = f"{count(total, 'episode')}, scored 0 and kept in every mean. {len(rows)} of them:"
    return element("div", paragraphs(shown), table(("arm", "seed", "t", "input", "status", "error"), rows))


def _error(text: str | None) -> str:
    """An error in one short line, without this machine's paths."""
    return shortened(portable(" ".join((text or "no message").split())))


def told_inputs(inputs: Mapping[str, str]) -> str:
    """A task's inputs as one short text."""
    named = len(inputs) > 1
    return shortened("\n".join(f"{name}: {text}" if named else text for name, text in inputs.items()))


def episodes(facts: Facts) -> Html:
    """Of each arm's latest run the last episodes that were right, and the last that were wrong."""
    stream = "(SELECT * FROM mine WHERE phase = 'stream')"
    latest = f"{stream} SEMI JOIN (SELECT arm, max(seed) AS seed FROM {stream} GROUP BY arm) USING (arm, seed)"
    frame = facts.ask(
        f"SELECT *, coalesce(score >= 1, false) AS good FROM {latest} WHERE {USABLE} QUALIFY row_number() OVER "
        f"(PARTITION BY arm, good ORDER BY t DESC) <= {SAMPLES} ORDER BY arm, good DESC, t"
    )
    if frame.empty:
        return paragraphs("There is no episode with a usable answer.")
    frame["ids"] = [list(dict.fromkeys(one for turn in turns for one in turn["recalled"])) for turns in frame.turns]
    wanted = sorted({one for ids in frame.ids for one in ids})
    recalled = facts.ask(
        f"SELECT arm, phase || '/' || t AS id, inputs, answer, correction FROM {latest} "
        "WHERE list_contains($3, phase || '/' || t) ORDER BY arm, t",
        wanted,
    )
    known = {
        (r.arm, r.id): f"{told_inputs(r.inputs)} → {_revealed(r.correction) or r.answer}" for r in recalled.itertuples()
    }
    arms = [arm for arm in facts.planned["arms"] if arm in set(frame.arm)]
    remembering = [arm for arm in arms if any(frame.ids[frame.arm == arm])]
    opened = {*arms[:1], *remembering[:1]}
    parts = [_samples(arm, frame[frame.arm == arm], known, opened=arm in opened) for arm in arms]
    told = (
        f"Of each arm's run with the highest seed: the last {SAMPLES} that were right, and the last {SAMPLES} that "
        "were wrong. t is the task's place in the run, from 0. Memories stand with the answer that was revealed for "
        "them, where one was; a sham may have put another into the prompt."
    )
    return element("div", paragraphs(told), *parts)


def _samples(arm: str, frame: pd.DataFrame, known: Mapping[tuple[str, str], str], *, opened: bool) -> Html:
    rows = []
    for row in frame.itertuples():
        scored = "right" if row.good else "n/a: no score" if row.score is None or math.isnan(row.score) else "wrong"
        memories = listed(element("span", known.get((arm, one), one), title=one) for one in row.ids)
        right = _revealed(row.correction) or ("as answered" if row.good else "not revealed")
        rows.append((scored, str(row.t), told_inputs(row.inputs), row.answer, right, memories))
    title = f"{arm}, seed {frame.seed.iloc[0]}"
    head = ("", "t", "input", "answer", "right answer", "recalled memories")
    return folded(title, table(head, rows), open_=opened)


def _revealed(correction: object) -> str:
    return correction if isinstance(correction, str) else ""


def again(facts: Facts) -> Html:
    """The specification, orders, environment, a query, and the command that runs it again."""
    spec = facts.folder / "study.toml"
    there = spec.exists()
    text = portable(spec.read_text(encoding="utf-8", errors="replace")) if there else ""
    code = facts.folder / "code"
    files = sorted(path.name for path in code.iterdir()) if code.is_dir() else []
    missing = "n/a because study.toml is missing from the study's folder."
    run = f"toolkit run studies/{facts.name}/study.toml --ledger ."
    return element(
        "div",
        element("h3", "Run it again"),
        paragraphs("In the ledger's folder; runs that have finished are kept, others go on:" if there else missing),
        element("pre", run) if there else "",
        element("h3", "Ask the ledger"),
        paragraphs("Also in the ledger's folder:"),
        element("pre", QUERY.format(study=facts.name)),
        folded("Specification (study.toml)", element("pre", text) if there else paragraphs(missing), open_=True),
        folded("Seeds and orders", _orders(facts.planned["orders"])),
        folded("Environment", _environment(facts.folder / "environment.json")),
        paragraphs(f"Code of the user's own, copied into code/: {', '.join(files)}." if files else ""),
    )


def _orders(orders: Mapping[str, list[int]]) -> Html:
    """The first places of each order; in full they stand in the plan."""
    rows = [(seed, ", ".join(map(str, places[:30])) + ", …" * (len(places) > 30)) for seed, places in orders.items()]
    told = "Places of the tasks in the stream's own order, as each seed met them; in full in plan.json."
    return element("div", paragraphs(told), table(("seed", "order"), rows))


def _environment(path: Path) -> Html:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return paragraphs("n/a because environment.json is missing from the study's folder, or is no JSON.")
    flat = {**found, **found.get("packages", {})}
    return table(("", ""), [(key, portable(value or "n/a")) for key, value in flat.items() if key != "packages"])
