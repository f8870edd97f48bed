"""Diagonal plus low rank: against the oracle and the dense equivalent, without a matrix of d × d."""

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
from graphs import value
from kl_plugins import (
    Dense,
    Diagonal,
    Isotropic,
    LowRank,
    MultivariateNormal,
    Precision,
    entropy,
    explain,
    jeffreys,
    kl,
)
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.ops import compiled

THIN = "O(d k²) for k columns: Woodbury's identity and the determinant lemma"
WIDE = "O(d³): the factors are not thin, both through Cholesky factors"
# Variables and the columns of p's and of q's factor.
SIZES = [(3, 1, 1), (8, 2, 2), (8, 3, 1), (9, 0, 2), (30, 4, 4), (30, 2, 5)]


def parameters(rng, d, k, spread=0.5):
    """Mean, variances and factor of a well conditioned covariance."""
    return rng.normal(size=d), rng.uniform(0.5, 2.0, d), spread * rng.normal(size=(d, k))


def both(mean, diagonal, factor):
    """The library's distribution and the oracle's."""
    return MultivariateNormal(mean, LowRank(diagonal, factor)), oracle.from_low_rank(mean, diagonal, factor)


def neighbour(rng, mean, diagonal, factor, columns, distance):
    """Parameters that differ by about `distance`, perhaps with other columns, which are small."""
    d = len(mean)
    step = distance / np.sqrt(d)
    moved = np.zeros((d, columns))
    common = min(columns, factor.shape[-1])
    moved[:, :common] = factor[:, :common] + step * rng.normal(size=(d, common))
    moved[:, common:] = np.sqrt(step) * rng.normal(size=(d, columns - common))
    return mean + step * rng.normal(size=d), diagonal * (1 + step * rng.uniform(-1, 1, d)), moved


@pytest.mark.parametrize("spread", [1e-3, 0.5, 30.0])
@pytest.mark.parametrize(("d", "p_columns", "q_columns"), SIZES)
def test_pair_agrees_with_the_oracle(d, p_columns, q_columns, spread):
    rng = np.random.default_rng([d, p_columns, q_columns])
    p, exact_p = both(*parameters(rng, d, p_columns, spread))
    q, exact_q = both(*parameters(rng, d, q_columns, spread))
    axes = parameters(rng, d, 0)[:2]
    other, exact_other = MultivariateNormal(axes[0], Diagonal(axes[1])), oracle.from_variances(*axes)
    for first, second, exact in (
        (p, q, (exact_p, exact_q)),
        (p, other, (exact_p, exact_other)),
        (other, q, (exact_other, exact_q)),
    ):
        assert explain(first, second).cost == THIN
        assert oracle.relative_error(kl(first, second), oracle.kl(*exact)) < 1e-12


@pytest.mark.parametrize("distance", [0.5, 0.1, 1e-2, 1e-4, 1e-6, 1e-8, 3e-9])
@pytest.mark.parametrize(("d", "p_columns", "q_columns"), [size for size in SIZES if size[1]])
def test_nearly_equal_pair_keeps_its_digits(d, p_columns, q_columns, distance):
    rng = np.random.default_rng([d, p_columns, q_columns])
    first = parameters(rng, d, p_columns)
    first[2][:, min(p_columns, q_columns) :] *= np.sqrt(distance)
    (p, exact_p), (q, exact_q) = both(*first), both(*neighbour(rng, *first, q_columns, distance))
    for pair, exact in (((p, q), oracle.kl(exact_p, exact_q)), ((q, p), oracle.kl(exact_q, exact_p))):
        assert exact < distance**2 * d
        assert oracle.relative_error(kl(*pair), exact) < 1e-12 + 1e-14 / distance


@pytest.mark.parametrize("weight", [1e-2, 1e-5, 1e-9])
def test_small_factor_against_a_diagonal_keeps_its_digits(weight):
    rng = np.random.default_rng(8)
    mean, diagonal, factor = parameters(rng, 20, 3)
    p, exact_p = both(mean, diagonal, np.sqrt(weight) * factor)
    variances = diagonal * (1 + weight * rng.uniform(-1.0, 1.0, 20))
    q, exact_q = MultivariateNormal(mean, Diagonal(variances)), oracle.from_variances(mean, variances)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-12 + 1e-15 / weight
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-12 + 1e-15 / weight


