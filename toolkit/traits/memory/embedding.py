"""Texts as vectors: what search by meaning compares."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias

import numpy as np
from numpy.typing import NDArray

from toolkit.component import Component
from toolkit.records import Usage
from toolkit.traits.trait import Think

if TYPE_CHECKING:
    from wordllama import WordLlamaInference

Vector: TypeAlias = NDArray[np.float32]

LONGEST = 32_768
"""Characters of a text that `WordLlama` reads: what it is about is told by then, and a million would take seconds."""

_OFF_UNIT = 1e-3  # what rounding to half precision, as some servers do, may leave of a length of 1


class Embedder(Component, kind="embedder"):
    """Turns texts into unit vectors: what search by meaning compares.

    Attributes
    ----------
    outside
        True if its answers come from outside the run (a service, a program of the user's own): they are then on the
        run's tape, and charged.
    batch
        The most texts that it takes in one request.

    Examples
    --------
    An embedder of one's own is this much:

    >>> class Lengths(Embedder):
    ...     def embed(self, texts):
    ...         angles = np.array([len(text) % 7 for text in texts])
    ...         return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    >>> unit(Lengths(), ["", "a parcel"]).shape
    (2, 2)
    """

    outside: ClassVar[bool] = False
    batch: int = 256

    def embed(self, texts: Sequence[str]) -> Vector:
        """One row for each text: of length 1, or all zeros where it knows nothing of a text."""
        raise NotImplementedError(f"{type(self).__name__} does not say what a text's vector is: define embed()")

    def measured(self, texts: Sequence[str]) -> tuple[Vector, Usage]:
        """The rows of one request, and what it cost; `outside` ones say more than that it was one call."""
        return self.embed(texts), Usage(calls=1)

    def bound(self, think: Think | None) -> Callable[[Sequence[str]], Vector]:
        """How a store asks it: one from outside by the run's tape (``think.embed``), where there is a run."""
        if not self.outside:
            return self.embed
        taped = getattr(think, "embed", None)
        return self._asked if taped is None else lambda texts: taped(self, texts)

    def _asked(self, texts: Sequence[str]) -> Vector:
        parts = [self.embed(texts[start : start + self.batch]) for start in range(0, len(texts), self.batch)]
        return np.concatenate([unit_rows(part, type(self).__name__) for part in parts])


def unit(embedder: Embedder, texts: Sequence[str]) -> Vector:
    """What an embedder gives for some texts, checked.

    Raises
    ------
    ValueError
        If it is not one finite row of length 1 (or 0) for each.
    """
    return unit_rows(embedder.embed(texts), type(embedder).__name__, len(texts))


def unit_rows(found: object, name: str, count: int | None = None) -> Vector:
    """Rows as float32, if they are what an embedder must give.

    Raises
    ------
    ValueError
        Says what they are instead.
    """
    rows = np.asarray(found, dtype=np.float32)
    if rows.ndim != 2 or (count is not None and len(rows) != count):
        wanted = "each text" if count is None else f"each of {count} texts"
        raise ValueError(f"{name} must give one vector for {wanted} but gave an array of shape {rows.shape}")
    if len(rows) == 1 and abs(rows[0].dot(rows[0]) - 1) < 2 * _OFF_UNIT:
        return rows  # the usual case, quickly
    lengths = np.einsum("ij,ij->i", rows, rows)
    wrong = np.flatnonzero(~((np.abs(lengths - 1) < 2 * _OFF_UNIT) | (lengths == 0)))
    if len(wrong):
        length = float(np.sqrt(lengths[wrong[0]]))
        told = f"{name} must give vectors of length 1, or of zeros only, but vector {wrong[0]} has length {length:.4g}"
        raise ValueError(f"{told}; divide each by its own, and look for numbers that are not finite")
    return rows


class WordLlama(Embedder):
    """Static word embeddings, averaged: 256 numbers in a fraction of a millisecond, equal in every process.

    It reads the first `LONGEST` characters of a text; a text without known words has no direction (zeros).

    References
    ----------
    Miller 2024, WordLlama, https://github.com/dleemiller/WordLlama.
    """

    def embed(self, texts: Sequence[str]) -> Vector:
        """One row for each text."""
        return embed(texts[0])[None] if len(texts) == 1 else np.stack([embed(text) for text in texts])


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
    if len(text) > LONGEST:
        return embed(text[:LONGEST])
    known = text.encode("utf-8", "replace").decode("utf-8")  # half a character is none: "?" stands for it
    vector = np.asarray(_embedder().embed(known)[0], dtype=np.float32)
    norm = float(np.linalg.norm(vector))
    found = vector / norm if norm > 0 else np.zeros_like(vector)
    found.setflags(write=False)
    return found
