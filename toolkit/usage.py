"""What calls of a model cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls cost.

    Parameters
    ----------
    calls
        Requests to a model.
    input_tokens, output_tokens
        Tokens of the prompts and of the answers.
    reused_tokens
        The part of ``input_tokens`` that a provider billed as read from its prompt cache.
    reasoning_tokens
        The part of ``output_tokens`` that went into thinking before the answer.
    seconds
        The model's latencies, summed.
    dollars
        0 where the model runs locally; NaN where the price is not known: never 0.

    Examples
    --------
    >>> Usage(calls=1, input_tokens=10) + Usage(calls=1, output_tokens=2)
    Usage(calls=2, input_tokens=10, output_tokens=2, reused_tokens=0, reasoning_tokens=0, seconds=0.0, dollars=0.0)
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    reused_tokens: int = 0
    reasoning_tokens: int = 0
    seconds: float = 0.0
    dollars: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.reused_tokens + other.reused_tokens,
            self.reasoning_tokens + other.reasoning_tokens,
            self.seconds + other.seconds,
            self.dollars + other.dollars,
        )

    @property
    def tokens(self) -> int:
        """Tokens in and out."""
        return self.input_tokens + self.output_tokens
