"""Trapezoidal distributions, judged by mpmath and by quadrature."""

from itertools import pairwise

import mpmath as mp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from derivatives import gradient_error
from family_oracle import divergence, expected
from graphs import value
from kl_plugins import entropy, explain, kl
from kl_plugins.errors import NoClosedFormError
from kl_plugins.extend import Trapezoid, recognise

SHAPES = [(0.25, 0.75), (0.0, 0.5), (0.5, 1.0), (0.0, 1.0), (0.3, 0.3), (0.0, 0.0), (1.0, 1.0), (1e-9, 0.99)]


def density(c, d, z):
    """Of the standard variable; at kinks and ends that of what is beside z."""
    height = min(z / c if c else 1, (1 - z) / (1 - d) if d < 1 else 1, 1)
    return 2 * height / (1 + d - c)


def exact(p, q):
    """∫ p log(p/q) on (0, 1), between the kinks, of a linear weight and logarithms of linear functions."""
    with mp.workdps(60):
        p, q = [[mp.mpf(one) for one in shape] for shape in (p, q)]

        def piece(low, high):
            p_low, p_high, q_low, q_high = (density(*of, z) for of in (p, q) for z in (low, high))

            def mean_log(z, z_high):
                if z == z_high:
                    return (p_low + p_high) / 2 * mp.log(z)
                rise = (p_high - p_low) / (z_high - z)

                def whole(t):
                    if t == 0:
                        return 0
                    first, second = t * mp.log(t) - t, t * t * (mp.log(t) / 2 - mp.mpf(1) / 4)
                    return (p_low - rise * z) * first + rise * second

                return (whole(z_high) - whole(z)) / (z_high - z)

            return (high - low) * (mean_log(p_low, p_high) - mean_log(q_low, q_high))

        return float(sum(piece(*ends) for ends in pairwise(sorted({0, 1, *p, *q}))))


@pytest.mark.parametrize("p", SHAPES)
def test_one_interval(p):
    c, d = p
    close = (c * (1.0 - 2.0**-30), d), (c, d + (1.0 - d) * 2.0**-30), (c * 0.9, d), (0.9 * c, 0.5 * (1.0 + d))
    for q in [*SHAPES, *close]:
        found = kl(stats.trapezoid(*p, 0.3, 2.0), stats.trapezoid(*q, 0.3, 2.0))
        assert found == pytest.approx(exact(p, q), rel=2e-14), q
    assert kl(stats.trapezoid(*p), stats.trapezoid(*p)) == 0.0


def test_uniform_and_triangular_ones_are_members():
    for shape in SHAPES:
        p = stats.trapezoid(*shape, 0.3, 2.0)
        for other, alike in (
            (stats.uniform, (0.0, 1.0)),
            (stats.triang, (0.3, 0.3)),
            (stats.triang, (0.0, 0.0)),
        ):
            q = other(*(alike[:1] if other is stats.triang else ()), 0.3, 2.0)
            assert kl(p, q) == kl(p, stats.trapezoid(*alike, 0.3, 2.0))
            assert kl(q, p) == kl(stats.trapezoid(*alike, 0.3, 2.0), p)
    assert kl(stats.trapezoid(0.3, 0.3), stats.triang(0.3)) == 0.0
    assert kl(stats.uniform(), stats.trapezoid(0.0, 1.0)) == 0.0
    assert kl(stats.triang(0.3), stats.trapezoid(0.1, 0.8)) == pytest.approx(
        kl(stats.trapezoid(0.3, 0.3), stats.trapezoid(0.1, 0.8)), rel=1e-15
    )


PAIRS = {
    "a wider one": (stats.trapezoid(0.2, 0.6, 0.3, 2.0), stats.trapezoid(0.3, 0.5, 0.1, 3.0)),
    "above its flat part": (stats.trapezoid(0.2, 0.6, 0.3, 0.5), stats.trapezoid(0.05, 0.1, 0.0, 2.0)),
    "below its flat part": (stats.trapezoid(0.0, 0.6, 0.3, 0.5), stats.trapezoid(0.8, 0.9, 0.0, 2.0)),
    "within its flat part": (stats.trapezoid(0.2, 0.6, 0.5, 0.5), stats.trapezoid(0.1, 0.9, 0.0, 2.0)),
    "a jump": (stats.trapezoid(0.2, 1.0, 0.3, 2.0), stats.trapezoid(0.0, 0.5, 0.3, 3.0)),
    "a far wider one": (stats.trapezoid(0.2, 0.6), stats.trapezoid(0.2, 0.6, -1.0, 1e9)),
    "triang": (stats.trapezoid(0.2, 0.6, 0.3, 2.0), stats.triang(0.4, 0.1, 3.0)),
    "of triang": (stats.triang(0.4, 0.2, 1.0), stats.trapezoid(0.3, 0.5, 0.1, 3.0)),
    "of uniform": (stats.uniform(0.2, 1.0), stats.trapezoid(0.3, 0.5, 0.1, 3.0)),
    "beta": (stats.trapezoid(0.2, 0.6), stats.beta(2.0, 3.0)),
    "norm": (stats.trapezoid(0.2, 0.6, 0.3, 2.0), stats.norm(0.4)),
    "t": (stats.trapezoid(0.0, 0.6, 0.3, 2.0), stats.t(3.0)),
    "laplace": (stats.trapezoid(0.2, 1.0, 0.3, 2.0), stats.laplace(0.7)),
}


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] * (name != "a jump")) for name in PAIRS]
)
def test_pairs(name):
    p, q = PAIRS[name]
    assert kl(p, q) == pytest.approx(divergence(p, q), rel=1e-9)
    assert entropy(p) == pytest.approx(expected(p, lambda x: -p.logpdf(x)), rel=1e-9)


