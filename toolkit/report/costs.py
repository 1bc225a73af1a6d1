"""At what cost: what arms gained for each token, dollar and label, and all that was spent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from toolkit.analysis import Payoff, PayoffRow
from toolkit.figures import Drawn
from toolkit.report.facts import Facts, count, plain
from toolkit.report.page import Html, element, figure, paragraphs, table

if TYPE_CHECKING:
    import pandas as pd

_KINDS = ("acting", "adapting", "judging")


def cost(facts: Facts, drawings: Mapping[str, Drawn]) -> Html:
    """What arms gained for what they cost, with the figures of it; then the sums that were spent."""
    return element("div", _gains(facts, drawings), element("h3", "All that was spent"), _spent(facts))


def _gains(facts: Facts, drawings: Mapping[str, Drawn]) -> Html:
    found = facts.payoff
    if found is None or len(found.rows) < 2:
        return paragraphs("Gains for their cost are n/a because there is no pair of arms to compare.")
    head = found.table()[0]
    ratios = [place for place, name in enumerate(head) if "per " in name]
    rest = [place for place in range(len(head)) if place not in ratios]
    caption = "Score against tokens for one task. Filled: no other arm scores as much for less, or more for as little."
    return element(
        "div",
        _columns(found, rest),
        figure(drawings["costs"], 3, "costs", caption),
        element("h3", "Gain for each extra unit of cost"),
        _columns(found, [0, *ratios]),
        element("ul", *(element("li", note) for note in found.notes), class_="small"),
        _paid(found, drawings["worth"]),
    )


def _paid(found: Payoff, drawing: Drawn) -> Html:
    """From which task on an arm has paid; without a value of a right answer, how to give one."""
    if found.value is None:
        return paragraphs(
            "From which task on an arm has paid depends on what a right answer is worth, in dollars: "
            f"tk.payoff({found.study!r}, value=...), or 'toolkit report {found.study} --value ...'."
        )
    title = element("h3", f"When it has paid, at ${found.value:g} for a right answer")
    if not drawing:
        return element(
            "div", title, paragraphs("No figure: see above why there are no costs in dollars to set against.")
        )
    caption = (
        f"Dollars ahead of {found.baseline} so far: what all that was gained is worth, less what it cost more. Bands: "
        f"{100 * found.level:g} % at each point by itself, over runs. Hollow marks on the line of 0, and the "
        "legend: the median task from which on an arm has paid."
    )
    never = [row.arm for row in found.rows if _never(row)]
    told = f"Not paid for within the stream in half of the runs or more: {', '.join(never)}." if never else ""
    return element("div", title, figure(drawing, 4, "worth", caption), paragraphs(told))


def _never(row: PayoffRow) -> bool:
    even = row.break_even
    return even is not None and even.runs > 0 and 2 * even.reached <= even.runs


def _columns(found: Payoff, places: Sequence[int]) -> Html:
    """Some of a table's columns: all of them at once are wider than a page."""
    head, body = found.table()
    return table([head[place] for place in places], [[line[place] for place in places] for line in body])


def _spent(facts: Facts) -> Html:
    """Tokens, calls, labels, dollars and seconds of each arm, and of the whole study."""
    frame = facts.ask(_cost_query())
    if frame.empty:
        return paragraphs("Nothing has been spent on recorded episodes.", _unbooked(facts))
    frame = frame.set_index("arm")
    before = facts.runs.groupby("arm").labels_before.sum()
    frame["labels"] += before.reindex(frame.index).fillna(0)
    rows = [_cost_row(arm, frame.loc[arm]) for arm in facts.planned["arms"] if arm in frame.index]
    head = ("arm", "episodes", "tokens in", "tokens out", "of these, adapting", "calls", "labels", "dollars", "seconds")
    told = (
        "Sums over all runs. Tokens in and out are those of answering, adapting (memory and learning) and judging. "
        "Labels are right answers or scores that an arm could learn from. Seconds are the latencies of the model, "
        "summed: runs overlap, so the study took less. A model that runs locally costs no dollars; n/a: the price of "
        "a call is not known."
    )
    whole = _cost_row("whole study", frame.sum(skipna=False))
    return element("div", table(head, rows, whole), paragraphs(told, _unbooked(facts)))


def _cost_query() -> str:
    def total(name: str, kinds: tuple[str, ...] = _KINDS) -> str:
        parts = " + ".join(f"{kind}_{name}" for kind in kinds)
        return f"sum({parts} ORDER BY run, phase, t)"  # ordered: sums of floats depend on it

    # A sum leaves out what is null: where one price is not known, neither is that of all.
    dollars = f"if(bool_or({' + '.join(f'{kind}_dollars' for kind in _KINDS)} IS NULL), NULL, {total('dollars')})"
    adapting = f"{total('input_tokens', ('adapting',))} + {total('output_tokens', ('adapting',))}"
    read, written = total("input_tokens"), total("output_tokens")
    return (
        f"SELECT arm, count(*) AS episodes, {read} AS tokens_in, {written} AS tokens_out, {adapting} AS adapting, "
        f"{total('calls')} AS calls, sum(labels) AS labels, {dollars} AS dollars, "
        f"{total('seconds')} AS seconds FROM mine GROUP BY arm ORDER BY arm"
    )


def _cost_row(name: str, sums: pd.Series[Any]) -> tuple[str, ...]:
    whole = ("episodes", "tokens_in", "tokens_out", "adapting", "calls", "labels")
    dollars = float(sums.dollars)
    priced = plain(dollars, 4 if 0 < dollars < 1 else 2)
    return name, *(f"{int(sums[key]):,}" for key in whole), priced, plain(float(sums.seconds), 1)


def _unbooked(facts: Facts) -> str:
    """Calls of the stream that no episode accounts for: paid for, but not in the table."""
    lost = facts.ask(
        "SELECT count(*) AS n, coalesce(sum(input_tokens + output_tokens), 0) AS tokens FROM called "
        "ANTI JOIN mine USING (run, phase, t) WHERE phase = 'stream'"
    ).iloc[0]
    if not lost.n:
        return ""
    calls, tokens = count(int(lost.n), "call"), count(int(lost.tokens), "token")
    return f"Not in the table: {calls} ({tokens}) of episodes that were never completed."
