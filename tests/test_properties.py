"""Properties of the divergence over random shapes, structures and scales from 1e-100 to 1e100."""

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from scipy import stats

import gaussians
import oracle
from gaussians import ANY, AXES, LEVELS, STRUCTURES, make
from kl_plugins import Cholesky, MultivariateNormal, Precision, kl
from kl_plugins.covariance.detection import from_matrix
from kl_plugins.ops import compiled

quick = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)

exponents = st.floats(-100.0, 100.0)
seeds = st.integers(0, 2**32 - 1)
structures = st.sampled_from(STRUCTURES)


@pytest.fixture(params=["plain", "compiled"], autouse=True, scope="module")
def _kernels(request):
    """Everything once as it comes, and once by compiled kernels wherever there are any."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "compiled":
            for limit in ("_WORTH_COMPILING", "_LONG_VECTOR"):
                patch.setattr(compiled, limit, 2)
        yield


@st.composite
def normals(draw):
    """Parameters of a univariate normal, its mean up to 10⁵ scales from 0."""
    scale = 10.0 ** draw(exponents)
    return draw(st.floats(-1e5, 1e5)) * scale, scale


@st.composite
def scaled_pairs(draw, common=False):
    """Two distributions, whose variables have scales of their own, and the oracle's reading of them."""
    dimension = draw(st.integers(1, 5))
    rng = np.random.default_rng(draw(seeds))
    names = draw(structures), draw(structures)
    scales = 10.0 ** np.array(draw(st.lists(exponents, min_size=dimension, max_size=dimension)))
    made = []
    for name in names:
        level = LEVELS[name]
        if not common:
            scales = scales * 10.0 ** draw(st.floats(-3.0, 3.0))
        own = np.full(dimension, scales[0]) if level < AXES else scales
        if name == "Eigendecomposition":  # orthonormal float64 eigenvectors cannot hold mixed scales
            own = np.full(dimension, scales.max())
        # What is of one size with the largest must not overflow beside the smallest.
        assume(name != "LowRank" or own.max() / own.min() < 1e140)
        covariance = gaussians.well_conditioned(rng, dimension, level) * np.outer(own, own)
        if name == "Precision":
            made.append(_precision(rng, own))
        else:
            made.append(make(name, rng.normal(size=dimension) * own, covariance))
    return made


def _precision(rng, scales):
    inverse = gaussians.well_conditioned(rng, len(scales), ANY) / np.outer(scales, scales)
    mean = rng.normal(size=len(scales)) * scales
    return MultivariateNormal(mean, Precision(inverse)), oracle.from_precision(mean, inverse)


def check(value, exact, tolerance):
    """Compare with the oracle, as far as its 60 digits and float64's range go."""
    assert value >= 0.0
    if exact > 1e308:
        assert value > 1e307
    else:
        assert abs(value - exact) <= tolerance * exact + 1e-50


@quick
@given(normals(), normals())
def test_univariate_divergence_is_the_oracles(p, q):
    exact = oracle.kl(oracle.from_scales(p[:1], p[1:]), oracle.from_scales(q[:1], q[1:]))
    for arrays in (False, True):
        value = kl(*(stats.norm(np.array(m) if arrays else m, s) for m, s in (p, q)))
        check(value, exact, 1e-13)


@quick
@given(normals(), st.floats(-0.3, 0.3), st.floats(-0.3, 0.3))
def test_univariate_neighbours_keep_their_digits(p, shift, stretch):
    mean, scale = p
    q = mean + shift * scale, scale * (1.0 + stretch)
    exact = oracle.kl(oracle.from_scales([mean], [scale]), oracle.from_scales(q[:1], q[1:]))
    check(kl(stats.norm(mean, scale), stats.norm(*q)), exact, 1e-12)


@quick
@given(scaled_pairs())
def test_divergence_over_mixed_scales_is_the_oracles(pair):
    (p, exact_p), (q, exact_q) = pair
    check(kl(p, q), oracle.kl(exact_p, exact_q), 1e-10)


@quick
@given(scaled_pairs(common=True))
def test_divergence_on_common_scales_is_the_oracles(pair):
    (p, exact_p), (q, exact_q) = pair
    check(kl(p, q), oracle.kl(exact_p, exact_q), 1e-10)
    check(kl(q, p), oracle.kl(exact_q, exact_p), 1e-10)


