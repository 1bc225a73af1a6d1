"""A model that is absent: what a study's plan says of it, so that its runs replay from their tapes on any machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from toolkit.component import Config
from toolkit.errors import Outage
from toolkit.lm.model import Deciding, Engine, Model, Style

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

    from toolkit.streams.stream import Stream


class Absent:
    """The engine of a model that is not there: every call must stand on the tape.

    Parameters
    ----------
    supported_params
        What DSPy may ask of the model: a program's prompt may depend on it.
    """

    supports_response_schema = True

    def __init__(self, supported_params: frozenset[str]) -> None:
        self.supported_params = supported_params

    def complete(self, request: Request) -> Response:
        """Nobody answers."""
        raise Outage("the model is absent: only what stands on the tape can be answered")


class Taped(Model, abstract=True):
    """Stands for a model that answers from tape only. It opens no file, needs no key, and cannot be chosen by name.

    Parameters
    ----------
    name
        The model's label in tables.
    identity
        Its fingerprint as it was when the study ran.
    adapter, temperature, max_tokens, retries
        As of the model.
    offered
        Its ways of choosing among closed options.
    plays
        Whether it was a scripted one.
    labels
        Labelled tasks that it was trained on.
    """

    ways: tuple[Deciding, ...]  # type: ignore[misc]
    scripted: bool  # type: ignore[misc]
    deterministic: ClassVar[bool] = False  # a memo would answer what the tape lacks

    def __init__(
        self,
        name: str,
        identity: str,
        adapter: Style = "turns",
        temperature: float = 0.0,
        max_tokens: int = 0,
        retries: int = 3,
        offered: tuple[Deciding, ...] = (),
        plays: bool = False,
        labels: int = 0,
    ) -> None:
        self.name, self.identity, self.adapter = name, identity, adapter
        self.temperature, self.max_tokens, self.retries = temperature, max_tokens, retries
        self.offered = self.ways = tuple(offered)
        self.plays = self.scripted = plays
        self.labels = labels

    @property
    def label(self) -> str:
        """The model's own."""
        return self.name

    def fingerprint(self) -> str:
        """The model's own, as it was stored: its file may be gone."""
        return self.identity

    def holds(self, number: int) -> bool:
        """Whatever the model had, whose plan was checked when it ran."""
        return True

    def engine(self, stream: Stream) -> Engine:
        """One that answers nothing."""
        plain = frozenset({"temperature", "max_tokens", "seed", "stop"})
        return Absent(plain if self.plays else plain | {"response_format"})


def taped(told: Config) -> Taped:
    """The model that a plan's words describe; see `described`."""
    return Taped(**{**told, "offered": tuple(told["offered"])})


def described(model: Model) -> Config:
    """What a plan keeps of a model: all that a replay needs of it, as parameters of `Taped`."""
    return {
        "name": model.label,
        "identity": model.fingerprint(),
        "adapter": model.adapter,
        "temperature": float(model.temperature),
        "max_tokens": model.max_tokens,
        "retries": model.retries,
        "offered": list(model.ways),
        "plays": model.scripted,
        **({"labels": model.labels} if model.labels else {}),  # plans that were made before know nothing of it
    }
