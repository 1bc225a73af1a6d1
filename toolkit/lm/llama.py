"""Decisions on llama.cpp: choices by likelihood or grammar, numbers, lines, free text; equal to the bit every time."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.lm.llama_server import LlamaServer, texts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dspy.lm15 import Request, Response

_TOKENS = 512  # of an answer whose request names no limit
_FIRST, _DEEPER = 1000, 200  # likeliest tokens listed with a prompt, and with an option's inner tokens
_ALL = 10**7  # more than any vocabulary
_CERTAIN = 1e6  # a bias that no logit outweighs
_VISIBLE = r"[^\x00-\x20\x7f\u0085\u2028\u2029]"
_NUMBER = '"-"? [0-9]{1,15} ("." [0-9]{1,10})?'
_LINE = rf"{_VISIBLE} [^\x00-\x1f\x7f\u0085\u2028\u2029]{{0,239}}"


@dataclass(frozen=True, slots=True)
class _Ask:
    """A request as the engine reads it."""

    kind: str
    options: tuple[str, ...]
    deciding: str
    head: list[int]  # prompt tokens
    lead: str  # what stands between prompt and answer: a space after "Label:", else nothing
    before: str  # last character of the prompt: the context in which an option's tokens are found
    sampling: dict[str, Any]
    limit: int


class LlamaEngine:
    """DSPy's engine contract on llama.cpp: one request, one answer, equal to the bit every time.

    Parameters
    ----------
    path
        The ``.gguf`` file.
    context, threads
        As of `Embedded`.
    temperature
        For requests that name none.

    Notes
    -----
    Usage of a response: ``input_tokens`` are the prompt's; ``output_tokens`` those generated or, for a choice by
    likelihood, the distinct option tokens whose probability was read. What one decision reuses of its own prompt is
    work done once and counted once, so ``cache_read_tokens`` is 0. A request without a seed has seed 0.
    """

    supports_response_schema = True
    supported_params = frozenset(
        [
            "temperature",
            "max_tokens",
            "top_p",
            "seed",
            "stop",
            "presence_penalty",
            "frequency_penalty",
            "response_format",
        ]
    )

    def __init__(self, path: str | Path, context: int = 4096, threads: int = 0, temperature: float = 0.0) -> None:
        self.context, self.temperature = context, temperature
        self._server = LlamaServer(Path(path), context, threads)
        self._lock = threading.Lock()
        self._plain = self._server.tokens("\n")[-1]
        self._paths: dict[tuple[str, str], tuple[int, ...]] = {}

    def complete(self, request: Request) -> Response:
        """Answer one request.

        Raises
        ------
        dspy.lm15.ContextLengthError
            If prompt and answer do not fit into the context.
        dspy.lm15.InvalidRequestError, UnsupportedFeatureError
            If the request asks for what there is not.
        dspy.lm15.ServerError, TransportError
            If llama.cpp fails.
        """
        with self._lock:
            ask = self._read(request)
            if ask.kind == "choice" and ask.deciding == "likelihood":
                found, walked = self._likelihoods(ask)
                return _response(request, _pick(found, ask), len(ask.head), walked)
            return self._by_grammar(request, ask) if ask.kind == "choice" else self._generate(request, ask)

    def stream(self, request: Request) -> Iterator[Any]:
        """The whole answer as one event: there is nothing to watch in a decision."""
        from dspy.lm15 import response_to_events

        return iter(response_to_events(self.complete(request)))

    def likelihoods(self, request: Request) -> dict[str, float]:
        """Mean log-probability (nats a token) of each option of a choice, in the request's order."""
        with self._lock:
            return self._likelihoods(self._read(request))[0]

    def count(self, text: str) -> int:
        """Tokens of a text, without any template."""
        with self._lock:
            return len(self._server.tokens(text))

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._server.close()

    def _read(self, request: Request) -> _Ask:
        said: Mapping[str, Any] = request.config.extensions or {}
        kind, style = str(said.get("answer", "text")), str(said.get("style", "turns"))
        deciding = str(said.get("deciding", "likelihood"))
        options = tuple(str(option) for option in said.get("options", ()))
        _check(kind, options, deciding, style)
        head, before = self._server.prompt(texts(request), style)
        lead = " " if style == "completion" and before.strip() and kind != "text" else ""
        limit = request.config.max_tokens or _TOKENS
        return _Ask(kind, options, deciding, head, lead, before, _sampling(request, self.temperature), limit)

    def _generate(self, request: Request, ask: _Ask) -> Response:
        self._fits(len(ask.head), 1)
        body = {**ask.sampling, **_form(request, ask), "prompt": ask.head, "cache_prompt": False, "id_slot": 0}
        room = min(ask.limit, self.context - len(ask.head))
        answer = self._server.ask("/completion", {**body, "n_predict": room})
        text, cut = str(answer["content"]).removeprefix(ask.lead), answer["stop_type"] == "limit"
        return _response(request, text, len(ask.head), int(answer["tokens_predicted"]), cut)

    def _by_grammar(self, request: Request, ask: _Ask) -> Response:
        """Generate one of the options token by token, in the spelling that the tokeniser would give it.

        A grammar over characters would let a small model spell an option in stray pieces, which it then scores by
        chance. After an option the model may end the line or its turn.
        """
        from dspy.lm15 import ServerError

        paths = {option: self._tokens(option, ask) for option in ask.options}
        room = max(len(path) for path in paths.values()) + 1
        self._fits(len(ask.head), room)
        spelt = " | ".join(" ".join(f"<[{token}]>" for token in path) for path in paths.values())
        end = "".join(f" <[{token}]>?" for token in [self._plain])
        body = {**ask.sampling, "prompt": ask.head, "cache_prompt": False, "id_slot": 0, "n_predict": room}
        answer = self._server.ask("/completion", {**body, "grammar": f"root ::= ({spelt}){end}", "return_tokens": True})
        made = tuple(answer["tokens"])
        fitting = [option for option, path in paths.items() if made[: len(path)] == path]
        if not fitting:
            raise ServerError(f"the grammar let {answer['content']!r} pass, which is none of the options")
        text = max(fitting, key=lambda option: len(paths[option]))
        return _response(request, text, len(ask.head), int(answer["tokens_predicted"]))

    def _likelihoods(self, ask: _Ask) -> tuple[dict[str, float], int]:
        """Walk the options' token trie; see the notes on why in this order.

        The trie is walked depth first in the order of token ids, so that each step adds one token to what the slot
        holds: a token is then always computed in the same batch of one, whatever other options there are. The prompt's
        last token is likewise taken in a batch of its own. Each step lists the likeliest next tokens and forces one,
        so options beyond the list cost a step of their own, with the very same sum behind their probability.
        """
        paths = {option: self._tokens(option, ask) for option in ask.options}
        self._fits(len(ask.head), max(len(path) for path in paths.values()))
        if ask.head[:-1]:
            body = {"prompt": ask.head[:-1], "n_predict": 1, "temperature": 0, "cache_prompt": False, "id_slot": 0}
            self._server.ask("/completion", body)
        known: dict[tuple[int, ...], float] = {}
        for path in sorted(set(paths.values())):
            for depth in range(len(path)):
                if path[: depth + 1] not in known:
                    listed = _FIRST if depth == 0 else _DEEPER
                    seen = self._step([*ask.head, *path[:depth]], path[depth], listed, fresh=len(ask.head) == 1)
                    known |= {(*path[:depth], token): value for token, value in seen.items()}
        edges = {path[: depth + 1] for path in paths.values() for depth in range(len(path))}
        means = {o: math.fsum(known[p[: i + 1]] for i in range(len(p))) / len(p) for o, p in paths.items()}
        return means, len(edges)

    def _step(self, prompt: Sequence[int], token: int, listed: int, fresh: bool) -> dict[int, float]:
        """Log-probabilities of the ``listed`` likeliest next tokens and of ``token``."""
        for forced, many in ((token, listed), (self._plain, listed), (self._plain, _ALL)):
            body = {"prompt": list(prompt), "n_predict": 1, "temperature": 0, "cache_prompt": not fresh, "id_slot": 0}
            answer = self._server.ask("/completion", body | {"n_probs": many, "logit_bias": [[forced, _CERTAIN]]})
            # Nothing is reported on a token that is only a part of a character: it is then found in the list.
            for seen in answer.get("completion_probabilities", ()):
                found = {int(each["id"]): float(each["logprob"]) for each in (*seen["top_logprobs"], seen)}
                if token in found:
                    return found
        raise RuntimeError(f"llama.cpp reports no probability of token {token}")  # not reached: the list is the whole

    def _tokens(self, option: str, ask: _Ask) -> tuple[int, ...]:
        """An option's tokens as they follow the prompt's last character: some tokenisers treat a beginning apart."""
        key = (ask.before, ask.lead + option)
        if key not in self._paths:
            context, whole = self._server.tokens(ask.before), self._server.tokens(ask.before + key[1])
            inside = whole[: len(context)] == context
            if len(self._paths) > 100_000:
                self._paths.clear()
            self._paths[key] = tuple(whole[len(context) :] if inside else self._server.tokens(key[1]))
        return self._paths[key]

    def _fits(self, prompt: int, answer: int) -> None:
        from dspy.lm15 import ContextLengthError

        if prompt + answer > self.context:
            need = f"the prompt has {prompt} tokens and its answer needs {answer}"
            raise ContextLengthError(f"{need}, but the context holds {self.context}")


