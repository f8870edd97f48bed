"""Estimates take families of a stranger's: discrete ones, ones without a known mean, and batches of them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats

from kl_plugins import EstimateWarning, estimate_kl, kl
from kl_plugins.extend import POSITIVE, REAL, Continuous, Discrete, Log1pSquare, LogDensity, parameter


class Counts(Discrete):
    """Poisson counts, from loc on."""

    mean: Any = parameter(POSITIVE)
    loc: Any = parameter(REAL, default=0.0, static=True)
    ends = (0.0, math.inf)

    def log_pmf(self, k):
        return k * self.ops.log(self.mean) - self.mean - self.ops.gammaln(k + 1.0)


class Steps(Discrete):
    """Steps to either side of loc, of exponentially decreasing probability."""

    rate: Any = parameter(POSITIVE)
    loc: Any = parameter(REAL, default=0.0, static=True)

    def log_pmf(self, k):
        ops, fall = self.ops, self.ops.exp(-self.rate)
        return ops.log1p(-fall) - ops.log1p(fall) - self.rate * abs(k)


class Heavy(Continuous):
    """Cauchy variables, of which nothing is stated but the density."""

    scale: Any = parameter(POSITIVE)
    loc: Any = parameter(REAL, default=0.0, static=True)

    def log_density(self):
        return LogDensity(-math.log(math.pi), ((-1.0, Log1pSquare()),))


PAIRS = {
    "counts": (Counts(3.0), Counts(4.0), stats.poisson(3.0), stats.poisson(4.0)),
    "many counts": (Counts(1e4), Counts(1.1e4), stats.poisson(1e4), stats.poisson(1.1e4)),
    "from elsewhere": (Counts(3.0, -7.5), Counts(4.0, -7.5), stats.poisson(3.0), stats.poisson(4.0)),
    "steps": (Steps(1.0, 0.5), Steps(2.0, 0.5), stats.dlaplace(1.0), stats.dlaplace(2.0)),
    "beside another": (Counts(3.0), stats.nbinom(4, 0.5), None, None),
    "batch": (Counts([[3.0], [1e4]]), Counts([4.0, 1e3]), *map(stats.poisson, ([[3.0], [1e4]], [4.0, 1e3]))),
    "heavy": (Heavy(1.0), Heavy(3.0, 1.0), stats.cauchy(), stats.cauchy(1.0, 3.0)),
    "heavy batch": (
        Heavy([[1.0], [1e-4]], [[0.0], [1e4]]),
        Heavy([2.0, 1e5]),
        stats.cauchy([[0.0], [1e4]], [[1.0], [1e-4]]),
        stats.cauchy(0.0, [2.0, 1e5]),
    ),
}


@pytest.mark.parametrize(("p", "q", "scipy_p", "scipy_q"), PAIRS.values(), ids=PAIRS)
def test_estimates(p, q, scipy_p, scipy_q):
    found = estimate_kl(p, q)
    exact = estimate_kl(stats.poisson(3.0), q).value if scipy_p is None else kl(scipy_p, scipy_q)
    assert np.all(found.converged)
    assert np.shape(found.value) == np.shape(exact)
    np.testing.assert_allclose(found.value, exact, rtol=1e-9)
    assert np.all(abs(found.value - exact) <= found.error + 1e-12 * abs(np.asarray(exact)))


@pytest.mark.slow
def test_supports_and_what_is_not_found():
    assert estimate_kl(Counts(3.0), stats.binom(4, 0.5)).value == math.inf
    assert estimate_kl(Counts(3.0), Counts(3.0, 0.5)).value == math.inf
    with pytest.warns(EstimateWarning, match="exact sum is not to be relied on"):
        found = estimate_kl(Counts(1e9), Counts(1.1e9))
    assert not found.converged
