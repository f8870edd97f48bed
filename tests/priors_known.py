"""Families with a simpler base model, and what is known of their distances."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from scipy import special
from scipy.optimize import brentq

from kl_plugins import independent
from kl_plugins.priors import pc_prior

INF = np.inf


class Case(NamedTuple):
    family: Any
    base: Any
    at: float
    bounds: tuple[float, float]
    nearer: tuple[float, float]
    """The parameters that are nearer to the base than `at` is."""
    places: tuple[float, ...]
    """Parameters far from the base, one near to it, and one on its other side."""
    distance: Callable[[Any], Any] | None = None
    """In closed form, up to a factor."""
    slope: Callable[[Any], Any] | None = None
    largest: float = INF

    @property
    def inside(self):
        """Whether the base is inside of the bounds."""
        return isinstance(self.base, float) and self.bounds[0] < self.base < self.bounds[1]

    @property
    def finite_base(self):
        return self.base if isinstance(self.base, float) and np.isfinite(self.base) else 0.0

    def prior(self, probability):
        return pc_prior.dist(self.family, self.base, at=self.at, probability=probability, bounds=self.bounds)

    def log_density(self, theta, probability):
        """The exponential density of the distance, which may end at the largest, times its slope."""
        largest = self.largest / self.distance(self.at)
        rate = -np.log(probability)
        if np.isfinite(largest):
            rate = brentq(lambda r: np.expm1(-r * largest) * (probability - 1.0) + np.expm1(-r), 1e-9, 1e9)
        mass = -np.expm1(-rate * largest) * (2 if self.inside else 1)
        rate /= self.distance(self.at)
        return np.log(rate * np.abs(self.slope(theta)) / mass) - rate * self.distance(theta)


def autoregressive(rho):
    """Two values of a stationary AR(1) process, by the Cholesky factor of their correlation."""
    factor = pt.stack([pt.stack([1.0, 0.0]), pt.stack([rho, pt.sqrt((1.0 - rho) * (1.0 + rho))])])
    return pm.MvNormal.dist(np.zeros(2), chol=factor)


def unit_student_t(df):
    """Student's t with unit variance."""
    return pm.StudentT.dist(df, sigma=pt.sqrt((df - 2.0) / df))


def sum_and_difference(rho):
    """Two standardised variables of this correlation, by their sum and difference, which are independent."""
    return independent(pm.Normal.dist(0.0, pt.sqrt(1.0 + rho * np.array([1.0, -1.0]))))


def correlated(z):
    """Two standardised variables, whose correlation has this z of Fisher."""
    return sum_and_difference(pt.tanh(z))


def _correlation(rho):
    return np.sqrt(-np.log1p(-(rho**2)))


def _weibull(a):
    return np.sqrt(2.0 * (np.log(a) - np.euler_gamma * (a - 1.0) / a - 1.0 + special.gamma(1.0 + 1.0 / a)))


def _weibull_slope(a):
    divergence = 1.0 / a - np.euler_gamma / a**2
    divergence -= special.gamma(1.0 + 1.0 / a) * special.digamma(1.0 + 1.0 / a) / a**2
    return divergence / _weibull(a)


CASES = {
    "deviation": Case(
        family=lambda sigma: pm.Normal.dist(0.0, sigma),
        base=0.0,
        at=2.0,
        bounds=(0.0, INF),
        nearer=(0.0, 2.0),
        places=(8.0, 1e-3),
        distance=lambda s: s,
        slope=lambda s: np.ones_like(s),
    ),
    "variance": Case(
        family=lambda v: pm.Normal.dist(0.0, pt.sqrt(v)),
        base=0.0,
        at=2.0,
        bounds=(0.0, INF),
        nearer=(0.0, 2.0),
        places=(8.0, 1e-3),
        distance=np.sqrt,
        slope=lambda v: 0.5 / np.sqrt(v),
    ),
    "precision": Case(
        family=lambda tau: pm.Normal.dist(0.0, tau=tau),
        base=INF,
        at=0.5,
        bounds=(0.0, INF),
        nearer=(0.5, INF),
        places=(0.1, 1e4),
        distance=lambda t: t**-0.5,
        slope=lambda t: 0.5 * t**-1.5,
    ),
    "correlation": Case(
        family=sum_and_difference,
        base=0.0,
        at=0.5,
        bounds=(-1.0, 1.0),
        nearer=(-0.5, 0.5),
        places=(0.95, 1e-4, -0.9),
        distance=_correlation,
        slope=lambda r: r / ((1.0 - r**2) * _correlation(r)),
    ),
    "correlation near 1": Case(
        family=sum_and_difference,
        base=1.0,
        at=0.5,
        bounds=(-1.0, 1.0),
        nearer=(0.5, 1.0),
        places=(-0.5, 0.999),
        distance=lambda r: np.sqrt(1.0 - r),
        slope=lambda r: 0.5 / np.sqrt(1.0 - r),
        largest=np.sqrt(2.0),
    ),
    "Weibull": Case(
        family=lambda a: pm.Weibull.dist(a, 1.0),
        base=1.0,
        at=2.0,
        bounds=(0.0, INF),
        nearer=(brentq(lambda a: _weibull(a) - _weibull(2.0), 0.1, 0.99), 2.0),
        places=(4.0, 1.0001, 0.5),
        distance=_weibull,
        slope=_weibull_slope,
    ),
    "Student's t": Case(
        family=unit_student_t,
        base=pm.Normal.dist(0.0, 1.0),
        at=10.0,
        bounds=(2.0, INF),
        nearer=(10.0, INF),
        places=(2.5, 1e4),
    ),
    "Bernoulli": Case(
        family=lambda p: pm.Bernoulli.dist(p),
        base=0.5,
        at=0.8,
        bounds=(0.0, 1.0),
        nearer=(0.2, 0.8),
        places=(0.9, 0.5001, 0.1),
    ),
}
CASES["autoregression"] = CASES["correlation"]._replace(family=autoregressive)
