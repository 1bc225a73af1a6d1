"""What a stream's whole numbers may be."""

from __future__ import annotations

from collections.abc import Mapping

from toolkit.streams.stream import Stream


def outside(stream: Stream, bounds: Mapping[str, tuple[int, int]]) -> list[str]:
    """What is wrong with a stream's whole numbers, each from the least to the most that it may be; a sentence each."""
    found = []
    for name, (least, most) in bounds.items():
        value = getattr(stream, name)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            rule = f"{name} must be a whole number from {least} to {most} but is {value!r}"
            found.append(f"{type(stream).__name__}: {rule}; leave it out for the default")
    return found
