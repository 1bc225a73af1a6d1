"""Scorers of answers in free text: how many words they share with a right one, and whether they hold it."""

from __future__ import annotations

from collections import Counter

from toolkit.records import Key, Task
from toolkit.streams.scoring import Scorer, normal


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
