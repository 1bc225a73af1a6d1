"""What calls of a model cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Usage:
    """What calls cost. ``seconds`` are the model's latencies, summed; ``dollars`` 0 where the model runs locally.

    ``reused_tokens`` is the part of ``input_tokens`` that a provider billed as read from its prompt cache;
    ``reasoning_tokens`` the part of ``output_tokens`` that went into thinking before the answer. Dollars are NaN where
    the price is not known: never 0.

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