@pytest.mark.parametrize("size", [1e-3, 1e-6])
def test_a_little_wider(size):
    c, d = 0.25, 0.75
    with mp.workdps(40):
        below = above = mp.mpf(size)
        wide = 1 + below + above

        def terms(x):
            p, q = density(c, d, x), density(c, d, (x + below) / wide) / wide
            return p * mp.log(p / q) if p else 0

        ends = {0, below, 10 * below, 1 - 10 * above, 1 - above, 1, *(mp.mpf(z) for z in (c, d))}
        known = float(mp.quad(terms, sorted(ends | {z * wide - below for z in (c, d)})))
    q = stats.trapezoid(c, d, -size, 1.0 + 2.0 * size)
    assert kl(stats.trapezoid(c, d), q) == pytest.approx(known, rel=1e-14 / size)


def test_density_and_moments_are_those_of_scipy():
    for shape in [*SHAPES[:5], (0.2, 0.6)]:
        frozen = stats.trapezoid(*shape, 0.3, 2.0)
        made = recognise(frozen)
        x = np.linspace(0.31, 2.29, 20)
        np.testing.assert_allclose(made.to_arrays().log_prob(x), frozen.logpdf(x), rtol=1e-12, atol=1e-14)
        assert 0.3 + 2.0 * made.standard_mean() == pytest.approx(frozen.mean(), rel=1e-14)
        assert 4.0 * made.standard_variance() == pytest.approx(frozen.var(), rel=1e-13)


def test_what_is_outside_or_wrong():
    assert kl(stats.trapezoid(0.2, 0.6), stats.trapezoid(0.2, 0.6, 0.1, 5.0)) == np.inf
    found = kl(stats.trapezoid([0.2, 0.2, np.nan], 0.6), stats.trapezoid(0.2, 0.6, 0.0, [1.0, 0.5, 1.0]))
    assert found[:2].tolist() == [0.0, np.inf]
    assert np.isnan(found[2])
    assert explain(stats.trapezoid(0.2, 0.6), stats.uniform()).cost == "quadrature, 410 nodes"
    with pytest.raises(
        NoClosedFormError, match=r"its quadrature is for ratios of the scales from 0 to 1e\+10"
    ):
        kl(stats.trapezoid(0.2, 0.6), stats.trapezoid(0.2, 0.6, 0.0, 1e11))
    with pytest.raises(ValueError, match=r"^q: d must not be less than c"):
        kl(stats.norm(), stats.trapezoid(0.6, 0.2))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p", "q"),
    [
        ([0.3, 0.5], [0.2, 0.7]),
        ([0.3, 0.5], [0.301, 0.501]),
        ([0.2, 0.3], [0.6, 0.7]),
        ([0.3, 0.6], [0.1, 0.6]),  # kinks at one place
        ([0.3, 0.5, 0.3, 0.5], [0.2, 0.7, 0.1, 2.0]),
        ([0.3, 0.6, 0.0, 1.0], [0.25, 0.5, -0.2, 2.0]),
    ],
)
def test_graphs_and_their_gradients(p, q):
    assert gradient_error(Trapezoid, p, q) < 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p", "q"), [((0.0, 0.5), (0.2, 1.0)), ((0.3, 1.0), (0.0, 1.0)), ((0.5, 0.5), (0.5, 0.5))]
)
def test_graphs_at_jumps(p, q):
    variables = [pt.dscalar() for _ in range(4)]
    divergence = kl(Trapezoid(*variables[:2]), Trapezoid(*variables[2:]))
    outputs = [divergence, *pytensor.grad(divergence, variables)]
    found, *gradient = value(outputs, dict(zip(variables, (*p, *q), strict=True)))
    assert found == pytest.approx(exact(p, q), rel=1e-13)
    assert not np.isnan(gradient).any()
