"""The tape: every model call of a run is recorded, metered and, when the run is resumed or replayed, read back.

A `Recorder` stands between DSPy and a model's engine, so it sees every attempt, whoever makes it: the decision step, a
policy's own steps, an optimiser, a user's program.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Literal, Never

from toolkit.component import digest
from toolkit.errors import Stopped, ToolkitError
from toolkit.ledger.call import Call
from toolkit.lm import training, vectors
from toolkit.lm.metered import answered, prompt_of, request_hash
from toolkit.lm.model import Engine, Model, directed
from toolkit.lm.taped import Absent, Taped
from toolkit.lm.training import Case
from toolkit.randomness import call_seed
from toolkit.records import Phase, Usage

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.traits.memory.embedding import Embedder, Vector

Purpose = Literal["acting", "adapting", "judging"]
_MEMO_SIZE = 50_000


class TapeError(ToolkitError):
    """A tape does not fit what is being run: another request stands at this place."""


class Memo:
    """Answers of a model that was proved deterministic, by request; bounded, shared by all runs of a process."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Response, float]] = {}
        self._lock = threading.Lock()

    def get(self, key: str) -> tuple[Response, float] | None:
        """The response and the seconds it once took."""
        return self._known.get(key)

    def put(self, key: str, response: Response, seconds: float) -> None:
        """Keep a response; the oldest goes when there are too many."""
        with self._lock:
            self._known[key] = (response, seconds)
            if len(self._known) > _MEMO_SIZE:
                del self._known[next(iter(self._known))]

    def clear(self) -> None:
        """Know nothing."""
        with self._lock:
            self._known.clear()


_memos: dict[str, Memo] = {}


def forget() -> None:
    """Empty every memo of this process: what runs next is answered by its model, not by what ran before."""
    for memo in _memos.values():
        memo.clear()


