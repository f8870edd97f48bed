"""Every pair of covariance structures against the oracle: far apart, nearly equal, equal, extreme."""

import numpy as np
import pytest

import gaussians
import oracle
from gaussians import ANY, LEVELS, MULTIPLE, PAIRS, STRUCTURES, make
from kl_plugins import (
    Cholesky,
    Dense,
    Isotropic,
    MultivariateNormal,
    Precision,
    cross_entropy,
    entropy,
    jeffreys,
    kl,
)
from kl_plugins.covariance.singular import Singular
from kl_plugins.formulas.shared import scale_divergence, variance_divergence
from kl_plugins.ops import numpy as array_ops

DIMENSIONS = [1, 2, 8, 30]


def random_pair(p_structure, q_structure, dimension):
    """Two unrelated Gaussians, each as general as its structure allows."""
    rng = np.random.default_rng([dimension, *(STRUCTURES.index(name) for name in (p_structure, q_structure))])
    return [
        make(name, rng.normal(size=dimension), gaussians.well_conditioned(rng, dimension, LEVELS[name]))
        for name in (p_structure, q_structure)
    ]


def near_pair(p_structure, q_structure, dimension, distance, dtype=np.float64):
    """Two Gaussians whose parameters differ by about `distance`, as general as both structures allow."""
    rng = np.random.default_rng([dimension, *(STRUCTURES.index(name) for name in (p_structure, q_structure))])
    common = min(LEVELS[p_structure], LEVELS[q_structure])
    mean = rng.normal(size=dimension)
    covariance = gaussians.well_conditioned(rng, dimension, common)
    made = []
    for name in (p_structure, q_structure):
        step = distance / np.sqrt(dimension)
        moved = covariance + step * gaussians.symmetric(rng, dimension, LEVELS[name])
        shifted = mean + step * rng.normal(size=dimension)
        made.append(make(name, shifted.astype(dtype), moved.astype(dtype)))
    return made


@pytest.mark.parametrize("dimension", [1, 2, 8])
@pytest.mark.parametrize(("p_structure", "q_structure"), PAIRS)
def test_pair_agrees_with_the_oracle(p_structure, q_structure, dimension):
    (p, exact_p), (q, exact_q) = random_pair(p_structure, q_structure, dimension)
    value = kl(p, q)
    assert isinstance(value, np.float64)
    assert oracle.relative_error(value, oracle.kl(exact_p, exact_q)) < 1e-13


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize(("p_structure", "q_structure"), PAIRS)
def test_nearly_equal_pair_keeps_its_digits(p_structure, q_structure, dimension):
    (p, exact_p), (q, exact_q) = near_pair(p_structure, q_structure, dimension, 1e-8)
    exact = oracle.kl(exact_p, exact_q)
    assert 1e-20 < exact < 1e-14
    assert oracle.relative_error(kl(p, q), exact) < 1e-5


@pytest.mark.parametrize("dimension", [1, 2, 8])
@pytest.mark.parametrize(("p_structure", "q_structure"), PAIRS)
def test_nearly_equal_pair_keeps_its_digits_in_float32(p_structure, q_structure, dimension):
    (p, exact_p), (q, exact_q) = near_pair(p_structure, q_structure, dimension, 1e-3, np.float32)
    exact = oracle.kl(exact_p, exact_q)
    assert 1e-10 < exact < 1e-4
    value = kl(p, q)
    assert isinstance(value, np.float32)
    assert oracle.relative_error(value, exact) < 1e-2


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_equal_parameters_give_exactly_zero(structure, dimension):
    rng = np.random.default_rng(dimension)
    mean = rng.normal(size=dimension)
    covariance = gaussians.well_conditioned(rng, dimension, LEVELS[structure])
    (p, _), (q, _) = make(structure, mean, covariance), make(structure, mean.copy(), covariance.copy())
    assert kl(p, p) == 0.0
    assert kl(p, q) == 0.0
    assert jeffreys(p, q) == 0.0


@pytest.mark.parametrize("level", range(4))
@pytest.mark.parametrize("dimension", [1, 3, 8])
def test_all_representations_of_one_gaussian_agree(dimension, level):
    rng = np.random.default_rng([dimension, level])
    mean, covariance = rng.normal(size=dimension), gaussians.well_conditioned(rng, dimension, level)
    other, _ = make("Dense", rng.normal(size=dimension), gaussians.well_conditioned(rng, dimension, ANY))
    able = [name for name in STRUCTURES if LEVELS[name] >= level]
    same = [make(name, mean, covariance)[0] for name in able]
    for values in (
        [kl(p, other) for p in same],
        [kl(other, q) for q in same],
        [entropy(p) for p in same],
        [cross_entropy(p, other) for p in same],
        [jeffreys(p, other) for p in same],
    ):
        np.testing.assert_allclose(values, values[0], rtol=1e-12)
    between = [kl(p, q) for p in same for q in same]
    assert min(between) >= 0.0
    assert max(between) < 1e-28


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_entropy_and_its_kin_agree_with_the_oracle(structure, dimension):
    rng = np.random.default_rng(dimension)
    mean = rng.normal(size=dimension)
    p, exact_p = make(structure, mean, gaussians.well_conditioned(rng, dimension, LEVELS[structure]))
    q, exact_q = make("Dense", -mean, gaussians.well_conditioned(rng, dimension, ANY))
    forward, backward = oracle.kl(exact_p, exact_q), oracle.kl(exact_q, exact_p)
    assert oracle.relative_error(entropy(p), oracle.entropy(exact_p)) < 1e-13
    assert oracle.relative_error(cross_entropy(p, q), oracle.cross_entropy(exact_p, exact_q)) < 1e-13
    assert oracle.relative_error(jeffreys(p, q), forward + backward) < 1e-12
    assert jeffreys(p, q) == jeffreys(q, p)


