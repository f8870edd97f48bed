"""Parameters near the ends of the floats: a divergence is a number, never negative, and 0 of equal ones."""

import itertools
import warnings

import mpmath
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from scipy import stats

from kl_plugins import NoClosedFormError, kl
from kl_plugins.families.core.names import scipy_names
from kl_plugins.rules import load_all

ENDS = [5e-324, 1e-308, 1e-160, 1e-30, 1.0, 1e30, 1e160, 1e300]

load_all("kl_plugins.families")
NAMES = sorted(
    name
    for name in scipy_names
    if hasattr(stats, name)
    and hasattr(getattr(stats, name), "shapes")
    and name not in ("erlang", "reciprocal", "poisson_binom")  # the last takes a vector
)


def frozen_ones(name):
    """Distributions of the family with every parameter at an end, the others at 1 or there too."""
    made, found = getattr(stats, name), []
    continuous = hasattr(made, "pdf")
    count = (len(made.shapes.split(",")) if made.shapes else 0) + continuous
    for base, value, which in itertools.product((1.0, 0.5), ENDS, range(count + 1)):
        values = [value if which in (i, count) else base for i in range(count)]
        scale = {"scale": values.pop()} if continuous else {}
        if name == "loguniform":
            values[1] += values[0]
        if name == "truncnorm":
            values[0] = -values[0]
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if values and not np.all(made._argcheck(*values)):
                continue
            p = made(*values, **scale)
        try:
            kl(p, p)
        except (ValueError, NoClosedFormError):  # halves of the smallest float, outcomes to sum over
            continue
        found.append(p)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_numbers(name):
    made = frozen_ones(name)
    for p in made:
        assert kl(p, p) == 0.0, p.args
    chosen = np.random.default_rng(0).integers(len(made), size=(60, 2)) if made else []
    for i, j in chosen:
        try:
            value = kl(made[i], made[j])
        except NoClosedFormError:
            continue
        assert value >= 0.0, (made[i].args, made[i].kwds, made[j].args, made[j].kwds)


@pytest.mark.parametrize("name", ["gamma", "beta", "laplace", "norm", "loggamma", "invgauss", "weibull_min"])
def test_vectors_are_as_numbers(name):
    family = getattr(stats, name)
    count = len(family.shapes.split(",")) if family.shapes else 1
    grid = np.array(list(itertools.product(ENDS, repeat=2 * count)))[:: 7 if count > 1 else 1]
    p, q = grid[:, :count].T, grid[:, count:].T
    found = kl(family(*p), family(*q)) if family.shapes else kl(family(scale=p[0]), family(scale=q[0]))
    assert (found >= 0.0).all()
    assert (found[(p == q).all(axis=0)] == 0.0).all()
    one = [row.tolist() for row in grid]
    for row, value in list(zip(one, found, strict=True))[::11]:
        sides = row[:count], row[count:]
        if family.shapes:
            expected = kl(*[family(*side) for side in sides])
        else:
            expected = kl(*[family(scale=side[0]) for side in sides])
        np.testing.assert_allclose(value, expected, rtol=1e-9)


