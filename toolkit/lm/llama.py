"""Decisions on llama.cpp: choices by likelihood or grammar, numbers, lines, free text; equal to the bit every time."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from toolkit.lm.llama_server import LlamaServer, texts
from toolkit.lm.model import with_confidence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dspy.lm15 import Request, Response

_K = TypeVar("_K")
_TOKENS = 512  # of an answer whose request names no limit
_FIRST, _DEEPER = 1000, 200  # likeliest tokens listed with a prompt, and with an option's inner tokens
_CHOSEN, _WRITTEN = 0, 1  # slots of llama.cpp: each keeps a prompt of its own
_ALL = 10**7  # more than any vocabulary
_CERTAIN = 1e6  # a bias that no logit outweighs
_VISIBLE = r"[^\x00-\x20\x7f\u0085\u2028\u2029]"
_NUMBER = '"-"? [0-9]{1,15} ("." [0-9]{1,10})?'
_LINE = rf"{_VISIBLE} [^\x00-\x1f\x7f\u0085\u2028\u2029]{{0,239}}"


@dataclass(frozen=True, slots=True)
class Ask:
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
    context, threads, reuse
        As of `Embedded`.
    temperature
        For requests that name none.

    Notes
    -----
    Usage of a response: ``input_tokens`` are the prompt's; ``output_tokens`` those generated or, for a choice by
    likelihood, the distinct option tokens whose probability was read. What one decision reuses of its own prompt is
    work done once and counted once, so ``cache_read_tokens`` is 0; so is what ``reuse`` saves, or the tokens of a run
    would depend on what else was run. A request without a seed has seed 0.
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

    def __init__(
        self,
        path: str | Path,
        context: int = 4096,
        threads: int = 0,
        temperature: float = 0.0,
        reuse: int | None = None,
    ) -> None:
        self.context, self.temperature = context, temperature
        self._server = LlamaServer(Path(path), context, threads, reuse)
        self._lock = threading.Lock()
        self._plain, self._end = self._server.tokens("\n")[-1], self._server.end()
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
            if ask.kind != "choice" or ask.deciding == "generation":
                return self._generate(request, ask)
            if ask.deciding == "grammar":
                text, made = self._by_grammar(ask)
                return responded(request, text, len(ask.head), made)
            weighed = request.config.logprobs is not None
            text, made, share = self._by_likelihood(ask, weighed)
            found = responded(request, text, len(ask.head), made)
            return with_confidence(found, share) if weighed else found

    def stream(self, request: Request) -> Iterator[Any]:
        """The whole answer as one event: there is nothing to watch in a decision."""
        from dspy.lm15 import response_to_events

        return iter(response_to_events(self.complete(request)))

    def likelihoods(self, request: Request) -> dict[str, float]:
        """Mean log-probability (nats a token) of each option of a choice, in the request's order."""
        with self._lock:
            return self._likelihoods(self._read(request), every=True)[0]

    def count(self, text: str) -> int:
        """Tokens of a text, without any template."""
        with self._lock:
            return len(self._server.tokens(text))

    def close(self) -> None:
        """Give the memory back."""
        with self._lock:
            self._server.close()

    def _read(self, request: Request) -> Ask:
        said: Mapping[str, Any] = request.config.extensions or {}
        kind, style = str(said.get("answer", "text")), str(said.get("style", "turns"))
        deciding = str(said.get("deciding", "likelihood"))
        options = tuple(str(option) for option in said.get("options", ()))
        _check(kind, options, deciding, style)
        head, before = self._server.prompt(texts(request), style)
        lead = " " if style == "completion" and before.strip() and kind != "text" else ""
        limit = request.config.max_tokens or _TOKENS
        return Ask(kind, options, deciding, head, lead, before, _sampling(request, self.temperature), limit)

    def _generate(self, request: Request, ask: Ask) -> Response:
        self._fits(len(ask.head), 1)
        room = min(ask.limit, self.context - len(ask.head))
        body = {**ask.sampling, **_form(request, ask), "n_predict": room}
        answer = self._server.begin(ask.head, body, _CHOSEN if ask.kind == "choice" else _WRITTEN)
        text, cut = str(answer["content"]).removeprefix(ask.lead), answer["stop_type"] == "limit"
        return responded(request, text, len(ask.head), int(answer["tokens_predicted"]), cut)

    def _by_grammar(self, ask: Ask) -> tuple[str, int]:
        """Generate one of the options and say how many tokens it has: at each fork the likeliest way on.

        This is what a grammar over the options' own tokens does. llama.cpp's grammars over characters let a small
        model spell an option in stray pieces, and those over tokens end the process at a part of a character.
        """
        paths, chance = self._paths_of(ask), np.random.default_rng(ask.sampling["seed"])
        self._prime(ask)
        made: tuple[int, ...] = ()
        while ways := {path[len(made)] for path in paths.values() if path[: len(made)] == made != path}:
            # Where an option ends and others go on, the end of the line or of the turn is one more way.
            ends = {self._plain, self._end} - ways if made in paths.values() else set()
            token = next(iter(ways))
            if len(ways | ends) > 1:
                token = _draw(self._fork(ask, made, ways | ends), ask.sampling["temperature"], chance)
            if token in ends:
                break
            made = (*made, token)
        return next(option for option, path in paths.items() if path == made), len(made)

    def _by_likelihood(self, ask: Ask, weighed: bool) -> tuple[str, int, float]:
        """The option, how many tokens were read, and the share that it has among the options that were read."""
        warmth = ask.sampling["temperature"]
        found, walked = self._likelihoods(ask, every=warmth > 0 or weighed)
        chosen = _draw(found, warmth, np.random.default_rng(ask.sampling["seed"]))
        return chosen, walked, 1 / math.fsum(math.exp(value - found[chosen]) for value in found.values())

    def _likelihoods(self, ask: Ask, every: bool) -> tuple[dict[str, float], int]:
        """Mean log-probabilities by a walk of the options' token trie, and how many of its edges were read.

        Unless ``every`` option is asked for, those that cannot win are left out: as no log-probability is above 0,
        an option's mean is at most what its first tokens sum up to, divided by its length.

        The walk goes depth first, so that each step adds one token to what the slot holds: a token is then always
        computed in the same batch of one, whatever other options there are and whatever was left out.
        """
        paths = self._paths_of(ask)
        known: dict[tuple[int, ...], float] = {}
        best = -math.inf

        def bound(path: tuple[int, ...], depth: int) -> float:
            return math.fsum(known[path[: i + 1]] for i in range(depth)) / len(path)

        self._prime(ask)
        todo: list[tuple[int, ...]] = [()]
        while todo:
            node = todo.pop()
            depth = len(node)
            below = [path for path in paths.values() if path[:depth] == node != path]
            if not every and max(bound(path, depth) for path in below) < best:
                continue
            seen = self._fork(ask, node, {path[depth] for path in below})
            known |= {(*node, token): value for token, value in seen.items()}
            best = max([best, *(bound(path, depth + 1) for path in below if len(path) == depth + 1)])
            inner = {path[: depth + 1] for path in below if len(path) > depth + 1}
            todo += sorted(
                inner, key=lambda each: (max(bound(p, depth + 1) for p in below if p[: depth + 1] == each), each)
            )
        whole = {o: p for o, p in paths.items() if all(p[: i + 1] in known for i in range(len(p)))}
        return {option: bound(path, len(path)) for option, path in whole.items()}, len(known)

    def _prime(self, ask: Ask) -> None:
        """Take in the prompt but for its last token, which every later step takes in a batch of its own."""
        if ask.head[:-1]:
            self._server.begin(ask.head[:-1], {"n_predict": 1, "temperature": 0}, _CHOSEN)

    def _fork(self, ask: Ask, made: tuple[int, ...], ways: set[int]) -> dict[int, float]:
        """Log-probability of each way on from here, in the order of token ids."""
        found: dict[int, float] = {}
        for token in sorted(ways):
            if token not in found:
                found |= self._step([*ask.head, *made], token, _DEEPER if made else _FIRST)
        return {token: found[token] for token in sorted(ways)}

    def _step(self, prompt: Sequence[int], token: int, listed: int) -> dict[int, float]:
        """Log-probabilities of the ``listed`` likeliest next tokens and of ``token``."""
        for forced, many in ((token, listed), (self._plain, listed), (self._plain, _ALL)):
            body = {"prompt": list(prompt), "n_predict": 1, "temperature": 0, "cache_prompt": True, "id_slot": _CHOSEN}
            answer = self._server.ask("/completion", body | {"n_probs": many, "logit_bias": [[forced, _CERTAIN]]})
            # Nothing is reported on a token that is only a part of a character: it is then found in the list.
            for seen in answer.get("completion_probabilities", ()):
                found = {int(each["id"]): float(each["logprob"]) for each in (*seen["top_logprobs"], seen)}
                if (
                    token in found
                ):  # a longer list is summed up otherwise, in the last bits: it is used for this token only
                    return found if many == listed else {token: found[token]}
        raise RuntimeError(f"llama.cpp reports no probability of token {token}")  # not reached: the list is the whole

    def _paths_of(self, ask: Ask) -> dict[str, tuple[int, ...]]:
        """The options' tokens; there must be room for the longest."""
        found = {option: self._tokens(option, ask) for option in ask.options}
        self._fits(len(ask.head), max(len(path) for path in found.values()))
        return found

    def _tokens(self, option: str, ask: Ask) -> tuple[int, ...]:
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
        ("deciding", deciding, ("likelihood", "grammar", "generation") if kind == "choice" else (deciding,)),
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


