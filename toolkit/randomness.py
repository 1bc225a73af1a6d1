"""One rule for every random number: it derives from named numbers, never from spawn order or a name someone typed."""

from __future__ import annotations

import hashlib
from functools import lru_cache

import numpy as np


def seed_sequence(*path: int | str) -> np.random.SeedSequence:
    """The seed that belongs to a path such as ``(study seed, run seed, "memory")``.

    Integers enter as they are, texts by their sha256, so equal paths give equal seeds on every machine.

    Raises
    ------
    ValueError
        If an integer is negative.
    """
    entropy: list[int] = []
    for part in path:
        if isinstance(part, str):
            entropy += _words(part)
        elif part < 0:
            raise ValueError(f"a seed must be at least 0 but is {part}: use a non-negative integer")
        else:
            entropy.append(int(part))
    if max(entropy, default=0) < 2**32:  # each is one word of the pool: given as such, numpy need not take it apart
        return np.random.SeedSequence(np.array(entropy, dtype=np.uint32))  # type: ignore[arg-type]
    return np.random.SeedSequence(entropy)


@lru_cache(maxsize=1024)
def _words(text: str) -> tuple[int, ...]:
    return tuple(np.frombuffer(hashlib.sha256(text.encode()).digest()[:16], dtype=np.uint32).tolist())


def generator(*path: int | str) -> np.random.Generator:
    """A fresh generator for a path.

    Examples
    --------
    >>> int(generator(0, 1, "memory").integers(100)) == int(generator(0, 1, "memory").integers(100))
    True
    """
    return np.random.default_rng(seed_sequence(*path))


def call_seed(*path: int | str) -> int:
    """A seed for one model call, in [1, 2**31).

    Zero is left out, since some servers read it as "choose one yourself".

    Examples
    --------
    >>> 1 <= call_seed(0, 1, "decide", 7, 0) < 2**31
    True
    """
    return int(seed_sequence(*path).generate_state(1)[0] % (2**31 - 1)) + 1
