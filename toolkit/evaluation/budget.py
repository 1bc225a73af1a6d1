"""Budgets: what a study, and each of its arms, may spend; kept before a call is sent, by all processes together."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolkit.component import Config
from toolkit.errors import SpecError, Stopped, nearest
from toolkit.evaluation.design import Run
from toolkit.evaluation.judge import judges_of
from toolkit.ledger.call import Call
from toolkit.ledger.disk import held, writing
from toolkit.ledger.store import Ledger
from toolkit.lm.model import Engine, Model
from toolkit.lm.training import Case, Trainable, Trained, taught

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

LIMITS = ("calls", "tokens", "dollars", "seconds")
_POLL = 0.02  # seconds between two looks while others' calls are out


class BudgetSpent(Stopped):
    """A limit does not allow the next call; the study stops, and goes on when it is run with a higher one."""


@dataclass(frozen=True)
class Budget:
    """What may be spent. No part of any run's identity: a study goes on under another budget.

    Parameters
    ----------
    calls
        Calls that reach the model, failed ones included; what a memo answers is none.
    tokens, dollars
        As they are charged: a memoised call costs what it did when it was made. What was spent before a study was
        resumed counts; reading it back from the tape costs nothing again.
    seconds
        Of the whole study: time on the clock while it runs, over all its sittings, pauses included. Of an arm: the
        model's latencies over all its runs, as tables add them up.
    arms
        Limits of single arms by name, which hold beside the study's.

    Examples
    --------
    >>> Budget(tokens=1000, arms={"memory": Budget(calls=5)}).config()
    {'tokens': 1000, 'arms': {'memory': {'calls': 5}}}
    """

    calls: int | None = None
    tokens: int | None = None
    dollars: float | None = None
    seconds: float | None = None
    arms: Mapping[str, Budget] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.limits or self.arms)

    @property
    def limits(self) -> dict[str, float]:
        """The study's own limits that are set, by name."""
        return {name: getattr(self, name) for name in LIMITS if getattr(self, name) is not None}

    def mistakes(self, arms: Iterable[str]) -> Iterator[str]:
        """What is wrong with it for a study of these arms."""
        known = list(arms)
        for where, one in [("budget", self), *((f"budget of arm {name!r}", one) for name, one in self.arms.items())]:
            for name, value in one.limits.items():
                whole = name in ("calls", "tokens")
                well = isinstance(value, int if whole else int | float) and not isinstance(value, bool)
                if not well or not 0 < value < math.inf:
                    yield f"{where}: {name} must be {'an integer' if whole else 'a number'} above 0 but is {value!r}"
        for name, one in self.arms.items():
            if name not in known:
                yield f"budget: no arm is called {name!r}; {nearest(name, known)}"
            if one.arms:
                yield f"budget of arm {name!r}: an arm has no arms of its own"

    def config(self) -> Config:
        """As plain values: what ``[budget]`` holds in a file."""
        arms = {name: one.config() for name, one in self.arms.items()}
        return {**self.limits, **({"arms": arms} if arms else {})}

    @classmethod
    def from_config(cls, table: object, where: str = "budget") -> Budget:
        """The budget that a table describes.

        Raises
        ------
        SpecError
            For a key that is no limit.
        """
        if not isinstance(table, dict):
            raise SpecError([f"{where} must be a table but is {table!r}"])
        known = (*LIMITS, "arms")
        mistakes = [f"{where} has no key {key!r}; {nearest(key, known)}" for key in table if key not in known]
        arms = table.get("arms", {})
        if not isinstance(arms, dict):
            mistakes.append(f"{where} arms must be a table for each arm, [budget.arms.NAME], but is {arms!r}")
        if mistakes:
            raise SpecError(mistakes)
        found = {name: cls.from_config(one, f"{where} arms.{name}") for name, one in arms.items()}
        return cls(**{name: table[name] for name in LIMITS if name in table}, arms=found)