@pytest.mark.parametrize("axes", [Diagonal(np.ones(9)), DiagonalScales(np.ones(9)), Isotropic(1.0, dim=9)])
def test_zero_factor_is_the_diagonal(axes):
    held = MultivariateNormal(np.zeros(9), LowRank(np.ones(9), np.zeros((9, 2))))
    other = MultivariateNormal(np.zeros(9), axes)
    assert kl(held, other) == kl(other, held) == 0.0
    other = MultivariateNormal(np.zeros(9), Diagonal(np.full(9, 2.0)))
    assert kl(held, other) == pytest.approx(4.5 * (0.5 - 1.0 + np.log(2.0)), rel=1e-14)


def test_factor_times_a_rotation_is_the_same_covariance():
    rng = np.random.default_rng(4)
    mean, diagonal, factor = parameters(rng, 12, 3)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    p, q = (MultivariateNormal(mean, LowRank(diagonal, w)) for w in (factor, factor @ rotation))
    assert 0.0 <= kl(p, q) < 1e-14


@pytest.mark.parametrize(
    "scales", [(1e-70, 1e70), (1e70, 1e-70), (1e-120, 1e-120 * (1 + 1e-8)), (1e-140, 1e10)]
)
def test_extreme_scales_do_not_overflow(scales):
    rng = np.random.default_rng(5)
    diagonal, factor = rng.uniform(0.5, 2.0, 6), rng.normal(size=(6, 2))
    (p, exact_p), (q, exact_q) = (both(np.zeros(6), diagonal * s**2, factor * s) for s in scales)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-6


def test_float32_stays_float32():
    rng = np.random.default_rng(6)
    made = [[x.astype(np.float32) for x in parameters(rng, 10, 2)] for _ in range(2)]
    (p, exact_p), (q, exact_q) = (both(*x) for x in made)
    assert isinstance(kl(p, q), np.float32)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-5


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(0, 5), st.integers(0, 5))
def test_any_shape_agrees_with_the_dense_equivalent(seed, d, p_columns, q_columns):
    rng = np.random.default_rng(seed)
    low, dense = [], []
    for k in (p_columns, q_columns):
        mean, diagonal, factor = parameters(rng, d, k)
        low.append(MultivariateNormal(mean, LowRank(diagonal, factor)))
        dense.append(MultivariateNormal(mean, Dense(np.diag(diagonal) + factor @ factor.T)))
    p, q = low
    assert kl(p, p) == kl(q, q) == 0.0
    wants = kl(*dense)
    for got in (kl(p, q), kl(p, dense[1]), kl(dense[0], q)):
        assert got == pytest.approx(wants, rel=1e-10)
    assert entropy(p) == pytest.approx(entropy(dense[0]), rel=1e-11)
    assert jeffreys(p, q) == jeffreys(q, p)


@pytest.mark.parametrize("shapes", [((4,), ()), ((), (4,)), ((2, 1), (3,))], ids=str)
def test_batches(shapes):
    rng = np.random.default_rng(7)
    sides = []
    for shape in shapes:
        diagonal, factor = rng.uniform(0.5, 2.0, (*shape, 7)), rng.normal(size=(*shape, 7, 2))
        sides.append((rng.normal(size=7), diagonal, factor))
    got = kl(*(MultivariateNormal(mean, LowRank(*rest)) for mean, *rest in sides))
    batch = np.broadcast_shapes(*shapes)
    assert got.shape == batch
    for index in np.ndindex(*batch):
        pair = [
            both(m, np.broadcast_to(d, (*batch, 7))[index], np.broadcast_to(w, (*batch, 7, 2))[index])[0]
            for m, d, w in sides
        ]
        assert got[index] == pytest.approx(kl(*pair), rel=1e-12)


def test_large_batch_of_near_and_far_pairs():
    """More members than it takes for each to go only its own of the two ways."""
    rng = np.random.default_rng(9)
    diagonal, factor = rng.uniform(0.5, 2.0, (1500, 7)), rng.normal(size=(1500, 7, 2))
    other = diagonal * np.where(np.arange(1500) % 2, 1.01, 5.0)[:, None]
    got = kl(*(MultivariateNormal(np.zeros(7), LowRank(x, factor)) for x in (diagonal, other)))
    for i in (0, 1, 1498, 1499):
        pair = (MultivariateNormal(np.zeros(7), LowRank(x[i], factor[i])) for x in (diagonal, other))
        assert got[i] == pytest.approx(kl(*pair), rel=1e-12)


def test_large_dimension_makes_no_matrix():
    """A matrix of this dimension would have 10¹⁰ entries."""
    rng = np.random.default_rng(1)
    made = [MultivariateNormal(m, LowRank(d, w)) for m, d, w in (parameters(rng, 10**5, 3) for _ in range(2))]
    p, q = made
    assert kl(p, q) > 0.0
    assert kl(p, p) == 0.0
    assert np.isfinite(entropy(p))
    part = np.arange(5000)
    p, q = (MultivariateNormal(m.mean[part], m.covariance.marginal(part)) for m in made)
    assert 0.0 < kl(p, q) < kl(*made)


