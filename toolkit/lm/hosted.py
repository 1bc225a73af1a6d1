"""Models behind HTTP: any DSPy model string, a provider's own service or a server of one's own."""

from __future__ import annotations

import ipaddress
import json
import math
import os
from collections.abc import Iterator, Mapping
from typing import Literal
from urllib.parse import urlsplit

from toolkit.component import digest
from toolkit.lm.model import Deciding, Engine, Model

_OURS = {"model", "messages", "max_tokens", "temperature", "seed", "stream", "n", "response_format"}
_SECRET = {"api_key", "key", "authorization", "headers", "extra_headers", "token", "password"}


class Hosted(Model):
    """A model that answers over HTTP.

    Its key comes from the environment and is written nowhere. Requests are sent by DSPy's own clients; limits, prices,
    retries and what the server says of itself are this toolkit's. See ``docs/models.md`` for each kind of server.

    Parameters
    ----------
    name
        DSPy's model string, e.g. ``"openai/gpt-4o-mini"``, ``"anthropic/..."``, ``"ollama_chat/..."``.
    api_base
        Address of a server of one's own; empty = the provider's.
    adapter
        ``"turns"``: one field an answer, fewest tokens, the layout of every other model here; ``"chat"``: DSPy's
        ChatAdapter, for capable models only.
    temperature
        0 = the likeliest, as far as the server keeps to it. OpenAI's reasoning models accept 1 only.
    max_tokens
        Limit of one answer, reasoning included.
    parallel
        Calls at a time.
    requests_per_minute, tokens_per_minute
        Limits to stay below; 0 = none.
    retries
        Times that a call is repeated after a rate limit, trouble of the server or a lost connection.
    timeout
        Seconds for one call as a whole.
    key_env
        Environment variable that holds the key; empty = the provider's usual one, and none with ``api_base``.
    dollars_in, dollars_out
        Price of a million tokens; None = 0 for a server of one's own, else DSPy's price list, else unknown.
    options
        Further fields of the request's body, as the server understands them, e.g. ``{"top_k": 20}``. ``stop`` replaces
        the end of a line, which ends an answer in the layout ``"turns"``; empty = nothing ends it.

    Notes
    -----
    What identifies it is what can change an answer: name, layout, temperature, limit of tokens, options, and whether
    ``api_base`` names a server of one's own; not where that server is, nor keys, limits, prices, retries or time-outs.
    So name a server of one's own by what it serves: what it reports of itself is kept with every call.
    """

    def __init__(
        self,
        name: str = "openai/gpt-4o-mini",
        api_base: str = "",
        adapter: Literal["turns", "chat"] = "turns",
        temperature: float = 0.0,
        max_tokens: int = 1024,
        parallel: int = 8,
        requests_per_minute: int = 0,
        tokens_per_minute: int = 0,
        retries: int = 3,
        timeout: float = 120.0,
        key_env: str = "",
        dollars_in: float | None = None,
        dollars_out: float | None = None,
        options: Mapping[str, object] | None = None,
    ) -> None:
        self.name, self.api_base, self.adapter = name, api_base, adapter
        self.temperature, self.max_tokens, self.parallel = temperature, max_tokens, parallel
        self.requests_per_minute, self.tokens_per_minute = requests_per_minute, tokens_per_minute
        self.retries, self.timeout, self.key_env = retries, timeout, key_env
        self.dollars_in, self.dollars_out, self.options = dollars_in, dollars_out, options

    @property
    def ways(self) -> tuple[Deciding, ...]:  # type: ignore[override]
        """Freely written and read leniently, or held to the options by the server; likelihoods are not to be had."""
        return ("generation",) if self.adapter == "chat" else ("generation", "grammar")

    @property
    def label(self) -> str:
        """DSPy's model string."""
        return self.name

    @property
    def address(self) -> str:
        """Where requests go: ``api_base``, else the environment's ``OPENAI_BASE_URL`` or its like."""
        prefix = self.name.partition("/")[0].upper()
        told = (os.environ.get(f"{prefix}_{word}", "") for word in ("API_BASE", "BASE_URL"))
        return self.api_base or next(filter(None, told), "")

    def check(self) -> None:
        """A provider and a model, an address without credentials, ranges, options that are the server's business."""
        mistakes = [*self._named(), *self._ranges(), *self._optional()]
        if mistakes:
            raise ValueError("; ".join(mistakes))

    def fingerprint(self) -> str:
        """What can change an answer; see the class."""
        elsewhere = bool(self.api_base)
        made = [type(self).__name__, type(self).version, self.name, elsewhere, self.adapter]
        return digest([self.kind, *made, float(self.temperature), self.max_tokens, self.config().get("options", {})])

    def open(self) -> Engine:
        """A new engine with its own connections and limits.

        Raises
        ------
        Outage
            If the provider wants a key and the environment has none.
        SpecError
            If nothing here can reach such a provider.
        """
        from toolkit.lm.hosted_engine import HostedEngine

        return HostedEngine(self)

    def _engine_key(self) -> str:
        """Limits and addresses are the engine's own, though no part of the identity."""
        return digest([self.config(), self.address])

    def _named(self) -> Iterator[str]:
        provider, _, name = self.name.partition("/")
        if not provider or not name:
            yield f"Hosted.name must be provider/model, as in 'openai/gpt-4o-mini', but is {self.name!r}"
        if not self.api_base:
            return
        parts = urlsplit(self.api_base)
        if parts.username or parts.password or parts.query:
            # The value is not repeated: it may hold the secret.
            yield "Hosted.api_base must hold no user, password or query: put the key into the environment (key_env)"
        elif parts.scheme not in ("http", "https") or not parts.hostname:
            yield f"Hosted.api_base must be an http or https address but is {self.api_base!r}"

    def _ranges(self) -> Iterator[str]:
        if self.adapter not in ("turns", "chat"):
            yield f"Hosted.adapter must be 'turns' or 'chat' (servers take messages only) but is {self.adapter!r}"
        if not 0 <= self.temperature <= 2:
            yield f"Hosted.temperature must be between 0 and 2 but is {self.temperature!r}"
        if not (math.isfinite(self.timeout) and self.timeout > 0):
            yield f"Hosted.timeout must be a positive number of seconds but is {self.timeout!r}"
        least = {"max_tokens": 1, "parallel": 1, "requests_per_minute": 0, "tokens_per_minute": 0, "retries": 0}
        for name, low in least.items():
            if getattr(self, name) < low:
                yield f"Hosted.{name} must be at least {low} but is {getattr(self, name)!r}"
        for name in ("dollars_in", "dollars_out"):
            price = getattr(self, name)
            if price is not None and not (math.isfinite(price) and price >= 0):
                yield f"Hosted.{name} must be a price of at least 0 but is {price!r}; leave it out if it is unknown"
        if (self.dollars_in is None) != (self.dollars_out is None):
            yield "Hosted.dollars_in and dollars_out go together: give both, or neither"

    def _optional(self) -> Iterator[str]:
        given = dict(self.options or {})
        for name in sorted(given.keys() & _OURS):
            yield f"Hosted.options must leave {name!r} to the toolkit: it is a parameter, or part of every request"
        for name in sorted(key for key in given if key.lower() in _SECRET):
            yield f"Hosted.options must hold no secret, but has {name!r}: put the key into the environment (key_env)"
        try:
            json.dumps(given, allow_nan=False)
        except (TypeError, ValueError) as error:
            yield f"Hosted.options must be plain values but holds something else: {error}"


def is_own(address: str) -> bool:
    """Whether an address is on this machine or a private network: nobody sends a bill for it.

    Examples
    --------
    >>> [is_own(url) for url in ("http://127.0.0.1:8080/v1", "http://gpu-1:8000", "https://api.example.com/v1")]
    [True, True, False]
    """
    host = urlsplit(address).hostname or ""
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return bool(host) and ("." not in host or host.endswith((".local", ".internal", ".lan")))
    return found.is_private or found.is_loopback