def _check(kind: str, options: Sequence[str], deciding: str, style: str) -> None:
    from dspy.lm15 import InvalidRequestError

    for name, value, allowed in (
        ("answer", kind, ("choice", "number", "line", "text")),
        ("deciding", deciding, ("likelihood", "grammar") if kind == "choice" else (deciding,)),
        ("style", style, ("turns", "completion")),
    ):
        if value not in allowed:
            raise InvalidRequestError(f"{name}: one of {', '.join(allowed)}, got {value!r}")
    if kind == "choice" and (not options or "" in options):
        raise InvalidRequestError(f"options: at least one, and none of them empty, got {list(options)!r}")


def _sampling(request: Request, temperature: float) -> dict[str, Any]:
    """Sampling from the model's own distribution: what llama.cpp trims by default stays in."""
    config = request.config
    found: dict[str, Any] = {
        "temperature": temperature if config.temperature is None else config.temperature,
        "seed": (config.seed or 0) % (2**32 - 1),  # the one above means a random seed to llama.cpp
        "top_p": 1.0 if config.top_p is None else config.top_p,
        "top_k": config.top_k or 0,
        "min_p": 0.0,
    }
    penalties = {"presence_penalty": config.presence_penalty, "frequency_penalty": config.frequency_penalty}
    return found | {name: value for name, value in penalties.items() if value is not None}