def _form(request: Request, ask: Ask) -> dict[str, Any]:
    """Where an answer ends and what it may be made of."""
    stop = list(request.config.stop)
    if ask.kind == "text":
        wanted = request.config.response_format
        schema = {} if not wanted else {"json_schema": wanted.get("schema") or {"type": "object"}}
        return {"stop": stop, **schema}
    if ask.kind == "choice":
        return {"stop": [*stop, "\n"]}  # written freely: how a server that knows no more of the options is asked
    form = _NUMBER if ask.kind == "number" else _LINE
    lead = '" " ' if ask.lead else ""
    return {"grammar": f'root ::= {lead}({form}) "\\n"?', "stop": [*stop, "\n"]}  # the end of a line ends the answer


def _draw(found: Mapping[_K, float], warmth: float, chance: np.random.Generator) -> _K:
    """The likeliest, the first of equals; with a temperature, one drawn in proportion to exp(value / temperature)."""
    names, values = list(found), np.array(list(found.values()))
    if warmth <= 0:
        return names[int(values.argmax())]
    shares = np.cumsum(np.exp((values - values.max()) / warmth))
    return names[min(int(np.searchsorted(shares / shares[-1], chance.random(), side="right")), len(names) - 1)]


def responded(request: Request, text: str, given: int, made: int, cut: bool = False) -> Response:
    """An answer as DSPy takes it: of ``given`` tokens, ``made`` tokens; ``cut``: they ended at the limit."""
    from dspy.lm15 import Message, Response, TextPart, Usage

    usage = Usage(input_tokens=given, output_tokens=made, total_tokens=given + made, cache_read_tokens=0)
    message = Message.assistant([TextPart(text)])
    end = "length" if cut else "stop"
    return Response(id=None, model=request.model, message=message, finish_reason=end, usage=usage)
