"""Which averages over draws can be believed: the shape of the tails of what is averaged."""

from __future__ import annotations

import numpy as np

from kl_plugins.estimate.tails import pareto_khat
from kl_plugins.ops.protocol import FloatArray

MOST_SHAPE = 0.7
"""Above this k̂ of importance ratios an average converges too slowly to be of use."""
FINITE_VARIANCE = 0.5
"""Above this k̂ a variance is infinite: the standard error comes out too small."""
WORTH = 50.0
"""An average that rests on fewer draws than so many has no known error."""


def khat_threshold(draws: int) -> float:
    """The largest k̂ at which so many draws give reliable weighted estimates.

    Source: Vehtari et al. (2024), arXiv:1507.02646, section 3.2.4.
    """
    return float(min(1.0 - 1.0 / np.log10(draws), MOST_SHAPE))


def error_factor(values: FloatArray) -> FloatArray:
    """How many times too small the standard errors of the means of columns of numbers ≥ 0, (S, d), are.

    1 up to k̂ = ½, where variances are finite. Beyond it a mean converges like S^(k−1) and no longer like
    S^(−½), so S^(k−½), up to the largest k̂ at which it is of any use; infinite from there. For importance
    ratios times a function the product's k̂ counts. Where no number exceeds √S times the mean there is no
    tail to fear (E. Ionides 2008, truncated importance sampling), whatever shape is fitted to numbers that
    pile up at their bound.
    """
    count = len(values)
    total = values.sum(axis=0)
    largest = values.max(axis=0)
    harmless = largest * np.sqrt(count) <= total
    factor: FloatArray = np.where(harmless, 1.0, np.inf)
    for i in np.flatnonzero(~harmless & np.isfinite(total)):
        column = values[:, i] / largest[i]
        k = pareto_khat(column)
        if column.sum() ** 2 >= WORTH * (column @ column) and k <= khat_threshold(count):
            factor[i] = count ** max(k - FINITE_VARIANCE, 0.0)
    return factor