@quick
@given(scaled_pairs())
def test_divergence_from_itself_is_exactly_zero(pair):
    for p, _ in pair:
        assert kl(p, p) == 0.0


@st.composite
def factors(draw):
    """Lower triangular factors with every entry of a scale of its own."""
    dimension = draw(st.integers(1, 4))
    size = dimension * (dimension + 1) // 2
    values = 10.0 ** np.array(draw(st.lists(exponents, min_size=size, max_size=size)))
    factor = np.zeros((dimension, dimension))
    signs = np.random.default_rng(draw(seeds)).choice([1.0, -1.0], size)
    factor[np.tril_indices(dimension)] = values * signs
    factor[np.diag_indices(dimension)] = np.abs(np.diagonal(factor))
    return factor


@quick
@given(factors())
def test_any_factor_against_itself_and_the_standard_normal(factor):
    dimension = len(factor)
    p = MultivariateNormal(np.zeros(dimension), Cholesky(factor))
    standard = MultivariateNormal(np.zeros(dimension), Cholesky(np.eye(dimension)))
    exact_p = oracle.from_factor(np.zeros(dimension), factor)
    exact_standard = oracle.from_scales(np.zeros(dimension), np.ones(dimension))
    assert kl(p, p) == 0.0
    check(kl(p, standard), oracle.kl(exact_p, exact_standard), 1e-12)
    check(kl(standard, p), oracle.kl(exact_standard, exact_p), 1e-12)


@quick
@given(
    seeds, st.integers(1, 5), structures, structures, st.lists(st.integers(-300, 300), min_size=5, max_size=5)
)
def test_common_change_of_units_leaves_the_divergence(seed, dimension, p_structure, q_structure, powers):
    """Every variable in other units: by powers of two, which change no digits."""
    rng = np.random.default_rng(seed)
    parameters = [
        (rng.normal(size=dimension), gaussians.well_conditioned(rng, dimension, LEVELS[name]))
        for name in (p_structure, q_structure)
    ]
    kinds = {LEVELS[p_structure], LEVELS[q_structure]}
    units = 2.0 ** np.array(powers[:dimension])
    if 0 in kinds or "Eigendecomposition" in (p_structure, q_structure):
        units = np.full(dimension, units[0])
    names = p_structure, q_structure
    before = [make(name, *pair)[0] for name, pair in zip(names, parameters, strict=True)]
    after = [
        make(name, mean * units, covariance * np.outer(units, units))[0]
        for name, (mean, covariance) in zip(names, parameters, strict=True)
    ]
    assert kl(*after) == pytest.approx(kl(*before), rel=1e-11)


@quick
@given(seeds, st.integers(1, 6), st.sampled_from([AXES, ANY]), st.sampled_from([AXES, ANY]))
def test_common_order_of_the_variables_leaves_the_divergence(seed, dimension, p_level, q_level):
    rng = np.random.default_rng(seed)
    order = rng.permutation(dimension)
    before, after = [], []
    for level in (p_level, q_level):
        mean, covariance = rng.normal(size=dimension), gaussians.well_conditioned(rng, dimension, level)
        before.append(MultivariateNormal(mean, from_matrix(covariance)))
        after.append(MultivariateNormal(mean[order], from_matrix(covariance[np.ix_(order, order)])))
    assert kl(*after) == pytest.approx(kl(*before), rel=1e-12)


@quick
@given(seeds, st.integers(1, 6))
def test_common_affine_map_leaves_the_divergence(seed, dimension):
    """x ↦ Ax + b of both sides, through the factors of the mapped covariances."""
    rng = np.random.default_rng(seed)
    a = np.eye(dimension) * 2.0 + rng.uniform(-1.0, 1.0, (dimension, dimension)) / dimension
    b = rng.normal(size=dimension)
    before, after = [], []
    for _ in range(2):
        mean, covariance = rng.normal(size=dimension), gaussians.well_conditioned(rng, dimension, ANY)
        mapped = a @ covariance @ a.T
        before.append(MultivariateNormal(mean, from_matrix(covariance)))
        after.append(MultivariateNormal(a @ mean + b, from_matrix((mapped + mapped.T) / 2)))
    assert kl(*after) == pytest.approx(kl(*before), rel=1e-11)
