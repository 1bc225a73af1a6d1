"""One attempt of a call over HTTP: sent by DSPy's own clients, below the limits, told in the toolkit's terms."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from dspy.clients.costs import estimate_cost
from dspy.clients.engines.lm15_engine import LM15Engine
from dspy.lm15 import (
    InvalidRequestError,
    LM15Error,
    Message,
    ProviderError,
    RateLimitError,
    Request,
    Response,
    RouterConfig,
    ServerError,
    TextPart,
    TransportError,
    UnknownModelError,
    UnsupportedFeatureError,
)
from dspy.lm15 import TimeoutError as LateError

from toolkit.errors import Outage, SpecError
from toolkit.ledger.rows import whole
from toolkit.lm.hosted import is_own
from toolkit.lm.secrets import redacted, secrets
from toolkit.lm.throttle import Throttle
from toolkit.lm.transport import BoundedTransport

if TYPE_CHECKING:
    from toolkit.lm.hosted import Hosted

_APART = {"gemini", "vertex", "vertex-express", "xai"}  # count reasoning beside the output, not within
_NO_KEY = "none"


class HostedEngine:
    """DSPy's engine contract over HTTP, shared by all runs of a process.

    Parameters
    ----------
    model
        Which server, which limits.

    Notes
    -----
    Usage of a response: ``input_tokens`` always include those read from a provider's cache, ``output_tokens`` always
    include reasoning, whatever the provider's own way of counting.
    """

    supports_response_schema = True
    supported_params = frozenset({"temperature", "max_tokens", "seed", "stop", "response_format"})

    def __init__(self, model: Hosted) -> None:
        self._model = model
        self._provider = _provider(model.name)
        self._variables = _variables(model, self._provider)
        self._transport = BoundedTransport(model.timeout, model.parallel, proxies=not is_own(model.address))
        # Prices come from DSPy's package: its newest list, and LiteLLM's, would be fetched from the network unasked.
        os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")
        self._inner = self._native() if self._provider else _litellm(model)
        self._throttle = Throttle(model.requests_per_minute, model.tokens_per_minute)
        self._options: dict[str, Any] = dict(model.config().get("options", {}))
        self._secrets = secrets(*self._variables)
        self._known = {"", *(os.environ.get(name, "") for name in self._variables)}
        self._slots = threading.BoundedSemaphore(model.parallel)
        self._free = is_own(model.address) or (self._provider == "ollama" and not model.address)
        self._written = float(model.max_tokens)  # tokens of the latest answer: what the next one is expected to have

    def complete(self, request: Request) -> Response:
        """Answer one request.

        Raises
        ------
        dspy.lm15.LM15Error
            Of the kind that fits. Trouble of the server includes answers that are none: broken, empty without a count
            of tokens, not whole in time.
        Outage
            If the server asks for a longer pause than a call may take.
        """
        asked = wired(request, self._model, self._options)
        expected = _size(asked) / 4 + self._written
        arrived = time.perf_counter()
        with self._slots:
            self._throttle.enter(expected)
            waited = time.perf_counter() - arrived
            response = self._attempt(asked)
        usage = settled(response, self._provider or "")
        self._written = float(usage.output_tokens or 0)
        self._throttle.settle(expected, (usage.input_tokens or 0) + self._written)
        told = {"server": _server(response), "dollars": self._dollars(response, usage, asked), "waited": waited}
        return self._clean(replace(_unwrapped(response, request), usage=usage, provider_data=told))

    def _attempt(self, asked: Request) -> Response:
        """One call; what goes wrong is raised anew, so that nothing of the original, which may hold a key, is kept."""
        self._transport.begin()
        trouble: Exception
        try:
            response: Response = self._inner.complete(asked)
        except Exception as error:  # noqa: BLE001  (raised below, under its own name)
            trouble = self._trouble(error)
        else:
            if response.usage.output_tokens is not None or any(_said(part) for part in response.message.parts):
                return response
            trouble = ServerError("the server's answer holds neither text nor a count of tokens")
        raise trouble

    def _trouble(self, error: Exception) -> Exception:
        said = redacted(str(getattr(error, "message", "") or error), self._hidden(), torn=True)
        pause = getattr(error, "retry_after", None)
        if isinstance(error, RateLimitError) and pause is not None:
            self._throttle.hold(min(pause, self._model.timeout))
        if pause is not None and pause > self._model.timeout:
            return Outage(f"the server asks to wait {pause:.0f} s, longer than a call may take: go on later ({said})")
        if isinstance(error, TransportError) and self._transport.expired:
            late: Exception = LateError(f"no whole answer within {self._model.timeout:g} s: raise timeout if need be")
            return late
        answered = type(error) is ProviderError and (getattr(error, "status", None) or 0) < 400
        if answered or (not isinstance(error, LM15Error) and self._transport.sent):  # but not as agreed
            broken: Exception = ServerError(f"the server's answer cannot be read: {said}", retry_after=pause)
            return broken
        return _stripped(error, said, self._hidden())

    def _clean(self, response: Response) -> Response:
        from dspy._vendor.lm15.serde import response_from_dict, response_to_dict

        hidden = self._hidden()
        text = json.dumps(response_to_dict(response))
        clean = redacted(whole(text) if "\\ud" in text else text, hidden)
        return response if clean == text else response_from_dict(json.loads(clean))

    def _dollars(self, response: Response, usage: Any, asked: Request) -> float | None:
        """The price as the user states it, nothing for a server of one's own, else as DSPy knows it; None = unknown."""
        model = self._model
        if model.dollars_in is not None and model.dollars_out is not None:
            spent = (usage.input_tokens or 0) * model.dollars_in + (usage.output_tokens or 0) * model.dollars_out
            return spent / 1e6
        if self._free:
            return 0.0
        prefix, _, name = model.name.partition("/")
        provider = self._provider or prefix
        known: float | None = estimate_cost(response, provider=provider, requested_model=name, request=asked)[0]
        return known

    def _native(self) -> Any:
        provider, address = self._provider, self._model.address
        if self._secure() and self._key() == _NO_KEY and provider != "ollama" and not address:
            wanted = " or ".join(self._variables) or "key_env"
            raise Outage(f"{self._model.name} needs a key: set {wanted} in the environment, then go on")
        urls = {provider: _rooted(address, provider)} if address else None
        return LM15Engine(RouterConfig(api_keys={provider: self._key}, base_urls=urls, transport=self._transport))

    def _key(self) -> str:
        """Read for each request, so that a key can be replaced while a study runs."""
        known = (os.environ.get(name) for name in self._variables)
        return next(filter(None, known), _NO_KEY) if self._secure() else _NO_KEY

    def _secure(self) -> bool:
        """A provider's own key goes to the provider, not in clear text; to another server only if it is named for it.

        Where a study's file says ``api_base``, whoever wrote it would else get a key that it does not even mention.
        """
        model = self._model
        return bool(model.key_env) or not (model.api_base or model.address.startswith("http:"))

    def _hidden(self) -> tuple[str, ...]:
        """What the environment held when the engine was opened, and a key that came later."""
        now = {os.environ.get(name, "") for name in self._variables}
        return self._secrets if now <= self._known else secrets(*self._variables)


