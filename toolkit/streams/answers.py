"""Scorers of answers in free text: how many words they share with a right one, whether they hold it; and of none."""

from __future__ import annotations

import math
from collections import Counter

from toolkit.records import ABSTAINED, Key, Task
from toolkit.streams.scoring import Exact, Scorer, normal


class TokenF1(Scorer):
    """The harmonic mean of precision and recall over the words of the answer and of a right one, the best of several.

    Words are those of `toolkit.streams.scoring.normal`, counted as often as they occur.

    References
    ----------
    Rajpurkar et al. 2016, SQuAD: 100,000+ questions for machine comprehension of text, EMNLP.

    Examples
    --------
    >>> TokenF1()(Task("1", {}), "on the 7th of May", Key(("7th May 2023", "spring")))
    0.5714285714285714
    """

    def score(self, task: Task, answer: str, key: Key) -> float:
        """In [0, 1]."""
        return max(_shared(normal(answer).split(), normal(right).split()) for right in key.answers)


def _shared(given: list[str], right: list[str]) -> float:
    common = sum((Counter(given) & Counter(right)).values())
    return 2 * common / (len(given) + len(right)) if common else float(given == right)


class Contains(Scorer):
    """1 if a right answer stands in the answer as whole words, else 0: for answers in whole sentences.

    It favours long answers, which hold more; read it beside `TokenF1`.

    Examples
    --------
    >>> contains, task, key = Contains(), Task("1", {}), Key(("May",))
    >>> contains(task, "It was in May, I think.", key), contains(task, "Maybe.", key)
    (1.0, 0.0)
    """

    def score(self, task: Task, answer: str, key: Key) -> float:
        """1 or 0."""
        given = f" {normal(answer)} "
        return float(any(f" {normal(right)} " in given for right in key.answers))


class Selective(Scorer):
    """What another scorer gives for an answer that was given; of one that was kept (``"(abstained)"``), a fixed worth.

    Where the other scorer cannot score the task whatever is answered (NaN), neither is an abstention scored.

    Parameters
    ----------
    of
        Scores what was answered; it must not ask a model. None = `Exact`.
    abstained
        What an abstention is worth, at least 0 and below 1: answering pays for who is right more often than that.

    References
    ----------
    Chow (1970), On optimum recognition error and reject tradeoff, IEEE Trans. Information Theory 16(1).

    Examples
    --------
    >>> selective, task, key = Selective(abstained=0.4), Task("1", {}), Key(("Lima",))
    >>> selective(task, "Lima", key), selective(task, "Oslo", key), selective(task, ABSTAINED, key)
    (1.0, 0.0, 0.4)
    """

    def __init__(self, of: Scorer | None = None, abstained: float = 0.4) -> None:
        self.of = of
        self.abstained = abstained

    def check(self) -> None:
        """A worth below that of a right answer; a scorer that needs nobody."""
        if isinstance(self.abstained, bool) or not 0 <= self.abstained < 1:
            raise ValueError(f"Selective.abstained must be at least 0 and below 1 but is {self.abstained!r}")
        if self.of is not None:
            if self.of.asks or isinstance(self.of, Selective):
                raise ValueError(
                    f"Selective.of must be a scorer that asks no model, not Selective, and not {self.of!r}"
                )
            self.of.check()

    def score(self, task: Task, answer: str, key: Key) -> float:
        """In [0, 1], or NaN."""
        self.check()
        found = (self.of or Exact())(task, answer, key)
        return self.abstained if answer == ABSTAINED and not math.isnan(found) else found