GRAPHS = {
    "Gamma": (pm.Gamma.dist, ENDS[1:]),
    "Laplace": (pm.Laplace.dist, ENDS),
    "Geometric": (lambda x, y: pm.Geometric.dist(x + 0.0 * y), [5e-324, 1e-308, 1e-30, 0.5, 1.0]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_graphs(name):
    make, ends = GRAPHS[name]
    x = [pt.dvector() for _ in range(4)]
    f = pytensor.function(x, kl(make(*x[:2]), make(*x[2:])), mode=Mode("py", "fast_compile"))
    grid = np.array(list(itertools.product(ends, repeat=4))).T
    with np.errstate(all="ignore"):
        found = f(*grid)
    assert (found >= 0.0).all()
    assert (found[(grid[:2] == grid[2:]).all(axis=0)] == 0.0).all()


def log_beta(a, b):
    return mpmath.loggamma(a) + mpmath.loggamma(b) - mpmath.loggamma(a + b)


def of_betas(a, b, c, d):
    at_sum = mpmath.digamma(a + b)
    by_a, by_b = mpmath.digamma(a) - at_sum, mpmath.digamma(b) - at_sum
    return log_beta(c, d) - log_beta(a, b) - (c - a) * by_a - (d - b) * by_b


@pytest.mark.slow
@pytest.mark.parametrize(
    "shapes",
    [
        (1e-20, 1.0, 1e-20, 1.01),  # what b and a + b have in common is all but 1e-20 of it
        (1e-20, 1.0, 1e-20, 2.0),
        (3.0, 1e-9, 5.0, 1.02e-9),
        (1e-200, 1e100, 1.3e-200, 1e101),
        (1e120, 1e-110, 1.01e120, 1.02e-110),
        (1e-300, 1e-300, 3e-300, 2e-300),
        (1e160, 1e30, 1e30, 1e-160),
        (1e30, 1e30, 5e-324, 1.0),
        (1e300, 1e-30, 1.0, 1e-30),
        (5e-324, 1e-308, 1e-323, 1e-308),
    ],
)
def test_beta_distributions(shapes):
    with mpmath.workdps(700):
        expected = float(of_betas(*map(mpmath.mpf, shapes)))
    a, b, c, d = shapes
    assert kl(stats.beta(a, b), stats.beta(c, d)) == pytest.approx(expected, rel=1e-11)
    swapped = kl(stats.betaprime(np.array([b]), a), stats.betaprime(d, c))
    np.testing.assert_allclose(swapped, [expected], rtol=1e-11)


def of_gammas(a, s, b, t):
    far = a * (s / t - 1) + b * mpmath.log(t / s)
    return mpmath.loggamma(b) - mpmath.loggamma(a) + (a - b) * mpmath.digamma(a) + far


@pytest.mark.parametrize(
    "parameters",
    [
        (5e-308, 2.0, 1e-307, 2.0),
        (1e-300, 1e-10, 5e-324, 1e10),
        (1.0, 1e300, 1e-300, 1e-5),
        (1e-160, 1.0, 1.01e-160, 1.0),
        (2.0, 1e300, 2.0, 5e-324),
        (1e-160, 1e160, 1e-160, 1e-300),
        (1e-320, 1e-300, 1e-319, 1e300),
    ],
)
def test_gamma_distributions(parameters):
    with mpmath.workdps(700):
        expected = float(of_gammas(*map(mpmath.mpf, parameters)))
    a, s, b, t = parameters
    p, q = stats.gamma(a, scale=s), stats.gamma(b, scale=t)
    np.testing.assert_allclose(kl(p, q), expected, rtol=1e-11)
    arrays = stats.gamma(np.full(3, a), scale=s), stats.gamma(b, scale=np.full(3, t))
    np.testing.assert_allclose(kl(*arrays), np.full(3, expected), rtol=1e-11)


@pytest.mark.parametrize(
    ("p", "q", "expected"),
    [
        (stats.cauchy(scale=5e-324), stats.cauchy(scale=1e300), 1433.829305),
        (stats.geom(5e-324), stats.geom(1e-323), 0.306852819),
        (stats.nbinom(3, 1e-200), stats.nbinom(3, 2e-200), 3 * 0.306852819),
        (stats.dlaplace(1e-300), stats.dlaplace(2e-300), 0.306852819),
        (stats.laplace(0.0, 5e-324), stats.laplace(2.0, 1.0), 1.0 + 744.440072),
        (stats.invgauss(1e-300), stats.invgauss(1e-300, scale=1 + 1e-10), None),
        (stats.triang(1.0), stats.triang(5e-324), 1.0),
        (stats.truncnorm(-8, 8), stats.norm(), 1.2441921148543576e-15),
    ],
)
def test_known_values(p, q, expected):
    value = kl(p, q)
    if expected is None:
        assert np.isfinite(value)
    else:
        assert value == pytest.approx(expected, rel=1e-8)