EXTREME = [
    # p's and q's standard deviations
    pytest.param(1e-150, 1e150, id="narrow against wide"),
    pytest.param(1e-75, 1e-75 * (1 + 1e-8), id="tiny and nearly equal"),
    pytest.param(1e75, 1e75 * (1 - 1e-8), id="huge and nearly equal"),
    pytest.param(1e-75, 1e75, id="variances 1e-150 against 1e150"),
    pytest.param(1e75, 1e-60, id="wide against narrow"),
]


@pytest.mark.parametrize(("p_scale", "q_scale"), EXTREME)
@pytest.mark.parametrize(("p_structure", "q_structure"), PAIRS)
def test_extreme_scales_do_not_overflow(p_structure, q_structure, p_scale, q_scale):
    p, exact_p = make(p_structure, np.zeros(2), np.eye(2) * p_scale**2)
    q, exact_q = make(q_structure, np.zeros(2), np.eye(2) * q_scale**2)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-6


@pytest.mark.parametrize(("p_structure", "q_structure"), PAIRS)
def test_scales_300_orders_apart_give_690(p_structure, q_structure):
    p, _ = make(p_structure, np.zeros(1), np.eye(1) * 1e-300)
    q, _ = make(q_structure, np.zeros(1), np.eye(1) * 1e300)
    assert kl(p, q) == pytest.approx(300 * np.log(10.0) - 0.5, rel=1e-14)
    assert round(float(kl(p, q)), 2) == 690.28


FACTORS = [
    # q's lower factor, where a wrong order of operations cancels
    pytest.param([[1e100, 0.0], [1e100, 1e-100]], id="columns of different size"),
    pytest.param([[1e-100, 0.0], [1e100, 1e100]], id="rows of different size"),
    pytest.param([[1.0, 0.0], [1e8, 1.0]], id="strongly correlated"),
]


@pytest.mark.parametrize("factor", FACTORS)
def test_factor_of_mixed_scales(factor):
    p, q = MultivariateNormal([0.0, 0.0], Cholesky(np.eye(2))), MultivariateNormal([0, 0], Cholesky(factor))
    exact_p, exact_q = oracle.from_scales([0, 0], [1, 1]), oracle.from_factor([0, 0], factor)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13
    assert oracle.relative_error(kl(q, p), oracle.kl(exact_q, exact_p)) < 1e-13
    assert kl(q, q) == 0.0


@pytest.mark.parametrize(("p_structure", "q_structure"), PAIRS)
def test_common_offset_of_the_means_does_not_matter(p_structure, q_structure):
    means = 1e8 + np.array([[0.25, 1.0, -0.5], [0.5, -2.0, 1.5]])
    rng = np.random.default_rng(5)
    (p, exact_p), (q, exact_q) = (
        make(name, mean, gaussians.well_conditioned(rng, 3, LEVELS[name]))
        for name, mean in zip((p_structure, q_structure), means, strict=True)
    )
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-13


@pytest.mark.parametrize("condition", [1e2, 1e6, 1e10])
@pytest.mark.parametrize("q_structure", ["Dense", "Cholesky", "Precision", "Eigendecomposition"])
@pytest.mark.parametrize("p_structure", ["Isotropic", "Dense", "Cholesky", "Precision"])
def test_ill_conditioned_covariances(p_structure, q_structure, condition):
    """The factorisation of a matrix loses as many digits as the condition number has."""
    rng = np.random.default_rng(11)
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    covariance = (rotation * np.geomspace(1.0, 1.0 / condition, 6)) @ rotation.T
    covariance = (covariance + covariance.T) / 2
    p_covariance = np.eye(6) if LEVELS[p_structure] == MULTIPLE else 2.0 * covariance + np.eye(6) / condition
    p, exact_p = make(p_structure, np.zeros(6), p_covariance)
    q, exact_q = make(q_structure, np.zeros(6), covariance)
    assert oracle.relative_error(kl(p, q), oracle.kl(exact_p, exact_q)) < 1e-15 * condition + 1e-13


