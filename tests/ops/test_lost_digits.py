"""Divergences far below the parts that they are the difference of: large shapes, far places, bad conditions.

The expected numbers are integrals by mpmath, to 40 digits, of what the parameters as floats are.
"""

import mpmath
import numpy as np
import pytest
from scipy import stats

from kl_plugins import Dense, MultivariateNormal, Precision, kl
from kl_plugins.recognition import recognise

A = 2.5e7
S = A**-0.5

LARGE_SHAPES = {
    "log-normal, gamma": (stats.lognorm(S, scale=A), stats.gamma(A), 8.33333336666667e-9),
    "gamma, log-normal": (stats.gamma(A), stats.lognorm(S, scale=A), 8.33333353333333e-9),
    "gamma, log-normal, larger": (
        stats.gamma(1e13),
        stats.lognorm(1e13**-0.5, scale=1e13),
        2.08333333333346e-14,
    ),
    "log-normal, gamma, small": (stats.lognorm(3**-0.5, scale=3.0), stats.gamma(3.0), 0.0717591642819363),
    "gamma, log-normal, small": (stats.gamma(3.0), stats.lognorm(3**-0.5, scale=3.0), 0.0836125177631462),
    "gamma, inverse gamma": (stats.gamma(A), stats.invgamma(1.3 * A, scale=1.3 * A * A), 0.0188179113303591),
    "gamma, inverse gamma, small": (stats.gamma(3.0), stats.invgamma(3.9, scale=11.7), 0.599248595826747),
    "gamma, normal": (stats.gamma(A), stats.norm(A, A**0.5), 1.33333334666667e-8),
    "gamma, normal, larger": (stats.gamma(1e13), stats.norm(1e13, 1e13**0.5), 3.33333333333342e-14),
    "beta, normal": (
        stats.beta(1e7, 3e7),
        stats.norm(0.25, (1e7 * 3e7 / 4e7**2 / (4e7 + 1)) ** 0.5),
        1.11111120891204e-8,
    ),
    "beta, normal, symmetric": (
        stats.beta(1e7, 1e7),
        stats.norm(0.5, (0.25 / (2e7 + 1)) ** 0.5),
        1.875e-15,
    ),
    "beta, gamma": (stats.beta(2.0, 1e7), stats.gamma(2.0, scale=1e-7), 5.49999863152e-14),
    "beta, gamma, small": (stats.beta(2.0, 3.0), stats.gamma(2.5, scale=0.4), 0.853862690576),
    "beta, gamma, tiny": (
        stats.beta(1e-3, 1e3, scale=1e3),
        stats.gamma(1e-3, scale=1.1),
        4.40143022128e-6,
    ),
    "Lomax, exponential": (stats.lomax(1e7, scale=1e7), stats.expon(), 1.0000001e-14),
    "Lomax, exponential, small": (stats.lomax(3.0), stats.expon(scale=2.0), 0.708426135895),
    "t, normal": (stats.t(1e6), stats.norm(), 1.75000416667479e-12),
    "log-normal, normal": (stats.lognorm(1e-4), stats.norm(1, 1e-4), 8.75000006458333e-9),
    "inverse Gaussian, normal": (stats.invgauss(1e-8), stats.norm(1e-8, 1e-12), 7.4999999625e-9),
}


@pytest.mark.parametrize("name", LARGE_SHAPES)
def test_large_shapes(name):
    p, q, expected = LARGE_SHAPES[name]
    assert kl(p, q) == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize(
    ("family", "shapes", "expected"),
    [(stats.chi, (2e9,), 1 / 48e9), (stats.nakagami, (1e9,), 1 / 48e9), (stats.invgamma, (1e9,), 16 / 12e9),
     (stats.betaprime, (1e9, 1e12), 1 / 3e9)],
)  # fmt: skip
def test_a_twelfth_of_the_squared_skewness(family, shapes, expected):
    """The divergence from the normal distribution of its mean and variance."""
    assert recognise(family(*shapes)).to_arrays().negentropy() == pytest.approx(expected, rel=1e-2)


