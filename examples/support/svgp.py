"""A sparse variational Gaussian process (SVGP) in PyMC's terms: its ELBO, and Adam on minibatches.

M. Titsias (2009), AISTATS: inducing points. J. Hensman, N. Fusi, N. Lawrence (2013), UAI: minibatches.
J. Hensman, A. Matthews, Z. Ghahramani (2015), AISTATS: other likelihoods, and whitening.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pytensor import shared
from pytensor.compile.mode import Mode
from pytensor.tensor.linalg import solve_triangular

from kl_plugins import kl

JITTER = 1e-6
"""Share of the prior's variance that is added to the diagonal of K."""
PYTHON = Mode("py", "merge")
"""Starts within a second, where compiled code takes a minute or more; a step takes several times longer."""


class SparseGP(NamedTuple):
    """A Gaussian process seen through its values u at inducing points Z, and the q of them.

    `mean` and `factor` are the mean of q and a Cholesky factor of its covariance: q is of u, or, where
    whitened, of v in u = L v.
    """

    parameters: list[Any]
    hyper: Any
    cov: Any
    Z: Any
    K: Any
    L: Any
    mean: Any
    factor: Any
    whiten: bool


def sparse_gp(points: np.ndarray, hyper: list[float], whiten: bool) -> SparseGP:
    """A sparse GP with a Matérn 5/2 covariance, whose q is the prior.

    `hyper`: length scale, amplitude, and what the likelihood needs, all positive.
    """
    m, d = points.shape
    Z, log_hyper = shared(points, "Z"), shared(np.log(hyper), "log_hyper")
    length, amplitude = pt.exp(log_hyper[0]), pt.exp(log_hyper[1])
    cov = amplitude**2 * pm.gp.cov.Matern52(d, ls=length)
    K = cov(Z) + JITTER * amplitude**2 * np.eye(m)
    L = pt.linalg.cholesky(K)

    start = np.eye(m) if whiten else L.eval(mode=PYTHON)
    mean = shared(np.zeros(m), "mean")
    raw = shared(np.tril(start, -1) + np.diag(np.log(np.diag(start))), "raw")
    factor = pt.tril(raw, -1) + pt.diag(pt.exp(pt.diagonal(raw)))
    parameters, hyper = [Z, log_hyper, mean, raw], pt.exp(log_hyper)
    return SparseGP(parameters, hyper, cov, Z, K, L, mean, factor, whiten)


def marginals(gp: SparseGP, x: Any) -> tuple[Any, Any]:
    """Mean and variance of f at each row of x, under q."""
    A = solve_triangular(gp.L, gp.cov(gp.Z, x), lower=True)
    given_u = gp.cov(x, diag=True) - (A**2).sum(axis=0)
    if not gp.whiten:
        A = solve_triangular(gp.L.T, A, lower=False)
    return A.T @ gp.mean, given_u + ((gp.factor.T @ A) ** 2).sum(axis=0)


def divergence(gp: SparseGP) -> Any:
    """KL(q ‖ prior) in nats; the prior of v is N(0, I), that of u N(0, K)."""
    m = gp.mean.get_value().size
    q = pm.MvNormal.dist(gp.mean, chol=gp.factor)
    return kl(q, pm.MvNormal.dist(np.zeros(m), cov=np.eye(m) if gp.whiten else gp.K))


def textbook_divergence(gp: SparseGP) -> Any:
    """The same by the formula as textbooks have it, a difference of large terms."""
    mean, factor, log_det = gp.mean, gp.factor, 0.0
    if not gp.whiten:
        mean = solve_triangular(gp.L, mean, lower=True)
        factor = solve_triangular(gp.L, factor, lower=True)
        log_det = pt.log(pt.diagonal(gp.L)).sum()
    quadratic = (factor**2).sum() + (mean**2).sum() - gp.mean.shape[0]
    return quadratic / 2 + log_det - pt.log(pt.diagonal(gp.factor)).sum()


def elbo(
    gp: SparseGP,
    x: Any,
    y: Any,
    total: int,
    expected: Callable[..., Any],
    term: Callable[..., Any] = divergence,
) -> Any:
    """ELBO of `total` observations in nats, estimated from a minibatch."""
    log_likelihoods = expected(gp, y, *marginals(gp, x))
    return total / y.shape[0] * log_likelihoods.sum() - term(gp)


def gaussian(gp: SparseGP, y: Any, mean: Any, variance: Any) -> Any:
    """E[log N(y | f, sd²)] for f ~ N(mean, variance), in closed form."""
    noise = gp.hyper[2] ** 2
    return -0.5 * (pt.log(2 * np.pi * noise) + ((y - mean) ** 2 + variance) / noise)


def quadrature(mean: Any, variance: Any, nodes: int = 20) -> tuple[Any, np.ndarray]:
    """Values of f ~ N(mean, variance) and their weights (Gauss-Hermite): one row of values for each f."""
    at, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return mean[:, None] + pt.sqrt(variance)[:, None] * at, weights / weights.sum()


def bernoulli(gp: SparseGP, y: Any, mean: Any, variance: Any) -> Any:
    """E[log Bernoulli(y | logit f)] for f ~ N(mean, variance), by quadrature."""
    f, weights = quadrature(mean, variance)
    return -pt.softplus((1 - 2 * y)[:, None] * f) @ weights


def probability(gp: SparseGP, x: Any) -> tuple[Any]:
    """Probability of y = 1 at each row of x."""
    f, weights = quadrature(*marginals(gp, x))
    return (pm.math.invlogit(f) @ weights,)


def evaluated(
    gp: SparseGP, of: Callable[[SparseGP, Any], tuple[Any, ...]], x: np.ndarray
) -> list[np.ndarray]:
    """The numbers of `marginals` or `probability`."""
    rows = pt.dmatrix("x")
    return pytensor.function([rows], list(of(gp, rows)), mode=PYTHON)(x)


class Training:
    """Adam on minibatches of (x, y), with the learning rate falling to zero along a cosine."""

    def __init__(
        self,
        gp: SparseGP,
        x: np.ndarray,
        y: np.ndarray,
        expected: Callable[..., Any],
        term: Callable[..., Any] = divergence,
        *,
        batch: int,
        rate: float = 0.05,
        mode: Any = PYTHON,
    ) -> None:
        self.x, self.y, self.batch, self.top = x, y, batch, rate
        self.rate, self.rng = shared(rate, "rate"), np.random.default_rng(1)
        rows, values = pt.dmatrix("x"), pt.dvector("y")
        value = elbo(gp, rows, values, len(y), expected, term)
        updates = pm.adam(-value, gp.parameters, learning_rate=self.rate)
        self.update = pytensor.function([rows, values], value, updates=updates, mode=mode)
        self.evaluate = pytensor.function([rows, values], value, mode=mode)

    def step(self) -> None:
        """One step, on a minibatch drawn without replacement."""
        drawn = self.rng.choice(len(self.y), self.batch, replace=False)
        self.update(self.x[drawn], self.y[drawn])

    def run(self, steps: int, seen: Callable[[int, float], None], every: int) -> None:
        """So many steps; `seen` gets the number of each `every`-th and the ELBO of all the data."""
        for i in range(steps + 1):
            if i % every == 0:
                seen(i, float(self.evaluate(self.x, self.y)))
            self.rate.set_value(self.top * (1 + np.cos(np.pi * min(i / steps, 1.0))) / 2)
            if i < steps:
                self.step()
