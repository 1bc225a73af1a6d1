"""What a report says: what was compared, what came out, how sure, at what cost, what to doubt, and how to check it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from toolkit import figures
from toolkit.analysis import ArmRow
from toolkit.figures import Drawn
from toolkit.ledger.planned import heard, lengths, scored_by
from toolkit.report import costs, evidence, paper
from toolkit.report.changes import change_section
from toolkit.report.effects import effects_section
from toolkit.report.facts import Facts, count, plain, signed, with_interval
from toolkit.report.initiative import initiative_section
from toolkit.report.page import Html, element, figure, folded, paragraphs, portable, section, table
from toolkit.report.passes import exam_section, second_section
from toolkit.report.roles import role_section
from toolkit.report.sweep import sweep
from toolkit.report.uses import use_section
from toolkit.report.versions import version_section
from toolkit.stats import CurveBand


def drawn(facts: Facts) -> dict[str, Drawn]:
    """The figures of a report by name, in their order; empty ones where there is nothing to draw."""
    found = facts.comparison
    if found is None:
        return dict.fromkeys(("differences", "curves", "costs", "worth", "utility"), Drawn())
    looks = figures.looks(found.rows, found.baseline, facts.floors)
    return {
        "differences": figures.differences(found, looks, facts.floors),
        "curves": figures.curves(facts.bands, looks, facts.window, facts.changes),
        "costs": figures.costs(facts.payoff, looks) if facts.payoff else Drawn(),
        "worth": figures.worth(facts.payoff, looks) if facts.payoff else Drawn(),
        "utility": sweep(facts.utility, looks) if facts.utility else Drawn(),
    }


def content(facts: Facts, drawings: Mapping[str, Drawn]) -> Iterator[Html]:
    """A report's parts, from title to the way to run it again."""
    sections = {
        "compared": ("What was compared", _compared(facts)),
        "outcome": ("What came out", _outcome(facts, drawings)),
        "sure": ("How sure this is", evidence.sure(facts)),
        "cost": ("At what cost", costs.cost(facts, drawings)),
        "doubt": ("What to doubt", evidence.doubt(facts)),
        "methods": ("Methods, for a paper", paper.paper(facts)),
        "episodes": ("Some episodes", evidence.episodes(facts)),
        "again": ("How to check it and run it again", evidence.again(facts)),
    }
    yield element("h1", facts.name)
    yield from _warnings(facts)
    yield element("div", *_summary(facts), id="summary")
    links = (element("a", title, href=f"#{anchor}") for anchor, (title, _) in sections.items())
    yield element("nav", Html(" ".join(links)))  # a space is where a line may break
    for anchor, (title, inner) in sections.items():
        yield section(anchor, title, inner)


def _warnings(facts: Facts) -> Iterator[Html]:
    if facts.scripted:
        text = (
            f"Scripted model. {', '.join(facts.scripted)} ran on a model whose answers are drawn with planted odds. "
            "This report is a rehearsal: it says nothing about any real model."
        )
        yield element("div", paragraphs(text), class_="warn")
    done, planned = int((facts.runs.status == "finished").sum()), len(facts.planned["runs"])
    if done < planned:
        counts = facts.runs.status[facts.runs.status != "finished"].value_counts().sort_index()
        rest = [f"{count} {status}" for status, count in counts.items()]
        rest += [f"{planned - len(facts.runs)} not begun"] if planned > len(facts.runs) else []
        state = "No run has finished" if not done else f"{done} of {planned} planned runs have finished"
        text = f"{state} ({', '.join(rest)}). What is shown below is interim: it rests on what was recorded so far."
        yield element("div", paragraphs(text), class_="warn")


def _summary(facts: Facts) -> Iterator[Html]:
    found = facts.comparison
    if found is None:
        yield paragraphs("No episode has been recorded, so there is nothing to compare yet.")
        return
    rows = {row.arm: row for row in found.rows}
    base = rows.get(found.baseline)
    gaps = [row.difference for row in found.rows if row.difference is not None]
    if gaps:
        up, down = sum(gap.low > 0 for gap in gaps), sum(gap.high < 0 for gap in gaps)
        unknown = sum(math.isnan(gap.low) for gap in gaps)
        rest = f"for {len(gaps) - up - down - unknown} no difference was shown"
        yield paragraphs(
            f"Against {found.baseline}, {up} of {len(gaps)} other arms scored higher and {down} lower with an interval "
            f"that excludes 0; {rest}{f', and for {unknown} there is no interval' if unknown else ''}."
        )
    elif base is not None and len(facts.planned["arms"]) == 1:
        yield paragraphs(f"{base.arm} scored {with_interval(base.score)}. It is the only arm: there is no contrast.")
    for arm in facts.planned["arms"]:
        if arm != found.baseline:
            yield paragraphs(_contrast(arm, rows.get(arm), found.baseline, base))


def _contrast(arm: str, row: ArmRow | None, baseline: str, base: ArmRow | None) -> str:
    """One contrast in words."""
    if row is None:
        return f"{arm}: n/a because it has no episodes yet."
    if base is None or row.difference is None:
        return f"{arm} scored {plain(row.score.value)}; its difference is n/a because {baseline} has no episodes yet."
    gap = row.difference
    head = f"{arm} scored {plain(row.score.value)}, {baseline} {plain(base.score.value)}"
    if math.isnan(gap.value):
        return f"{head}: the difference is n/a because {gap.reason or 'no pair has a score'}."
    size = f"over {count(gap.n, 'pair')} in {count(gap.runs, 'run')}"
    if math.isnan(gap.low):
        return f"{head}: a difference of {signed(gap.value)} {size}; its interval is n/a because {gap.reason}."
    verdict = "excludes 0" if gap.excludes_zero else "includes 0: no difference was shown"
    same = abs(row.score.value - base.score.value - gap.value) < 1e-9
    size += "" if same else ", counting only tasks that both completed"
    within = f"{100 * gap.level:g} % interval [{signed(gap.low)}, {signed(gap.high)}]"
    caution = f" But: {gap.reason}." if gap.reason else ""
    return f"{head}: a difference of {signed(gap.value)}, {within} {size}: the interval {verdict}.{caution}"


