"""Without PyMC and PyTensor numbers are what they are with them."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kl_plugins import Diagonal, KLEstimate, MultivariateNormal, entropy, estimate_kl, kl, pairwise_kl


def numbers() -> None:
    p, several = stats.norm(0.0, 1.0), stats.norm([0.0, 1.0], 1.0)
    assert_type(kl(p, p), np.float64)
    assert_type(kl(several, p), NDArray[np.float64])
    assert_type(entropy(p), np.float64)
    assert_type(estimate_kl(p, p), KLEstimate[float, bool])
    assert_type(kl(stats.Normal(mu=0.0, sigma=1.0), p), np.float64)
    assert_type(pairwise_kl(several), NDArray[np.floating[Any]])
    print(kl(MultivariateNormal([0.0], Diagonal([1.0])), stats.multivariate_normal([0.0])))
    kl(p)  # type: ignore[call-overload]