def wired(request: Request, model: Hosted, options: Mapping[str, Any]) -> Request:
    """A request as a server takes it: what constrains the answer in the wire's own terms, the user's options added."""
    said: Mapping[str, Any] = request.config.extensions or {}
    kind, deciding = str(said.get("answer", "text")), str(said.get("deciding", "generation"))
    if said.get("style") == "completion":
        raise InvalidRequestError("style: servers take messages, got 'completion'; use the layout 'turns'")
    if kind == "choice" and deciding not in model.ways:
        raise InvalidRequestError(f"deciding: one of {', '.join(model.ways)}, got {deciding!r}")
    form: dict[str, Any] = {}
    if kind == "choice" and deciding == "grammar":
        form["response_format"] = _schema(said["options"])
    elif kind != "text":
        ends = options.get("stop", "\n")
        form["stop"] = (*request.config.stop, *([ends] if isinstance(ends, str) and ends else ends))
    extra = {name: value for name, value in options.items() if name != "stop"}
    limit = request.config.max_tokens or model.max_tokens
    config = replace(request.config, extensions=extra or None, max_tokens=limit, **form)
    return replace(request, model=model.name, config=config)


def settled(response: Response, provider: str) -> Any:
    """Tokens counted in one way: the cache's within the input, reasoning within the output."""
    used = response.usage
    read, wrote = used.input_tokens, used.output_tokens
    if provider.split("-")[-1] == "anthropic" and read is not None:
        read += (used.cache_read_tokens or 0) + (used.cache_write_tokens or 0)
    if provider in _APART and wrote is not None:
        wrote += used.reasoning_tokens or 0
    return replace(used, input_tokens=read, output_tokens=wrote)


