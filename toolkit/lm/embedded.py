"""Models that run inside the toolkit's own process by llama.cpp: a small one that is always there, or any GGUF file.

The same request gets the same answer, bit for bit, whatever was asked before, in whatever order options are listed,
with any number of threads, in any process of one machine. (Other processors may round otherwise.)
"""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from toolkit.component import digest
from toolkit.lm import weights
from toolkit.lm.llama import LlamaEngine
from toolkit.lm.llama_server import check_file
from toolkit.lm.model import Deciding, Model, Style

__all__ = ["Embedded", "Gguf", "LlamaEngine"]


class _Llama(Model, abstract=True):
    """What the embedded model and any other GGUF file share."""

    deterministic: ClassVar[bool] = True
    ways: ClassVar[tuple[Deciding, ...]] = ("likelihood", "grammar", "generation")
    adapter: Style
    temperature: float
    threads: int
    context: int
    reuse: int | None

    def check(self) -> None:
        """A size of pieces that llama.cpp can read, if there is one.

        Raises
        ------
        ValueError
            If ``reuse`` is out of range.
        """
        given = self.reuse
        if given is not None and (isinstance(given, bool) or not isinstance(given, int) or not 16 <= given <= 512):
            raise ValueError(
                f"{type(self).__name__}.reuse must be an integer from 16 to 512, or None, but is {given!r}"
            )

    def file(self) -> Path:
        """Where the weights are; fetched first if need be."""
        raise NotImplementedError

    def sha256(self) -> str:
        """Of the weights."""
        raise NotImplementedError

    def open(self) -> LlamaEngine:
        """A new engine: loads the weights, well under a second for the embedded model."""
        return LlamaEngine(self.file(), self.context, self.threads, self.temperature, self.reuse)

    def fingerprint(self) -> str:
        """Weights, layout, temperature, context, reuse, version of llama.cpp; not where the file is, nor threads."""
        made = [type(self).__name__, type(self).version, self.sha256(), _engine_version()]
        pieces = [] if self.reuse is None else [self.reuse]
        return digest([self.kind, *made, self.adapter, float(self.temperature), self.context, *pieces])


class Embedded(_Llama):
    """A model whose weights the toolkit fetches by itself; needs no service and no account.

    Parameters
    ----------
    name
        One of `toolkit.lm.weights.known`: ``"smollm2-135m"``, ``"qwen2.5-coder-0.5b"`` or ``"qwen2.5-coder-1.5b"``.
    adapter
        How prompts are laid out; left out, as suits the weights. Running text (``"completion"``) is what the smallest
        model follows best: without examples it finds 40 % of 20 banking intents by likelihood, against 15 % when it is
        asked in chat turns (60 questions). The larger ones are asked in ``"turns"``.
    temperature
        0 = always the likeliest; a request may say otherwise.
    threads
        0 = the cores this process may use, at most 4. Changes the speed only, never an answer.
    context
        Tokens that a prompt and its answer may have together.
    reuse
        Read prompts in pieces of so many tokens, 16 to 512, and do not read those again with which the prompt before
        began: a role, a handbook, the turns so far. 64 suits most. An answer depends as little on what was asked
        before as without; but pieces are rounded otherwise than a whole, so this is part of what identifies the model.
        None = every prompt is read from its beginning.
    """

    def __init__(
        self,
        name: str = "smollm2-135m",
        adapter: Style | None = None,
        temperature: float = 0.0,
        threads: int = 0,
        context: int = 4096,
        reuse: int | None = None,
    ) -> None:
        known = weights.known.get(name)  # an unknown name is refused by `check`, which can say more
        self.adapter = adapter or (known.adapter if known else "turns")
        self.name, self.temperature = name, temperature
        self.threads, self.context, self.reuse = threads, context, reuse

    def check(self) -> None:
        """Refuse an unknown name, and pieces of no possible size, before anything is spent.

        Raises
        ------
        SpecError
            With the nearest known names.
        ValueError
            If ``reuse`` is out of range.
        """
        weights.lookup(self.name)
        super().check()

    @property
    def label(self) -> str:
        """The name of the weights."""
        return self.name

    def file(self) -> Path:
        """The cached weights, fetched from their source if they are not there: `toolkit.lm.weights.fetch`."""
        return weights.fetch(self.name)

    def sha256(self) -> str:
        """From the table: a fingerprint needs no download."""
        return weights.lookup(self.name).sha256


class Gguf(_Llama):
    """Any model that llama.cpp can load from a file.

    Parameters
    ----------
    path
        The ``.gguf`` file; ``~`` is understood.
    adapter, temperature, threads, context, reuse
        As of `Embedded`.
    """

    def __init__(
        self,
        path: str,
        adapter: Style = "turns",
        temperature: float = 0.0,
        threads: int = 0,
        context: int = 4096,
        reuse: int | None = None,
    ) -> None:
        self.path, self.adapter, self.temperature = path, adapter, temperature
        self.threads, self.context, self.reuse = threads, context, reuse

    @property
    def label(self) -> str:
        """The file's name without its ending."""
        return Path(self.path).stem

    def file(self) -> Path:
        """The file itself.

        Raises
        ------
        SpecError
            If it is not there or no GGUF file.
        """
        found = Path(self.path).expanduser()
        check_file(found)
        return found

    def sha256(self) -> str:
        """Of the file; hashed once and remembered while its size and modification time stay."""
        return weights.sha256(self.file())


def _engine_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("xllamacpp")
    except PackageNotFoundError:
        return "absent"
