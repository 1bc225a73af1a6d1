"""An embedder's answers as they stand on the tape."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

import numpy as np

from toolkit.component import canonical, digest
from toolkit.records import Usage
from toolkit.traits.memory.embedding import Embedder, Vector, unit_rows


def request_hash(embedder: Embedder, texts: Sequence[str]) -> str:
    """sha256 of who is asked for the vectors of which texts."""
    return digest(["embed", embedder.fingerprint(), list(texts)])


def prompt(embedder: Embedder, texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """The texts, each under who embeds it."""
    return tuple((type(embedder).__name__, text) for text in texts)


def asked(embedder: Embedder, texts: Sequence[str]) -> tuple[Vector, Usage]:
    """What an embedder gives, checked, and what it cost."""
    rows, usage = embedder.measured(texts)
    return unit_rows(rows, type(embedder).__name__, len(texts)), usage


def packed(rows: Vector) -> str:
    """Rows as JSON text, to the bit.

    Examples
    --------
    >>> bool((unpacked(packed(np.eye(3, dtype=np.float32))) == np.eye(3)).all())
    True
    """
    numbers = base64.b64encode(np.ascontiguousarray(rows, dtype="<f4").tobytes()).decode()
    return canonical({"width": rows.shape[1], "float32": numbers})


def unpacked(response: str) -> Vector:
    """Rows as they were."""
    held = json.loads(response)
    return np.frombuffer(base64.b64decode(held["float32"]), dtype="<f4").reshape(-1, held["width"]).astype(np.float32)
