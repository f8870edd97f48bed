"""The oracle itself: against quadrature of the definitions, and against the slips seen in other notes."""

import mpmath
import numpy as np
import pytest
from scipy import stats

import oracle

UNIVARIATE = [
    # p mean, p scale, q mean, q scale
    (0.0, 1.0, 0.0, 1.0),
    (0.0, 1.0, 1.0, 2.0),
    (-1.5, 0.3, 0.25, 0.7),
    (2.0, 3.0, -1.0, 0.5),
]

MEAN_P, MEAN_Q = np.array([1.0, -0.5]), np.array([-0.25, 2.0])
COVARIANCE_P = np.array([[2.0, 0.75], [0.75, 0.5]])
COVARIANCE_Q = np.array([[0.5, -0.25], [-0.25, 1.5]])


@pytest.mark.parametrize(("mean_p", "scale_p", "mean_q", "scale_q"), UNIVARIATE)
def test_univariate_divergence_is_the_integral_that_defines_it(mean_p, scale_p, mean_q, scale_q):
    def integrand(x):
        log_p = mpmath.log(mpmath.npdf(x, mean_p, scale_p))
        log_q = mpmath.log(mpmath.npdf(x, mean_q, scale_q))
        return mpmath.npdf(x, mean_p, scale_p) * (log_p - log_q)

    with mpmath.workdps(25):
        integral = mpmath.quad(integrand, mpmath.linspace(mean_p - 14 * scale_p, mean_p + 14 * scale_p, 9))
    found = oracle.kl(oracle.from_scales([mean_p], [scale_p]), oracle.from_scales([mean_q], [scale_q]))
    assert abs(found - integral) < 1e-20


@pytest.mark.parametrize(("mean", "scale"), [row[:2] for row in UNIVARIATE])
def test_univariate_entropy_is_the_integral_that_defines_it(mean, scale):
    def integrand(x):
        return -mpmath.npdf(x, mean, scale) * mpmath.log(mpmath.npdf(x, mean, scale))

    with mpmath.workdps(25):
        integral = mpmath.quad(integrand, mpmath.linspace(mean - 14 * scale, mean + 14 * scale, 9))
    assert abs(oracle.entropy(oracle.from_scales([mean], [scale])) - integral) < 1e-20


def expectation_under_p(function):
    """Gauss–Hermite quadrature over p, exact for the quadratic functions that it is used on."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(4)
    weights = weights / weights.sum()
    z = np.stack(np.meshgrid(nodes, nodes, indexing="ij"), axis=-1).reshape(-1, 2)
    x = MEAN_P + z @ np.linalg.cholesky(COVARIANCE_P).T
    return np.outer(weights, weights).ravel() @ function(x)


def test_cross_entropy_is_the_expected_log_density_of_q():
    p = oracle.from_covariance(MEAN_P, COVARIANCE_P)
    q = oracle.from_covariance(MEAN_Q, COVARIANCE_Q)
    log_density = stats.multivariate_normal(MEAN_Q, COVARIANCE_Q).logpdf
    assert float(oracle.cross_entropy(p, q)) == pytest.approx(-expectation_under_p(log_density), rel=1e-12)


def quadratic_form(left, right, center):
    """Two readings of E_p[(x − center)ᵀ A⁻¹ (x − center)]: its expectation, and its closed form."""
    inverse = np.linalg.inv(right)
    expected = expectation_under_p(lambda x: np.einsum("ni,ij,nj->n", x - center, inverse, x - center))
    closed = np.trace(inverse @ left) + (MEAN_P - center) @ inverse @ (MEAN_P - center)
    return expected, closed


def test_expected_quadratic_form_inverts_the_covariance_of_q():
    expected, closed = quadratic_form(COVARIANCE_P, COVARIANCE_Q, MEAN_Q)
    assert closed == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("inverted", "center"),
    [
        pytest.param(COVARIANCE_P, MEAN_Q, id="the covariance of p inverted"),
        pytest.param(COVARIANCE_Q, MEAN_P, id="deviations taken from the mean of p"),
    ],
)
def test_slips_in_the_quadratic_form_give_another_divergence(inverted, center):
    """What the definition gives, by quadrature, is the oracle's; with a slip it is not."""

    def log_ratio(x, inverse, center):
        form = np.einsum("ni,ij,nj->n", x - center, inverse, x - center)
        determinant = np.linalg.slogdet(COVARIANCE_Q)[1]
        log_p = stats.multivariate_normal(MEAN_P, COVARIANCE_P).logpdf(x)
        return log_p + 0.5 * (2.0 * np.log(2.0 * np.pi) + determinant + form)

    p = oracle.from_covariance(MEAN_P, COVARIANCE_P)
    q = oracle.from_covariance(MEAN_Q, COVARIANCE_Q)
    right = expectation_under_p(lambda x: log_ratio(x, np.linalg.inv(COVARIANCE_Q), MEAN_Q))
    slip = expectation_under_p(lambda x: log_ratio(x, np.linalg.inv(inverted), center))
    assert float(oracle.kl(p, q)) == pytest.approx(right, rel=1e-12)
    assert abs(slip - right) > 0.5


def test_every_constructor_gives_the_same_gaussian():
    eigenvalues, eigenvectors = np.array([4.0, 9.0]), np.eye(2)[::-1]  # all exact in float64
    made = [
        oracle.from_covariance([1, 2], [[9.0, 0.0], [0.0, 4.0]]),
        oracle.from_factor([1, 2], [[3.0, 0.0], [0.0, 2.0]]),
        oracle.from_eigendecomposition([1, 2], eigenvalues, eigenvectors),
        oracle.from_variances([1, 2], [9.0, 4.0]),
        oracle.from_scales([1, 2], [3.0, 2.0]),
        oracle.joined([oracle.from_scales([1], [3.0]), oracle.from_variances([2], [4.0])]),
    ]
    assert all(gaussian == made[0] for gaussian in made)


def test_precision_is_the_inverse_covariance():
    p = oracle.from_precision([0, 0], [[2.5, -1.0], [-1.0, 0.5]])  # determinant 1/4
    q = oracle.from_covariance([0, 0], [[2.0, 4.0], [4.0, 10.0]])
    assert abs(oracle.kl(p, q)) < 1e-55
