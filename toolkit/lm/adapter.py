"""How a decision step is laid out for a small model: examples as turns or as running text, one field an answer."""

from __future__ import annotations

import re
import typing
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import dspy
from dspy.lm15 import Config, Message, Request

from toolkit.lm.model import Deciding, Model, Style, confidence_of
from toolkit.traits.wording import SAID_OF, within

SAID = "(said)"
"""Under what name it rides in a demonstration what was said of its answer: that of no field."""


class PlainAdapter(dspy.Adapter):
    """A DSPy adapter without markers or JSON: ``Field: value`` lines in, the bare answer out.

    Each output field is asked for in a request of its own, so that closed options can be chosen by likelihood. What
    constrains the answer rides in the request's extensions (see `toolkit.lm.model.Engine`). What was said of an
    example's answer (`SAID`) stands below it, in turns at the beginning of what is said next.

    Parameters
    ----------
    style
        ``"turns"``: examples are user and assistant messages; ``"completion"``: one running text.
    deciding
        How closed options are chosen. By ``"generation"``, and only then, the prompt lists them, and the answer may
        differ from an option in case and punctuation (see `parse`).
    limit
        Tokens of an answer.

    Attributes
    ----------
    weighing
        Whether a choice by likelihood is to tell how sure the model is of it; no other prompt or request changes.
    sure
        How sure it was of the latest answer, in [0, 1]; None = it did not say.
    """

    def __init__(self, style: Style, deciding: Deciding, limit: int = 256) -> None:
        super().__init__()
        self.style, self.deciding, self.limit = style, deciding, limit
        self.weighing = False
        self.sure: float | None = None

    def __call__(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Ask for every output field in turn."""
        limit = lm_kwargs.get("max_tokens") or lm.kwargs.get("max_tokens") or self.limit
        found: dict[str, Any] = {}
        for name, field in signature.output_fields.items():
            options = choices(field.annotation)
            system, messages = self._layout(signature, demos, inputs, found, name, options)
            constraint = self._constraint(field.annotation, options)
            seed, temperature = getattr(lm, "drawn", (None, 0.0))
            asked = 0 if self.weighing and options and self.deciding == "likelihood" else None
            config = Config(max_tokens=limit, temperature=temperature, seed=seed, logprobs=asked, extensions=constraint)
            response = lm(request=Request(model=lm.model, system=system, messages=tuple(messages), config=config))
            self.sure = confidence_of(response)
            found[name] = parse(response.text or "", field.annotation, signature, self.deciding)
        return [found]

    def _constraint(self, annotation: object, options: tuple[str, ...]) -> dict[str, Any]:
        if options:
            return {"answer": "choice", "options": list(options), "deciding": self.deciding, "style": self.style}
        kind = "number" if annotation in (int, float) else "line"
        return {"answer": kind, "style": self.style}

    def _layout(
        self,
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
        found: dict[str, Any],
        asked: str,
        options: tuple[str, ...],
    ) -> tuple[str | None, list[Message]]:
        listed = self._listed(options)
        system = signature.instructions.strip()
        names = tuple(signature.input_fields)
        cases = [(_lines(names, demo), within(demo[asked]), _said(demo)) for demo in demos if asked in demo]
        question = "\n".join([_lines(names, inputs), *(f"{title(n)}: {within(v)}" for n, v in found.items())])
        if self.style == "completion":
            worked = ("\n".join([case, f"{title(asked)}: {answer}", *said]) for case, answer, said in cases)
            return None, [Message.user("\n\n".join([f"{system}{listed}", *worked, f"{question}\n{title(asked)}:"]))]
        messages, before = [], list[str]()
        for case, answer, said in cases:
            messages += [_message("user", "\n".join([*before, case])), _message("assistant", str(answer))]
            before = said
        messages.append(Message.user("\n".join([*before, question])))
        return f"{system} Answer with the {title(asked).lower()} only.{listed}", messages

    def _listed(self, options: tuple[str, ...]) -> str:
        """The options, for a model that nothing else holds to them."""
        return f" One of: {', '.join(options)}." if options and self.deciding == "generation" else ""


def adapter(model: Model, deciding: Deciding) -> dspy.Adapter:
    """The adapter that a model's description names."""
    if model.adapter == "chat":
        return dspy.ChatAdapter(use_json_adapter_fallback=False)
    return PlainAdapter(model.adapter, deciding, model.max_tokens or 256)


class Either(dspy.Adapter):
    """For programs that are not ours: the model's own layout where every output is a text, else DSPy's chat layout.

    Parameters
    ----------
    own
        The model's.
    """

    def __init__(self, own: dspy.Adapter) -> None:
        super().__init__()
        self._own, self._chat = own, dspy.ChatAdapter(use_json_adapter_fallback=False)

    def __call__(
        self,
        lm: dspy.LM,
        lm_kwargs: dict[str, Any],
        signature: type[dspy.Signature],
        demos: list[dict[str, Any]],
        inputs: dict[str, Any],
    ) -> list[dict[str, Any]]:
        """Ask in the one layout or the other."""
        texts = all(field.annotation is str for field in signature.output_fields.values())
        found: list[dict[str, Any]] = (self._own if texts else self._chat)(lm, lm_kwargs, signature, demos, inputs)
        return found


@lru_cache(maxsize=4096)
def _message(role: Literal["user", "assistant"], text: str) -> Message:
    """One message of an example; the same examples stand in many prompts, and a message is checked when it is made."""
    return Message.user(text) if role == "user" else Message.assistant(text)


@lru_cache(maxsize=1024)
def title(name: str) -> str:
    """A field's name as it stands in a prompt.

    Examples
    --------
    >>> title("user_question")
    'User question'
    """
    return name.replace("_", " ").strip().capitalize()


def choices(annotation: object) -> tuple[str, ...]:
    """The closed options of a type; empty if it is open."""
    if typing.get_origin(annotation) is typing.Literal:
        return tuple(str(value) for value in typing.get_args(annotation))
    return ("True", "False") if annotation is bool else ()


def parse(text: str, annotation: object, signature: type[dspy.Signature], deciding: Deciding = "likelihood") -> Any:
    """The value that an answer stands for.

    A choice must be an option to the letter. Where it was made by ``"generation"``, the answer's first line may also
    be the only option that has the same letters and digits, whatever their case and what stands between them.

    Raises
    ------
    AdapterParseError
        DSPy's own, if it stands for none.
    """
    answer = text.strip()
    if typing.get_origin(annotation) is typing.Literal and answer in typing.get_args(annotation):
        return answer
    from dspy.adapters.utils import parse_value
    from dspy.utils.exceptions import AdapterParseError

    try:
        if typing.get_origin(annotation) is typing.Literal:
            options = typing.get_args(annotation)
            meant = matched(answer, choices(annotation)) if deciding == "generation" else answer
            return next(value for value in options if str(value) == meant)
        return parse_value(answer, annotation)
    except (ValueError, StopIteration) as error:
        raise AdapterParseError(adapter_name="PlainAdapter", signature=signature, lm_response=text) from error


def matched(answer: str, options: Sequence[str]) -> str:
    """The option that a freely written answer means: equal to it, or alone in having its letters and digits.

    Returns
    -------
    str
        The option; the answer itself where it means none, or more than one.

    Examples
    --------
    >>> matched("**Card lost.**\\nBecause ...", ["card lost", "card arrival"])
    'card lost'
    >>> matched("the card", ["card lost", "card arrival"])
    'the card'
    """
    if answer in options:
        return answer
    said = _bare(answer.strip().partition("\n")[0])
    close = [option for option in options if _bare(option) == said]
    return close[0] if len(close) == 1 and said else answer


def _bare(text: str) -> str:
    """Letters and digits only, case folded, with single spaces between words."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def _said(demo: dict[str, Any]) -> list[str]:
    """The line that says what was said of an example's answer, if anything was."""
    return [f"{SAID_OF}{within(demo[SAID])}"] if SAID in demo else []


def _lines(names: Sequence[str], values: dict[str, Any]) -> str:
    """The fields that there are: a worked example has no notes, which belong to the question."""
    return "\n".join(f"{title(name)}: {within(values[name])}" for name in names if name in values)
