"""Matrix t distributions."""

import mpmath as mp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.logprob.utils import ParameterValueError
from scipy import stats

from graphs import value
from kl_plugins import Dense, Isotropic, Kronecker, NoClosedFormError, entropy, explain, kl
from kl_plugins.families.matrix_normal import MatrixNormal
from kl_plugins.families.matrix_t import MatrixT

pytestmark = pytest.mark.skipif(not hasattr(stats, "matrix_t"), reason="SciPy 1.16 has no matrix_t")

MEAN = np.arange(6.0).reshape(3, 2)
ROWS = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, -0.2], [0.3, -0.2, 3.0]])
COLUMNS = np.array([[1.0, 0.3], [0.3, 2.0]])
OTHER = stats.matrix_normal(
    MEAN + 0.1, [[1.0, -0.3, 0.0], [-0.3, 2.0, 0.4], [0.0, 0.4, 1.5]], [[1.5, -0.2], [-0.2, 0.7]]
)


def log_normaliser(df, m, n):
    """ln ∫|I + xᵀx|^−a dx, and its derivative by a, which is less the mean of the logarithm."""
    pairs = [((df + n - 1 - j + m) / 2, (df + n - 1 - j) / 2) for j in range(n)]
    value = sum(mp.loggamma(less) - mp.loggamma(full) for full, less in pairs)
    return value + m * n * mp.log(mp.pi) / 2, sum(mp.psi(0, less) - mp.psi(0, full) for full, less in pairs)


def log_det(matrix):
    return mp.mpf(np.linalg.slogdet(matrix)[1])


def exact_entropy(df, m, n):
    """Of unit spreads."""
    value, slope = log_normaliser(df, m, n)
    return value - (df + m + n - 1) / 2 * slope


@pytest.mark.parametrize(("df", "rel"), [(2.5, 1e-13), (5.0, 1e-13), (1e3, 1e-12), (1e6, 1e-9)])
def test_to_matrix_normal_ones(df, rel):
    p = stats.matrix_t(MEAN, ROWS, COLUMNS, df)
    with mp.workdps(50):
        spreads = log_det(ROWS) + mp.mpf(1.5) * log_det(COLUMNS)
        own = exact_entropy(mp.mpf(df), 3, 2) + spreads
        alike = 3 * (1 + mp.log(2 * mp.pi / (mp.mpf(df) - 2))) - exact_entropy(mp.mpf(df), 3, 2)
    u, v, step = np.linalg.inv(OTHER.rowcov), np.linalg.inv(OTHER.colcov), np.full((3, 2), 0.1)
    quadratic = np.trace(u @ ROWS) * np.trace(v @ COLUMNS) / (df - 2.0) + np.trace(u @ step @ v @ step.T)
    sizes = 6.0 * np.log(2.0 * np.pi) + 2.0 * log_det(OTHER.rowcov) + 3.0 * log_det(OTHER.colcov)
    assert entropy(p) == pytest.approx(float(own), rel=1e-14)
    assert kl(p, OTHER) == pytest.approx(float(0.5 * (sizes + quadratic) - own), rel=1e-13)
    of_moments = stats.matrix_normal(MEAN, ROWS / (df - 2.0), COLUMNS)
    turned = stats.matrix_normal(MEAN.T, COLUMNS, ROWS / (df - 2.0))
    assert kl(p, of_moments) == pytest.approx(float(alike), rel=rel)
    assert kl(stats.matrix_t(MEAN.T, COLUMNS, ROWS, df), turned) == pytest.approx(float(alike), rel=rel)


def test_one_column_is_a_multivariate_t_vector():
    p = stats.matrix_t(MEAN[:, :1], ROWS, [[4.0]], 3.0)
    q = stats.matrix_normal(OTHER.mean[:, :1], OTHER.rowcov, [[1.0]])
    vector = stats.multivariate_t(MEAN[:, 0], ROWS * 4.0 / 3.0, 3.0)
    normal = stats.multivariate_normal(OTHER.mean[:, 0], OTHER.rowcov)
    assert kl(p, q) == pytest.approx(kl(vector, normal), rel=1e-13)
    assert entropy(p) == pytest.approx(entropy(vector), rel=1e-13)
    assert kl(stats.matrix_t(MEAN, ROWS, COLUMNS, 2.0), OTHER) == np.inf