def _form(request: Request, ask: _Ask) -> dict[str, Any]:
    """Where an answer ends and what it may be made of."""
    stop = list(request.config.stop)
    if ask.kind == "text":
        wanted = request.config.response_format
        schema = {} if not wanted else {"json_schema": wanted.get("schema") or {"type": "object"}}
        return {"stop": stop, **schema}
    form = _NUMBER if ask.kind == "number" else _LINE
    lead = '" " ' if ask.lead else ""
    return {"grammar": f'root ::= {lead}({form}) "\\n"?', "stop": [*stop, "\n"]}  # the end of a line ends the answer


def _pick(found: Mapping[str, float], ask: _Ask) -> str:
    """The likeliest option, the first of equals; with a temperature, one drawn by the request's seed."""
    names, values = list(found), np.array(list(found.values()))
    warmth = ask.sampling["temperature"]
    if warmth <= 0:
        return names[int(values.argmax())]
    shares = np.exp((values - values.max()) / warmth)
    draw = np.random.default_rng(ask.sampling["seed"]).random()
    return names[min(int(np.searchsorted(np.cumsum(shares) / shares.sum(), draw, side="right")), len(names) - 1)]


def _response(request: Request, text: str, given: int, made: int, cut: bool = False) -> Response:
    from dspy.lm15 import Message, Response, TextPart, Usage

    usage = Usage(input_tokens=given, output_tokens=made, total_tokens=given + made, cache_read_tokens=0)
    message = Message.assistant([TextPart(text)])
    end = "length" if cut else "stop"
    return Response(id=None, model=request.model, message=message, finish_reason=end, usage=usage)
