"""Compiled kernels for batches give the numbers of the plain NumPy path."""

import subprocess
import sys

import numpy as np
import pytest

from kl_plugins import Cholesky, Dense, Diagonal, Isotropic, MultivariateNormal, kl
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.ops import compiled as choice


def without_kernels(function):
    with pytest.MonkeyPatch.context() as patch:
        for limit in ("_WORTH_COMPILING", "_LONG_VECTOR"):
            patch.setattr(choice, limit, 10**12)
        return function()


@pytest.fixture(autouse=True)
def _kernels_for_every_batch(monkeypatch):
    monkeypatch.setattr(choice, "_WORTH_COMPILING", 1)


def matrices(rng, batch, dimension, dtype=float):
    root = rng.normal(size=(*batch, dimension, 2 * dimension))
    return (root @ root.swapaxes(-1, -2) / dimension).astype(dtype)


BATCHES = [((7,), (7,)), ((7,), ()), ((), (7,)), ((3, 1), (4,)), ((1,), (1,)), ((2, 1, 3), (5, 1))]


@pytest.mark.parametrize("dimension", [1, 2, 5, 30, 100])
@pytest.mark.parametrize(("p_batch", "q_batch"), BATCHES, ids=str)
@pytest.mark.parametrize(("p_kind", "q_kind"), [("S", "S"), ("L", "S"), ("L", "L")])
def test_kernel_agrees_with_numpy(p_kind, q_kind, p_batch, q_batch, dimension):
    rng = np.random.default_rng(dimension)
    p_matrix, q_matrix = matrices(rng, p_batch, dimension), matrices(rng, q_batch, dimension)
    p_mean, q_mean = rng.normal(size=(*p_batch, dimension)), rng.normal(size=dimension)
    make = {"S": Dense, "L": lambda matrix: Cholesky(np.linalg.cholesky(matrix))}

    def value():
        p = MultivariateNormal(p_mean, make[p_kind](p_matrix))
        return kl(p, MultivariateNormal(q_mean, make[q_kind](q_matrix)))

    compiled = value()
    assert compiled.shape == np.broadcast_shapes(p_batch, q_batch)
    np.testing.assert_allclose(compiled, without_kernels(value), rtol=1e-12)


LONG = [((100,), (100,)), ((200,), ()), ((), (75,)), ((3, 1), (150,)), ((2, 1, 80), (5, 1)), ((80, 1), (3,))]
"""Batches that are long along the first axis, the last one, or one of the sides."""


@pytest.mark.parametrize("dimension", [1, 2, 9, 24])
@pytest.mark.parametrize(("p_batch", "q_batch"), LONG, ids=str)
@pytest.mark.parametrize(("p_kind", "q_kind"), [("S", "S"), ("L", "S"), ("L", "L")])
def test_long_batches_agree_with_numpy(p_kind, q_kind, p_batch, q_batch, dimension):
    test_kernel_agrees_with_numpy(p_kind, q_kind, p_batch, q_batch, dimension)


@pytest.mark.parametrize("scale", [1e-140, 1e-12, 1e12, 1e140])
def test_extreme_members_of_a_batch(scale):
    rng = np.random.default_rng(5)
    q_matrix, p_matrix = matrices(rng, (100,), 12), matrices(rng, (100,), 12)
    p_matrix[3] *= scale
    p_matrix[80] = np.diag(np.logspace(0, np.log10(scale), 12))

    def value():
        p, q = (MultivariateNormal(np.zeros(12), Dense(matrix)) for matrix in (p_matrix, q_matrix))
        return kl(p, q)

    compiled = value()
    assert np.isfinite(compiled).all()
    np.testing.assert_allclose(compiled, without_kernels(value), rtol=1e-12)


def test_a_single_pair_gives_the_same_bits_whatever_came_before():
    rng = np.random.default_rng(7)
    p, q = (MultivariateNormal(rng.normal(size=10), Dense(matrices(rng, (), 10))) for _ in "pq")
    first = kl(p, q)
    batch = MultivariateNormal(np.zeros(10), Dense(matrices(rng, (9,), 10)))
    kl(batch, batch)  # loads the kernels
    assert {kl(p, q) for _ in range(20)} == {first}
    near = MultivariateNormal(p.mean, Dense(p.covariance.covariance * (1 + 1e-8)))
    np.testing.assert_allclose(kl(p, near), 10 * 0.25e-16, rtol=1e-5)
    assert kl(p, p) == 0.0
    assert type(first) is np.float64


