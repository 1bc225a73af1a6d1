"""Embedders from outside: any server that speaks OpenAI's protocol, and programs of the user's own."""

from __future__ import annotations

import inspect
import math
import os
import time
from collections.abc import Sequence
from typing import Any, ClassVar
from urllib.parse import urlsplit

import numpy as np

from toolkit.component import digest
from toolkit.errors import Outage
from toolkit.lm.hosted import is_own
from toolkit.lm.secrets import redacted, secrets
from toolkit.records import Usage
from toolkit.traits.memory.embedding import Embedder, Vector, unit_rows

_HOME, _OWN = "https://api.openai.com/v1", "OPENAI_API_KEY"
_AGAIN = (408, 409, 425, 429)  # and whatever is the server's own trouble


class HostedEmbedder(Embedder):
    """An embedding model behind HTTP, by OpenAI's protocol. Its answers are on the run's tape, its tokens charged.

    The key comes from the environment and is written nowhere. Vectors are brought to length 1.

    Parameters
    ----------
    name
        ``"openai/text-embedding-3-small"`` or, with ``api_base``, whatever that server calls its model, after
        ``"openai/"``.
    api_base
        Address of a server of one's own (llama.cpp, vLLM, Ollama, …), up to and with ``/v1``; empty = OpenAI's.
    dimensions
        Numbers of a vector, for models that can shorten theirs; 0 = the model's own.
    batch
        Texts in one request.
    retries
        Times that a request is repeated after a rate limit, trouble of the server or a lost connection.
    timeout
        Seconds to wait for each next part of an answer.
    key_env
        Environment variable that holds the key. With ``api_base``, name another one than OpenAI's, which is not sent
        there.
    dollars_in
        Price of a million tokens; None = 0 for a server on this machine or network, else unknown (NaN).

    Notes
    -----
    What identifies it is what can change a vector: name, dimensions, and whether ``api_base`` names a server of one's
    own.
    """

    outside: ClassVar[bool] = True

    def __init__(
        self,
        name: str = "openai/text-embedding-3-small",
        api_base: str = "",
        dimensions: int = 0,
        batch: int = 256,
        retries: int = 3,
        timeout: float = 60.0,
        key_env: str = "OPENAI_API_KEY",
        dollars_in: float | None = None,
    ) -> None:
        self.name, self.api_base, self.dimensions, self.batch = name, api_base, dimensions, batch
        self.retries, self.timeout, self.key_env, self.dollars_in = retries, timeout, key_env, dollars_in

    def check(self) -> None:
        """A name that can be reached, an address without credentials, ranges."""
        provider, _, model = self.name.partition("/")
        parts = urlsplit(self.api_base)
        if provider != "openai" or not model:
            way = "give api_base for a server that speaks OpenAI's protocol, or wrap a dspy.Embedder in OwnEmbedder"
            raise ValueError(f"HostedEmbedder.name must be openai/model but is {self.name!r}; {way}")
        if parts.username or parts.password or parts.query:  # not repeated: it may hold the secret
            raise ValueError("HostedEmbedder.api_base must hold no user, password or query: use key_env")
        if self.api_base and (parts.scheme not in ("http", "https") or not parts.hostname):
            raise ValueError(f"HostedEmbedder.api_base must be an http or https address but is {self.api_base!r}")
        for name, least in {"dimensions": 0, "batch": 1, "retries": 0}.items():
            if getattr(self, name) < least:
                raise ValueError(f"HostedEmbedder.{name} must be at least {least} but is {getattr(self, name)!r}")
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            raise ValueError(f"HostedEmbedder.timeout must be a positive number of seconds but is {self.timeout!r}")
        if self.dollars_in is not None and not (math.isfinite(self.dollars_in) and self.dollars_in >= 0):
            raise ValueError(f"HostedEmbedder.dollars_in must be a price of at least 0 but is {self.dollars_in!r}")

    def fingerprint(self) -> str:
        """What can change a vector; see the class."""
        return digest(
            [self.kind, type(self).__name__, type(self).version, self.name, bool(self.api_base), self.dimensions]
        )

    def embed(self, texts: Sequence[str]) -> Vector:
        """One row for each text, by one request."""
        return self.measured(texts)[0]

    def measured(self, texts: Sequence[str]) -> tuple[Vector, Usage]:
        """The rows, and what the server says they cost.

        Raises
        ------
        Outage
            If it cannot be reached, has no key or gives none.
        """
        known = [text.encode("utf-8", "replace").decode() or " " for text in texts]  # servers refuse an empty text
        body: dict[str, Any] = {"model": self.name.partition("/")[2], "input": known, "encoding_format": "float"}
        if self.dimensions:
            body["dimensions"] = self.dimensions
        started = time.perf_counter()
        answer = self._answer(body)
        seconds = time.perf_counter() - started
        rows, tokens = self._read(answer, len(texts))
        price = self.dollars_in if self.dollars_in is not None else 0.0 if is_own(self._address) else math.nan
        return rows, Usage(1, tokens, seconds=seconds, dollars=tokens * price / 1e6)

    @property
    def _address(self) -> str:
        return (self.api_base or os.environ.get("OPENAI_BASE_URL", "") or _HOME).rstrip("/")

    def _answer(self, body: dict[str, Any]) -> Any:
        """What the server answers; asked again where that may help."""
        import httpx

        trouble = ""
        with httpx.Client(timeout=self.timeout, trust_env=not is_own(self._address)) as client:
            for attempt in range(self.retries + 1):
                pause = 2.0**attempt
                try:
                    found = client.post(f"{self._address}/embeddings", json=body, headers=self._headers())
                except httpx.TransportError as error:
                    trouble = f"{type(error).__name__}: {error}"
                else:
                    if found.status_code == 200:
                        return _parsed(found)
                    trouble = f"it answered {found.status_code}: {found.text[:300]}"
                    if found.status_code < 500 and found.status_code not in _AGAIN:
                        break
                    pause = _pause(found.headers.get("Retry-After", ""), pause)
                if attempt < self.retries:
                    time.sleep(min(pause, self.timeout))
        raise Outage(f"{self.name} could not be asked for vectors: {redacted(trouble, self._secrets(), torn=True)}")

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self.key_env, "")
        if not key and not self.api_base and self._address == _HOME:
            raise Outage(f"{self.name} needs a key: set {self.key_env or 'key_env'} in the environment, then go on")
        # The provider's own key goes to the provider, not in clear text; another server has one of its own, if any.
        elsewhere = bool(self.api_base) or self._address.startswith("http:")
        return {"Authorization": f"Bearer {key}"} if key and not (elsewhere and self.key_env == _OWN) else {}

    def _secrets(self) -> tuple[str, ...]:
        return secrets(self.key_env)

    def _read(self, answer: Any, count: int) -> tuple[Vector, int]:
        try:
            data = sorted(answer["data"], key=lambda one: int(one["index"]))
            rows = np.array([one["embedding"] for one in data], dtype=np.float64)
            tokens = int(answer.get("usage", {}).get("prompt_tokens", 0))
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise Outage(f"{self.name}: the server's answer cannot be read: {type(error).__name__}: {error}") from error
        return unit_rows(_scaled(rows), type(self).__name__, count), tokens


