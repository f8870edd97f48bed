"""Covariances of LKJ correlations and scales: pm.LKJCholeskyCov."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from scipy import stats

from graphs import value
from kl_plugins import NoClosedFormError, entropy, explain, independent, kl
from kl_plugins.families.lkj import LKJ
from kl_plugins.families.lkj_covariance import LKJCovariance
from kl_plugins.recognition import recognise


def factor(eta, scales, n=3, **options):
    return pm.LKJCholeskyCov.dist(eta=eta, n=n, sd_dist=scales, compute_corr=False, **options)


RATES = np.array([1.0, 2.0, 0.5])
EXACT = kl(LKJ(2.0, 3), LKJ(0.7, 3)) + np.sum(kl(stats.halfnorm(scale=1.2), stats.expon(scale=1.0 / RATES)))


@pytest.mark.parametrize("size", [None, 3])
def test_that_of_correlations_and_of_scales(size):
    """A scalar sd_dist is of each scale, a vector one of all."""
    p, q = factor(2.0, pm.HalfNormal.dist(1.2, size=size)), factor(0.7, pm.Exponential.dist(RATES))
    assert value(kl(p, q)) == pytest.approx(EXACT, rel=1e-13)
    explained = explain(p, q)
    assert explained.rule == "lkj_covariance_lkj_covariance → independent_independent → gamma_gamma"
    assert value(kl(p, factor(2.0, pm.HalfNormal.dist(1.2)))) == 0.0


def test_the_density_depends_on_correlations_and_scales_alone():
    """Differences of PyMC's log ratio between two matrices, which no normaliser is in."""
    p, q = factor(2.0, pm.HalfNormal.dist(1.2)), factor(0.7, pm.Exponential.dist(RATES))
    rng, found, ratios = np.random.default_rng(1), [], []
    for _ in range(3):
        lower = np.tril(rng.normal(size=(3, 3)))
        lower[np.diag_indices(3)] = abs(np.diagonal(lower))
        packed, scales = lower[np.tril_indices(3)], np.sqrt((lower**2).sum(axis=1))
        found.append((pm.logp(p, packed) - pm.logp(q, packed)).eval(mode="FAST_COMPILE"))
        log_det = 2.0 * np.sum(np.log(np.diagonal(lower) / scales))
        of_scales = stats.halfnorm(scale=1.2).logpdf(scales) - stats.expon(scale=1.0 / RATES).logpdf(scales)
        ratios.append(LKJ(2.0, 3).log_prob(log_det) - LKJ(0.7, 3).log_prob(log_det) + of_scales.sum())
    np.testing.assert_allclose(np.diff(found), np.diff(ratios), rtol=1e-10)


def test_variables_of_a_model_with_gradients():
    """The matrix that PyMC makes is the variable in another form."""
    q = factor(0.7, pm.Exponential.dist(RATES))
    with pm.Model() as model:
        a = pm.HalfNormal("a")
        matrix, *_ = pm.LKJCholeskyCov("matrix", eta=1.0 + a, n=3, sd_dist=pm.HalfNormal.dist(a))
    divergence = kl(matrix, q)
    slope = pytensor.grad(divergence, a)
    found, packed, slope = value([divergence, kl(model["matrix"], q), slope], {a: 1.2})
    assert found == packed

    def exact(a):
        scales = kl(stats.halfnorm(scale=a), stats.expon(scale=1.0 / RATES))
        return kl(LKJ(1.0 + a, 3), LKJ(0.7, 3)) + np.sum(scales)

    assert found == pytest.approx(exact(1.2), rel=1e-12)
    assert slope == pytest.approx((exact(1.2 + 1e-5) - exact(1.2 - 1e-5)) / 2e-5, rel=1e-7)


def test_batches_and_vectors_of_scales():
    p = factor(2.0, pm.HalfNormal.dist(1.2), size=(2,))
    np.testing.assert_allclose(
        value(kl(p, factor(0.7, pm.Exponential.dist(RATES)))), [EXACT, EXACT], rtol=1e-12
    )
    first, second = (factor(1.0, pm.Dirichlet.dist(a)) for a in ([1.0, 2.0, 3.0], [2.0, 2.0, 2.0]))
    exact = kl(stats.dirichlet([1.0, 2.0, 3.0]), stats.dirichlet([2.0, 2.0, 2.0]))
    assert value(kl(first, second)) == pytest.approx(exact, rel=1e-12)


def test_refused():
    p = factor(2.0, pm.HalfNormal.dist(1.2))
    with pytest.raises(NoClosedFormError, match=r"q: pm\.LKJCorr: one is of correlation matrices, the other"):
        kl(p, pm.LKJCorr.dist(n=3, eta=1.0))
    with pytest.raises(ValueError, match="against an array of 4 by 4"):
        kl(p, factor(2.0, pm.HalfNormal.dist(1.2), n=4))
    with pytest.raises(
        NoClosedFormError, match=r"there is none for their scales, Independent\(\w+\) and Dirich"
    ):
        explain(p, factor(1.0, pm.Dirichlet.dist(np.ones(3))))
    with pytest.raises(NoClosedFormError, match="there is none for their scales"):
        kl(factor(1.0, pm.LogNormal.dist()), factor(1.0, pm.HalfStudentT.dist(3)))
    with pytest.raises(NoClosedFormError, match="no closed form of the entropy of LKJCovariance"):
        entropy(p)
    with pytest.raises(TypeError, match=r"is not a random variable but a function of pm\.Normal"):
        kl(pt.set_subtensor(pt.zeros((3, 3))[np.tril_indices(3)], pm.Normal.dist(size=6)), p)


def test_bad_parameters():
    p, number = factor(2.0, pm.HalfNormal.dist(1.2)), pt.scalar("number")
    with pytest.raises(ValueError, match=r"p: eta \(the concentration\) must be positive"):
        kl(factor(-1.0, pm.HalfNormal.dist(1.2)), p)
    with pytest.raises(ValueError, match=r"q: sd_dist: sigma \(the scale\) must be positive"):
        kl(p, factor(2.0, pm.HalfNormal.dist(-1.0)))
    with pytest.raises(ValueError, match=r"q: sd_dist: sigma \(the scale\) must be positive"):
        value(kl(p, factor(2.0, pm.HalfNormal.dist(number))), {number: -1.0})
    for scales in (pm.Normal.dist(), pm.StudentT.dist(3), pm.MvNormal.dist(np.zeros(3), np.eye(3))):
        with pytest.raises(ValueError, match=r"q: sd_dist \(the scales\) must be positive, got"):
            kl(p, factor(2.0, scales))
    with pytest.raises(ValueError, match="scales must be of vectors of 3 values, got a vector of 2"):
        LKJCovariance(LKJ(1.0, 3), independent(recognise(stats.expon(scale=[1.0, 2.0]))))
