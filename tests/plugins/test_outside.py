"""Out of its domain a divergence is infinite in a model's log density, and raises everywhere else."""

from __future__ import annotations

import logging

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import scipy.stats as st
from pymc.logprob.utils import ParameterValueError
from pymc.pytensorf import compile
from pytensor.graph.replace import vectorize_graph

from graphs import AS_WRITTEN, BACKENDS
from kl_plugins import (
    BlockDiagonal,
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    Kronecker,
    LowRank,
    MultivariateNormal,
    Precision,
    entropy,
    independent,
    kl,
)
from kl_plugins.variational import KLConvergence, diagnose, fit

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning"),
    pytest.mark.filterwarnings("ignore:`find_MAP` will .* in a future release:FutureWarning"),
    pytest.mark.filterwarnings("ignore::kl_plugins.variational.report.stopping.NotConvergedWarning"),
    # Numbers overflow where a sampler goes far out; NumPy says so in PyTensor's Python implementations.
    pytest.mark.filterwarnings("ignore:.* encountered in:RuntimeWarning"),
]


def penalised(sign=-1.0, **settings):
    with pm.Model(**settings) as model:
        s = pm.HalfCauchy("s", 1e3)
        mu = pm.Normal("mu", 0.0, 1e3)
        pm.Potential("penalty", sign * kl(pm.Normal.dist(mu, s), pm.Normal.dist(0.0, 1.0)))
    return model


@pytest.fixture(params=BACKENDS)
def backend(request):
    """The backend, by name and by the settings of a sampler; quiet ones."""
    logging.disable(logging.WARNING)
    yield request.param
    logging.disable(logging.NOTSET)


def test_log_density_and_samplers_survive(backend):
    """At ±800 the scale is 0 or infinite: log density −∞, gradient finite or NaN, no exception."""
    model = penalised()
    logp, dlogp = model.compile_logp(mode=backend), model.compile_dlogp(mode=backend)
    for far in (-800.0, 800.0):
        point = {"s_log__": np.asarray(far), "mu": np.asarray(0.3)}
        assert logp(point) == -np.inf
        assert not np.isinf(np.asarray(dlogp(point))).any()
    with model, pytensor.config.change_flags(mode=backend):
        draws = pm.sample(
            draws=60,
            tune=100,
            chains=1,
            cores=1,
            random_seed=1,
            progressbar=False,
            compute_convergence_checks=False,
        )
        best = pm.find_MAP(progressbar=False)
    assert np.isfinite(draws.posterior["s"]).all()
    np.testing.assert_allclose([best["s"], best["mu"]], [1.0, 0.0], atol=1e-4)


def test_either_sign_and_no_bounds():
    def at(model, far):
        return model.compile_logp(mode=AS_WRITTEN)({"s_log__": np.asarray(far), "mu": np.asarray(0.3)})

    assert at(penalised(1.0), -800.0) == np.inf
    # Without the check the formula says what it says.
    assert not np.isfinite(at(penalised(check_bounds=False), 800.0))


def test_functions_and_draws_still_raise():
    """What is no log density says what is wrong: a function, a value, a draw."""
    s, given = pt.dscalar("s"), pytensor.shared(-2.0)
    graph = kl(pm.Normal.dist(0.0, s), st.norm())
    with pytest.raises(ParameterValueError, match=r"p: sigma .* must be positive"):
        pytensor.function([s], graph, mode=AS_WRITTEN)(-1.0)
    with pytest.raises(ParameterValueError, match=r"q: scale \(1/lam\) must be positive"):
        kl(st.expon(), pm.Exponential.dist(lam=given)).eval(mode=AS_WRITTEN)
    for scale in (given, pm.Normal.dist(-5.0, 0.1)):
        with pytest.raises(ParameterValueError, match=r"p: sigma .* must be positive"):
            pm.draw(kl(pm.Normal.dist(0.0, scale), st.norm()), mode=AS_WRITTEN)


x = pt.tensor("x", dtype="float64", shape=(3,))
EYES = x[:, None, None] * np.eye(2)
CORRELATED = MultivariateNormal(np.zeros(2), Dense([[1.0, 0.2], [0.2, 1.0]]))
WIDE = MultivariateNormal(np.zeros(4), Isotropic(2.0, dim=4))


def centred(covariance, dim=2):
    return MultivariateNormal(np.zeros(dim), covariance)


