"""Without scipy-stubs numbers and arrays cannot be told apart: whatever a user does with them is no error."""

from __future__ import annotations

from typing import Any, assert_type

import numpy as np
import pymc as pm
from numpy.typing import NDArray
from scipy import stats

from kl_plugins import Diagonal, KLEstimate, MultivariateNormal, entropy, estimate_kl, explain, jeffreys, kl
from kl_plugins.variational import snapshot


def numbers_and_arrays() -> None:
    p, q, several = stats.norm(0.0, 1.0), stats.poisson(2.0), stats.norm([0.0, 1.0], 1.0)
    assert_type(kl(p, q), Any)
    assert_type(kl(several, p), Any)
    assert_type(jeffreys(p, several), Any)
    assert_type(entropy(several), Any)
    found: float = kl(p, q)
    row: NDArray[np.float64] = kl(several, q)[:1]
    print(round(kl(p, q), 3), kl(p, q).round(6), kl(p, q) < 0.5, found, row, explain(p, q).cost)
    estimate: KLEstimate[Any, Any] = estimate_kl(p, q)
    print(round(estimate.value, 3))


def with_others(approximation: pm.MeanField) -> None:
    frozen = snapshot(approximation)
    assert_type(kl(frozen, frozen), np.float64)
    print(kl(frozen, stats.multivariate_normal([0.0])).round(3))
    print(kl(MultivariateNormal([0.0], Diagonal([1.0])), stats.multivariate_normal([0.0])).round(3))
    penalty = kl(pm.Normal("x"), stats.norm(0.0, 1.0))
    print((-penalty).eval())
