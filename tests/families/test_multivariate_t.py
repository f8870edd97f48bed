"""Multivariate t distributions."""

import mpmath as mp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import value
from kl_plugins import Diagonal, Isotropic, MultivariateNormal, NoClosedFormError, entropy, explain, kl
from kl_plugins.families.multivariate_t import MultivariateT
from kl_plugins.recognition import recognise

LOC = np.array([1.0, 0.0, 2.0])
SCALE = np.array([[2.0, 0.5, 0.3], [0.5, 1.0, -0.2], [0.3, -0.2, 3.0]])
OTHER = np.array([[1.0, -0.3, 0.0], [-0.3, 2.0, 0.4], [0.0, 0.4, 1.5]])


def log_normaliser(df, d):
    """Of the standard one, at the origin."""
    return mp.loggamma((df + d) / 2) - mp.loggamma(df / 2) - d * mp.log(df * mp.pi) / 2


def exact_entropy(df, d):
    r, h = (df + d) / 2, df / 2
    return -log_normaliser(df, d) + r * (mp.psi(0, r) - mp.psi(0, h))


def to_normal(df, d, scale):
    """From the standard one to the normal distribution of covariance scale·I."""
    with mp.workdps(60):
        df, scale = mp.mpf(df), mp.mpf(scale)
        cross = d * (mp.log(2 * mp.pi * scale) + df / (df - 2) / scale) / 2
        return float(cross - exact_entropy(df, d))


def to_t(df, other, d, square):
    """From the standard one to that of the other df and scale matrix square·I, by the distance r."""
    with mp.workdps(30):
        df, other, square = mp.mpf(df), mp.mpf(other), mp.mpf(square)
        constant = log_normaliser(df, d) - log_normaliser(other, d) + d * mp.log(square) / 2
        surface = 2 * mp.pi ** (mp.mpf(d) / 2) / mp.gamma(mp.mpf(d) / 2)

        def of_log_distance(u):
            r = mp.exp(u)
            log = (other + d) * mp.log1p(r * r / (square * other)) / 2 - (df + d) * mp.log1p(r * r / df) / 2
            density = mp.exp(log_normaliser(df, d) - (df + d) * mp.log1p(r * r / df) / 2 + d * u)
            return surface * density * (constant + log)

        return float(mp.quad(of_log_distance, [-60, -20, -6, -2, 0, 1, 2, 4, 8, 20, 120 / min(df, 4) + 30]))


@pytest.mark.parametrize(("df", "d", "scale"), [(2.5, 1, 1.3), (3.0, 5, 0.7), (40.0, 3, 1.0), (1e4, 8, 1.0)])
def test_to_normal_ones(df, d, scale):
    p = MultivariateT(df, MultivariateNormal(np.zeros(d), Isotropic(1.0, d)))
    q = MultivariateNormal(np.zeros(d), Isotropic(scale, d))
    assert kl(p, q) == pytest.approx(to_normal(df, d, scale), rel=1e-12 + 1e-15 * df)
    with mp.workdps(60):
        assert entropy(p) == pytest.approx(float(exact_entropy(mp.mpf(df), d)), rel=1e-13)


def test_to_a_normal_one_of_any_mean_and_covariance():
    """Whitened, it is the trace and the logarithm of the determinant that count, and the step."""
    df, moved = 4.0, np.array([0.3, -1.0, 0.5])
    found = kl(stats.multivariate_t(LOC + moved, SCALE, df), stats.multivariate_normal(LOC, OTHER))
    ratio = np.linalg.solve(OTHER, SCALE)
    quadratic = moved @ np.linalg.solve(OTHER, moved)
    exact = to_normal(df, 3, 1.0) + 0.5 * (2.0 * (np.trace(ratio) - 3.0) + quadratic)
    assert found == pytest.approx(exact - 0.5 * np.linalg.slogdet(ratio)[1], rel=1e-12)
    for low in (1.0, 2.0):
        p = stats.multivariate_t(LOC, SCALE, low)
        assert kl(p, stats.multivariate_normal(LOC, OTHER)) == np.inf


PAIRS = [(5.0, 3.0, 3, 2.5), (1.0, 30.0, 2, 0.1), (50.0, 60.0, 8, 1.0), (2.0, 2.0, 1, 1.7)]


@pytest.mark.parametrize(("df", "other", "d", "square"), PAIRS)
def test_to_one_of_the_same_location(df, other, d, square):
    gaussians = [MultivariateNormal(np.zeros(d), Isotropic(variance, d)) for variance in (1.0, square)]
    found = kl(MultivariateT(df, gaussians[0]), MultivariateT(other, gaussians[1]))
    assert found == pytest.approx(to_t(df, other, d, square), rel=1e-12)


@pytest.mark.parametrize("scale", [2.5, 1.0 + 1e-6])
def test_one_variable_is_students(scale):
    """Whose values are proved with Arb, neighbours' too."""
    first, second = stats.t(5.0, 0.3, 1.3), stats.t(5.0 + 1e-5, 0.3, 1.3 * scale)
    p, q = (
        stats.multivariate_t([0.3], [[x.kwds.get("scale", x.args[-1]) ** 2]], x.args[0])
        for x in (first, second)
    )
    assert kl(p, q) == pytest.approx(kl(first, second), rel=1e-8)
    normal = stats.multivariate_normal([0.1], [[2.0]])
    assert kl(p, normal) == pytest.approx(kl(first, stats.norm(0.1, np.sqrt(2.0))), rel=1e-13)


