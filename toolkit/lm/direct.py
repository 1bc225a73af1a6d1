"""DSPy's language model without the copies it makes of a request that this toolkit has just built."""

from __future__ import annotations

from typing import Any

import dspy

from toolkit.lm.tape import Recorder


class DirectLM(dspy.LM):
    """A `dspy.LM` over a `Recorder`. A typed request goes straight to it; all else goes DSPy's way.

    DSPy would serialise the request to look for what cannot be sent, and copy it for its history: a third of what a
    call of a fast model costs. Whatever DSPy has to see to (callbacks, usage trackers, streams, histories, text that is
    no Unicode, errors and their repetition) still goes through DSPy: an error that was met here is met again there.

    Parameters
    ----------
    name
        As DSPy shows it.
    recorder
        The engine.
    retries
        Attempts after the first.
    """

    def __init__(self, name: str, recorder: Recorder, retries: int) -> None:
        super().__init__(name, engine=recorder, cache=False, num_retries=retries)

    def __call__(self, prompt: Any = None, *, messages: Any = None, **kwargs: Any) -> Any:
        """As `dspy.LM`."""
        request = kwargs.get("request")
        if prompt is None and messages is None and len(kwargs) == 1 and _plain(request) and not self._attended():
            try:
                return self.engine.complete(request)
            except Exception as error:  # noqa: BLE001  (it is raised again, by DSPy)
                self.engine.again(error)
        return super().__call__(prompt, messages=messages, **kwargs)

    @property
    def drawn(self) -> tuple[int, float]:
        """Seed and temperature of the next call."""
        drawn: tuple[int, float] = self.engine.drawn
        own = self.kwargs.get("temperature")
        return (drawn[0], own) if own else drawn

    def _attended(self) -> bool:
        """Whether someone wants to be told of calls."""
        now = dspy.settings
        told = now.callbacks or self.callbacks or now.usage_tracker or now.send_stream
        return bool(told) or not now.disable_history


def _plain(request: object) -> bool:
    """Whether a request holds nothing but text that can be sent."""
    if not isinstance(request, dspy.lm15.Request) or request.tools or isinstance(request.system, tuple):
        return False
    options = (request.config.extensions or {}).get("options", ())
    try:
        texts = [part.text for message in request.messages for part in message.parts]
        "".join([request.system or "", *options, *texts]).encode()
    except (UnicodeEncodeError, AttributeError, TypeError):  # half a character; a part that is no text
        return False
    return True