def test_a_batch_gives_the_same_bits_when_a_factor_has_been_looked_at():
    rng = np.random.default_rng(7)
    p, q = (MultivariateNormal(np.zeros(7), Dense(matrices(rng, (300,), 7))) for _ in "pq")
    first = kl(p, q)
    for side in (p, q):
        side.entropy()  # which keeps the factors
    np.testing.assert_array_equal(kl(p, q), first)


@pytest.mark.parametrize("count", [6, 100])
@pytest.mark.parametrize("dimension", [1, 2, 5, 17, 100])
def test_equal_members_are_exactly_zero_and_near_ones_keep_their_digits(dimension, count):
    rng = np.random.default_rng(3)
    matrix = matrices(rng, (count,), dimension)
    mean = rng.normal(size=(count, dimension))
    p, same = MultivariateNormal(mean, Dense(matrix)), MultivariateNormal(mean.copy(), Dense(matrix.copy()))
    np.testing.assert_array_equal(kl(p, same), np.zeros(count))

    def near():
        return kl(
            MultivariateNormal(mean, Dense(matrix)), MultivariateNormal(mean, Dense(matrix * (1 + 1e-8)))
        )

    np.testing.assert_allclose(near(), dimension * 0.25e-16, rtol=1e-5)


def test_float32_stays_float32():
    rng = np.random.default_rng(3)
    p, q = (
        MultivariateNormal(np.zeros(4, np.float32), Dense(matrices(rng, (9,), 4, np.float32))) for _ in "pq"
    )
    assert kl(p, q).dtype == np.float32


@pytest.mark.parametrize(
    ("spoil", "kind", "message"),
    [
        (lambda m: m.__setitem__((5, 0, 0), -1.0), np.linalg.LinAlgError, "covariance must be positive def"),
        (lambda m: m.__setitem__((5, 0, 1), np.nan), ValueError, "covariance must be finite"),
        (lambda m: m.__setitem__((5, 2, 2), np.inf), ValueError, "covariance must be finite"),
        (lambda m: m.__setitem__((5, [0, 1], [1, 0]), np.inf), ValueError, "covariance must be finite"),
        (lambda m: m.__setitem__((5, 0, 1), 9.0), ValueError, "covariance must be symmetric"),
    ],
)
@pytest.mark.parametrize("count", [9, 100])
def test_one_bad_member_is_an_error(spoil, kind, message, count):
    matrix = matrices(np.random.default_rng(0), (count,), 3)
    spoil(matrix)
    with pytest.raises(kind, match=message):
        Dense(matrix)


@pytest.mark.parametrize("p_scale", [0.5, 1.0, 1e-160, 1e150])
@pytest.mark.parametrize("isotropic", [True, False])
def test_long_vectors_agree_with_numpy(isotropic, p_scale, monkeypatch):
    monkeypatch.setattr(choice, "_LONG_VECTOR", 2)
    rng = np.random.default_rng(1)
    for dimension in (3, 8192, 20_000):
        p_variances = 1.5 * p_scale if isotropic else rng.uniform(0.1, 3.0, dimension) * p_scale
        covariance = Isotropic(p_variances, dim=dimension) if isotropic else Diagonal(p_variances)
        p = MultivariateNormal(rng.normal(size=dimension), covariance)
        q = MultivariateNormal(rng.normal(size=dimension), Diagonal(rng.uniform(0.1, 3.0, dimension)))
        compiled, plain = kl(p, q), without_kernels(lambda p=p, q=q: kl(p, q))
        assert type(compiled) is type(plain)
        np.testing.assert_allclose(compiled, plain, rtol=1e-12)
        assert kl(p, p) == kl(q, q) == 0.0