def test_structures_and_batches():
    """Proportional diagonals are found without a matrix; a matrix may be so up to rounding."""
    p = MultivariateT([2.0, 5.0], MultivariateNormal(LOC, Diagonal([1.0, 2.0, 3.0])))
    q = MultivariateT(4.0, MultivariateNormal(LOC, Diagonal([[2.0, 4.0, 6.0], [0.1, 0.2, 0.3]])))
    expected = [to_t(2.0, 4.0, 3, 2.0), to_t(5.0, 4.0, 3, 0.1)]
    np.testing.assert_allclose(kl(p, q), expected, rtol=1e-12)
    dense = [
        stats.multivariate_t(LOC, factor * SCALE, df) for factor, df in ((1.0 / 3.0, 2.0), (2.0 / 3.0, 4.0))
    ]
    assert kl(*dense) == pytest.approx(expected[0], rel=1e-12)
    assert kl(p, p).tolist() == [0.0, 0.0]
    assert explain(p, q).cost.startswith("quadrature")
    far = MultivariateT(4.0, MultivariateNormal(np.zeros((4, 1, 3)) + LOC, Diagonal([1.0, 2.0, 3.0])))
    assert kl(p, far).shape == (4, 2)
    assert np.isnan(kl(p, MultivariateT(np.nan, p.gaussian))).all()


def test_the_statement_is_the_density():
    p = stats.multivariate_t(LOC, SCALE, 3.5)
    assert recognise(p).log_prob(np.zeros(3)) == pytest.approx(p.logpdf(np.zeros(3)), rel=1e-13)
    assert entropy(p) == pytest.approx(p.entropy(), rel=1e-12)
    normal = stats.multivariate_t(LOC, SCALE, np.inf)
    assert kl(normal, stats.multivariate_normal(LOC, SCALE)) == 0.0


def test_random_variables():
    p, q = (pm.MvStudentT.dist(nu=nu, mu=LOC, scale=SCALE) for nu in (5.0, 3.0))
    exact = stats.multivariate_t(LOC, SCALE, 5.0)
    assert explain(p, q).cost.startswith("quadrature")
    assert value(kl(p, stats.multivariate_t(LOC, SCALE, 5.0))) == 0.0
    normal = pm.MvNormal.dist(np.zeros(3), OTHER)
    assert value(kl(p, normal)) == pytest.approx(
        kl(exact, stats.multivariate_normal(np.zeros(3), OTHER)), rel=1e-12
    )


def differences(function, *at):
    """By each argument."""
    steps = np.eye(len(at)) * 1e-5
    return [(function(*(at + step)) - function(*(at - step))) / 2e-5 for step in steps]


def test_gradients_of_the_closed_form():
    nu, square = pt.scalar("nu"), pt.scalar("square")
    with pm.Model():
        p = pm.MvStudentT("p", nu=nu, mu=LOC, chol=np.linalg.cholesky(SCALE))
    slopes = pytensor.grad(kl(p, pm.MvNormal.dist(np.zeros(3), square * OTHER)), [nu, square])

    def exact(nu, square):
        return kl(
            stats.multivariate_t(LOC, SCALE, nu), stats.multivariate_normal(np.zeros(3), square * OTHER)
        )

    found = value(slopes, {nu: 5.0, square: 2.5})
    np.testing.assert_allclose(found, differences(exact, 5.0, 2.5), rtol=1e-6)


@pytest.mark.slow
def test_gradients_of_the_quadrature():
    nu, square = pt.scalar("nu"), pt.scalar("square")
    p = pm.MvStudentT.dist(nu=nu, mu=LOC, scale=SCALE)
    divergence = kl(p, pm.MvStudentT.dist(nu=3.0, mu=LOC, scale=square * SCALE))
    graphs = [divergence, *pytensor.grad(divergence, [nu, square])]

    def exact(nu, square):
        return kl(stats.multivariate_t(LOC, SCALE, nu), stats.multivariate_t(LOC, square * SCALE, 3.0))

    found, *slopes = pytensor.function([nu, square], graphs)(5.0, 2.5)
    assert found == pytest.approx(exact(5.0, 2.5), rel=1e-10)
    np.testing.assert_allclose(slopes, differences(exact, 5.0, 2.5), rtol=1e-6)


def test_what_is_no_such_pair():
    p = stats.multivariate_t(LOC, SCALE, 5.0)
    for q in (stats.multivariate_t(LOC, OTHER, 3.0), stats.multivariate_t(LOC + 0.1, SCALE, 3.0)):
        for function in (kl, explain):
            with pytest.raises(
                NoClosedFormError, match="for a common location and proportional scale matrices"
            ):
                function(p, q)
    with pytest.raises(ValueError, match=r"p: nu \(the degrees of freedom\) must be positive"):
        kl(pm.MvStudentT.dist(nu=-1.0, mu=LOC, scale=SCALE), p)
    with pytest.raises(NoClosedFormError, match=r"its quadrature is for shapes from 0\.001 to 1e"):
        kl(stats.multivariate_t(LOC, SCALE, 1e-4), p)


@pytest.mark.slow
def test_what_only_a_running_graph_knows():
    p, place = stats.multivariate_t(LOC, SCALE, 5.0), pt.scalar("place")
    graph = kl(p, pm.MvStudentT.dist(nu=3.0, mu=pt.stack([1.0, place, 2.0]), scale=SCALE))
    assert value(graph, {place: 0.0}) == kl(p, stats.multivariate_t(LOC, SCALE, 3.0))
    with pytest.raises(ValueError, match="is known for a common location and proportional scale matrices"):
        value(graph, {place: 0.1})