# Members of which one, where x is negative, is out of the domain: what each structure and shape says.
MEMBERS = {
    "normal": (pm.Normal.dist(0.0, x), pm.Normal.dist(0.0, 1.0)),
    "normal q": (pm.Normal.dist(0.0, 1.0), pm.Normal.dist(0.0, x)),
    "product": (independent(pm.Gamma.dist(np.ones((3, 2)), x[:, None])), independent(st.gamma([1.0, 2.0]))),
    "isotropic": (centred(Isotropic(x, 2)), CORRELATED),
    "diagonal": (centred(Diagonal(x[:, None] * np.ones(2))), CORRELATED),
    "dense": (centred(Dense(EYES)), CORRELATED),
    "dense q": (CORRELATED, centred(Dense(EYES))),
    "factor": (centred(Cholesky(pt.sqrt(x)[:, None, None] * np.eye(2))), CORRELATED),
    "precision": (centred(Precision(EYES)), CORRELATED),
    "low rank": (centred(LowRank(x[:, None] * np.ones(2), np.ones((2, 1)))), CORRELATED),
    "Kronecker": (centred(Kronecker([Dense(EYES), Dense(np.eye(2))]), 4), WIDE),
    "blocks": (centred(BlockDiagonal([Dense(EYES), Dense(np.eye(2))]), 4), WIDE),
    "covariance of PyMC": (pm.MvNormal.dist(np.zeros((3, 2)), EYES), st.multivariate_normal([0.0, 0.0])),
    "Dirichlet": (pm.Dirichlet.dist(x[:, None] * np.ones(2)), pm.Dirichlet.dist(np.ones(2))),
    "multinomial": (pm.Multinomial.dist(5, pt.stack([x / 4, 1 - x / 4], -1)), st.multinomial(5, [0.5, 0.5])),
    "ends": (pm.TruncatedNormal.dist(0.0, 1.0, lower=-1.0, upper=x), st.truncnorm(-1.0, 3.0)),
}


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "names"), [(AS_WRITTEN, list(MEMBERS)), ("JAX", ["normal", "isotropic"])])
def test_each_member_has_its_own_conditions(mode, names):
    graphs = [kl(*MEMBERS[name]) for name in names]
    assert {graph.ndim for graph in graphs} == {1}
    slopes = [pytensor.grad(graph.sum(), x) for graph in graphs]
    function = compile([x], [*graphs, *slopes], mode=mode)
    with np.errstate(all="ignore"):
        found, alone = function([1.5, -2.0, 0.5]), function([1.5, 0.5, 0.5])
    for i, name in enumerate(names):
        divergence, slope = map(np.asarray, (found[i], found[len(names) + i]))
        assert divergence[1] == np.inf, name
        np.testing.assert_allclose(divergence[[0, 2]], alone[i][:2], rtol=1e-13, err_msg=name)
        assert np.isfinite(divergence[[0, 2]]).all(), name
        assert np.isfinite(slope[[0, 2]]).all(), name


def test_jax_without_pymc_compiling():
    """JAX cannot raise, and PyMC's samplers of JAX ask for no rewrite: infinite all the same."""
    matrix = pt.tensor("matrix", dtype="float64", shape=(2, 2))
    function = pytensor.function([matrix], kl(centred(Dense(matrix)), CORRELATED), mode="JAX")
    assert function([[1.0, 2.0], [2.0, 1.0]]) == np.inf
    np.testing.assert_allclose(function([[1.0, 0.2], [0.2, 1.0]]), 0.0, atol=1e-15)


def test_graphs_made_for_many_points_at_once():
    """The log densities of many points are one graph: one point out of the domain is its own affair."""
    point, points = pt.dvector("point"), pt.dmatrix("points")
    covariance = pt.diag(point[:2]) + point[2] * (1.0 - np.eye(2))
    total = -kl(pm.MvNormal.dist(point[1:], covariance), st.multivariate_normal([0.0, 0.0]))
    many = vectorize_graph(total - kl(pm.Normal.dist(0.0, point[0]), st.norm()), {point: points})
    given = [[1.0, 2.0, 0.5], [1.0, 2.0, 3.0], [-1.0, 1.0, 0.0]]
    found = compile([points], [many, pytensor.grad(many.sum(), points)], mode=AS_WRITTEN)(given)
    np.testing.assert_array_equal(np.isneginf(found[0]), [False, True, True])
    assert np.isfinite(found[0][0])
    assert np.isfinite(found[1][0]).all()


@pytest.mark.slow
def test_covariances_under_an_lkj_prior():
    """Far out the factor of PyMC's prior overflows or has zeros on its diagonal."""
    with pm.Model() as model:
        chol, *_ = pm.LKJCholeskyCov("chol", eta=2.0, n=2, sd_dist=pm.HalfNormal.dist(1.0, size=2))
        pm.Potential("by factor", -kl(pm.MvNormal.dist(np.zeros(2), chol=chol), CORRELATED))
        pm.Potential("by matrix", -kl(CORRELATED, pm.MvNormal.dist(np.zeros(2), chol @ chol.T)))
    (name,) = model.initial_point()
    terms = model.logp(sum=False)[-2:]
    slopes = [pytensor.grad(term, model.value_vars[0]) for term in terms]
    function = model.compile_fn([*terms, *slopes], mode=AS_WRITTEN)
    for at in np.ndindex(3, 3, 3):
        with np.errstate(all="ignore"):
            values = function({name: 800.0 * (np.array(at) - 1.0)})[:2]
        sane = at[0] == at[2] == 1
        assert (np.isfinite(values) if sane else np.isneginf(values)).all(), (at, values)


def test_entropy_is_undefined_out_of_the_domain():
    s = pt.dscalar("s")
    function = compile([s], entropy(pm.Normal.dist(0.0, s)), mode=AS_WRITTEN)
    with np.errstate(all="ignore"):
        assert np.isnan(function(-1.0))
    np.testing.assert_allclose(function(2.0), st.norm(0.0, 2.0).entropy())


@pytest.mark.slow
def test_variational_inference_survives():
    """A scale with little mass near zero, from which the draws of an approximation stray."""
    with pm.Model() as model:
        mu, sigma = pm.Normal("mu", 0.0, 10.0), pm.HalfNormal("sigma", 1.0)
        pm.Potential("penalty", -kl(pm.Normal.dist(mu, sigma), st.norm(0.0, 1.0)))
        fit(random_seed=1, progressbar=False)
        stopping = KLConvergence(every=100)
        approx = pm.fit(500, random_seed=1, progressbar=False, callbacks=[stopping])
    diagnosis = diagnose(approx, model=model, draws=2_500, random_seed=1, progressbar=False)
    assert str(diagnosis)
