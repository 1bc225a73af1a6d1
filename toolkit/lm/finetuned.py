"""A model that is trained from labelled tasks before a run begins, and the same model untouched, served in one way."""

from __future__ import annotations

import math
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, ClassVar

from toolkit.component import digest
from toolkit.errors import MissingExtra
from toolkit.lm import weights
from toolkit.lm.model import Deciding, Model, Style

if TYPE_CHECKING:
    from toolkit.lm.tuned_engine import TunedEngine
    from toolkit.streams.stream import Stream

PACKAGES = ("torch", "transformers", "peft", "gguf")


class FineTuned(Model):
    """An embedded model whose weights are trained (LoRA) on labelled tasks of the stream's pool, once, beforehand.

    The static rival of a role, of memory and of learning that has to be beaten with the same labels: `FixedExamples`
    and `Compiled` see them in the prompt, this model has them in its weights. It is trained on the prompts that an arm
    without traits sends, laid out as it is asked later; the loss counts the answer and its end only. The labels are
    charged to every arm that uses it; the tokens that went through training, and the seconds, to adapting. With
    ``examples=0`` it is the untouched model, served in the same way: the two differ by their weights alone.

    Needs the extra ``finetune``. What was trained is kept in the cache folder: another run, another process, takes it
    from there and is charged what it once took. A finished study is replayed without any of this.

    Parameters
    ----------
    base
        One of `toolkit.lm.weights.known`: the same bytes that `toolkit.lm.embedded.Embedded` serves, here in float32.
    examples
        Labelled tasks, the first of the stream's pool; 0 = the weights stay as they are.
    epochs
        Times that each example is gone through, at least 1.
    rank
        Of the matrices that are trained, one pair for every linear layer but the last; at least 1. Their sum is scaled
        by 2.
    rate
        Learning rate at the beginning, above 0; it falls linearly to 0 (AdamW without weight decay).
    batch
        Examples in one step, at least 1.
    seed
        What the first values of the matrices and the order of the examples are drawn from, at least 0.
    adapter
        How prompts are laid out, ``"turns"`` or ``"completion"``; left out, as suits the weights.
    temperature
        0 = always the likeliest; a request may say otherwise.
    threads
        Cores that one decision and the training use, at least 1. Sums in float32 may depend on it in their last bits:
        it is part of what identifies the model.
    context
        Tokens that a prompt and its answer may have together.

    References
    ----------
    Hu et al. (2022), LoRA: Low-rank adaptation of large language models, ICLR.

    Examples
    --------
    >>> FineTuned(examples=16).label, FineTuned(examples=0).label
    ('smollm2-135m-tuned-16', 'smollm2-135m-untouched')
    """

    deterministic: ClassVar[bool] = True  # within one process: nothing is known of another machine's last bits
    ways: ClassVar[tuple[Deciding, ...]] = ("likelihood", "grammar", "generation")

    def __init__(
        self,
        base: str = "smollm2-135m",
        examples: int = 64,
        epochs: int = 4,
        rank: int = 16,
        rate: float = 1e-3,
        batch: int = 8,
        seed: int = 0,
        adapter: Style | None = None,
        temperature: float = 0.0,
        threads: int = 2,
        context: int = 2048,
    ) -> None:
        known = weights.known.get(base)  # an unknown name is refused by `check`, which can say more
        self.adapter = adapter or (known.adapter if known else "turns")
        self.base, self.examples, self.epochs = base, examples, epochs
        self.rank, self.rate, self.batch, self.seed = rank, rate, batch, seed
        self.temperature, self.threads, self.context = temperature, threads, context

    def check(self) -> None:
        """A known base, a layout that examples can be trained in, numbers in their ranges.

        Raises
        ------
        SpecError
            For an unknown base, with the nearest known names.
        ValueError
            For what is out of range.
        """
        weights.lookup(self.base)
        if self.adapter not in ("turns", "completion"):
            raise ValueError(f"FineTuned.adapter must be 'turns' or 'completion' but is {self.adapter!r}")
        least = {"examples": 0, "epochs": 1, "rank": 1, "batch": 1, "seed": 0, "threads": 1, "context": 1}
        for name, low in least.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < low:
                raise ValueError(f"FineTuned.{name} must be an integer of at least {low} but is {value!r}")
        if not (math.isfinite(self.rate) and self.rate > 0):
            raise ValueError(f"FineTuned.rate must be a number above 0 but is {self.rate!r}")
        if not (math.isfinite(self.temperature) and self.temperature >= 0):
            raise ValueError(f"FineTuned.temperature must be at least 0 but is {self.temperature!r}")

    @property
    def label(self) -> str:
        """The name of the weights, and what was done to them."""
        return f"{self.base}-{f'tuned-{self.examples}' if self.examples else 'untouched'}"

    @property
    def labels(self) -> int:  # type: ignore[override]
        """One label for each example."""
        return self.examples

    def fingerprint(self) -> str:
        """The base's bytes, all settings (but those of a training that there is none of), versions of what computes."""
        trained = [self.examples, self.epochs, self.rank, float(self.rate), self.batch, self.seed]
        served = [self.adapter, float(self.temperature), self.threads, self.context]
        made = [type(self).__name__, type(self).version, weights.lookup(self.base).sha256, _versions()]
        return digest([self.kind, *made, trained if self.examples else [], served])

    def recipe(self, cases: Sequence[object]) -> str:
        """What identifies the weights that come of a training on ``cases``: a sha256, hex."""
        made = [weights.lookup(self.base).sha256, _versions(), type(self).version, self.threads]
        return digest([*made, self.epochs, self.rank, float(self.rate), self.batch, self.seed, list(cases)])

    def engine(self, stream: Stream) -> TunedEngine:
        """An engine of the untouched weights, until it is taught; all of one base share what is heavy.

        Raises
        ------
        MissingExtra
            If a package of the extra ``finetune`` is absent.
        """
        need()
        from toolkit.lm.tuned_engine import TunedEngine  # with llama.cpp

        return TunedEngine(self)


def need() -> None:
    """Refuse what cannot be trained or served here, before anything is spent.

    Raises
    ------
    MissingExtra
        Naming the first package of the extra ``finetune`` that is absent.
    """
    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtra(package, "finetune", "a fine-tuned model")


def _versions() -> list[str]:
    """Of what the arithmetic is done by, without its build for one machine or another."""
    return [_version(package) for package in ("torch", "transformers", "peft")]


def _version(package: str) -> str:
    try:
        return version(package).partition("+")[0]
    except PackageNotFoundError:
        return "absent"
