"""What a model is to a study: a description with a fingerprint, and behind it one shared engine."""

from __future__ import annotations

import math
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal, Protocol

from toolkit.component import Component, Config, build, registered
from toolkit.errors import SpecError, nearest
from toolkit.lm.weights import known

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.streams.stream import Stream

Style = Literal["turns", "completion", "chat"]
Deciding = Literal["likelihood", "grammar", "generation"]

TURN = "turn"
"""Under what name it rides in a request's extensions which of an arm's several models is to answer."""

_engines: dict[str, Engine] = {}
_lock = threading.Lock()


class Engine(Protocol):
    """DSPy's engine contract: one attempt, one response; errors are those of `dspy.lm15`.

    How an answer is constrained rides in ``request.config.extensions``:

    ``answer``
        ``"choice"``, ``"number"``, ``"line"`` or ``"text"``.
    ``options``
        The closed answers of a choice.
    ``deciding``
        How a choice is made: ``"likelihood"``, ``"grammar"`` or ``"generation"``.
    ``style``
        ``"turns"``: messages go through the model's chat template; ``"completion"``: the one message is raw text.

    A choice by likelihood whose ``request.config.logprobs`` is 0 also says how sure it is: in ``response.logprobs``, as
    one step, the logarithm of the share that the chosen option has among all. An engine that cannot say so leaves it
    out.

    What is known of an answer beside its text may ride in ``response.provider_data``; the tape keeps it and drops the
    rest:

    ``server``
        What answered, in its own words.
    ``dollars``
        What it cost; None where the price is not known. Absent: the model's own prices hold.
    ``waited``
        Seconds that passed before the request was sent, for a limit of the user's own: no latency of the model.
    """

    def complete(self, request: Request) -> Response:
        """Answer one request."""
        ...


class Model(Component, kind="lm"):
    """A language model as arms name it. Subclasses say how it is reached.

    Attributes
    ----------
    adapter
        How prompts are laid out: ``"turns"`` (examples as user and assistant turns, one field an answer),
        ``"completion"`` (the same as running text), ``"chat"`` (DSPy's ChatAdapter, for capable models).
    temperature
        0 = always the likeliest.
    ways
        The ways of choosing among closed options that this model offers.
    scripted
        True for a model that only plays one: every table and report that rests on it says so.
    deterministic
        True if equal requests were proved to give equal answers at temperature 0; only then is a memo allowed.
    parallel
        How many calls it serves at a time; more runs than that would only wait for one another.
    retries
        How often a call is repeated that failed by no fault of the request.
    max_tokens
        Limit of an answer that nothing else limits; 0 = the adapter's own.
    dollars_in, dollars_out
        Price of a million tokens.
    labels
        How many labelled tasks from the stream's pool it is trained on before the first task; see
        `toolkit.lm.finetuned.FineTuned`.
    """

    adapter: Style = "turns"
    temperature: float = 0.0
    ways: ClassVar[tuple[Deciding, ...]] = ("likelihood", "grammar")
    scripted: ClassVar[bool] = False
    deterministic: ClassVar[bool] = False
    parallel: int = 1
    retries: int = 3
    max_tokens: int = 0
    dollars_in: float | None = 0.0
    dollars_out: float | None = 0.0
    labels: int = 0

    def open(self) -> Engine:
        """A new engine for this model; heavy. Use `engine` to share one."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it is reached: define open()")

    def engine(self, stream: Stream) -> Engine:
        """The one engine of this process for this model, opened on first use; ``stream`` is what it will answer."""
        key = self._engine_key()
        with _lock:
            if key not in _engines:
                _engines[key] = self.open()
            return _engines[key]

    def addressed(self, request: Request, t: int) -> Request:
        """A request as it is sent at task ``t``; as it was, unless it depends on the task which engine answers."""
        return request

    def holds(self, number: int) -> bool:
        """Whether it is several models, and has one of this number; see `directed`."""
        return False

    def _engine_key(self) -> str:
        """Models with equal keys share an engine."""
        return self.fingerprint()

    @property
    def label(self) -> str:
        """A short name for tables."""
        return type(self).__name__.lower()


def directed(request: Request, number: int) -> Request:
    """A request that the model of this number is to answer, of the several that an arm has."""
    extensions = {**(request.config.extensions or {}), TURN: number}
    return replace(request, config=replace(request.config, extensions=extensions))


_NO_CHANCE = 1e-12  # has a logarithm


def with_confidence(response: Response, share: float) -> Response:
    """A response that says how sure the model is of its choice, in [0, 1]; see `Engine`."""
    from dspy.lm15 import TokenLogprob

    return replace(response, logprobs=(TokenLogprob(response.text or "", math.log(max(share, _NO_CHANCE))),))


def confidence_of(response: Response) -> float | None:
    """How sure a model said it is of its choice, in [0, 1]; None = it did not say."""
    return min(1.0, math.exp(response.logprobs[0].logprob)) if response.logprobs else None


def model(given: Model | Config | str, where: str = "lm") -> Model:
    """The model that is meant by a name, a table, or itself.

    Parameters
    ----------
    given
        A name of `toolkit.lm.weights.known`, ``"gguf:PATH"``, ``"scripted"``, a DSPy model string such as
        ``"openai/gpt-4o-mini"``, a table with ``use``, or a `Model`.
    where
        What messages call the place it was given at.

    Raises
    ------
    SpecError
        For an unknown name, listing the known ones.
    """
    if isinstance(given, Model):
        return given
    if isinstance(given, str):
        name, _, rest = given.partition(":")
        shorthand: dict[str, Config] = {
            **{one: {"use": "Embedded", "name": one} for one in known},
            "scripted": {"use": "Scripted"},
            "gguf": {"use": "Gguf", "path": rest},
        }
        if name not in shorthand and given not in registered("lm") and "/" not in given:
            names = [*shorthand, "gguf:PATH", "provider/model"]
            raise SpecError([f"{where}: no model is called {given!r}; {nearest(name, names)}"])
        hosted: Config = {"use": "Hosted", "name": given}
        given = shorthand.get(name, hosted if "/" in given else {"use": given})
    found = build("lm", given, where)
    if not isinstance(found, Model):
        raise SpecError([f"{where}: {found!r} is no model"])
    return found
