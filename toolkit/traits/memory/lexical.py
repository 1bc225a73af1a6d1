"""Search by words: Okapi BM25, kept up to date with every memory that comes, changes or goes."""

from __future__ import annotations

import math
import re
from array import array
from bisect import bisect_left
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from toolkit.traits.memory.dense import Places

K1, B = 1.2, 0.75
"""How fast repeated words stop counting, and how far a long text is made up for; the customary values."""

_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """A text's words: runs of letters, digits and underscores, case folded; neither stems nor stop words.

    Examples
    --------
    >>> words("Serial A-17, RE-issued!")
    ['serial', 'a', '17', 're', 'issued']
    """
    return _WORD.findall(text.casefold())


class Lexical:
    """An inverted index of a store's texts, by place: exact after every change, without being built anew.

    The score of a text with words :math:`w` for a query :math:`q`, each word as often as it stands there, is

    .. math::
        \\sum_{t \\in q} \\ln\\left(1 + \\frac{N - n_t + 1/2}{n_t + 1/2}\\right)
        \\frac{f_t (k_1 + 1)}{f_t + k_1 (1 - b + b\\,\\ell / \\bar\\ell)}

    with :math:`N` texts of mean length :math:`\\bar\\ell`, of which :math:`n_t` have the word, all counted *among the
    texts that are searched*: what others have stored does not change a confined search. The 1 inside the logarithm
    keeps a word that most texts have from counting against them (Lucene's form).

    Texts are taken apart when they are first searched: a store that is never searched by words pays nothing.

    References
    ----------
    Robertson and Zaragoza 2009, The Probabilistic Relevance Framework: BM25 and Beyond, Foundations and Trends in
    Information Retrieval 3(4), equation 3.15. Kamphuis et al. 2020, Which BM25 do you mean?, ECIR.
    """

    def __init__(self) -> None:
        self._places: dict[str, array[int]] = {}
        self._times: dict[str, array[int]] = {}
        self._lengths = array("q")
        self._total = 0
        self._waiting: dict[int, str] = {}

    def put(self, place: int, text: str) -> None:
        """Take note of the text at a place."""
        self._waiting[place] = text

    def drop(self, place: int, text: str) -> None:
        """Take out the text at a place."""
        if place in self._waiting:
            del self._waiting[place]
            return
        found = words(text)
        self._total -= len(found)
        self._lengths[place] = 0
        for word in dict.fromkeys(found):
            places, times = self._places[word], self._times[word]
            at = bisect_left(places, place)
            del places[at], times[at]
            if not places:
                del self._places[word], self._times[word]

    def keep(self, places: Places, new: Places) -> None:
        """Move what stands at these places together, in their order; ``new`` is where each place comes to."""
        self._waiting = {int(new[place]): text for place, text in self._waiting.items()}
        for word, old in self._places.items():
            self._places[word] = array("q", new[_numbers(old)].tobytes())
        lengths = _numbers(self._lengths)
        self._lengths = array("q", lengths[places[places < len(lengths)]].tobytes())

    def scores(self, text: str, places: Places | None, count: int) -> NDArray[np.float64]:
        """The score of each of these places; None = of the first ``count``, all of them. 0: no word in common."""
        self.settle()
        lengths = _numbers(self._lengths)[:count]
        inside = None
        if places is not None:
            inside = np.zeros(count, dtype=bool)
            inside[places] = True
        total = self._total if places is None else int(lengths[places].sum())
        among = count if places is None else len(places)
        found = np.zeros(count)
        for word, often in Counter(words(text)).items():
            if word in self._places:
                self._add(found, word, often, lengths, inside, among, total)
        return found if places is None else found[places]

    def _add(
        self,
        found: NDArray[np.float64],
        word: str,
        often: int,
        lengths: NDArray[np.int64],
        inside: NDArray[np.bool_] | None,
        among: int,
        total: int,
    ) -> None:
        """Add what one word of the query is worth to the texts that have it."""
        at, times = _numbers(self._places[word]), _numbers(self._times[word])
        if inside is not None:
            own = inside[at]
            at, times = at[own], times[own]
        if not len(at):
            return
        rare = often * math.log(1 + (among - len(at) + 0.5) / (len(at) + 0.5))
        found[at] += rare * (times * (K1 + 1) / (times + K1 * (1 - B + B * lengths[at] / (total / among))))

    def settle(self) -> None:
        """Take apart what waits."""
        for place, text in sorted(self._waiting.items()):
            self._insert(place, words(text))
        self._waiting.clear()

    def _insert(self, place: int, found: list[str]) -> None:
        if place >= len(self._lengths):
            self._lengths.extend([0] * (place + 1 - len(self._lengths)))
        self._lengths[place] = len(found)
        self._total += len(found)
        for word, times in Counter(found).items():
            if word not in self._places:
                self._places[word], self._times[word] = array("q", [place]), array("q", [times])
                continue
            places = self._places[word]
            at = len(places) if place > places[-1] else bisect_left(places, place)
            places.insert(at, place)
            self._times[word].insert(at, times)


def _numbers(kept: array[int]) -> NDArray[np.int64]:
    """A copy: a view would keep the array from growing."""
    return np.array(kept, dtype=np.int64)
