"""Decisions on torch: the embedded model, untouched or fine-tuned, asked and answering as the embedded engine does.

Tokens, chat template and options are llama.cpp's, so a prompt is the same to the token; the weights are the same bytes,
in float32; only the arithmetic is torch's.
"""

from __future__ import annotations

import math
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import numpy as np

from toolkit.errors import SpecError
from toolkit.ledger.disk import held
from toolkit.lm import lora, weights
from toolkit.lm.finetuned import FineTuned
from toolkit.lm.llama import Ask, LlamaEngine, responded
from toolkit.lm.llama_server import LlamaServer
from toolkit.lm.lora import Lesson
from toolkit.lm.metered import request_hash
from toolkit.lm.training import Trained

if TYPE_CHECKING:
    from dspy.lm15 import Request, Response

_NUMBER = re.compile(r" ?-?([0-9]{1,15}(\.[0-9]{0,10})?)?")
_LINE = re.compile(r" ?([^\x00-\x20\x7f\u0085\u2028\u2029][^\x00-\x1f\x7f\u0085\u2028\u2029]{0,239})?")
_TRIES = 2000  # likeliest tokens that are looked at for one that keeps to the form

_hosts: dict[tuple[str, int, int], Host] = {}
_opening = threading.Lock()


class Host:
    """What all models of one base share in a process: llama.cpp for tokens, torch for weights, one lock.

    Parameters
    ----------
    base
        Name of the weights.
    context, threads
        As of `FineTuned`.
    """

    def __init__(self, base: str, context: int, threads: int) -> None:
        file = weights.fetch(base)
        self.lock, self.threads = threading.Lock(), threads
        self.server = LlamaServer(file, context, threads)
        self.model: Any = lora.load(file, threads)
        self.known: dict[str, Trained] = {}  # by recipe: what the model holds beside its own weights

    def trained(self, recipe: str, lessons: Sequence[Lesson], settings: FineTuned) -> tuple[Trained, bool]:
        """The record of a training, and whether it was made just now: else it was in the cache, or is here already."""
        with held(weights.cache_folder() / "locks" / f"finetuned-{recipe[:32]}"), self.lock:
            if recipe in self.known:
                return self.known[recipe], False
            file = lora.place_of(recipe)
            found, name = lora.kept(file), recipe[:32]
            with lora.steady(self.threads), _seeded(settings.seed):
                self.model = lora.fitted(self.model, name, settings.rank)
                if found is not None:
                    lora.put(self.model, name, found[0])
                    record = found[1]
                else:
                    record = lora.train(self.model, name, lessons, settings)
                    lora.keep(file, lora.matrices(self.model, name), record)
            self.known[recipe] = record
            return record, found is None

    @contextmanager
    def serving(self, recipe: str) -> Iterator[Any]:
        """Within it, the model with the weights of a recipe, or untouched ones; whoever asks holds the lock."""
        import torch

        untouched: Any = nullcontext()
        if recipe:
            self.model.set_adapter(recipe[:32], inference_mode=True)
        elif self.known:
            untouched = self.model.disable_adapter()
        with lora.steady(self.threads), torch.inference_mode(), untouched:
            yield self.model