def changed(table: Config, asked: Iterable[str]) -> Config:
    """A budget's table with limits as they are typed: ``"tokens=100000"``, or ``"memory:calls=50"`` for one arm.

    Raises
    ------
    SpecError
        If one cannot be read.

    Examples
    --------
    >>> changed({"calls": 3}, ["tokens=1000", "memory:dollars=0.5"])
    {'calls': 3, 'arms': {'memory': {'dollars': 0.5}}, 'tokens': 1000}
    """
    found: Config = {**table, "arms": {name: dict(one) for name, one in table.get("arms", {}).items()}}
    for text in asked:
        arm, _, rest = text.rpartition(":")
        name, _, value = rest.partition("=")
        if name not in LIMITS:
            raise SpecError([f"a budget is LIMIT=NUMBER or ARM:LIMIT=NUMBER but is {text!r}; {nearest(name, LIMITS)}"])
        try:
            number = int(value) if name in ("calls", "tokens") else float(value)
        except ValueError as error:
            raise SpecError([f"a budget of {name} must be a number but is {value!r}"]) from error
        (found["arms"].setdefault(arm, {}) if arm else found)[name] = number
    return found if found["arms"] else {name: value for name, value in found.items() if name != "arms"}


def tally(ledger: Ledger, study: str) -> None:
    """Begin a sitting: what every run of the study has cost so far, by its tape, into ``budget.json``."""
    cost = "coalesce(sum(calls) FILTER (NOT coalesce(memo, false)), 0) AS calls, "
    cost += "sum(input_tokens + output_tokens) AS tokens, sum(seconds) AS seconds, "
    cost += "if(count(*) = count(dollars), sum(dollars), 'nan'::DOUBLE) AS dollars"
    spent = ledger.sql(f"SELECT run, {cost} FROM calls WHERE study = $1 GROUP BY run", study)
    own = "coalesce(reused_from, '') = ''"  # what another study has paid for is not spent again
    arms = ledger.sql(f"SELECT DISTINCT run, arm FROM runs WHERE study = $1 AND {own}", study)
    of = dict(zip(arms.run, arms.arm, strict=True))
    spent = spent[spent.run.isin(list(of))]
    runs = {
        str(row["run"]): {"arm": of[row["run"]], **{name: float(row[name]) for name in LIMITS}, "out": {}}
        for row in spent.to_dict("records")
    }
    folder = ledger.study(study)
    with _opened(folder) as book:
        lasted = max(0.0, book.get("last", 0.0) - book.get("since", 0.0))
        now = time.time()
        book.update(before=book.get("before", 0.0) + lasted, since=now, last=now, hit={}, runs=runs)


class Free:
    """The purse of a run that nothing limits."""

    def check(self) -> None:
        """Nothing to refuse."""

    def insist(self) -> None:
        """Nothing was refused."""

    def begin(self, tape: Iterable[Call]) -> None:
        """Nothing to count."""

    def engine(self, engine: Engine | None, model: Model) -> Engine | None:
        """The engine itself."""
        return engine

    def kept(self, write: Callable[[Call], None]) -> Callable[[Call], None]:
        """The writer itself."""
        return write

    def close(self) -> None:
        """Nothing to give back."""


class Purse(Free):
    """A run's hand in the purse that all runs of a study share, whatever process they run in: ``budget.json``.

    Before a call is sent, what it may cost is set aside: a quarter of the prompt's characters and the answer's limit,
    in tokens. Afterwards its real cost takes that place. So runs side by side cannot spend more than a limit, but for
    what the estimates miss. A call that would fit if the others' came out at nothing waits for what they come out at.

    Parameters
    ----------
    folder
        The study's.
    budget, run
        What limits whom.
    wait
        Called while waiting; may raise.
    """

    def __init__(self, folder: Path, budget: Budget, run: Run, wait: Callable[[], None]) -> None:
        self._folder, self._run, self._wait = folder, run, wait
        self._scopes = {"": budget.limits, run.arm.name: budget.arms.get(run.arm.name, Budget()).limits}
        self._over: BudgetSpent | None = None

    def check(self) -> None:
        """Raise if a limit has been hit, by this run or another one."""
        with _opened(self._folder) as book:
            self._mind(book)

    def insist(self) -> None:
        """Raise what a call was refused with, where a user's program has swallowed it."""
        if self._over is not None:
            raise self._over

    def begin(self, tape: Iterable[Call]) -> None:
        """Book what the run has spent by its tape; what a process that died had set aside is free again."""
        entry = {"arm": self._run.arm.name, **dict.fromkeys(LIMITS, 0.0), "out": {}}
        for call in tape:
            _add(entry, _cost(call))
        with _opened(self._folder) as book:
            book["runs"][self._run.id] = entry

    def engine(self, engine: Engine | None, model: Model) -> Engine | None:
        """An engine of a model that asks before each call."""
        return None if engine is None else _Metered(engine, self, model)

    def kept(self, write: Callable[[Call], None]) -> Callable[[Call], None]:
        """A writer that books what each recorded call has cost."""

        def recorded(call: Call) -> None:
            if call.memo:
                self.reserve(_cost(call))
            write(call)
            with _opened(self._folder) as book:
                entry = book["runs"][self._run.id]
                entry["out"] = {}
                _add(entry, _cost(call))

        return recorded

    def close(self) -> None:
        """Give back what was set aside and not used."""
        with _opened(self._folder) as book:
            if self._run.id in book["runs"]:
                book["runs"][self._run.id]["out"] = {}

    def ask(self, request: Request, model: Model) -> None:
        """Set aside what a request to a model may cost.

        Raises
        ------
        BudgetSpent
            If a limit does not allow it.
        """
        read, wrote = _expected(request, model)
        priced = model.dollars_in is not None and model.dollars_out is not None
        dollars = (read * (model.dollars_in or 0) + wrote * (model.dollars_out or 0)) / 1e6 if priced else math.nan
        self.reserve({"calls": 1, "tokens": math.ceil(read + wrote), "dollars": dollars, "seconds": 0.0})

    def reserve(self, need: Mapping[str, float]) -> None:
        """Set aside amounts, waiting while only others' calls that are under way stand against it."""
        while not self._reserved(need):
            self._wait()
            time.sleep(_POLL)

    def _reserved(self, need: Mapping[str, float]) -> bool:
        with _opened(self._folder) as book:
            self._mind(book)
            for scope, limits in self._scopes.items():
                for name, limit in limits.items():
                    spent, out = self._spent(book, scope, name)
                    wanted = _rate(book, need["tokens"]) if math.isnan(need[name]) else need[name]
                    if math.isnan(spent) or spent + wanted > limit or (name == "seconds" and spent >= limit):
                        self._hit(book, scope, name, spent, limit, wanted)
                    if spent + out + wanted > limit:
                        return False
            book["runs"][self._run.id]["out"] = dict(need)
            return True

    def _spent(self, book: Config, scope: str, name: str) -> tuple[float, float]:
        """What is spent within a scope, and what other runs have set aside."""
        if name == "seconds" and not scope:
            return book["before"] + time.time() - book["since"], 0.0
        runs = {id: entry for id, entry in book["runs"].items() if not scope or entry["arm"] == scope}
        others = (entry["out"] for id, entry in runs.items() if id != self._run.id)
        return sum(entry[name] for entry in runs.values()), sum(_known(out.get(name, 0.0)) for out in others)

    def _hit(self, book: Config, scope: str, name: str, spent: float, limit: float, need: float) -> None:
        who = f"arm {scope!r}" if scope else "the study"
        if math.isnan(spent):
            told = f"the price of {who}'s calls is not known, of {limit:,g} allowed: give dollars_in and dollars_out"
        else:
            more = f" and the next call may take {need:,g}" if need else ""
            told = f"{who} has spent {spent:,.10g} of {limit:,g}{more}: run it again with a higher limit to go on"
        book["hit"][scope] = f"budget stop: {name}: {told}"
        self._mind(book)

    def _mind(self, book: Config) -> None:
        for scope in self._scopes:
            if scope in book["hit"]:
                self._over = BudgetSpent(book["hit"][scope])
                raise self._over


def purse(folder: Path, budget: Budget, run: Run, wait: Callable[[], None]) -> Free:
    """The purse of a run; a run that asks no model costs nothing and is never stopped."""
    asks = run.arm.decider.uses_model or judges_of(run.scorers)
    return Purse(folder, budget, run, wait) if budget and asks else Free()


class _Metered:
    """An engine behind a purse."""

    def __init__(self, engine: Engine, purse: Purse, model: Model) -> None:
        self._engine, self._purse, self._model = engine, purse, model
        if hasattr(engine, "supported_params"):
            self.supported_params = engine.supported_params

    def complete(self, request: Request) -> Response:
        """Ask, then answer."""
        self._purse.ask(request, self._model)
        return self._engine.complete(request)

    def taught(self, cases: Sequence[Case], weights: str) -> Engine | None:
        """An engine that was trained, behind the same purse; None where nothing is trained."""
        engine = taught(self._engine, cases, weights)
        return None if engine is None else _Metered(engine, self._purse, self._model)

    def trained(self) -> tuple[Trained, bool]:
        """What the training came to: what it may cost is known afterwards, and no call follows that is too many."""
        if not isinstance(self._engine, Trainable):
            raise TypeError(f"{self._engine!r} cannot be trained")
        self._purse.check()
        return self._engine.trained()


@contextmanager
def _opened(folder: Path) -> Iterator[Config]:
    """``budget.json`` for one change: read and written back whole, while no other process or thread has it."""
    path = folder / "budget.json"
    with held(folder / "locks" / "budget"):
        book: Config = json.loads(path.read_text(encoding="ascii")) if path.exists() else {"runs": {}, "hit": {}}
        try:
            yield book
        finally:
            book["last"] = time.time()
            with writing(path):
                part = path.with_suffix(".part")  # without a sync: the tapes are the truth, this is their sum
                part.write_text(json.dumps(book), encoding="ascii")
                part.replace(path)


def _expected(request: Request, model: Model) -> tuple[float, float]:
    """Tokens that a request may read and write."""
    system = request.system if isinstance(request.system, str) else ""
    read = (len(system) + sum(len(message.text or "") for message in request.messages)) / 4
    said: Mapping[str, Any] = request.config.extensions or {}
    limit = float(request.config.max_tokens or model.max_tokens or 256)
    options = [str(option) for option in said.get("options", ())]
    if options and said.get("deciding") == "grammar":
        limit = min(limit, max(map(len, options)))
    elif options and said.get("deciding") == "likelihood":
        limit = min(limit, sum(map(len, options)))  # every option may be read through
    return read, limit


def _cost(call: Call) -> dict[str, float]:
    used = call.usage
    return {
        "calls": int(used.calls > 0 and not call.memo),
        "tokens": used.tokens,
        "dollars": used.dollars,
        "seconds": used.seconds,
    }


def _add(entry: Config, cost: Mapping[str, float]) -> None:
    for name in LIMITS:
        entry[name] += cost[name]


def _rate(book: Config, tokens: float) -> float:
    """What so many tokens may cost where the model states no price: as much as those before them."""
    spent = [(entry["dollars"], entry["tokens"]) for entry in book["runs"].values()]
    read = sum(each for _, each in spent)
    return sum(dollars for dollars, _ in spent) / read * tokens if read else 0.0


def _known(value: float) -> float:
    return 0.0 if math.isnan(value) else value