class Recorder:
    """DSPy's engine contract over a model's engine, with tape, meter and seeds.

    Parameters
    ----------
    model
        Prices, temperature and whether a memo is allowed.
    engine
        What answers. None = the model is absent: every call must stand on the tape.
    seeds
        The path that the seeds of calls derive from, e.g. ``(study seed, run seed)``.
    write
        Takes each new `Call`, before its answer is used.
    tape
        Calls recorded earlier by the same run.
    heard
        Is told of every call that is charged, of those from the tape too.
    lenient
        Whether a request that differs from the one on the tape is asked anew, instead of refused.
    """

    supports_response_schema = True

    def __init__(
        self,
        model: Model,
        engine: Engine | None,
        seeds: tuple[int | str, ...],
        write: Callable[[Call], None],
        tape: Iterable[Call] = (),
        *,
        heard: Callable[[Call], object] | None = None,
        lenient: bool = False,
    ) -> None:
        self._heard, self._lenient = heard, lenient
        self._model, self._engine, self._seeds, self._write = model, engine, seeds, write
        self._tape = {(c.phase, c.t, c.step, c.ordinal): c for c in tape if c.status != "error"}
        self._memo = _memos.setdefault(model.fingerprint(), Memo()) if _may_memo(model) else None
        self._place: tuple[Phase, int, str, Purpose] = ("stream", 0, "", "acting")
        self._ordinals: dict[tuple[Phase, int, str], int] = {}
        self._spent: dict[Purpose, Usage] = {}
        self.supported_params = getattr(engine, "supported_params", frozenset({"temperature", "max_tokens", "seed"}))
        self.replayed = 0
        self.last_status = "ok"
        self._servers: dict[str, None] = {}
        self._adapted: dict[str, None] = {}
        self._met: Exception | None = None
        self._exploring = False
        self._directed: int | None = None
        self._taught: tuple[Sequence[Case], str] = ((), "")
        self._seed: tuple[tuple[Phase, int, str, int, bool] | None, int] = (None, 0)

    def at(self, phase: Phase, t: int, step: str, purpose: Purpose) -> None:
        """Say where the next calls are made."""
        self._place = (phase, t, step, purpose)

    def turn_to(self, engine: Engine | None) -> None:
        """Let another engine of the same model answer from here on."""
        self._engine = training.taught(engine, *self._taught) or engine
        self.supported_params = getattr(engine, "supported_params", self.supported_params)

    def passed(self, phase: Phase, t: int, step: str, calls: int) -> None:
        """Take so many calls of a step as made there already, by whom nobody asks again."""
        self._ordinals[(phase, t, step)] = calls

    def take(self, purpose: Purpose) -> Usage:
        """What was spent on ``purpose`` since it was last asked."""
        return self._spent.pop(purpose, Usage())

    @property
    def servers(self) -> tuple[str, ...]:
        """What has answered so far, in its own words."""
        return tuple(self._servers)

    @property
    def adapted(self) -> tuple[str, ...]:
        """What the provider was asked for so far and does not do."""
        return tuple(self._adapted)

    @property
    def drawn(self) -> tuple[int, float]:
        """Seed and temperature of the next call; a request that has them already need not be made anew."""
        return self._drawn(self._model.temperature)

    def _drawn(self, temperature: float) -> tuple[int, float]:
        phase, t, step, _ = self._place
        place = (phase, t, step, self._ordinals.get((phase, t, step), 0), temperature > 0)
        if self._seed[0] != place:
            varied = temperature > 0
            own = () if phase == "stream" else (phase,)  # no pass shares its luck
            self._seed = place, call_seed(*self._seeds, *own, step, t, place[3]) if varied else 0
        return self._seed[1], temperature

    @contextmanager
    def exploring(self) -> Iterator[None]:
        """Within it, a request that names a temperature is asked at it: an optimiser tries what the run does not."""
        self._exploring = True
        try:
            yield
        finally:
            self._exploring = False

    @contextmanager
    def directed(self, number: int) -> Iterator[None]:
        """Within it, calls go to the model of this number, of the several that the arm has.

        Raises
        ------
        ValueError
            If it has none of this number.
        """
        if not self._model.holds(number):
            raise ValueError(f"{self._model!r} has no model {number}: give the arm lm=Several((cheap, dear, ...))")
        before, self._directed = self._directed, number
        try:
            yield
        finally:
            self._directed = before

    def again(self, error: Exception) -> None:
        """Let the next attempt meet with an error that was met with already, so that DSPy deals with it."""
        self._met = error

    def complete(self, request: Request) -> Response:
        """Answer from the tape, from the memo, or from the model; recorded and charged in every case."""
        if self._met is not None:
            met, self._met = self._met, None
            raise met
        phase, t, step, purpose = self._place
        ordinal = self._ordinals.get((phase, t, step), 0)
        wished = request.config.temperature if self._exploring else None
        seed, temperature = self._drawn(self._model.temperature if wished is None else wished)
        if (request.config.seed, request.config.temperature) != (seed, temperature):
            request = replace(request, config=replace(request.config, seed=seed, temperature=temperature))
        if self._directed is not None:
            request = directed(request, self._directed)
        key = request_hash(request)
        call = Call(phase, t, step, ordinal, purpose, key, "ok", "", prompt_of(request), "", Usage(calls=1), seed)
        known = self._tape.get((phase, t, step, ordinal))
        if known is not None and (known.hash == key or not self._lenient):
            return self._replay(call, known)
        try:
            response, call = self._ask(request, call)
        except Stopped:
            raise  # a budget: the request was not sent
        except Exception as error:
            self._lost(call, error)
            raise
        self._book(call)
        return response

    def embed(self, embedder: Embedder, texts: Sequence[str]) -> Vector:
        """The vectors of some texts, from the tape or from an embedder that is outside; recorded and charged.

        Raises
        ------
        TapeError
            If the tape has another request here, or ends and the run's model is absent.
        """
        phase, t, step, purpose = self._place
        ordinal = self._ordinals.get((phase, t, step), 0)
        key, prompt = vectors.request_hash(embedder, texts), vectors.prompt(embedder, texts)
        call = Call(phase, t, step, ordinal, purpose, key, "ok", "", prompt, "", Usage(calls=1))
        known = self._tape.get((phase, t, step, ordinal))
        if known is not None:
            self._verify(call, known)
            return vectors.unpacked(known.response)
        stand_in = getattr(self._engine, "embed", None)  # a rehearsal's
        if stand_in is None and isinstance(self._model, Taped):
            self._ended(call)
        started = time.perf_counter()
        try:
            rows, usage = (stand_in or vectors.asked)(embedder, texts)
        except Exception as error:
            self._lost(call, error)
            raise
        usage = replace(usage, seconds=usage.seconds or time.perf_counter() - started)
        self._book(replace(call, answer=f"{len(rows)} vectors", response=vectors.packed(rows), usage=usage))
        return rows

    def told(self, question: Mapping[str, str], answer: Callable[[], str], *, person: bool = True) -> str:
        """What somebody or something outside says, from the tape or asked now; recorded, and charged nothing.

        Raises
        ------
        TapeError
            If the tape has another question here, or ends and the run's model is absent.
        """
        asked = tuple(question.items())

        def say(call: Call) -> Call:
            stand_in = getattr(self._engine, "told", None)  # a rehearsal's, for persons: worlds are played
            if stand_in is None and (isinstance(self._model, Taped) or isinstance(self._engine, Absent)):
                self._ended(call)
            said = str(stand_in(question)) if stand_in is not None and person else answer()
            return replace(call, answer=said, response=said)

        return self._once(digest(["told", asked]), asked, say).response

    def trained(self, cases: Sequence[Case]) -> None:
        """Have the model trained on cases, by the tape or now; what comes next is answered by what came of it.

        Raises
        ------
        TapeError
            If the tape has another training here, or ends and the run's model is absent.
        """

        def train(call: Call) -> Call:
            engine = training.taught(self._engine, cases)
            return self._ended(call) if engine is None else training.recorded(call, engine)

        call = self._once(training.identity(self._model, cases), training.told(cases), train)
        self._taught = cases, training.weights(call)
        self.turn_to(self._engine)

    def _once(self, key: str, prompt: tuple[tuple[str, str], ...], made: Callable[[Call], Call]) -> Call:
        """What happens outside of any request: as it stands on the tape, else as it is made now."""
        phase, t, step, purpose = self._place
        ordinal = self._ordinals.get((phase, t, step), 0)
        call = Call(phase, t, step, ordinal, purpose, key, "ok", "", prompt, "", Usage())
        known = self._tape.get((phase, t, step, ordinal))
        if known is not None:
            self._verify(call, known)
            return known
        call = made(call)
        self._book(call)
        return call

    def _lost(self, call: Call, error: Exception) -> None:
        from dspy.lm15 import ContextLengthError

        if isinstance(error, ContextLengthError):
            self._book(replace(call, status="overflow", error=str(error)))
        else:
            self._write(replace(call, status="error", error=f"{type(error).__name__}: {error}"[:500]))

    def _ask(self, request: Request, call: Call) -> tuple[Response, Call]:
        if self._engine is None or isinstance(self._engine, Absent):
            self._ended(call)
        memo = None if call.seed else self._memo  # a draw is no answer for anybody else
        key = call.hash + self._taught[1]  # what a model answers depends on what it was taught
        found = None if memo is None else memo.get(key)
        if found is not None:
            return found[0], answered(replace(call, memo=True), *found, self._model)
        started = time.perf_counter()
        response = self._engine.complete(self._model.addressed(request, call.t))
        seconds = time.perf_counter() - started
        if memo is not None:
            memo.put(key, response, seconds)
        return response, answered(call, response, seconds, self._model)

    def _replay(self, call: Call, known: Call) -> Response:
        from dspy._vendor.lm15.serde import response_from_dict
        from dspy.lm15 import ContextLengthError

        self._verify(call, known)
        if known.status == "overflow":
            raise ContextLengthError(known.error)
        return response_from_dict(json.loads(known.response))

    def _verify(self, call: Call, known: Call) -> None:
        if known.hash != call.hash:
            told = f"{known.hash[:12]} instead of {call.hash[:12]}"
            raise TapeError(f"the tape holds another request at {_where(call)}: {told}")
        self.replayed += 1
        self._count(known)

    def _ended(self, call: Call) -> Never:
        raise TapeError(f"the tape ends before {_where(call)}, and the model is absent: run it with the model")

    def _book(self, call: Call) -> None:
        self._write(call)
        self._count(call)

    def _count(self, call: Call) -> None:
        self._ordinals[(call.phase, call.t, call.step)] = call.ordinal + 1
        before = self._spent.get(call.purpose)
        self._spent[call.purpose] = call.usage if before is None else before + call.usage
        if call.server:
            self._servers[call.server] = None
        for note in call.adapted:
            self._adapted[note] = None
        self.last_status = call.status
        if self._heard is not None:
            self._heard(call)


def _may_memo(model: Model) -> bool:
    return model.deterministic and model.temperature == 0


def _where(call: Call) -> str:
    return f"{call.phase}, task {call.t}, step {call.step!r}, call {call.ordinal}"
