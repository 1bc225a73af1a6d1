"""The section of a report about prompts that learners changed on the way; nothing where none says what it changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from toolkit.analysis import Versions, versions
from toolkit.analysis.differing import Difference
from toolkit.analysis.versions import IN_FORCE, Alarm, VersionRow
from toolkit.report.facts import Facts, count
from toolkit.report.page import Html, element, folded, listed, paragraphs, shortened, table, visible

_TOLD = (
    "A version is counted by what has ever become of it: in force (put there, by winning its trial), rejected, rolled "
    "back. Tokens and labels: all that arm had for tuning and learning, over its runs. tk.versions has every version."
)
_ALARMS = 20  # of drift that are listed
_WHY = 120  # characters of a reason


def version_section(facts: Facts) -> Html:
    """Per arm the number of versions and their fates; what the one in force last changed; drifts that were noticed."""
    if not _any(facts):
        return Html("")
    found = versions(facts.name, ledger=facts.ledger)
    parts = [element("h3", "What learners made of their prompts")] if found.rows else []
    if found.rows:
        head = ("arm", "runs", "versions", "put in force", "rejected", "rolled back", "tuning tokens", "labels")
        parts += [table(head, [*_arms(facts, found)]), paragraphs(_TOLD), _last(found)]
    return Html("".join([*parts, *_drifts(found.alarms)]))


def _any(facts: Facts) -> bool:
    query = "SELECT count(*) AS n FROM mine WHERE len(changes) > 0"
    return facts.comparison is not None and bool(int(facts.ask(query).n[0]))


def _arms(facts: Facts, found: Versions) -> Iterator[tuple[str, ...]]:
    spent = facts.ask(
        "SELECT arm, sum(adapting_input_tokens + adapting_output_tokens) AS tokens, sum(labels) AS labels FROM mine "
        "GROUP BY arm"
    ).set_index("arm")
    for arm in facts.planned["arms"]:
        own = [one for one in found.rows if one.arm == arm]
        if not own:
            continue
        made = [one for one in own if one.number > 0]
        ever = Counter(fate for one in made for fate in {told.fate for told in one.fates})
        runs = len({one.run for one in own})
        told = [len(made), ever[IN_FORCE], ever["rejected"], ever["rolled back"]]
        yield arm, f"{runs}", *map(str, told), f"{int(spent.tokens[arm]):,}", f"{int(spent.labels[arm]):,}"


def _last(found: Versions) -> Html:
    """What the version in force at the end says that the prompts did not say before, for one run."""
    last = next((one for one in _ends(found.rows) if one.number > 0), None)
    if last is None:
        return paragraphs("At the end of each run its prompts were what they had been before.")
    first = next(one for one in found.rows if one.run == last.run and one.number == 0)
    told = Difference.of("before", first.learned, f"version {last.number}", last.learned)
    title = f"The prompt of {last.arm}, seed {last.seed}, at the end, against what it was: version {last.number}"
    return folded(
        visible(title), element("pre", str(told)), paragraphs(shortened(f"Why: {last.why}.", _WHY)), open_=True
    )


def _ends(rows: Sequence[VersionRow]) -> Iterator[VersionRow]:
    """The version of each run that was in force last."""
    yield from (one for one in rows if one.spans and one.spans[-1][1] is None)


def _drifts(alarms: Sequence[Alarm]) -> Iterator[Html]:
    if not alarms:
        return
    yield element("h3", "Drifts that agents noticed")
    told = [(one.arm, str(one.seed), str(one.t), one.done, shortened(one.why, _WHY)) for one in alarms[:_ALARMS]]
    yield table(("arm", "seed", "before task", "what was done", "why"), told)
    if len(alarms) > _ALARMS:
        yield paragraphs(f"And {count(len(alarms) - _ALARMS, 'more alarm')}: tk.versions(...).alarms has all.")
    yield listed(["An alarm is the agent's own: whether the stream had changed is told above, where it declares it."])