@pytest.mark.parametrize(("df", "other"), [(5.0, 7.0), (0.3, 40.0), (5.0, 5.0 * (1.0 + 1e-8)), (1e4, 2e4)])
def test_of_other_degrees_of_freedom(df, other):
    p, q = stats.matrix_t(MEAN, ROWS, COLUMNS, df), stats.matrix_t(MEAN, 2.0 * ROWS, COLUMNS / 2.0, other)
    with mp.workdps(50):
        (first, slope), (second, _) = (log_normaliser(mp.mpf(x), 3, 2) for x in (df, other))
        expected = second - first - (mp.mpf(other) - mp.mpf(df)) / 2 * slope
    assert kl(p, q) == pytest.approx(float(expected), rel=1e-12)
    assert kl(p, p) == 0.0
    assert explain(p, q).cost == "O(n) for n columns"


def test_batches():
    gaussian = MatrixNormal(np.zeros(4), Kronecker([Isotropic(1.0, 2), Dense(COLUMNS)]))
    p, q = MatrixT([3.0, 5.0, 1.0, np.nan], gaussian), MatrixT(4.0, gaussian)
    for found, alone in ((kl(p, q), q), (kl(p, gaussian), gaussian)):
        assert np.isnan(found).tolist() == [False, False, False, True]
        assert found[1] == pytest.approx(kl(MatrixT(5.0, gaussian), alone), rel=1e-14)
    assert kl(p, gaussian)[2] == np.inf


@pytest.mark.parametrize("count", [1, 4])
def test_large_spreads_are_compared_by_rows_and_by_columns(count):
    """No product of them is made; their sizes may be anything where their product's is common."""
    size, scale = 60 // count, 1e200
    rows, columns = np.eye(size) + 0.1, np.eye(count) + 0.1
    p = stats.matrix_t(np.zeros((size, count)), rows, columns, 5.0)
    q = stats.matrix_t(np.zeros((size, count)), scale * rows, columns / scale, 7.0)
    alike = MatrixNormal(np.zeros(size * count), Kronecker([Isotropic(1.0, size), Isotropic(1.0, count)]))
    assert kl(p, q) == pytest.approx(kl(MatrixT(5.0, alike), MatrixT(7.0, alike)), rel=1e-14)


@pytest.mark.slow
def test_in_graphs():
    df, mean, spread = pt.dscalar("df"), pt.dvector("mean"), pt.tensor("spread", shape=(2, 2))
    p = MatrixT(df, MatrixNormal(mean, Kronecker([Dense(spread), Dense(ROWS)])))
    gaussian = MatrixNormal(np.zeros(6), Kronecker([Dense(COLUMNS), Dense(ROWS)]))
    total = kl(p, MatrixT(7.0, gaussian))
    at = {df: 5.0, mean: np.zeros(6), spread: COLUMNS}
    found, slope = value([total, pytensor.grad(total, df)], at)
    alone = [kl(MatrixT(x, gaussian), MatrixT(7.0, gaussian)) for x in (5.0, 5.0 + 1e-5, 5.0 - 1e-5)]
    assert found == pytest.approx(alone[0], rel=1e-13)
    assert slope == pytest.approx((alone[1] - alone[2]) / 2e-5, rel=1e-8)
    for other in ({mean: np.ones(6)}, {spread: 2.0 * COLUMNS}, {spread: np.eye(2)}):
        with pytest.raises(ParameterValueError, match="a common mean and a common product"):
            value(total, at | other)


def test_a_gaussian_of_three_dimensions_is_refused():
    with pytest.raises(ValueError, match="gaussian must be of matrices, got an array of 2 by 1 by 2"):
        MatrixT(3.0, MatrixNormal(np.zeros(4), Kronecker([np.eye(2), np.eye(1), np.eye(2)])))


@pytest.mark.parametrize(("mean", "rows"), [(MEAN + 1.0, ROWS), (MEAN, 2.0 * ROWS), (MEAN, OTHER.rowcov)])
def test_what_has_to_be_common(mean, rows):
    for function in (kl, explain):
        with pytest.raises(
            NoClosedFormError, match=r"p: scipy\.stats\.matrix_t .*common mean and a common product"
        ):
            function(stats.matrix_t(MEAN, ROWS, COLUMNS, 5.0), stats.matrix_t(mean, rows, COLUMNS, 5.0))
