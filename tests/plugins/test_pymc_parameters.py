"""Parameters that PyMC computes from others: what is outside of the domain is refused, never NaN."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
import scipy.stats as st
from pymc.logprob.utils import ParameterValueError

from graphs import value
from kl_plugins import kl

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning"),
]

x = pt.dscalar("x")
COUNTS = pm.NegativeBinomial.dist(mu=3.0, alpha=2.0)

# Each: a random variable of x, a value of x for which PyMC computes no valid parameter, and the other side.
BAD = {
    "negative binomial, mu": (pm.NegativeBinomial.dist(mu=x, alpha=2), -3.0, COUNTS),
    "negative binomial, p above 1": (pm.NegativeBinomial.dist(mu=x, alpha=2), -1.0, COUNTS),
    "negative binomial, mus": (pm.NegativeBinomial.dist(mu=pt.stack([1.0, x]), alpha=2), -3.0, COUNTS),
    "negative binomial, mu and alphas": (
        pm.NegativeBinomial.dist(mu=x, alpha=np.array([2.0, 4.0])),
        -3.0,
        pm.NegativeBinomial.dist(mu=3.0, alpha=np.array([2.0, 4.0])),
    ),
    "negative binomial, constant mu": (pm.NegativeBinomial.dist(mu=-3, alpha=2), 1.0, COUNTS),
    "normal, tau": (pm.Normal.dist(0.0, tau=x), -1.0, pm.Normal.dist()),
    "half-normal, tau": (pm.HalfNormal.dist(tau=x), -1.0, pm.HalfNormal.dist()),
    "log-normal, tau": (pm.LogNormal.dist(0.0, tau=x), -1.0, pm.LogNormal.dist()),
    "exponential, lam": (pm.Exponential.dist(lam=x), -1.0, pm.Exponential.dist(1.0)),
    "gamma, beta": (pm.Gamma.dist(2.0, x), -1.0, pm.Gamma.dist(1.0, 1.0)),
    "gamma, mu": (pm.Gamma.dist(mu=x, sigma=1.0), -1.0, pm.Gamma.dist(1.0, 1.0)),
    "inverse gamma, mu": (pm.InverseGamma.dist(mu=x, sigma=1.0), -1.0, pm.InverseGamma.dist(3.0, 1.0)),
    "beta, mu": (pm.Beta.dist(mu=x, sigma=0.1), -1.0, pm.Beta.dist(1.0, 1.0)),
    "beta, nu": (pm.Beta.dist(mu=0.5, nu=x), -1.0, pm.Beta.dist(1.0, 1.0)),
    "Wald, lam": (pm.Wald.dist(mu=1.0, lam=x), -1.0, pm.Wald.dist(mu=1.0, lam=1.0)),
    "Wald, phi": (pm.Wald.dist(mu=1.0, phi=x), -1.0, pm.Wald.dist(mu=1.0, lam=1.0)),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("side", ["p", "q"])
def test_what_pymc_computes_of_bad_parameters_is_refused(name, side):
    bad, at, other = BAD[name]
    constant = "constant" in name  # which is known when the graph is built
    with pytest.raises(ValueError if constant else ParameterValueError, match=rf"^{side}: .* must "):
        value(kl(bad, other) if side == "p" else kl(other, bad), {x: at})


@pytest.mark.parametrize("side", ["p", "q"])
@pytest.mark.parametrize("at", [-3.0, -1.0])
def test_a_negative_mean_is_infinitely_far_in_a_log_density(at, side):
    with pm.Model() as model:
        mean = pm.Flat("mean")
        inside = pm.NegativeBinomial.dist(mu=mean, alpha=2)
        pm.Potential("penalty", -(kl(inside, COUNTS) if side == "p" else kl(COUNTS, inside)))
    logp = model.compile_logp(mode="FAST_COMPILE")
    assert logp({"mean": at}) == -np.inf
    p, q = st.nbinom(2, 2 / 6.0), st.nbinom(2, 2 / 5.0)
    assert logp({"mean": 4.0}) == pytest.approx(-kl(p, q) if side == "p" else -kl(q, p), rel=1e-13)


def test_the_mean_of_a_negative_binomial_keeps_nan_zero_and_its_digits():
    symbolic = pm.NegativeBinomial.dist(mu=x, alpha=2)
    assert np.isnan(value(kl(symbolic, COUNTS), {x: np.nan}))
    found = value(kl(symbolic, COUNTS), {x: 0.0})
    assert found == pytest.approx(2.0 * np.log(2.5), rel=1e-14)  # −log P(no failures), of q
    alpha = pt.dscalar("alpha")
    pair = [pm.NegativeBinomial.dist(mu=mu, alpha=alpha) for mu in (4.0, 3.0)]
    exact = kl(st.nbinom(2, 2 / 6.0), st.nbinom(2, 2 / 5.0))
    with pytest.raises(ParameterValueError, match=r"^p: n .* must be positive"):
        value(kl(*pair), {alpha: -2.0})
    assert value(kl(*pair), {alpha: 2.0}) == pytest.approx(exact, rel=1e-13)


def test_a_weibull_distribution_of_no_positive_power_is_refused():
    """The family has negative powers, too; here they would give a number."""
    other = pm.Weibull.dist(2.0, 1.0)
    with pytest.raises(ValueError, match=r"^q: alpha must be positive"):
        kl(other, pm.Weibull.dist(-1.0, 1.0))
    symbolic = kl(pm.Weibull.dist(x, 1.0), other)
    with pytest.raises(ParameterValueError, match="alpha must be positive"):
        value(symbolic, {x: -1.0})
    exact = kl(st.weibull_min(3.0), st.weibull_min(2.0))
    assert value(symbolic, {x: 3.0}) == pytest.approx(exact, rel=1e-13)
    with pm.Model() as model:
        power = pm.Flat("power")
        pm.Potential("penalty", -kl(pm.Weibull.dist(power, 1.0), other))
    logp = model.compile_logp(mode="FAST_COMPILE")
    assert logp({"power": -1.0}) == -np.inf
    assert logp({"power": 3.0}) == pytest.approx(-exact, rel=1e-13)
