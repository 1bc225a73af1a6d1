"""A methods paragraph from the plan and the comparison: each sentence holds for the study at hand, or is not there."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from toolkit.analysis import ArmRow, Comparison
from toolkit.analysis.latex import escaped
from toolkit.ledger import served
from toolkit.ledger.planned import lengths
from toolkit.report.facts import Facts, count
from toolkit.report.heard import heard_in_words
from toolkit.report.page import portable
from toolkit.report.references import REFERENCES

TWO_WAY = "two-way cluster-robust t"

_SOFTWARE = {
    "adaptive-agents-toolkit": "adaptive-agents-toolkit", "dspy": "DSPy", "numpy": "NumPy", "scipy": "SciPy",
    "duckdb": "DuckDB",
}  # fmt: skip


@dataclass(frozen=True)
class Cite:
    """A place where references stand.

    Parameters
    ----------
    keys
        Of `toolkit.report.references.REFERENCES`.
    """

    keys: tuple[str, ...]


Sentence: TypeAlias = tuple["str | Cite", ...]


def cite(*keys: str) -> Cite:
    """A place where these references stand."""
    return Cite(keys)


@dataclass(frozen=True)
class Methods:
    """How a study was made and analysed, in paragraphs of sentences with references."""

    paragraphs: tuple[tuple[Sentence, ...], ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """References, in the order of their first use."""
        parts = (part for sentences in self.paragraphs for sentence in sentences for part in sentence)
        return tuple(dict.fromkeys(key for part in parts if isinstance(part, Cite) for key in part.keys))

    @property
    def texts(self) -> tuple[str, ...]:
        """Each paragraph as plain text, references as numbers in brackets."""
        numbers = {key: place for place, key in enumerate(self.keys, start=1)}

        def told(part: str | Cite) -> str:
            return part if isinstance(part, str) else f" [{', '.join(str(numbers[key]) for key in part.keys)}]"

        return tuple(" ".join("".join(map(told, one)) for one in sentences) for sentences in self.paragraphs)

    @property
    def references(self) -> tuple[str, ...]:
        """The references as plain text, in the order of their numbers."""
        return tuple(str(REFERENCES[key]) for key in self.keys)

    def markdown(self) -> str:
        """All of it as a text file, references numbered below."""
        listed = "\n".join(f"{place}. {text}" for place, text in enumerate(self.references, start=1))
        return "\n\n".join(["## Methods", *self.texts, "### References", listed]) + "\n"

    def to_latex(self) -> str:
        r"""The paragraphs with ``\cite``; the entries are `bibtex`."""

        def told(part: str | Cite) -> str:
            return escaped(part) if isinstance(part, str) else rf"~\cite{{{','.join(part.keys)}}}"

        return "\n\n".join("\n".join("".join(map(told, one)) for one in part) for part in self.paragraphs) + "\n"

    def bibtex(self) -> str:
        """Entries of the references that are cited."""
        return "\n".join(REFERENCES[key].bibtex for key in self.keys)


def methods(facts: Facts) -> Methods:
    """The methods of a study that has a plan; what has not been computed is not spoken of."""
    parts = (tuple(_design(facts)), tuple(_statistics(facts)), tuple(_making(facts)))
    return Methods(tuple(part for part in parts if part))


def _design(facts: Facts) -> Iterator[Sentence]:
    planned = facts.planned
    arms = list(planned["arms"])
    streams = " and ".join(f"{portable(name)} ({count(size, 'task')})" for name, size in lengths(planned).items())
    if len(arms) == 1:
        yield (f"We ran one arm, {arms[0]}, on {streams}.",)
    else:
        others = [arm for arm in arms if arm != planned["baseline"]]
        yield (f"We compared {count(len(others), 'arm')} ({_named(others)}) with {planned['baseline']} on {streams}.",)
    yield _orders(facts)
    yield (
        "Each task was answered and scored before anything could be learned from it (prequential evaluation)",
        cite("gama2013"), ".",
    )  # fmt: skip
    if "second_pass" in planned:
        tasks = "the same tasks in the same orders" if planned["second_pass"]["kind"] == "same" else "held-out tasks"
        yield (f"Afterwards, with all feedback delivered and all updating off, each run met {tasks} in a second pass.",)
    yield (heard_in_words(planned),)
    if planned["scorers"]:
        yield (f"Answers were scored by {planned['scorers'][0]}.",)
    for judge in planned.get("judges", ()):
        told = f"asked whether an answer says the same as the reference (prompt {judge['prompt'][:12]})"
        yield (
            f"Scores of {judge['metric']} are verdicts of {portable(judge['model'])}, {told}",
            cite("zheng2023"),
            ".",
        )
    yield from _model(facts)
    done, wanted = int((facts.runs.status == "finished").sum()), len(planned["runs"])
    if done < wanted:
        yield (f"When this was written, {done} of {wanted} planned runs had finished.",)


def _orders(facts: Facts) -> Sentence:
    """Seeds and orders of every arm: they are crossed, so all arms have the same."""
    runs = facts.planned["runs"]
    seeds = count(len({run["seed"] for run in runs}), "seed")
    kinds = list(dict.fromkeys(run.get("order", "") for run in runs))
    if len(facts.planned["arms"]) > 1:
        told = f"All arms met the same tasks in the same orders, with {seeds}"
    else:
        told = f"It met the tasks with {seeds}"
    if kinds == ["shuffled"]:
        return (f"{told}, each with an order of its own (whole sessions permuted).",)
    if kinds == ["given"]:
        return (f"{told}, in the stream's own order.",)
    return (f"{told}; orders: {_named(kinds)}.",) if all(kinds) else (f"{told}.",)


def _model(facts: Facts) -> Iterator[Sentence]:
    used = facts.runs[facts.runs.uses_model.astype(bool)]
    if facts.floors:
        arms = sorted(facts.floors, key=list(facts.planned["arms"]).index)
        yield (f"No language model is used by {_named(arms)}.",)
    if used.empty:
        return
    models = sorted({portable(name) for name in used.model})
    heat = sorted({float(one) for one in used.temperature if not math.isnan(one)})
    warm = f" at temperature {_named([f'{one:g}' for one in heat])}" if heat else ""
    yield (f"The language model was {_named(models)}{warm}.",)
    if facts.scripted:
        whose = "Its answers" if len(models) == 1 else f"The answers of {_named(facts.scripted)}"
        yield (f"{whose} are drawn with planted odds: this is a rehearsal and no finding about any real model.",)
    elif heat == [0.0]:
        yield (served.cold(used),)
    yield (f"Where a task has options, one was chosen by {facts.planned['deciding']}, for all arms.",)


def _statistics(facts: Facts) -> Iterator[Sentence]:
    found = facts.comparison
    if found is None:
        return
    contrasts = [row for row in found.rows if row.difference is not None and not math.isnan(row.difference.value)]
    yield from _headline(found, contrasts)
    yield from _beside(contrasts)
    yield from _family(found, contrasts)
    if any(low != high for low, high in (row.bounds for row in contrasts)):
        yield (
            "Where an arm missed tasks, differences rest on those that both completed, with bounds for the worst case",
            cite("horowitz2000"), ".",
        )  # fmt: skip
    if any(row.failed for row in found.rows):
        yield ("Episodes without a usable answer score 0 and stay in every mean.",)
    if any(not math.isnan(one.low) for one in facts.ratios):
        yield (
            "Gains per token, dollar and label are ratios of paired means with Fieller intervals",
            cite("fieller1954"), ", whose variance is that of the differences.",
        )  # fmt: skip
    if any(not band.reason for band in facts.bands.values()):
        span = "all tasks so far" if facts.window is None else f"the last {facts.window} tasks"
        yield (f"Learning curves are means over {span}, with t intervals over runs at each point by itself.",)
    yield from _roles(facts)
    yield from _initiative(facts)


def _roles(facts: Facts) -> Iterator[Sentence]:
    """How the worth of roles was measured; only what was computed is spoken of."""
    if any(not math.isnan(one.estimate.low) for one in facts.wordings):
        yield (
            "The worth of a role's text is its mean over several wordings less that over several placebos of equal "
            "length; wordings are a random factor, nested in either text and crossed with runs and tasks",
            cite("clark1973", "judd2012"), ".",
        )  # fmt: skip
    if facts.violations is not None and not isinstance(facts.violations, str):
        yield (
            "Rules of roles were checked by a program on what every arm said, those without the role included; rates "
            "are ratios of totals over episodes, made linear by the delta method", cite("deng2018"), ".",
        )  # fmt: skip


def _initiative(facts: Facts) -> Iterator[Sentence]:
    """How what agents did in worlds was measured; only what some arm has is spoken of."""
    found = facts.initiative
    if found is None:
        return
    there = {row.measure for row in found.shown}
    yield (
        "In worlds, measures are ratios of totals over episodes, made linear by the delta method",
        cite("deng2018"), ", with the same crossed clusters.",
    )  # fmt: skip
    if "precision" in there:
        yield (
            "An action on an event that nobody prompted for is an offer; its precision, recall, F1 and false alarms "
            "(of all offers) are defined as for ProactiveBench", cite("lu2024"), ".",
        )  # fmt: skip
    if "ask_f1" in there:
        yield ("Ask-F1 is the harmonic mean of question precision and blocker recall", cite("elfeki2026"), ".")
    if "pass^2" in there:
        yield ("pass^k is the chance that k runs of a task all reach its goals", cite("yao2024"), "; tasks are drawn.")
    if facts.utility is not None and any(not math.isnan(row.even.low) for row in facts.utility.rows):
        yield (
            "The cost of a false alarm at which acting is worth what silence is has a Fieller interval",
            cite("fieller1954"), ".",
        )  # fmt: skip


def _beside(contrasts: Sequence[ArmRow]) -> Iterator[Sentence]:
    """What stands beside the intervals of the headline."""
    if any(row.bootstrap is not None and not math.isnan(row.bootstrap.low) for row in contrasts):
        yield (
            "Beside each stands a percentile interval from a crossed bootstrap of runs and clusters",
            cite("owen2012"), ".",
        )  # fmt: skip
    if any(not math.isnan(row.permutation_p) for row in contrasts):
        yield (
            "Permutation tests change the sign of all differences of a run together, and speak of new orders of these "
            "tasks", cite("phipson2010"), ".",
        )  # fmt: skip


def _family(found: Comparison, contrasts: Sequence[ArmRow]) -> Iterator[Sentence]:
    """Which contrasts were set down beforehand, and how their number is accounted for."""
    primary = [one for one in found.hypotheses if one.registered == "primary"]
    if primary:
        told = f"{count(len(primary), 'hypothesis')}" if len(primary) == 1 else f"{len(primary)} hypotheses"
        were = "was" if len(primary) == 1 else "were"
        yield (
            f"{told} {were} set down before the first run; verdicts on them are at {1 - found.level:.2g} over the "
            "family, by Holm's method", cite("holm1979"), ". All other contrasts are exploratory.",
        )  # fmt: skip
    elif contrasts:
        many = f" The {len(contrasts)} contrasts are not corrected for their number." if len(contrasts) > 1 else ""
        yield (f"No hypothesis was set down before the first run: every contrast is exploratory.{many}",)


def _headline(found: Comparison, contrasts: Sequence[ArmRow]) -> Iterator[Sentence]:
    """How differences were estimated, or scores where there is no difference."""
    shown = [row.difference for row in contrasts if row.difference and not math.isnan(row.difference.low)]
    if shown:
        low, high = min(one.n for one in shown), max(one.n for one in shown)
        pairs = count(high, "pair") if low == high else f"{low:,} to {high:,} pairs"
        what = f"Differences to {found.baseline} are means over {pairs} of the same task in the same order"
    else:
        shown = [row.score for row in found.rows if not math.isnan(row.score.low)]
        what = "Scores are means over episodes"
        if not shown:
            yield (
                (f"{what}; there are too few runs for intervals.",)
                if not contrasts
                else ("Differences are given without intervals: there are too few runs for any.",)
            )
            return
    if {one.method for one in shown} == {TWO_WAY}:
        yield (
            f"{what}, with {100 * found.level:g} % t intervals robust to clustering by run and by "
            f"{'session' if 'session' in shown[0].target else 'task'}, crossed",
            cite("cameron2011", "miller2024"), ", and Satterthwaite's degrees of freedom", cite("satterthwaite1946"),
            ".",
        )  # fmt: skip
    else:
        yield (f"{what}, with {100 * found.level:g} % intervals ({_named(sorted({one.method for one in shown}))}).",)
    yield (f"They speak of {_named(sorted({one.target for one in shown}))}.",)
    if any(one.reason for one in shown):
        yield ("Some of these intervals are in doubt for want of runs or clusters.",)


def _making(facts: Facts) -> Iterator[Sentence]:
    try:
        found = json.loads((facts.folder / "environment.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        found = {}
    packages = {name: version for name, version in (found.get("packages") or {}).items() if version}
    told: list[str | Cite] = [f"Python {found['python']}"] if found.get("python") else []
    for package, name in _SOFTWARE.items():
        if package in packages:
            told += [", " if told else "", f"{name} {packages[package]}"]
            told += [cite("khattab2024")] if package == "dspy" else []
    engines = dict.fromkeys(one["engine"] for one in facts.planned.get("models", ()) if one.get("engine"))
    told += [f"{', ' if told else ''}{', '.join(engines)}"] if engines else []
    if told:
        yield ("Software: ", *told, ".")
    yield (
        "Every answer of a model was recorded; 'toolkit replay' goes through the runs again from these records, "
        "without the model.",
    )


def _named(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