def test_long_vectors_of_any_layout(monkeypatch):
    monkeypatch.setattr(choice, "_LONG_VECTOR", 2)
    rng = np.random.default_rng(1)
    scales = rng.uniform(0.1, 3.0, (2, 1000))
    unaligned = np.frombuffer(b" " + rng.normal(size=1000).tobytes(), offset=1)
    p = MultivariateNormal(unaligned, DiagonalScales(scales[0]))
    q = MultivariateNormal(rng.normal(size=2000)[::2], DiagonalScales(scales[1]))
    np.testing.assert_allclose(kl(p, q), without_kernels(lambda: kl(p, q)), rtol=1e-12)


def test_variances_that_differ_in_their_last_digit(monkeypatch):
    """Their square roots are equal; by the difference of the variances they are not."""
    variances = np.full(3, 1.1)
    other = np.array([1.1, np.nextafter(1.1, 2.0), 1.1])
    exact = 0.25 * ((other[1] - 1.1) / 1.1) ** 2
    p, q = (MultivariateNormal(np.zeros(3), Diagonal(x)) for x in (variances, other))
    monkeypatch.setattr(choice, "_LONG_VECTOR", 2)
    np.testing.assert_allclose(kl(p, q), exact, rtol=1e-12)
    p, q = (
        MultivariateNormal(np.zeros((100, 3)), Dense(np.tile(np.diag(x), (100, 1, 1))))
        for x in (variances, other)
    )
    np.testing.assert_allclose(kl(p, q), exact, rtol=1e-12)


WITHOUT_NUMBA = """
import sys
sys.modules["numba"] = None
import numpy as np
from kl_plugins import Dense, MultivariateNormal, kl
matrix = np.tile(np.eye(2), (60_000, 1, 1))
p, q = MultivariateNormal(np.zeros(2), Dense(matrix)), MultivariateNormal(np.ones(2), Dense(matrix))
np.testing.assert_array_equal(kl(p, q), np.ones(60_000))
"""
SMALL_BATCH = """
import sys
import numpy as np
from kl_plugins import Dense, MultivariateNormal, kl
p = MultivariateNormal(np.zeros(2), Dense(np.tile(np.eye(2), (100, 1, 1))))
one = MultivariateNormal(np.zeros(2), Dense(np.eye(2)))
kl(p, p), kl(one, one)
assert "numba" not in sys.modules
"""


A_THOUSAND_CALLS = """
import numpy as np
from scipy import stats
from kl_plugins import Dense, Diagonal, MultivariateNormal, kl
rng = np.random.default_rng(0)

def dense(*batch, d):
    root = rng.normal(size=(*batch, d, 2 * d))
    return MultivariateNormal(rng.normal(size=(*batch, d)), Dense(root @ root.swapaxes(-1, -2)))

def gamma(shape):
    return stats.gamma(rng.uniform(1.0, 9.0, shape), scale=rng.uniform(0.5, 2.0, shape))

def diagonal(d):
    return MultivariateNormal(rng.normal(size=d), Diagonal(rng.uniform(0.5, 2.0, d)))

often = [[dense(d=10), dense(d=10)], [dense(9, d=3), dense(9, d=3)], [gamma(()), gamma(())]]
long = [[dense(300, d=30), dense(300, d=30)], [gamma(250_000), gamma(250_000)]]
often.append([gamma(50), gamma(50)])
long.append([diagonal(250_000), diagonal(250_000)])
first = [kl(*pair) for pair in often]  # before anything is compiled
first_of_long = [kl(*pair) for pair in long]
for _ in range(999):
    last = [kl(*pair) for pair in often]
for found, expected in zip(last, first, strict=True):
    np.testing.assert_array_equal(found, expected)
for _ in range(9):
    for pair, expected in zip(long, first_of_long, strict=True):
        np.testing.assert_array_equal(kl(*pair), expected)
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    "program",
    [WITHOUT_NUMBA, SMALL_BATCH, A_THOUSAND_CALLS],
    ids=["Numba absent", "Numba not needed", "the thousandth call has the bits of the first"],
)
def test_in_a_process_of_its_own(program):
    subprocess.run([sys.executable, "-c", program], check=True)
