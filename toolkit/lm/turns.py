"""Several models that take turns at the tasks of one arm: what one of them meets, the memory of all keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from toolkit.component import digest
from toolkit.lm.metered import priced
from toolkit.lm.model import TURN, Deciding, Engine, Model, Style, directed

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.streams.stream import Stream


class TakingTurns(Model):
    """Several models in turn: the first answers the first task, the second the second, and so on, all calls of it.

    As the `lm` of an arm it makes them share that arm's one memory and whatever it learns: each sees what came of the
    others' tasks. A call's ``server`` tells which model answered, and it costs what that model costs.

    Parameters
    ----------
    models
        Two or more, prompted in the same way and at the same temperature.

    References
    ----------
    Wu et al. 2024, StreamBench, arXiv 2406.08747: MAM-StreamICL, several agents by turns with one memory.

    Examples
    --------
    >>> from toolkit.lm.scripted import Scripted
    >>> TakingTurns((Scripted(p=0.2), Scripted(p=0.6))).label
    'scripted+scripted'
    """

    def __init__(self, models: tuple[Model, ...] = ()) -> None:
        self.models = models

    def check(self) -> None:
        """Two models or more, alike in how they are asked, themselves in order."""
        if len(self.models) < 2 or not all(isinstance(one, Model) for one in self.models):
            raise ValueError(f"TakingTurns.models must be two models or more but is {self.models!r}")
        for one in self.models:
            one.check()
        if trained := [one for one in self.models if one.labels]:
            told = "which is trained beforehand, has an arm of its own"
            raise ValueError(f"{type(self).__name__}.models must all stay as they are: {trained[0]!r}, {told}")
        for name in ("adapter", "temperature", "max_tokens"):
            values = [getattr(one, name) for one in self.models]
            if len(set(values)) > 1:
                raise ValueError(f"TakingTurns.models must have the same {name} but have {values!r}")
        if not self.ways:
            raise ValueError(f"TakingTurns.models have no way of choosing in common: {self.models!r}")

    def fingerprint(self) -> str:
        """Those of the models, in their order."""
        return digest([self.kind, type(self).__name__, self.version, [one.fingerprint() for one in self.models]])

    def addressed(self, request: Request, t: int) -> Request:
        """With the turn that it is at task ``t``, unless a decider has said whose it is."""
        return request if TURN in (request.config.extensions or {}) else directed(request, self.turn(t))

    def turn(self, t: int) -> int:
        """Whose turn it is at task ``t``."""
        return t % len(self.models)

    def holds(self, number: int) -> bool:
        """One of its own."""
        return 0 <= number < len(self.models)

    def engine(self, stream: Stream) -> Engine:
        """The models' engines, each asked when it is its turn."""
        return _Round(self.models, [one.engine(stream) for one in self.models])

    @property
    def label(self) -> str:
        """The models' labels."""
        return "+".join(one.label for one in self.models)

    @property
    def adapter(self) -> Style:  # type: ignore[override]
        """As of all of them."""
        return self.models[0].adapter

    @property
    def temperature(self) -> float:  # type: ignore[override]
        """As of all of them."""
        return self.models[0].temperature

    @property
    def max_tokens(self) -> int:  # type: ignore[override]
        """As of all of them."""
        return self.models[0].max_tokens

    @property
    def ways(self) -> tuple[Deciding, ...]:  # type: ignore[override]
        """What all of them offer."""
        return tuple(way for way in self.models[0].ways if all(way in one.ways for one in self.models))

    @property
    def scripted(self) -> bool:  # type: ignore[override]
        """True if any is."""
        return any(one.scripted for one in self.models)

    @property
    def parallel(self) -> int:  # type: ignore[override]
        """As many as the least of them serves."""
        return min(one.parallel for one in self.models)

    @property
    def retries(self) -> int:  # type: ignore[override]
        """As many as the most that any wants."""
        return max(one.retries for one in self.models)

    @property
    def dollars_in(self) -> float | None:  # type: ignore[override]
        """The highest price, for forecasts; None if one is not known. What was spent is counted by each one's own."""
        return _highest([one.dollars_in for one in self.models])

    @property
    def dollars_out(self) -> float | None:  # type: ignore[override]
        """As `dollars_in`."""
        return _highest([one.dollars_out for one in self.models])


class Several(TakingTurns):
    """Several models of which a decider says who answers; the first does all for which nobody was named.

    As the `lm` of an arm whose decider is `toolkit.agents.routing.OnModel`, or chooses among such: cheap against dear.
    What memory and learning ask, the first answers. Each call costs what the model costs that answered.

    Parameters
    ----------
    models
        Two or more, prompted in the same way and at the same temperature.

    Examples
    --------
    >>> from toolkit.lm.scripted import Scripted
    >>> Several((Scripted(p=0.2), Scripted(p=0.6))).label
    'scripted+scripted'
    """

    def turn(self, t: int) -> int:
        """The first one's."""
        return 0


class _Round:
    """The engines of several models; a request says whose turn it is."""

    supports_response_schema = True

    def __init__(self, models: Sequence[Model], engines: Sequence[Engine]) -> None:
        self._models, self._engines = models, engines
        usual = frozenset({"temperature", "max_tokens", "seed"})
        offered = [getattr(engine, "supported_params", usual) for engine in engines]
        self.supported_params = frozenset.intersection(*offered)

    def complete(self, request: Request) -> Response:
        """One answer, with its price and with who gave it."""
        extensions = dict(request.config.extensions or {})
        turn = extensions.pop(TURN)
        sent = replace(request, config=replace(request.config, extensions=extensions or None))
        response, model = self._engines[turn].complete(sent), self._models[turn]
        told = dict(response.provider_data or {})
        told["server"] = f"{told.get('server') or model.label} ({turn})"
        told.setdefault("dollars", priced(response, model))
        return replace(response, provider_data=told)


def _highest(prices: Sequence[float | None]) -> float | None:
    known = [price for price in prices if price is not None]
    return max(known) if len(known) == len(prices) else None