class TunedEngine(LlamaEngine):
    """DSPy's engine contract on torch, for `FineTuned`; see `toolkit.lm.llama.LlamaEngine` for usage and seeds.

    Parameters
    ----------
    model
        Says which base, how it is trained and served.
    cases
        What it is taught: requests and the answers that are right.
    weights
        Digest that the trained weights must have; empty = whatever comes of the training.
    """

    supports_response_schema = False
    supported_params = frozenset({"temperature", "max_tokens", "top_p", "seed", "stop"})

    def __init__(self, model: FineTuned, cases: Sequence[tuple[Request, str]] = (), weights: str = "") -> None:
        # What the base class opens at once is opened here when it is first needed: a tape may answer everything.
        self.context, self.temperature = model.context, model.temperature
        self._model, self._cases, self._expected = model, tuple(cases), weights
        self._recipe = ""

    def taught(self, cases: Sequence[tuple[Request, str]], weights: str = "") -> TunedEngine:
        """An engine of the same model that is trained on these cases before it answers."""
        return TunedEngine(self._model, cases, weights)

    def trained(self) -> tuple[Trained, bool]:
        """What the training came to, and whether it took place now: the cache is looked at first.

        Raises
        ------
        SpecError
            If an example does not fit the context, or weights that had to be trained once more are others than those
            that the run began with.
        """
        self._host_opened()
        recipe = self._model.recipe([[request_hash(request), answer] for request, answer in self._cases])
        with self._lock:
            lessons = [self._lesson(place, *case) for place, case in enumerate(self._cases)]
        record, fresh = self._host.trained(recipe, lessons, self._model)
        if self._expected not in ("", record.weights):
            told = f"this run began with the weights {self._expected[:12]}, and training once more gave others"
            raise SpecError(
                [f"{self._model!r}: {told}, {record.weights[:12]}: go on where it began, with the cache folder of then"]
            )
        self._recipe = recipe
        return record, fresh

    def complete(self, request: Request) -> Response:
        """Answer one request; as `LlamaEngine.complete`."""
        self._ready()
        return super().complete(request)

    def likelihoods(self, request: Request) -> dict[str, float]:
        """Mean log-probability (nats a token) of each option of a choice, in the request's order."""
        self._ready()
        return super().likelihoods(request)

    def count(self, text: str) -> int:
        """Tokens of a text, without any template."""
        self._host_opened()
        return super().count(text)

    def close(self) -> None:
        """Nothing: what is heavy is shared, and goes with the process."""

    def _ready(self) -> None:
        if self._model.examples and not self._cases:
            told = "has not been trained: it learns from the pool of a study's stream, and cannot be asked elsewhere"
            raise SpecError([f"{self._model!r} {told}; take examples=0, or toolkit.lm.tuner"])
        if self._cases and not self._recipe:
            self.trained()
        self._host_opened()

    def _host_opened(self) -> None:
        if hasattr(self, "_host"):
            return
        key = (self._model.base, self._model.context, self._model.threads)
        with _opening:
            self._host = _hosts.get(key) or _hosts.setdefault(key, Host(*key))
        self._server, self._lock = self._host.server, self._host.lock
        self._plain, self._end = self._server.tokens("\n")[-1], self._server.end()
        self._paths = {}

    def _lesson(self, place: int, request: Request, answer: str) -> Lesson:
        """An example as tokens; its answer ends as the layout ends one."""
        ask = self._read(request)
        end = self._plain if ask.lead else self._end
        found = Lesson(tuple(ask.head), (*self._tokens(answer, ask), end))
        size = len(found.prompt) + len(found.answer)
        if size > self.context:
            told = f"example {place} has {size} tokens, but the context holds {self.context}"
            raise SpecError([f"{self._model!r}: {told}: raise FineTuned.context"])
        return found

    def _prime(self, ask: Ask) -> None:
        """Nothing is kept from one step to the next."""

    def _fork(self, ask: Ask, made: tuple[int, ...], ways: set[int]) -> dict[int, float]:
        import torch

        with self._host.serving(self._recipe) as model:
            logits = model(input_ids=torch.tensor([[*ask.head, *made]]), logits_to_keep=1).logits[0, -1]
            logs = torch.log_softmax(logits, -1)
        return {token: float(logs[token]) for token in sorted(ways)}

    def _likelihoods(self, ask: Ask, every: bool) -> tuple[dict[str, float], int]:
        """Mean log-probabilities by one pass over the prompt and the trie of the options' tokens.

        Each token of the trie sees the prompt and what stands above it, at the place that it has in its option: as if
        each option stood alone behind the prompt. Equal sets of options are laid out equally, in whatever order.
        """
        paths = self._paths_of(ask)
        nodes = sorted({path[: depth + 1] for path in paths.values() for depth in range(len(path))})
        logs = self._logs(ask.head, nodes)
        found = {
            option: math.fsum(logs[path[: depth + 1]] for depth in range(len(path))) / len(path)
            for option, path in paths.items()
        }
        return found, len(nodes)

    def _logs(self, head: list[int], nodes: list[tuple[int, ...]]) -> dict[tuple[int, ...], float]:
        """Log-probability of the last token of each node, after the prompt and the tokens before it."""
        import torch

        size, whole = len(head), len(head) + len(nodes)
        at = {(): size - 1} | {node: size + place for place, node in enumerate(nodes)}
        seen = torch.zeros((whole, whole), dtype=torch.bool)
        seen[:size, :size] = torch.ones((size, size), dtype=torch.bool).tril()
        seen[size:, :size] = True
        for node in nodes:
            seen[at[node], [at[node[: depth + 1]] for depth in range(len(node))]] = True
        mask = torch.zeros((whole, whole)).masked_fill(~seen, torch.finfo(torch.float32).min)[None, None]
        places = torch.tensor([[*range(size), *(size + len(node) - 1 for node in nodes)]])
        inner = sorted({at[node[:-1]] for node in nodes})
        tokens = torch.tensor([[*head, *(node[-1] for node in nodes)]])
        with self._host.serving(self._recipe) as model:
            said = model(
                input_ids=tokens, attention_mask=mask, position_ids=places, logits_to_keep=torch.tensor(inner)
            ).logits[0]
            logs = torch.log_softmax(said, -1)
        row = {place: number for number, place in enumerate(inner)}
        return {node: float(logs[row[at[node[:-1]]], node[-1]]) for node in nodes}

    def _generate(self, request: Request, ask: Ask) -> Response:
        """Token by token, each the likeliest (or one drawn) that keeps to the form of the answer."""
        from dspy.lm15 import UnsupportedFeatureError

        if request.config.response_format:
            raise UnsupportedFeatureError("a fine-tuned model answers by no JSON schema; leave response_format out")
        self._fits(len(ask.head), 1)
        room, stops = min(ask.limit, self.context - len(ask.head)), list(request.config.stop)
        stops += ["\n"] if ask.kind != "text" else []
        form = {"number": _NUMBER, "line": _LINE}.get(ask.kind)
        made: list[int] = []
        text, ended = "", False
        for logits in self._steps(ask, made):
            token = self._next(logits, ask, form, made, text)
            ended = token is None
            if token is None:
                break
            made.append(token)
            text = self._text(made)
            ends = [text.find(stop) for stop in stops if stop in text]
            if ends:
                text, ended = text[: min(ends)], True
            if ended or len(made) >= room:
                break
        return responded(request, text.removeprefix(ask.lead), len(ask.head), len(made), not ended)

    def _steps(self, ask: Ask, made: list[int]) -> Iterator[Any]:
        """Logits of the next token, again and again; what was made since the last is appended to ``made``."""
        import torch
        from transformers import DynamicCache

        cache, fed = DynamicCache(), 0
        while True:
            new = [*ask.head, *made][fed:]
            with self._host.serving(self._recipe) as model:
                said = model(input_ids=torch.tensor([new]), cache=cache, use_cache=True, logits_to_keep=1)
            fed += len(new)
            yield said.logits[0, -1].double().numpy()

    def _next(self, logits: Any, ask: Ask, form: re.Pattern[str] | None, made: Sequence[int], text: str) -> int | None:
        """The next token; None = the answer ends."""
        ranked = _ranked(logits, ask.sampling, len(made))
        for token in ranked[:_TRIES]:
            longer = self._text([*made, int(token)]) if form is not None else ""
            ends = int(token) == self._end or longer.endswith("\n")
            if form is None and int(token) == self._end:
                return None
            if form is None or (not ends and form.fullmatch(longer)):
                return int(token)
            if ends and text.strip() and text.strip() != "-":
                return None
        return None

    def _text(self, tokens: Sequence[int]) -> str:
        return str(self._server.ask("/detokenize", {"tokens": list(tokens)})["content"])


def _ranked(logits: Any, sampling: dict[str, Any], place: int) -> Any:
    """Tokens in the order in which they are tried: by likelihood, or as they are drawn without replacement.

    Adding Gumbel noise to the logits and taking the largest draws from their softmax (Gumbel 1954); the first of the
    order that may stand is so a draw among those that may.
    """
    warmth = float(sampling["temperature"])
    if warmth <= 0:
        return np.argsort(-logits, kind="stable")
    noise = np.random.default_rng([sampling["seed"], place]).gumbel(size=len(logits))
    scaled = logits / warmth
    if sampling["top_p"] < 1:
        order = np.argsort(-scaled, kind="stable")
        shares = np.exp(scaled[order] - scaled[order[0]])
        before = np.cumsum(shares / shares.sum()) - shares / shares.sum()
        scaled[order[before >= sampling["top_p"]]] = -np.inf
    return np.argsort(-(scaled + noise), kind="stable")


@contextmanager
def _seeded(seed: int) -> Iterator[None]:
    """torch's random numbers from this seed; as they were before, afterwards."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield
