"""Texts as vectors: what search by meaning compares."""

from __future__ import annotations

import logging
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from wordllama import WordLlamaInference

Vector: TypeAlias = NDArray[np.float32]


@cache
def _embedder() -> WordLlamaInference:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    import wordllama

    root.handlers[:] = handlers  # importing it sets up logging for the whole program, which is not its business
    root.setLevel(level)
    # The weights are inside the wheel; without this the loader would look for them on a hub.
    return wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)


@lru_cache(maxsize=65_536)
def embed(text: str) -> Vector:
    """The unit vector of a text, 256 numbers, by static word embeddings; zeros for a text without known words.

    Examples
    --------
    >>> close = embed("the parcel is late") @ embed("my package has not arrived")
    >>> far = embed("the parcel is late") @ embed("reset my password")
    >>> bool(close > far)
    True
    """
    readable = text.encode("utf-8", "replace").decode()  # an answer that was cut off may end in half a character
    vector = np.asarray(_embedder().embed(readable)[0], dtype=np.float32)
    norm = float(np.linalg.norm(vector))
    found = vector / norm if norm > 0 else np.zeros_like(vector)
    found.setflags(write=False)
    return found