def _compared(facts: Facts) -> Html:
    planned = facts.planned
    scorers = [f"beside it {name}" if place else name for place, name in enumerate(scored_by(planned))]
    about = [
        ("stream", "; ".join(f"{portable(name)}, {count(n, 'task')}" for name, n in lengths(planned).items())),
        ("licence of the data", planned.get("licence") or "not stated"),
        ("model", portable(planned["model"])),
        ("what agents get to hear", portable(heard(planned))),
        ("closed options decided by", f"{planned['deciding']}, for all arms"),
        ("scored by", portable(", ".join(scorers))),
        ("orders", f"{_kinds(planned)}{count(len(_seeds(planned)), 'seed')}, the same orders for every arm"),
        ("baseline", planned["baseline"]),
    ]
    return element(
        "div",
        table(("", ""), [(element("b", name), value) for name, value in about]),
        element("h3", "Arms"),
        table(("arm", "switched on", "settings", "model", "runs finished"), [*_arms(facts)]),
    )


def _seeds(planned: Mapping[str, Any]) -> set[int]:
    return {run["seed"] for run in planned["runs"]}


def _kinds(planned: Mapping[str, Any]) -> str:
    """The kinds of order, where there are several."""
    kinds = dict.fromkeys(run.get("order", "") for run in planned["runs"])
    return f"{' and '.join(kinds)}, " if len(kinds) > 1 else ""


def _arms(facts: Facts) -> Iterator[tuple[str, ...]]:
    for arm, told in facts.planned["arms"].items():
        ran = facts.runs[facts.runs.arm == arm]
        wanted = sum(run["arm"] == arm for run in facts.planned["runs"])
        model = "not begun" if ran.empty else "none (floor)" if arm in facts.floors else portable(ran.model.iloc[0])
        done = f"{int((ran.status == 'finished').sum())} of {wanted}"
        yield arm, " + ".join(told["on"]) or "nothing", portable(told["repr"]), model, done


def _outcome(facts: Facts, drawings: Mapping[str, Drawn]) -> Html:
    found = facts.comparison
    if found is None:
        return paragraphs("No episode has been recorded yet.")
    head, body = found.table()
    marks = {doubt: number for number, doubt in enumerate(facts.doubts, start=1)}
    cells = [[cell.replace("[n/a, n/a]", "n/a") for cell in line[:-1]] for line in body]
    rows = [[*line, _links(row, marks)] for line, row in zip(cells, found.rows, strict=True)]
    texts = [element("li", text, id=f"d{number}") for number, text in enumerate(facts.doubts.values(), start=1)]
    below = element("ol", *texts, class_="small") if texts else Html("")
    tasks = min(lengths(facts.planned).values())
    span = "all tasks so far" if facts.window is None else f"the last {facts.window} tasks, of {tasks} in all"
    first = f"Differences to {found.baseline}. Filled: the interval excludes 0. Hollow: it does not. Grey: floors."
    second = f"Learning curves: mean score over {span}. {_bands_told(facts)}"
    return element(
        "div",
        table(head, rows),
        below,
        figure(drawings["differences"], 1, "differences", first),
        figure(drawings["curves"], 2, "curves", second),
        _behind(facts),
        initiative_section(facts, drawings["utility"]),
        change_section(facts),
        effects_section(facts),
        role_section(facts),
        exam_section(facts),
        second_section(facts),
        use_section(facts),
        version_section(facts),
        evidence.later(facts),
    )


def _links(row: ArmRow, marks: Mapping[str, int]) -> Html:
    return Html(" ".join(element("a", marks[doubt], href=f"#d{marks[doubt]}") for doubt in row.doubts))


def _bands_told(facts: Facts) -> str:
    reasons: dict[str, list[str]] = {}
    for arm, one in facts.bands.items():
        reasons.setdefault(one.reason, []).append(arm)
    band = next(iter(facts.bands.values()))
    told = f"Bands: {100 * band.level:g} % at each point by itself, for {band.target}."
    told += f" Thin and grey: floors, which use no model, and arms beyond the first {figures.HIGHLIGHTED}."
    short = [arm for arm, one in facts.bands.items() if len(one.t) <= (facts.window or 1)]
    told += f" No curve for {', '.join(short)}: too few tasks met." if short else ""
    return told + "".join(f" No band for {', '.join(arms)}: {why}." for why, arms in reasons.items() if why)


def _behind(facts: Facts) -> Html:
    longest = max(facts.bands.values(), key=lambda band: len(band.t))
    first, last = (facts.window or 1) - 1, len(longest.t) - 1
    if last <= first:
        return Html("")
    places = sorted({first + round(step * (last - first) / 7) for step in range(8)})
    rows = [[arm, *(_at(band, place) for place in places)] for arm, band in facts.bands.items()]
    title = "The numbers behind figure 2: mean [band] after so many tasks"
    return folded(title, table(["arm", *(str(place + 1) for place in places)], rows))


def _at(band: CurveBand, place: int) -> str:
    if place >= len(band.t) or math.isnan(band.mean[place]):
        return "n/a"
    bounds = "n/a" if math.isnan(band.low[place]) else f"{band.low[place]:.2f}, {band.high[place]:.2f}"
    return f"{band.mean[place]:.2f} [{bounds}]"