@pytest.mark.parametrize(
    ("p", "q", "cost"),
    [
        (LowRank(np.ones(3), np.ones((3, 1))), LowRank(np.ones(3), np.ones((3, 1))), THIN),
        (LowRank(np.ones(3), np.ones((3, 2))), LowRank(np.ones(3), np.ones((3, 1))), WIDE),
        (LowRank(np.ones(3), np.ones((3, 1))), Isotropic(1.0, dim=3), THIN),
        (Diagonal(np.ones(3)), LowRank(np.ones(3), np.ones((3, 2))), WIDE),
        (
            LowRank(np.ones(3), np.ones((3, 1))),
            Precision(np.eye(3)),
            "k columns whitened by q, beside the diagonal part: O(d²) after the Cholesky factor of q's "
            "precision; O(d³) if the divergence is tiny beside its parts",
        ),
    ],
)
def test_cost_is_told(p, q, cost):
    assert explain(*(MultivariateNormal(np.zeros(3), side) for side in (p, q))).cost == cost


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0, 0.0], np.ones((2, 1))), "diagonal must be positive"),
        (([1.0, np.nan], np.ones((2, 1))), "diagonal must be finite"),
        (([1.0, 1.0], [[1.0], [np.inf]]), "factor must be finite"),
        (([1.0, 1e-4], [[1.0], [-1e149]]), "factor must not exceed 1e+150 times the smallest standard dev"),
        ((1.0, np.ones((2, 1))), "diagonal must have shape (..., d), got a scalar"),
        (([1.0, 1.0], np.ones(2)), "factor must have shape (..., d, k), got shape (2,)"),
        (([1.0, 1.0], np.ones((3, 1))), "diagonal has 2 variables, factor has 3 rows"),
        ((np.ones((4, 2)), np.ones((3, 2, 1))), "batch shapes of diagonal (4,) and factor (3,)"),
    ],
)
def test_bad_parameters(arguments, message):
    with pytest.raises(ValueError) as caught:  # noqa: PT011
        LowRank(*arguments)
    assert message in str(caught.value)


@pytest.mark.slow
@pytest.mark.parametrize("distance", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize("columns", [2, 3])
def test_graph_and_its_gradient(distance, columns):
    """The same number as NumPy's, with the derivatives of the dense closed form."""
    rng = np.random.default_rng(2)
    first = parameters(rng, 7, 2)
    second = first if distance == 0.0 and columns == 2 else neighbour(rng, *first, columns, distance)
    d, w = pt.dvector("d"), pt.dmatrix("w")
    q = MultivariateNormal(second[0], LowRank(second[1], second[2]))
    term = kl(MultivariateNormal(first[0], LowRank(d, w)), q)
    got, by_d, by_w = value([term, *pytensor.grad(term, [d, w])], {d: first[1], w: first[2]})
    np.testing.assert_allclose(got, kl(both(*first)[0], q), rtol=1e-9)
    sigma_p = np.diag(first[1]) + first[2] @ first[2].T
    sigma_q = np.diag(second[1]) + second[2] @ second[2].T
    slope = np.linalg.inv(sigma_p) @ (sigma_p - sigma_q) @ np.linalg.inv(sigma_q) / 2
    np.testing.assert_allclose(by_d, np.diagonal(slope), rtol=1e-6, atol=1e-14)
    np.testing.assert_allclose(by_w, (slope + slope.T) @ first[2], rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("columns", [1, 2, 5])
@pytest.mark.parametrize("unit", [1.0, 1e-12, 1e12, 1e-60])
@pytest.mark.parametrize("step", [1.0, 1e-3, 1e-7, 0.0])
def test_compiled_formulas_over_rows_agree_with_numpy(columns, unit, step, monkeypatch):
    rng = np.random.default_rng([columns, 7])
    (mean, diagonal, factor), change = parameters(rng, 1000, columns), 1.0 + step * rng.uniform(size=1000)

    def value():
        p = MultivariateNormal(mean, LowRank(diagonal, factor))
        q = MultivariateNormal(mean, LowRank(diagonal * change * unit, factor * change[:, None]))
        return kl(p, q)

    plain = value()
    monkeypatch.setattr(compiled, "_LONG_VECTOR", 2)
    np.testing.assert_allclose(value(), plain, rtol=1e-12 + 1e-16 / max(step, 1e-9), atol=1e-25)
