"""Fine-tuning as DSPy asks for it: a provider for `dspy.BootstrapFinetune`, on the embedded model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import dspy
from dspy.clients.provider import Provider, TrainingJob
from dspy.lm15 import Config, InvalidRequestError, Message, Request, Response

from toolkit.errors import SpecError, nearest
from toolkit.lm.finetuned import FineTuned, need
from toolkit.lm.training import Case, Trained
from toolkit.lm.tuned_engine import TunedEngine

_ROLES = ("system", "user", "assistant")


def tunable(
    base: str = "smollm2-135m", *, epochs: int = 4, rank: int = 16, rate: float = 1e-3, batch: int = 8, seed: int = 0
) -> dspy.LM:
    """A `dspy.LM` of untouched weights that can be fine-tuned: by `dspy.BootstrapFinetune`, or its own ``finetune``.

    What comes of that is another `dspy.LM`, under another name, on the same engine: it answers with the trained
    weights. Give programs ``dspy.ChatAdapter()`` for the training too (`dspy.BootstrapFinetune` knows no other layout).

    Parameters
    ----------
    base, epochs, rank, rate, batch, seed
        As of `toolkit.lm.finetuned.FineTuned`; DSPy's ``train_kwargs`` may name others for a single training.

    Raises
    ------
    MissingExtra
        If a package of the extra ``finetune`` is absent.
    SpecError, ValueError
        As of `FineTuned.check`.
    """
    need()
    settings = FineTuned(base, examples=0, epochs=epochs, rank=rank, rate=rate, batch=batch, seed=seed)
    settings.check()
    tuner = Tuner(settings)
    return dspy.LM(f"toolkit/{settings.label}", engine=tuner.engine, provider=tuner, cache=False, num_retries=0)


class Tuner(Provider):  # type: ignore[misc]  # DSPy is unknown to the checker
    """DSPy's provider contract: trains LoRA weights from DSPy's training data; see `tunable`.

    Parameters
    ----------
    settings
        The base and how it is trained.

    Attributes
    ----------
    engine
        What answers for the untouched model and for every one that was trained, by the name in a request.
    """

    def __init__(self, settings: FineTuned) -> None:
        super().__init__()
        self.finetunable = True
        self.settings, self.engine = settings, ByName(settings)

    def __deepcopy__(self, memo: object) -> Tuner:
        """Itself: DSPy copies a model to give it another name."""
        return self

    def finetune(
        self,
        job: TrainingJob,
        model: str,
        train_data: Sequence[Mapping[str, Any]],
        train_data_format: object,
        train_kwargs: Mapping[str, Any] | None = None,
    ) -> str:
        """The name under which a model answers that was trained on DSPy's data.

        Parameters
        ----------
        job, model
            DSPy's; trained is the base, whatever was trained before.
        train_data
            ``{"messages": [...]}`` each, of which the last is the assistant's; or ``{"prompt": ..., "completion":
            ...}``.
        train_data_format
            ``"chat"`` or ``"completion"``.
        train_kwargs
            Settings of this training: ``epochs``, ``rank``, ``rate``, ``batch``, ``seed``.

        Raises
        ------
        SpecError
            For other settings, another format, or data that are not of it.
        """
        settings = _with(self.settings, train_kwargs or {}, len(train_data))
        cases = cases_of(train_data, str(getattr(train_data_format, "value", train_data_format)))
        return f"toolkit/{self.engine.train(settings, cases)}"


class ByName:
    """DSPy's engine contract for a base and all that was trained of it: the request's model says who answers.

    Parameters
    ----------
    settings
        Of the untouched model.

    Attributes
    ----------
    records
        What each training came to, by name: examples, tokens, seconds, losses.
    """

    supports_response_schema = False
    supported_params = TunedEngine.supported_params

    def __init__(self, settings: FineTuned) -> None:
        self._engines = {settings.label: TunedEngine(settings)}
        self.records: dict[str, Trained] = {}

    def __deepcopy__(self, memo: object) -> ByName:
        """Itself: weights are shared."""
        return self

    def train(self, settings: FineTuned, cases: Sequence[Case]) -> str:
        """Train on cases, or take the weights that came of the same before; the name of the model."""
        made = TunedEngine(settings, cases)
        record, _ = made.trained()
        name = f"{settings.label}-{record.weights[:12]}"
        self._engines[name], self.records[name] = made, record
        return name

    def complete(self, request: Request) -> Response:
        """Answer one request.

        Raises
        ------
        dspy.lm15.InvalidRequestError
            If nobody of that name was trained in this process.
        """
        name = request.model.rpartition("/")[2]
        if name not in self._engines:
            told = "train it here first: what was trained before is taken from the cache"
            raise InvalidRequestError(f"no model is called {name!r}; {nearest(name, self._engines)}; {told}")
        return self._engines[name].complete(request)


def cases_of(data: Sequence[Mapping[str, Any]], form: str) -> list[Case]:
    """DSPy's training data as requests and their right answers.

    Raises
    ------
    SpecError
        For an unknown format, no data, or data that are not of it.

    Examples
    --------
    >>> [(request, answer)] = cases_of([{"prompt": "2 + 2 =", "completion": " 4"}], "completion")
    >>> request.messages[0].text, answer
    ('2 + 2 =', ' 4')
    """
    if form not in ("chat", "completion"):
        raise SpecError([f"training data must be 'chat' or 'completion' but are {form!r}; no other can be trained on"])
    if not data:
        raise SpecError(["training data must hold at least one example but are empty: did no trace pass the metric?"])
    return [(_chat if form == "chat" else _completion)(place, one) for place, one in enumerate(data)]


def _chat(place: int, one: Mapping[str, Any]) -> Case:
    said = one.get("messages")
    told = f"training data, example {place}"
    if not isinstance(said, list) or len(said) < 2 or said[-1].get("role") != "assistant":
        raise SpecError([f"{told}: 'messages' must be a list that ends with the assistant's, but is {said!r:.80}"])
    odd = [each for each in said if each.get("role") not in _ROLES or not isinstance(each.get("content"), str)]
    if odd:
        raise SpecError([f"{told}: each message must be text of {', '.join(_ROLES)}, but one is {odd[0]!r:.80}"])
    system = "\n".join(each["content"] for each in said if each["role"] == "system") or None
    turns = [each for each in said[:-1] if each["role"] != "system"]
    messages = [(Message.user if each["role"] == "user" else Message.assistant)(each["content"]) for each in turns]
    if not messages:
        raise SpecError([f"{told}: nothing is asked before the assistant's message"])
    return _case(system, messages, "turns", said[-1]["content"])


def _completion(place: int, one: Mapping[str, Any]) -> Case:
    prompt, completion = one.get("prompt"), one.get("completion")
    if not isinstance(prompt, str) or not isinstance(completion, str) or not completion:
        raise SpecError(
            [f"training data, example {place}: needs a 'prompt' and a 'completion', both text, but is {one!r:.80}"]
        )
    return _case(None, [Message.user(prompt)], "completion", completion)


def _case(system: str | None, messages: Sequence[Message], style: str, answer: str) -> Case:
    config = Config(extensions={"answer": "text", "style": style})
    return Request(model="tuner", system=system, messages=tuple(messages), config=config), answer


def _with(settings: FineTuned, given: Mapping[str, Any], examples: int) -> FineTuned:
    """The settings of one training."""
    known = ("epochs", "rank", "rate", "batch", "seed")
    if odd := [name for name in given if name not in known]:
        raise SpecError([f"train_kwargs has no {name!r}; {nearest(name, known)}" for name in odd])
    made = {**settings.config(), **given, "examples": examples}
    found = FineTuned.from_config(made, "train_kwargs")
    found.check()
    return found
