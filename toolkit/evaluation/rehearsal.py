"""A rehearsal: what an arm would send and be answered, counted without any model.

The arm goes through the stream as in a run: the same prompts grow with the same memory. A stand-in answers half of the
tasks rightly, so that what depends on answers (a transcript, remembered mistakes) has about the size it will have.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toolkit.agents.decider import Wrapped
from toolkit.component import is_shipped
from toolkit.evaluation.design import Run
from toolkit.evaluation.judge import judges_of
from toolkit.evaluation.prequential import iter_episodes
from toolkit.evaluation.run import begun
from toolkit.ledger.call import Call
from toolkit.lm.model import Model
from toolkit.lm.scripted import Scripted
from toolkit.lm.taped import Taped, described
from toolkit.lm.training import Case, Trained
from toolkit.records import Usage
from toolkit.streams.channels.human import RIGHT
from toolkit.traits.memory.embedding import Embedder, Vector, WordLlama

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.agents.agent import Agent
    from toolkit.episode import Episode

LONGEST = 200
"""Tasks that are rehearsed at most; those that follow are taken to cost what the last quarter of them does."""

_LETTERS = 4  # in a token of English, roughly
MEASURES = ("calls", "tokens", "dollars", "seconds")


@dataclass(frozen=True)
class Course:
    """What the tasks of one run cost one after the other.

    Parameters
    ----------
    calls, tokens, dollars, seconds
        Arrays of shape (tasks,); NaN where unknown.
    source
        In words: what this rests on.
    reasons
        Why something is unknown.
    """

    calls: NDArray[np.float64]
    tokens: NDArray[np.float64]
    dollars: NDArray[np.float64]
    seconds: NDArray[np.float64]
    source: str
    reasons: tuple[str, ...] = ()

    def over(self, tasks: int) -> dict[str, float]:
        """The cost of a run of so many tasks, by measure.

        Examples
        --------
        >>> rising = np.arange(8.0)
        >>> Course(np.ones(8), rising, rising, rising, "").over(10)
        {'calls': 10.0, 'tokens': 41.0, 'dollars': 41.0, 'seconds': 41.0}
        """
        return {name: _over(getattr(self, name), tasks) for name in MEASURES}


def nothing(source: str = "uses no model") -> Course:
    """Of an arm that asks no model: known to cost nothing."""
    free = np.zeros(1)
    return Course(free, free, free, free, source)


def unknown(reason: str) -> Course:
    """Of an arm of which nothing is known."""
    blank = np.full(1, math.nan)
    return Course(blank, blank, blank, blank, "unknown", (reason,))


def rehearse(run: Run) -> Course:
    """What a run would cost, from its prompts. Its own traits are carried out; no model is asked or loaded.

    Tokens read are a quarter of the prompts' characters. Tokens written are a quarter of the longest option's, or the
    most that the model may write where the answer is free. Dollars follow from the model's stated prices. How long
    calls take cannot be rehearsed.
    """
    if isinstance(run.arm.decider, Wrapped) or not is_shipped(type(run.arm.decider)):
        return unknown(
            "a program of one's own is not tried out, since it may spend something: run a pilot (fewer seeds) first"
        )
    try:
        spent = np.array(_costs(run), dtype=float)
    except Exception as error:  # noqa: BLE001  (whatever a trait raises is told: a forecast may fail, not the study)
        return unknown(f"the rehearsal failed ({type(error).__name__}: {error})")
    calls, read, wrote = spent.T
    model, reasons = run.model, ["hours: no pilot says how long a call takes"]
    dollars = np.full(len(spent), math.nan)
    if model.dollars_in is not None and model.dollars_out is not None:
        dollars = (read * model.dollars_in + wrote * model.dollars_out) / 1e6
    else:
        reasons.append("dollars: the model states no prices: give it dollars_in and dollars_out, or run a pilot")
    told = f"prompts of {len(spent)} tasks, about {_LETTERS} letters a token"
    told += ", answers of at most max_tokens" * (not all(task.options for task, _ in run.stream.pairs()))
    return Course(calls, read + wrote, dollars, np.full(len(spent), math.nan), told, tuple(reasons))


class _Counter:
    """An engine that adds up what it is asked."""

    def __init__(self, model: Model, run: Run) -> None:
        self._engine = Scripted(p=0.5, p_example=0.5, adapter=model.adapter).engine(run.stream)
        self._limit, self._epochs = model.max_tokens or 256, getattr(run.model, "epochs", 1)
        self.supported_params: frozenset[str] = getattr(self._engine, "supported_params", frozenset())
        self.spent = [0.0, 0.0, 0.0]

    def take(self) -> list[float]:
        """Calls, tokens read and tokens written since this was last asked."""
        taken, self.spent = self.spent, [0.0, 0.0, 0.0]
        return taken

    def complete(self, request: Request) -> Response:
        """Count and answer."""
        read, wrote = _size(request, self._limit)
        self.spent = [now + more for now, more in zip(self.spent, (1.0, read, wrote), strict=True)]
        return self._engine.complete(request)

    def taught(self, cases: Sequence[Case], weights: str) -> _Counter:
        """Itself: what it answers does not depend on it."""
        self._cases = cases
        return self

    def trained(self) -> tuple[Trained, bool]:
        """Count every epoch of a training, and train nothing."""
        read = self._epochs * sum(sum(_size(request, len(answer) / _LETTERS)) for request, answer in self._cases)
        self.spent = [now + more for now, more in zip(self.spent, (1.0, read, 0.0), strict=True)]
        return Trained("", len(self._cases), round(read), 0.0, (math.nan,)), True

    def told(self, question: Mapping[str, str]) -> str:
        """A person who is content."""
        return RIGHT

    def embed(self, embedder: Embedder, texts: Sequence[str]) -> tuple[Vector, Usage]:
        """Count, and let the toolkit's own embedder stand in for one that costs."""
        read = sum(map(len, texts)) / 4
        self.spent = [now + more for now, more in zip(self.spent, (1.0, read, 0.0), strict=True)]
        return WordLlama().measured(texts)


def _costs(run: Run) -> list[list[float]]:
    """Calls, tokens read and tokens written of one task after the other; the first has what was spent before it."""
    before, *found = [spent for _, _, spent in rehearsed(run)]
    found[0] = [one + more for one, more in zip(before, found[0], strict=True)]
    return found


def rehearsed(
    run: Run, write: Callable[[Call], None] = lambda call: None
) -> Iterator[tuple[Agent, Episode | None, list[float]]]:
    """A run carried out without any model, recorded nowhere.

    Parameters
    ----------
    run
        What to do; its first `LONGEST` tasks.
    write
        Is told of each call; what was answered is made up.

    Yields
    ------
    tuple
        The agent; its episode, None before the first task; calls, tokens read and tokens written since the last time.
    """
    model = Taped(**described(run.model))  # never a memo: what is made up here must not answer the study
    counter = _Counter(model, run)
    plain = tuple(one for one in run.scorers if one not in judges_of(run.scorers)) or ("normalised",)
    agent, bench, _ = begun(replace(run, model=model, scorers=plain), counter, write, ())
    yield agent, None, counter.take()
    pairs = run.stream.pairs()
    for episode in iter_episodes(agent, [pairs[place] for place in run.places[:LONGEST]], bench):
        yield agent, episode, counter.take()


def _size(request: Request, limit: float) -> tuple[float, float]:
    """Tokens that a request has, and that its answer may have."""
    system = request.system if isinstance(request.system, str) else ""
    letters = len(system) + sum(len(message.text or "") for message in request.messages)
    said: Mapping[str, Any] = request.config.extensions or {}
    options: Sequence[object] = said.get("options") or ()
    limit = float(request.config.max_tokens or limit)
    if options:
        limit = min(limit, math.ceil(max(len(str(option)) for option in options) / _LETTERS))
    return letters / _LETTERS, limit


def _over(costs: NDArray[np.float64], tasks: int) -> float:
    if tasks <= len(costs):
        return float(costs[:tasks].sum())
    return float(costs.sum() + (tasks - len(costs)) * costs[-max(1, len(costs) // 4) :].mean())