@pytest.mark.parametrize(("p_structure", "q_structure"), PAIRS)
def test_singular_pair_is_its_divergence_on_the_subspace(p_structure, q_structure):
    """An orthonormal basis of a common subspace, in which both sides have any structure."""
    rng = np.random.default_rng(3)
    basis, _ = np.linalg.qr(rng.normal(size=(5, 3)))
    (p, exact_p), (q, exact_q) = random_pair(p_structure, q_structure, 3)
    exact = oracle.kl(exact_p, exact_q)
    embedded = [MultivariateNormal(basis @ side.mean, Singular(basis, side.covariance)) for side in (p, q)]
    assert oracle.relative_error(kl(*embedded), exact) < 1e-12
    rotation, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    turned = Singular(basis @ rotation, Dense(rotation.T @ q.covariance.matrix() @ rotation))
    assert oracle.relative_error(kl(embedded[0], MultivariateNormal(basis @ q.mean, turned)), exact) < 1e-12
    assert entropy(embedded[0]) == pytest.approx(float(oracle.entropy(exact_p)), rel=1e-12)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_singular_pair_of_equal_parameters_gives_exactly_zero(structure):
    basis, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 3)))
    (inner, _), _ = random_pair(structure, structure, 3)
    p = MultivariateNormal(basis @ inner.mean, Singular(basis, inner.covariance))
    assert kl(p, p) == 0.0


@pytest.mark.parametrize(
    ("variances", "mean"), [(1.0, 0.0), (4.0, 3.0), (1e-300, 1e-150)], ids=["unit", "moderate", "tiny"]
)
def test_one_dimension_agrees_with_the_univariate_formula(variances, mean):
    p, exact_p = make("Dense", [mean], [[variances]])
    q, exact_q = MultivariateNormal([0.0], Isotropic(1.0, dim=1)), oracle.from_scales([0], [1])
    assert oracle.relative_error(kl(p, q) + 1.0, oracle.kl(exact_p, exact_q) + 1) < 1e-14


@pytest.mark.parametrize("step", [1e-6, 1e-8, 1e-10, 1e-12])
@pytest.mark.parametrize("dim", [1, 8, 30])
@pytest.mark.parametrize("given", [Dense, Precision])
def test_nearly_equal_matrices_keep_nearly_all_digits(given, dim, step):
    """Down to KL ≈ 1e-24, at condition numbers up to 1e2: the difference of the matrices is exact."""
    rng = np.random.default_rng(dim)
    basis = np.linalg.qr(rng.normal(size=(dim, dim)))[0]
    matrix = (basis * np.geomspace(1.0, 1e-2, dim)) @ basis.T
    matrix = (matrix + matrix.T) / 2.0
    change = rng.normal(size=(dim, dim))
    other = matrix * (1.0 + step * (change + change.T))
    read = oracle.from_covariance if given is Dense else oracle.from_precision
    mean = np.zeros(dim)
    exact = float(oracle.kl(read(mean, matrix), read(mean, other)))
    p, q = MultivariateNormal(mean, given(matrix)), MultivariateNormal(mean, given(other))
    assert kl(p, q) == pytest.approx(exact, rel=3e-10)
    batch = MultivariateNormal(mean, given(np.stack([matrix, 2.0 * matrix, other])))
    assert kl(batch, q)[0] == pytest.approx(exact, rel=3e-10)
    assert kl(batch, q)[2] == 0.0


def test_a_precision_of_widely_different_scales():
    """Against a covariance of one scale: the product of the triangular factors would lose every digit."""
    rng = np.random.default_rng(3)
    scales, root = np.array([1e-70, 1e-95, 1e2, 1e5]), rng.normal(size=(4, 4))
    matrix = root @ root.T + np.eye(4)
    precision = matrix / scales[:, None] / scales
    precision, plain = (precision + precision.T) / 2.0, rng.normal(size=(4, 4))
    covariance = plain @ plain.T + np.eye(4)
    mean = np.zeros(4)
    p, q = MultivariateNormal(mean, Precision(precision)), MultivariateNormal(mean, Dense(covariance))
    exact_p, exact_q = oracle.from_precision(mean, precision), oracle.from_covariance(mean, covariance)
    assert kl(p, q) == pytest.approx(float(oracle.kl(exact_p, exact_q)), rel=1e-13)
    assert kl(q, p) == pytest.approx(float(oracle.kl(exact_q, exact_p)), rel=1e-13)


@pytest.mark.parametrize("formula", [scale_divergence, variance_divergence])
def test_short_vectors_are_as_long_ones_at_the_ends_of_the_floats(formula):
    """Short ones are taken as Python's floats, which raise where arrays hold infinity."""
    p, q = np.array([1.0, 1e-300, 1e300, np.nan]), np.array([np.inf, 1e300, 1e-300, 1.0])
    with np.errstate(all="ignore"):
        short = formula(p, q, array_ops)
        long = formula(np.tile(p, 20), np.tile(q, 20), array_ops)
    np.testing.assert_allclose(np.tile(short, 20), long, rtol=1e-14)
