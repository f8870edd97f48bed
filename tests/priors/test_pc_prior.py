"""Penalised-complexity priors: known densities, total mass, the statement about `at`, draws and gradients."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

from kl_plugins.priors import pc_prior

INF = np.inf


def autoregressive(rho):
    """Two values of a stationary AR(1) process, by the Cholesky factor of their correlation."""
    factor = pt.stack([pt.stack([1.0, 0.0]), pt.stack([rho, pt.sqrt((1.0 - rho) * (1.0 + rho))])])
    return pm.MvNormal.dist(np.zeros(2), chol=factor)


def unit_student_t(df):
    """Student's t with unit variance."""
    return pm.StudentT.dist(df, sigma=pt.sqrt((df - 2.0) / df))


class Case(NamedTuple):
    family: Any
    base: Any
    at: float
    bounds: tuple[float, float]
    density: Any = None
    """The log density of parameters in closed form."""

    def made(self, probability=0.1):
        return pc_prior.dist(self.family, self.base, at=self.at, probability=probability, bounds=self.bounds)


def of_distance(distance, slope, at, sides=1):
    """The log density where the distance is known up to a factor, with its derivative."""

    def density(theta, probability=0.1):
        rate = -np.log(probability) / distance(at)
        return np.log(rate * np.abs(slope(theta)) / sides) - rate * distance(theta)

    return density


def correlation_distance(rho):
    return np.sqrt(-np.log1p(-(rho**2)))


def correlation_slope(rho):
    return rho / ((1.0 - rho**2) * correlation_distance(rho))


CASES = {
    "deviation": Case(
        lambda sigma: pm.Normal.dist(0.0, sigma),
        0.0,
        2.0,
        (0.0, INF),
        of_distance(lambda s: s, lambda s: np.ones_like(s), 2.0),
    ),
    "variance": Case(
        lambda v: pm.Normal.dist(0.0, pt.sqrt(v)),
        0.0,
        2.0,
        (0.0, INF),
        of_distance(np.sqrt, lambda v: 0.5 / np.sqrt(v), 2.0),
    ),
    "precision": Case(
        lambda tau: pm.Normal.dist(0.0, tau=tau),
        INF,
        0.5,
        (0.0, INF),
        of_distance(lambda t: t**-0.5, lambda t: 0.5 * t**-1.5, 0.5),
    ),
    "correlation": Case(
        autoregressive,
        0.0,
        0.5,
        (-1.0, 1.0),
        of_distance(correlation_distance, correlation_slope, 0.5, sides=2),
    ),
    "correlation 1": Case(
        autoregressive,
        1.0,
        0.5,
        (-1.0, 1.0),
        of_distance(lambda r: np.sqrt(1.0 - r), lambda r: 0.5 / np.sqrt(1.0 - r), 0.5),
    ),
    "Weibull": Case(lambda a: pm.Weibull.dist(a, 1.0), 1.0, 2.0, (0.0, INF)),
    "Student's t": Case(unit_student_t, pm.Normal.dist(0.0, 1.0), 10.0, (2.0, INF)),
    "Bernoulli": Case(lambda p: pm.Bernoulli.dist(p), 0.5, 0.8, (0.0, 1.0)),
}
CLOSED = [name for name, case in CASES.items() if case.density]


def log_density(variable):
    """The compiled log density of parameters."""
    values = pt.dvector("values")
    return pytensor.function([values], pm.logp(variable, values))


@pytest.mark.parametrize("name", CLOSED)
def test_known_densities(name):
    case = CASES[name]
    lower, upper = max(case.bounds[0], -3.0), min(case.bounds[1], 30.0)
    theta = np.linspace(lower, upper, 42)[1:-1]
    found = log_density(case.made())(theta)
    np.testing.assert_allclose(found, case.density(theta), rtol=1e-8, atol=1e-8)
