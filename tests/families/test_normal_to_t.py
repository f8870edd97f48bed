"""Normal vectors and multivariate t ones. Judged by mpmath's sums of an integral of positive terms."""

import mpmath as mp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import value
from kl_plugins import Dense, Diagonal, Isotropic, MultivariateNormal, NoClosedFormError, ZeroSum, explain, kl
from kl_plugins.families.multivariate_t import MultivariateT


def exact(variances, squares, df):
    """From N(a, diag(λ)) with the squares of a to the t distribution of zero location and unit scales."""
    with mp.workdps(40):
        variances, squares, df = [*map(mp.mpf, variances)], [*map(mp.mpf, squares)], mp.mpf(df)

        def integrand(log_u):
            """Of E log(1 + s/ν) = ∫ (1 − E exp(−u s/ν)) exp(−u)/u du, in log u."""
            u = mp.exp(log_u)
            v = u / df
            pairs = zip(variances, squares, strict=True)
            transform = mp.fsum(mp.log(1 + 2 * v * x) / 2 + v * y / (1 + 2 * v * x) for x, y in pairs)
            return -mp.exp(-u) * mp.expm1(-transform)

        low = -int(700 + 10 * abs(mp.log(sum(variances + squares) / df)))
        mean_log = mp.fsum(integrand(mp.mpf(k) / 10) for k in range(low, 50)) / 10
        d = len(variances)
        own = mp.fsum(mp.log(2 * mp.pi * mp.e * x) for x in variances) / 2
        gammas = mp.loggamma(df / 2) - mp.loggamma((df + d) / 2)
        return float(gammas + mp.log(df * mp.pi) * d / 2 - own + (df + d) / 2 * mean_log)


UNIT = MultivariateNormal([0.0, 0.0], Isotropic(1.0, 2))
CASES = [
    ([1.0], [0.0], 5.0, 1e-13),
    ([2.0, 0.5], [0.3, 1.0], 3.0, 1e-14),
    ([2.0, 0.5], [0.3, 1.0], 0.1, 1e-14),
    ([0.5] * 8, [0.1] * 8, 7.0, 1e-13),
    ([1e-5, 1e-5], [1e6, 0.0], 2.0, 1e-14),
    ([1e10, 1e-5], [3.0, 1.0], 0.1, 1e-14),
    ([1.0, 1.0, 1.0], [0.0, 0.0, 0.0], 1e4, 1e-12),
    ([1.0, 1.0], [0.0, 0.0], 1e8, 1e-12),
    ([1.0 + 2.0**-20, 1.0], [2.0**-40, 0.0], 1e6, 1e-9),
]


@pytest.mark.parametrize(("variances", "squares", "df", "rel"), CASES)
def test_independent_variables(variances, squares, df, rel):
    """Near-equal ones too, which are so for large degrees of freedom alone."""
    d = len(variances)
    q = MultivariateT(df, MultivariateNormal(np.zeros(d), Isotropic(1.0, d)))
    found = kl(MultivariateNormal(np.sqrt(squares), Diagonal(variances)), q)
    assert found == pytest.approx(exact(variances, squares, df), rel=rel)


def test_any_covariances():
    turn = np.array([[1.0, 0.0, 0.0], [0.7, 2.0, 0.0], [-0.4, 0.3, 0.5]])
    variances, step = np.array([2.0, 0.5, 1.0]), np.array([0.3, 1.0, -0.5])
    p = stats.multivariate_normal(turn @ step + 1.0, (turn * variances) @ turn.T)
    q = stats.multivariate_t(np.ones(3), turn @ turn.T, 4.0)
    assert kl(p, q) == pytest.approx(exact(variances, step**2, 4.0), rel=1e-13)
    assert explain(p, q).cost == "quadrature, 388 nodes"
    line = stats.multivariate_normal([0.3], [[1.44]]), stats.multivariate_t([0.0], [[1.0]], 3.0)
    assert kl(*line) == pytest.approx(kl(stats.norm(0.3, 1.2), stats.t(3.0)), rel=1e-13)


def test_batches_and_extremes():
    p = MultivariateNormal([[0.0, 1.0], [0.0, np.nan], [1e200, 0.0]], Dense(np.eye(2) + 0.1))
    table = kl(p, MultivariateT([[5.0], [np.nan]], UNIT))
    assert np.isnan(table).tolist() == [[False, True, False], [True, True, True]]
    one = stats.multivariate_normal([0.0, 1.0], np.eye(2) + 0.1)
    assert table[0, 0] == pytest.approx(kl(one, stats.multivariate_t([0.0, 0.0], np.eye(2), 5.0)), rel=1e-14)
    assert (
        table[0, 2] == kl(MultivariateNormal([0.0, 0.0], ZeroSum(1.0, 2)), MultivariateT(5.0, UNIT)) == np.inf
    )
    wide = kl(MultivariateNormal([0.0, 0.0], Isotropic(1e300, 2)), MultivariateT([3.0, 1e290], UNIT))
    assert np.all(wide > 600.0)
    many = MultivariateNormal(np.linspace(0.0, 3.0, 6000).reshape(3000, 2), Diagonal([2.0, 1.0]))
    found = kl(many, MultivariateT(3.0, UNIT))
    alone = [
        kl(MultivariateNormal(many.mean[i], Diagonal([2.0, 1.0])), MultivariateT(3.0, UNIT)) for i in (0, 9)
    ]
    np.testing.assert_allclose(found[[0, 9]], alone, rtol=1e-14)


@pytest.mark.slow
def test_in_graphs():
    """Of independent variables."""
    mean, variances, df, scale = (
        pt.dvector("mean"),
        pt.dvector("variances"),
        pt.dscalar("df"),
        pt.dscalar("scale"),
    )
    at = {mean: np.array([0.3, -1.0]), variances: np.array([1.0, 2.0]), df: 5.0, scale: 1.2}

    def divergence(mean, variances, df, scale):
        q = MultivariateT(df, MultivariateNormal(np.zeros(2), Isotropic(scale, 2)))
        return kl(MultivariateNormal(mean, Diagonal(variances)), q)

    total = divergence(*at)
    found, *slopes = value([total, *pytensor.grad(total, list(at))], at)
    assert found == pytest.approx(divergence(*at.values()), rel=1e-13)
    for i, (slope, x) in enumerate(zip(slopes, at.values(), strict=True)):
        for j in np.ndindex(np.shape(x)):
            sides = []
            for sign in (1.0, -1.0):
                moved = [np.array(one) for one in at.values()]
                moved[i][j] += sign * 1e-5
                sides.append(divergence(*moved))
            assert slope[j] == pytest.approx((sides[0] - sides[1]) / 2e-5, rel=1e-6)


def test_what_graphs_have_not():
    p = MultivariateNormal(pt.dvector("mean"), Dense(np.eye(2) + 0.1))
    for function in (kl, explain):
        with pytest.raises(
            NoClosedFormError, match="in a graph there is one where the variables of both are"
        ):
            function(p, MultivariateT(5.0, UNIT))
