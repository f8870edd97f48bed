"""Banded precisions, and series of variables regressed on those before: against the oracle, in O(d)."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from numpy.linalg import LinAlgError

import oracle
from graphs import OF_DIAGONALS, value
from kl_plugins import (
    Autoregressive,
    Banded,
    BlockDiagonal,
    Dense,
    Diagonal,
    Isotropic,
    LowRank,
    MultivariateNormal,
    entropy,
    explain,
    kl,
)

SERIES = "O(d b³) for b lags: each variable given those before it"
THROUGH_ROOTS = "O(d (b³ + b k + k²)) for b lags and k columns"


def series(rng, d, lags):
    """Mean, coefficients and scales; what there is no variable for is NaN."""
    coefficients = rng.uniform(-0.6, 0.9, (d, lags))
    coefficients[np.arange(d)[:, None] <= np.arange(lags)] = np.nan
    return rng.normal(size=d), coefficients, rng.uniform(0.5, 2.0, d)


def from_series(mean, coefficients, scales):
    return MultivariateNormal(mean, Autoregressive(coefficients, scales)), oracle.from_regressions(
        mean, np.nan_to_num(coefficients), scales
    )


def band_of(mean, coefficients, scales):
    """The upper diagonals of the precision, of numbers that are as they are."""
    d, lags = coefficients.shape
    kept = np.nan_to_num(coefficients)
    rows = np.eye(d) - sum(np.diag(kept[k:, k - 1], -k) for k in range(1, lags + 1))
    precision = (rows / scales[:, None]).T @ (rows / scales[:, None])
    band = np.full((lags + 1, d), np.nan)
    for k in range(lags + 1):
        band[lags - k, k:] = np.diagonal(precision, k)
    return band


def from_band(mean, coefficients, scales):
    band = band_of(mean, coefficients, scales)
    return MultivariateNormal(mean, Banded(band)), oracle.from_band(mean, np.nan_to_num(band))


def others(rng, d):
    mean, variances, loadings = rng.normal(size=d), rng.uniform(0.5, 2.0, d), rng.normal(size=(d, 2))
    full = np.diag(variances) + loadings @ loadings.T
    return {
        "Diagonal": (Diagonal(variances), oracle.from_variances(mean, variances)),
        "Isotropic": (Isotropic(1.3, dim=d), oracle.from_variances(mean, np.full(d, 1.3))),
        "Dense": (Dense(full), oracle.from_covariance(mean, full)),
        "LowRank": (LowRank(variances, loadings), oracle.from_low_rank(mean, variances, loadings)),
        "BlockDiagonal": (
            BlockDiagonal((Diagonal(variances[:3]), Diagonal(variances[3:]))),
            oracle.from_variances(mean, variances),
        ),
    }, mean


@pytest.mark.parametrize("made", [from_series, from_band])
@pytest.mark.parametrize(("d", "p_lags", "q_lags"), [(8, 1, 1), (6, 1, 4), (9, 5, 3)])
def test_pair_agrees_with_the_oracle(made, d, p_lags, q_lags):
    rng = np.random.default_rng([d, p_lags, q_lags])
    p, exact_p = from_series(*series(rng, d, p_lags))
    q, exact_q = made(*series(rng, d, q_lags))
    for pair, exact in (((p, q), (exact_p, exact_q)), ((q, p), (exact_q, exact_p))):
        assert explain(*pair).cost == SERIES
        assert oracle.relative_error(kl(*pair), oracle.kl(*exact)) < 1e-12


@pytest.mark.parametrize("made", [from_series, from_band])
@pytest.mark.parametrize("structure", ["Diagonal", "Isotropic", "Dense", "LowRank", "BlockDiagonal"])
def test_other_structures_agree_with_the_oracle(made, structure):
    rng = np.random.default_rng(11)
    p, exact_p = made(*series(rng, 9, 2))
    found, mean = others(rng, 9)
    held, exact_q = found[structure]
    q = MultivariateNormal(mean, held)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-12
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-12


def test_costs():
    p, q = (from_series(*series(np.random.default_rng(0), 9, 1))[0] for _ in range(2))
    low = MultivariateNormal(np.zeros(9), LowRank(np.ones(9), np.ones((9, 1))))
    axes = MultivariateNormal(np.zeros(9), Diagonal(np.ones(9)))
    full = MultivariateNormal(np.zeros(9), Dense(np.eye(9)))
    assert explain(p, q).rule.endswith("markov_markov")
    assert explain(p, axes).cost == "O(d b³) for b lags: the variance of each variable"
    assert explain(axes, p).cost == "O(d b) for b lags"
    assert explain(full, p).cost == "O(d² b) for b lags, after the Cholesky factor of p"
    for pair in ((p, low), (low, p)):
        assert explain(*pair).cost.startswith(THROUGH_ROOTS)


@pytest.mark.parametrize("distance", [1e-1, 1e-4, 1e-8, 1e-12])
@pytest.mark.parametrize("lags", [1, 2, 5])
def test_nearly_equal_pair_keeps_its_digits(lags, distance):
    rng = np.random.default_rng(lags)
    mean, coefficients, scales = series(rng, 10, lags)
    moved = coefficients + distance * rng.normal(size=coefficients.shape)
    p, exact_p = from_series(mean, coefficients, scales)
    q, exact_q = from_series(mean + distance, moved, scales * (1.0 + distance * rng.uniform(-1.0, 1.0, 10)))
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13 + 1e-15 / distance
    assert kl(p, p) == kl(q, q) == 0.0


@pytest.mark.parametrize("distance", [1e-2, 1e-5, 1e-9])
@pytest.mark.parametrize(("order", "ridge"), [(1, 1.0), (1, 1e-6), (2, 1e-3), (3, 1.0)])
def test_nearly_equal_bands_keep_their_digits(order, ridge, distance):
    """Of integrated walks with a small ridge, whose Cholesky factors have lost them."""
    d, rng = 20, np.random.default_rng(order)
    steps = np.linalg.matrix_power(np.eye(d) - np.eye(d, k=-1), order)
    precision = steps.T @ steps + ridge * np.eye(d)
    band = np.zeros((order + 1, d))
    for k in range(order + 1):
        band[order - k, k:] = np.diagonal(precision, k)
    moved = band.copy()
    moved[-1] += ridge * distance * rng.uniform(0.5, 1.0, d)
    sides = [
        (MultivariateNormal(np.zeros(d), Banded(x)), oracle.from_band(np.zeros(d), x)) for x in (band, moved)
    ]
    for (p, exact_p), (q, exact_q) in (sides, reversed(sides)):
        assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-9
        assert kl(p, p) == 0.0
    wider = MultivariateNormal(np.zeros(d), Banded(np.vstack([np.zeros((2, d)), moved])))
    np.testing.assert_allclose(kl(sides[0][0], wider), kl(sides[0][0], sides[1][0]), rtol=1e-9)
    whole = MultivariateNormal(np.zeros(d), Banded(np.stack([band, moved])))
    np.testing.assert_array_equal(kl(whole, sides[1][0]), [kl(*(side[0] for side in sides)), 0.0])


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_integrated_series_keep_their_digits(order):
    """Their variances grow like t^(2 order − 1), those of their differences do not."""
    d = 25
    weights = -np.poly(np.ones(order))[1:]
    moved = weights * (1.0 + 2.0**-30)
    (p, exact_p), (q, exact_q) = (
        from_series(np.zeros(d), np.tile(row, (d, 1)), np.ones(d)) for row in (weights, moved)
    )
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13
    axes, exact = (
        MultivariateNormal(np.zeros(d), Isotropic(1.0, dim=d)),
        oracle.from_scales(np.zeros(d), np.ones(d)),
    )
    assert oracle.relative_error(kl(p, axes), oracle.kl(exact_p, exact)) < 1e-13


def test_long_random_walks():
    """The mean square of the walk before each step is their number: no matrix of 80 GB is made."""
    d, share = 100_000, 2.0**-10
    walk = MultivariateNormal(np.zeros(d), Autoregressive(np.ones((d, 1)), np.ones(d)))
    slower = MultivariateNormal(np.zeros(d), Autoregressive(np.full((d, 1), 1.0 - share), np.full(d, 2.0)))
    steps = d * (0.5 * (0.25 - 1.0) + np.log(2.0))
    assert kl(walk, slower) == pytest.approx(steps + 0.125 * share**2 * d * (d - 1) / 2, rel=1e-13)
    band = np.stack([np.full(d, -1.0), np.where(np.arange(d) < d - 1, 2.0, 1.0)])
    assert kl(walk, MultivariateNormal(np.zeros(d), Banded(band))) < 1e-9
    field = MultivariateNormal(np.zeros(d), Isotropic(1.0, dim=d))
    assert kl(field, walk) == pytest.approx((d - 1) / 2, rel=1e-13)
    assert kl(walk, field) == pytest.approx(d * (d - 1) / 4, rel=1e-13)


def test_explosive_series_leave_the_floats():
    d = 3_000
    first, second = (
        MultivariateNormal(np.zeros(d), Autoregressive(np.full((d, lags), 1.5), np.ones(d)))
        for lags in (1, 2)
    )
    assert kl(first, first) == kl(second, second) == 0.0
    assert kl(first, second) == kl(second, first) == np.inf


def test_batches_broadcast():
    rng = np.random.default_rng(5)
    coefficients, scales = rng.uniform(-0.5, 0.5, (3, 1, 6, 2)), rng.uniform(0.5, 2.0, (4, 6))
    others = Autoregressive(rng.uniform(-0.5, 0.5, (4, 6, 3)), np.ones(6))
    whole = MultivariateNormal(np.zeros(6), Autoregressive(coefficients, scales))
    other = MultivariateNormal(np.zeros(6), others)
    low = MultivariateNormal(np.zeros(6), LowRank(scales, rng.normal(size=(6, 1))))
    assert kl(whole, other).shape == entropy(whole).shape == (3, 4)
    for i, j in np.ndindex(3, 4):
        one = MultivariateNormal(np.zeros(6), Autoregressive(coefficients[i, 0], scales[j]))
        rest = MultivariateNormal(np.zeros(6), Autoregressive(others.coefficients[j], np.ones(6)))
        thin = MultivariateNormal(np.zeros(6), LowRank(scales[j], low.covariance.loadings))
        for (p, q), (first, second) in (
            ((whole, other), (one, rest)),
            ((other, whole), (rest, one)),
            ((whole, low), (one, thin)),
            ((low, whole), (thin, one)),
        ):
            np.testing.assert_allclose(kl(p, q)[i, j], kl(first, second), rtol=1e-13)


def test_both_forms_of_a_band_and_the_matrix():
    mean, coefficients, scales = series(np.random.default_rng(2), 7, 2)
    held = Autoregressive(coefficients, scales)
    band = band_of(mean, coefficients, scales)
    below = np.stack([np.append(band[2 - k, k:], [np.nan] * k) for k in range(3)])
    for other in (Banded(band), Banded(below, lower=True)):
        np.testing.assert_allclose(other.matrix(), held.matrix(), rtol=1e-12)
        np.testing.assert_allclose(other.whiten(mean), held.whiten(mean), rtol=1e-12)
        np.testing.assert_allclose(other.log_det(), held.log_det(), rtol=1e-12)
    p = MultivariateNormal(mean, held)
    np.testing.assert_allclose(
        p.log_prob(scales), MultivariateNormal(mean, Dense(held.matrix())).log_prob(scales)
    )
    np.testing.assert_allclose(held.marginal([3, 1]).matrix(), held.matrix()[np.ix_([3, 1], [3, 1])])


ONES = np.ones((4, 1))
BAD = [
    (
        lambda: Autoregressive(ONES, np.ones(5)),
        ValueError,
        "coefficients have 4 rows, scales are of 5 variables",
    ),
    (lambda: Autoregressive(np.ones(4), np.ones(4)), ValueError, r"must have shape \(\.\.\., d, b\)"),
    (lambda: Autoregressive(ONES, -np.ones(4)), ValueError, "scales must be positive"),
    (lambda: Autoregressive(ONES * np.inf, np.ones(4)), ValueError, "coefficients must be finite"),
    (lambda: Autoregressive(np.ones((2, 4, 1)), np.ones((3, 4))), ValueError, "do not broadcast"),
    (lambda: Autoregressive(pt.dmatrix(), np.ones(4)), ValueError, "known number of lags"),
    (lambda: Banded(np.ones((5, 2))), ValueError, "5 diagonals of 2 variables"),
    (lambda: Banded(np.ones(2)), ValueError, r"must have shape \(\.\.\., b \+ 1, d\)"),
    (
        lambda: Banded([[0.0, 1.0], [1.0, 1.0]]),
        LinAlgError,
        "precision must be positive definite, where its rows are taken as diagonals, the main one last",
    ),
    (lambda: Banded([[1.0, 1.0], [2.0, 0.0]], lower=True), LinAlgError, "the main one first"),
    (lambda: Banded(np.eye(4)), ValueError, r"a whole symmetric matrix: .*Precision\(matrix\) takes"),
    (lambda: Banded([[0.0, np.nan], [1.0, 1.0]]), ValueError, "precision must be finite"),
    (lambda: Banded(pt.dmatrix()), ValueError, "known number of diagonals"),
]


@pytest.mark.parametrize(("make", "kind", "message"), BAD)
def test_bad_parameters(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


def _numbers(rng, kind, d, lags):
    mean, coefficients, scales = series(rng, d, lags)
    loadings = rng.normal(size=(d, 1))
    return {
        "series": [mean, np.nan_to_num(coefficients), scales],
        "band": [mean, np.nan_to_num(band_of(mean, coefficients, scales))],
        "axes": [mean, scales],
        "low rank": [mean, scales, loadings],
        "dense": [mean, np.diag(scales) + loadings @ loadings.T],
    }[kind]


_MAKE = {
    "series": Autoregressive,
    "band": Banded,
    "axes": Diagonal,
    "low rank": LowRank,
    "dense": lambda matrix: Dense(0.5 * (matrix + matrix.T)),
}
GRAPHS = [
    ("series", 1, "series", 2, True),
    ("series", 5, "band", 3, False),
    ("axes", 1, "series", 1, False),
    ("series", 1, "low rank", 1, True),
    ("low rank", 1, "series", 1, False),
    *(
        pytest.param(*given, marks=pytest.mark.slow)
        for given in (
            ("series", 1, "series", 1, False),
            ("band", 1, "band", 1, True),
            ("band", 3, "series", 2, True),
            ("series", 2, "axes", 1, True),
            ("dense", 1, "band", 2, True),
            ("band", 1, "dense", 1, False),
        )
    ),
]


def _pair(p, q, inputs, split):
    sides = (p, inputs[:split]), (q, inputs[split:])
    return [MultivariateNormal(mean, _MAKE[kind](*rest)) for kind, (mean, *rest) in sides]


@pytest.mark.parametrize(("p", "p_lags", "q", "q_lags", "known"), GRAPHS)
def test_graphs_and_their_gradients(p, p_lags, q, q_lags, known):
    rng = np.random.default_rng([p_lags, q_lags])
    first, second = _numbers(rng, p, 7, p_lags), _numbers(rng, q, 7, q_lags)
    numbers, split = [*first, *second], len(first)
    inputs = [
        pt.tensor(dtype="float64", shape=[n if known or (n < 7 and x.ndim == 2) else None for n in x.shape])
        for x in numbers
    ]
    graph = kl(*_pair(p, q, inputs, split))
    gradients = pytensor.grad(graph, inputs)
    found, *slopes = value([graph, *gradients], dict(zip(inputs, numbers, strict=True)))
    np.testing.assert_allclose(found, kl(*_pair(p, q, numbers, split)), rtol=1e-12)
    for i, slope in enumerate(slopes):
        direction, step = rng.normal(size=numbers[i].shape), 1e-5
        ends = [
            kl(*_pair(p, q, [x + h * direction if j == i else x for j, x in enumerate(numbers)], split))
            for h in (step, -step)
        ]
        np.testing.assert_allclose(
            (slope * direction).sum(), (ends[0] - ends[1]) / (2 * step), rtol=1e-5, atol=1e-7
        )


@pytest.mark.slow
def test_curvature_at_equality():
    """Second derivatives by the coefficient: the sum of the mean squares of the walk before each step."""
    rho = pt.dscalar()
    walk = MultivariateNormal(np.zeros(6), Autoregressive(np.ones((6, 1)), np.ones(6)))
    other = MultivariateNormal(np.zeros(6), Autoregressive(rho * np.ones((6, 1)), np.ones(6)))
    for pair, curvature in (((walk, other), 15.0), ((other, walk), 15.0)):
        divergence = kl(*pair)
        slope = pytensor.grad(divergence, rho)
        found = value([divergence, slope, pytensor.grad(slope, rho)], {rho: 1.0})
        np.testing.assert_allclose(found, [0.0, 0.0, curvature], atol=1e-14)


def test_band_that_is_not_positive_definite_raises_when_a_graph_runs():
    band = pt.tensor(dtype="float64", shape=(2, 3))
    graph = kl(
        MultivariateNormal(np.zeros(3), Banded(band)), MultivariateNormal(np.zeros(3), Isotropic(1.0, dim=3))
    )
    with pytest.raises(ValueError, match="p: precision must be positive definite"):
        value(graph, {band: np.ones((2, 3))})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning")
@pytest.mark.parametrize("mode", OF_DIAGONALS)
def test_compilers_agree(mode):
    rng = np.random.default_rng(3)
    numbers = [*_numbers(rng, "band", 7, 2)[1:], *_numbers(rng, "series", 7, 1)[1:]]
    inputs = [pt.tensor(dtype="float64", shape=x.shape) for x in numbers]
    band, *rest = inputs
    p, q, axes = (
        MultivariateNormal(np.zeros(7), a)
        for a in (Banded(band), Autoregressive(*rest), LowRank(rest[1], rest[0]))
    )
    graphs = [kl(p, q), kl(q, axes)]
    graphs += pytensor.grad(graphs[0] + graphs[1], inputs)
    got = pytensor.function(inputs, graphs, mode=mode)(*numbers)
    for found, expected in zip(got, value(graphs, dict(zip(inputs, numbers, strict=True))), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)