PLACES = {
    "normal": (stats.norm, stats.norm),
    "Laplace": (stats.laplace, stats.laplace),
    "Cauchy": (stats.cauchy, stats.cauchy),
    "Gumbel": (stats.gumbel_r, stats.gumbel_r),
    "Moyal": (stats.moyal, stats.moyal),
    "normal, Moyal": (stats.norm, stats.moyal),
    "normal, Gumbel": (stats.norm, stats.gumbel_l),
    "Moyal, normal": (stats.moyal, stats.norm),
    "Gumbel, Laplace": (stats.gumbel_l, stats.laplace),
    "logistic, normal": (stats.logistic, stats.norm),
    "Gumbel, logistic": (stats.gumbel_r, stats.logistic),
    "uniform, normal": (stats.uniform, stats.norm),
}


@pytest.mark.parametrize("name", PLACES)
@pytest.mark.parametrize("step", [0.0, 2.0**-9, 3.0])
def test_far_places(name, step):
    """Powers of two: the differences of the places are exact, and so must the divergences be the same."""
    first, second = PLACES[name]
    place, scale = 2.0**27, 2.0**-10
    ratio = 1.0 if second is stats.logistic else 2.0
    near = kl(first(0.0, 1.0), second(step, ratio))
    far = kl(first(place, scale), second(place + step * scale, ratio * scale))
    assert far == pytest.approx(near, rel=1e-12)
    many = kl(first(np.full(3, place), scale), second(np.full(3, place + step * scale), ratio * scale))
    np.testing.assert_allclose(many, np.full(3, near), rtol=1e-12)


@pytest.mark.parametrize("condition", [1e2, 1e9, 1e12])
@pytest.mark.parametrize("size", [1e-6, 1e-4, 1e-2, 0.3])
def test_ill_conditioned_matrices(condition, size):
    rng = np.random.default_rng(1)
    vectors = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    root = vectors * np.sqrt(np.geomspace(1.0, 1.0 / condition, 3))
    change = rng.normal(size=(3, 3))
    first = root @ root.T
    second = first + root @ (size * (change + change.T) / 6.0) @ root.T
    first, second = (0.5 * (x + x.T) for x in (first, second))
    with mpmath.workdps(50):
        p, q = (mpmath.matrix(x.tolist()) for x in (first, second))
        forward, backward = (
            float((sum(m[i, i] for i in range(3)) - 3 - mpmath.log(mpmath.det(m))) / 2)
            for m in (q**-1 * p, p**-1 * q)
        )
    tolerance = max(1e-9, 2.2e-16 * condition)
    mean = np.zeros(3)
    pair = MultivariateNormal(mean, Dense(first)), MultivariateNormal(mean, Dense(second))
    assert kl(*pair) == pytest.approx(forward, rel=tolerance)
    inverse = MultivariateNormal(mean, Precision(first)), MultivariateNormal(mean, Precision(second))
    assert kl(*inverse) == pytest.approx(backward, rel=tolerance)
    many = [
        MultivariateNormal(mean, Dense(np.broadcast_to(x, (23_000, 3, 3)).copy())) for x in (first, second)
    ]
    np.testing.assert_allclose(kl(*many), forward, rtol=tolerance)


@pytest.mark.parametrize(
    ("p", "q", "exact"),
    [
        (
            stats.weibull_min(20264673.599010237, scale=1.2092944902615417),
            stats.norm(-2.7513847123697963, 2.366825952140381),
            18.237782124331876,
        ),
        (stats.weibull_min([197650.30687411065] * 60, scale=1.2), stats.norm(0.3, 1.0), 11.758655699279304),
        (stats.fisk(1e8, scale=1.87), stats.norm(-3.5, 10.1), 19.16755976587347),
        (stats.invweibull(1e8, scale=0.59), stats.norm(4.09, 1.38), 21.82835592633203),
        (stats.cauchy(), stats.t(1e14), 9999997.887914421),
        (stats.cauchy(), stats.t(1e20), 9999999997.887914),
    ],
)
def test_what_is_far_from_normal(p, q, exact):
    """Closed forms by mpmath; variances of steep powers are differences of moments that cancel."""
    assert kl(p, q) == pytest.approx(exact, rel=1e-12)


@pytest.mark.slow
def test_long_vectors_of_logarithms():
    many = np.full(200_000, 0.5)
    assert kl(stats.lognorm(many), stats.gamma(2.0)) == pytest.approx(
        kl(stats.lognorm(0.5), stats.gamma(2.0)), rel=1e-11
    )
    assert kl(stats.gamma(many), stats.lognorm(0.5)) == pytest.approx(
        kl(stats.gamma(0.5), stats.lognorm(0.5)), rel=1e-11
    )