class OwnEmbedder(Embedder, abstract=True):
    """A program of one's own: a ``dspy.Embedder``, or a function that takes a list of texts and gives a row for each.

    What it gives is on the run's tape, as from outside; tokens are not known to the toolkit, and dollars only if it is
    no model string of DSPy's. Vectors are brought to length 1. It lives in code: no file can hold it.

    Parameters
    ----------
    target
        The program.
    name
        What it is called: identity, beside its source; name the weights that it uses.

    Examples
    --------
    >>> own = OwnEmbedder(lambda texts: [[len(text), 1.0] for text in texts], name="lengths")
    >>> own.embed(["", "abc"]).round(2).tolist()[0]
    [0.0, 1.0]
    """

    outside: ClassVar[bool] = True

    def __init__(self, target: Any = None, name: str = "own") -> None:
        self.target, self.name = target, name

    @classmethod
    def parameters(cls) -> dict[str, inspect.Parameter]:
        """The name only: a program lives in code."""
        return {name: one for name, one in super().parameters().items() if name == "name"}

    def check(self) -> None:
        """Something that can be called."""
        if not callable(self.target):
            raise ValueError(f"OwnEmbedder.target must be a dspy.Embedder or a function but is {self.target!r}")

    def clone(self) -> OwnEmbedder:
        """The same program."""
        return OwnEmbedder(self.target, self.name)

    def fingerprint(self) -> str:
        """By name and source."""
        return digest([self.kind, type(self).__name__, type(self).version, self.name, _source(self.target)])

    def embed(self, texts: Sequence[str]) -> Vector:
        """One row for each text; DSPy's own cache is left out."""
        more = {"caching": False} if hasattr(self.target, "caching") else {}
        rows = np.asarray(self.target(list(texts), **more), dtype=np.float64)
        return unit_rows(_scaled(rows), f"{type(self).__name__} {self.name!r}", len(texts))

    def measured(self, texts: Sequence[str]) -> tuple[Vector, Usage]:
        """The rows, and that it was one call."""
        bought = isinstance(getattr(self.target, "model", None), str)
        return self.embed(texts), Usage(calls=1, dollars=math.nan if bought else 0.0)


def _scaled(rows: Any) -> Any:
    """Rows of length 1; those of zeros stay, those that are not finite stay what they are, to be refused."""
    if rows.ndim != 2:
        return rows
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.divide(rows, lengths, out=rows.copy(), where=np.isfinite(lengths) & (lengths > 0))


def _parsed(found: Any) -> Any:
    try:
        return found.json()
    except ValueError as error:
        raise Outage(f"the server's answer is no JSON: {found.text[:100]!r}") from error


def _pause(told: str, usual: float) -> float:
    try:
        return max(0.0, float(told))
    except ValueError:
        return usual


def _source(target: Any) -> str:
    asked = getattr(target, "model", None)
    if isinstance(asked, str):
        return asked
    program = asked if callable(asked) else target
    try:
        return inspect.getsource(program if inspect.isroutine(program) else type(program))
    except (OSError, TypeError):
        return f"{type(program).__module__}.{type(program).__qualname__}"