def _schema(options: list[str]) -> dict[str, Any]:
    answer = {"type": "string", "enum": list(options)}
    shape = {"type": "object", "properties": {"answer": answer}, "required": ["answer"], "additionalProperties": False}
    return {"type": "json_schema", "name": "choice", "schema": shape, "strict": True}


def _unwrapped(response: Response, request: Request) -> Response:
    """The bare answer to a choice by grammar, which servers wrap in an object; anything else as it is."""
    said: Mapping[str, Any] = request.config.extensions or {}
    if said.get("answer") != "choice" or said.get("deciding") != "grammar":
        return response
    parts = response.message.parts
    held: Any = next((part.value for part in parts if part.type == "data"), None)  # DSPy may have read it already
    if held is None:
        try:
            held = json.loads(response.text or "")
        except ValueError:
            return response  # no such object: the adapter says that it does not parse
    if not isinstance(held, dict) or not isinstance(held.get("answer"), str):
        return response
    others = [part for part in parts if part.type not in ("data", "text")]
    return replace(response, message=Message.assistant([*others, TextPart(held["answer"])]))


def _said(part: Any) -> bool:
    return bool(getattr(part, "text", "") or getattr(part, "value", None) is not None)


def _server(response: Response) -> str:
    mark = (response.provider_data or {}).get("system_fingerprint")
    name = str(response.model)
    name = name.replace("\\", "/").rpartition("/")[2] if name[:1] in "/\\" else name  # some name the file they opened
    return f"{name} {mark}" if mark else name


def _size(request: Request) -> int:
    """Characters of a prompt."""
    return len(str(request.system or "")) + sum(len(message.text or "") for message in request.messages)


def _stripped(error: Exception, said: str, hidden: tuple[str, ...]) -> Exception:
    """An error without anything that may hold a key: its words, what caused it, headers."""
    if isinstance(error, LM15Error):
        error.message, error.rate_limit_headers = said, {}
        for name in ("request_id", "provider_code"):
            value = getattr(error, name)
            setattr(error, name, redacted(value, hidden, torn=True) if value else value)
    error.args = (said,)
    error.__cause__ = error.__context__ = None
    return error


def _provider(name: str) -> str | None:
    """Which of DSPy's own clients speaks to a model; None = LiteLLM's."""
    try:
        found: str = LM15Engine(RouterConfig(env={})).resolve(name).provider
    except (UnknownModelError, UnsupportedFeatureError):
        return None
    return found


def _variables(model: Hosted, provider: str | None) -> tuple[str, ...]:
    """Where the key may be."""
    from dspy._vendor.lm15.registry import lookup

    if model.key_env or provider is None:
        return (model.key_env,) if model.key_env else ()
    definition = lookup(provider)
    return tuple(definition.access.env_keys) if definition is not None else ()


def _rooted(address: str, provider: str | None) -> str:
    """Ollama is usually named without the path at which it speaks this protocol."""
    bare = address.rstrip("/")
    return f"{bare}/v1" if provider == "ollama" and not bare.endswith("/v1") else bare


def _litellm(model: Hosted) -> Any:
    import importlib.util

    from dspy.clients.engines.litellm_engine import LiteLLMEngine

    if importlib.util.find_spec("litellm") is None:
        hint = "python -m pip install 'dspy[litellm]', or a server that speaks OpenAI's protocol: openai/... + api_base"
        raise SpecError([f"lm: DSPy has no client of its own for {model.name!r}; {hint}"])
    key = os.environ.get(model.key_env, "") or _NO_KEY * bool(model.api_base)  # else it looks for the provider's own
    client = {"timeout": model.timeout, "api_base": model.address, "api_key": key}
    return LiteLLMEngine(**{name: value for name, value in client.items() if value})
