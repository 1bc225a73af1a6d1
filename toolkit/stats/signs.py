"""The sign test: of pairs that differ, are more on the one side than chance would put there?"""

from __future__ import annotations

import math


def sign_test(wins: int, losses: int) -> float:
    """One-sided exact p value of "a win is no more likely than a loss", ties left out.

    Parameters
    ----------
    wins, losses
        Pairs that differ, in either direction; at least 0.

    Returns
    -------
    float
        The chance of so many wins or more among ``wins + losses`` fair tosses, in (0, 1]; 1 where there are none.

    Raises
    ------
    ValueError
        If a count is negative.

    References
    ----------
    Dixon and Mood 1946, The statistical sign test, Journal of the American Statistical Association 41.

    Examples
    --------
    >>> sign_test(5, 0), sign_test(0, 0)
    (0.03125, 1.0)
    """
    if wins < 0 or losses < 0:
        raise ValueError(f"counts must be at least 0 but are {wins} and {losses}")
    n = wins + losses
    return float(sum(math.comb(n, k) for k in range(wins, n + 1)) / 2**n)
