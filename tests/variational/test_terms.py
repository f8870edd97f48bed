"""kl_terms: the sum of the terms is KL(q‖prior), judged by draws of q and PyMC's own log prior."""

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from pymc.variational.operators import KL
from pymc.variational.opvi import Approximation, Group
from pytensor.compile.mode import Mode
from pytensor.graph.op import Op
from pytensor.graph.replace import _vectorize_node, vectorize_graph
from scipy import stats
from scipy.linalg import block_diag

from kl_plugins import Cholesky, Diagonal, MultivariateNormal, NoClosedFormError, kl
from kl_plugins.plugins.pymc.approximations import variables_of
from kl_plugins.variational import ClosedFormKL, kl_terms
from kl_plugins.variational.target.transforms import in_terms_of

PYTHON = Mode(linker="py", optimizer="fast_compile")
EYE = np.eye(3) + 0.5


def disturbed(approximation, seed=0):
    """The approximation with parameters that are nothing special."""
    rng = np.random.default_rng(seed)
    for parameter in approximation.params:
        value = parameter.get_value()
        parameter.set_value(0.3 * value + 0.2 * rng.normal(size=value.shape))
    return approximation


def gaussian(approximation):
    """Its mean and covariance as numbers."""
    means = [group.mean.eval(mode=PYTHON) for group in approximation.groups]
    return np.concatenate(means), block_diag(*[group.cov.eval(mode=PYTHON) for group in approximation.groups])


def by_draws(model, approximation, draws=2000):
    """E_q[log q − log p] over the unconstrained space and its standard error; p without likelihood."""
    mean, covariance = gaussian(approximation)
    q = stats.multivariate_normal(mean, covariance)
    z = np.reshape(q.rvs(draws, random_state=1), (draws, -1))
    x = pt.vector("x", shape=(len(mean),))
    (log_prior,) = in_terms_of(x, model, variables_of(approximation), [model.varlogp])
    many = pt.matrix("many", shape=(None, len(mean)))
    function = pytensor.function([many], vectorize_graph(log_prior, {x: many}), mode=PYTHON)
    differences = q.logpdf(z) - function(z)
    return differences.mean(), differences.std() / np.sqrt(draws)


def values(terms, seed=1):
    found = pm.compile([], list(terms.values()), random_seed=seed, mode=PYTHON)()
    return dict(zip(terms, map(float, found), strict=True))


@pytest.fixture(scope="module")
def flat():
    """Variables whose priors depend on no other."""
    with pm.Model(coords={"row": range(2)}) as model:
        data = pm.Data("data", [1.0, 2.0])
        pm.Normal("a", data, 2.0, dims="row")
        pm.HalfNormal("h", 1.5)
        pm.Gamma("g", 2.0, 3.0, shape=2)
        pm.MvNormal("v", np.ones(3), cov=EYE)
        pm.MvNormal("b", 0.0, cov=EYE[:2, :2], shape=(2, 2))
        pm.ZeroSumNormal("z", 2.0, shape=(2, 3))
        pm.Normal("y", 0.0, 1.0, observed=1.0)
        pm.Potential("potential", pt.constant(-7.0))
    return model


@pytest.fixture(scope="module")
def nested():
    """Variables whose priors depend on others, which depend on others."""
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1.0)
        centre = pm.Normal("centre", 0.0, 1.0)
        scale = pm.Deterministic("scale", 1.0 + tau)
        w = pm.Normal("w", centre, scale, shape=2)
        pm.MvNormal("v", w, cov=EYE[:2, :2])
        pm.Exponential("e", pt.stack([1.0, scale]))
        pm.Normal("y", w, 1.0, observed=[0.0, 1.0])
    return model


@pytest.mark.parametrize("family", [pm.MeanField, pm.FullRank])
def test_terms_of_independent_priors_are_exact(flat, family):
    with flat:
        approximation = disturbed(family())
    terms = kl_terms(flat, approximation)
    assert list(terms) == ["a", "h", "g", "v", "b", "z"]
    found = values(terms)
    assert found == values(terms, seed=2)
    expected, error = by_draws(flat, approximation)
    assert abs(sum(found.values()) - expected) < 4 * error < 0.7


def test_a_mean_field_term_is_that_of_the_marginal(flat):
    with flat:
        approximation = disturbed(pm.MeanField())
    found = values(kl_terms(flat, approximation))
    mean, covariance = gaussian(approximation)
    sd = np.sqrt(np.diag(covariance))
    assert found["a"] == pytest.approx(
        kl(stats.norm(mean[:2], sd[:2]), stats.norm([1, 2], 2)).sum(), rel=1e-12
    )
    log_normal = stats.lognorm(sd[2], scale=np.exp(mean[2]))
    assert found["h"] == pytest.approx(kl(log_normal, stats.halfnorm(scale=1.5)), rel=1e-12)
    v = slice(5, 8)
    q = MultivariateNormal(mean[v], Diagonal(sd[v] ** 2))
    assert found["v"] == pytest.approx(kl(q, stats.multivariate_normal(np.ones(3), EYE)), rel=1e-12)


def test_full_rank_terms_of_gaussians_sum_to_the_joint_divergence():
    with pm.Model() as model:
        pm.Normal("a", 1.0, 2.0, shape=2)
        pm.MvNormal("v", np.ones(3), cov=EYE)
        pm.Normal("s", 0.0, 1.0)
        approximation = disturbed(pm.FullRank())
    found = values(kl_terms(model, approximation))
    mean, covariance = gaussian(approximation)
    prior = stats.multivariate_normal([1, 1, 1, 1, 1, 0], block_diag(4 * np.eye(2), EYE, 1.0))
    q = MultivariateNormal(mean, Cholesky(np.linalg.cholesky(covariance)))
    assert sum(found.values()) == pytest.approx(kl(q, prior), rel=1e-10)
    marginal = stats.multivariate_normal(mean[:2], covariance[:2, :2])
    assert found["a"] == pytest.approx(kl(marginal, stats.multivariate_normal([1, 1], 4.0)), rel=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("family", [pm.MeanField, pm.FullRank])
def test_nested_priors_at_draws(nested, family):
    with nested:
        approximation = disturbed(family())
    terms = kl_terms(nested, approximation, draws=100)
    function = pm.compile([], sum(terms.values()), random_seed=1, mode=PYTHON)
    found = [float(function()) for _ in range(10)]
    expected, error = by_draws(nested, approximation, draws=2000)
    own_error = np.std(found) / np.sqrt(10 - 1)
    assert own_error > 0
    assert abs(np.mean(found) - expected) < 4 * np.hypot(error, own_error) < 1.0


@pytest.fixture(scope="module")
def awkward():
    """Variables whose terms have no closed form, one of them the parent of one that has."""
    with pm.Model() as model:
        chance = pm.Beta("chance", 2.0, 2.0)
        pm.Dirichlet("shares", np.array([1.0, 2.0, 3.0]))
        pm.Normal("w", chance, 1.0, shape=2)
        pm.Normal("y", 0.0, 1.0, observed=1.0)
    return model


@pytest.mark.slow
@pytest.mark.parametrize("family", [pm.MeanField, pm.FullRank])
def test_what_has_no_closed_form_is_estimated_on_request(awkward, family):
    with awkward:
        approximation = disturbed(family())
    with pytest.raises(
        NoClosedFormError, match=r"'chance' \(pm.Beta\): .*; 'shares' \(pm.Dirichlet\): "
    ) as caught:
        kl_terms(awkward, approximation)
    assert "no_closed_form='draw'" in str(caught.value)
    assert list(kl_terms(awkward, approximation, var_names=["w"])) == ["w"]
    terms = kl_terms(awkward, approximation, no_closed_form="draw", draws=300)
    function = pm.compile([], sum(terms.values()), random_seed=1, mode=PYTHON)
    found = [float(function()) for _ in range(5)]
    expected, error = by_draws(awkward, approximation, draws=2000)
    assert abs(np.mean(found) - expected) < 4 * np.hypot(error, np.std(found) / 2) < 0.7


def test_groups_are_independent_of_each_other():
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1.0)
        w = pm.Normal("w", 0.0, 1.0 + tau, shape=2)
        v = pm.Normal("v", 0.0, 1.0, shape=2)
        approximation = disturbed(Approximation([Group([w, v], vfam="fr"), Group([tau], vfam="mf")]))
        turned = Approximation([Group([w, tau, v], vfam="fr")])
    expected, error = by_draws(model, approximation)
    function = pm.compile(
        [], sum(kl_terms(model, approximation, draws=300).values()), mode=PYTHON, random_seed=1
    )
    assert abs(function() - expected) < 5 * error < 0.8
    with pytest.raises(
        ValueError, match="prior of 'w' depends on 'tau', which comes after it in a full-rank"
    ):
        kl_terms(model, turned)


def test_terms_at_values_of_ones_own():
    """The remedy for a hierarchical prior and distributions by hand."""
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1.0)
        pm.Normal("w", 0.0, tau, shape=2)
    q = pm.Normal.dist([0.0, 1.0], 0.5)
    with pytest.raises(ValueError, match=r"prior of 'w' depends on 'tau'.*pm.do\(model, {'tau': value}\)"):
        kl_terms(model, {"w": q})
    draw = pt.dscalar("draw")
    term = kl_terms(pm.do(model, {"tau": draw}), {"w": q})["w"]
    expected = kl(stats.norm([0.0, 1.0], 0.5), stats.norm(0.0, 2.0)).sum()
    assert term.eval({draw: 2.0}, mode=PYTHON) == pytest.approx(expected, rel=1e-12)
    by_variable = kl_terms(model, {tau: pm.LogNormal.dist(0.0, 1.0)})["tau"]
    assert by_variable.eval(mode=PYTHON) == pytest.approx(kl(stats.lognorm(1.0), stats.halfnorm()), rel=1e-12)


def test_shapes_of_distributions_by_hand():
    with pm.Model() as model:
        pm.Normal("w", 1.0, 2.0, shape=3)
        pm.MvNormal("f", np.zeros(3), cov=EYE)
        pm.Poisson("k", 3.0)
        pm.Flat("flat")
    joint = kl_terms(
        model, {"w": pm.MvNormal.dist(np.zeros(3), cov=EYE), "f": pm.Normal.dist(0.0, [1.0, 2.0, 3.0])}
    )
    found = values(joint)
    vector = stats.multivariate_normal(np.zeros(3), EYE)
    assert found["w"] == pytest.approx(kl(vector, stats.multivariate_normal(np.ones(3), 4.0)), rel=1e-12)
    diagonal = MultivariateNormal(np.zeros(3), Diagonal([1.0, 4.0, 9.0]))
    assert found["f"] == pytest.approx(kl(diagonal, vector), rel=1e-12)
    repeated = values(kl_terms(model, {"w": stats.norm(0.0, 2.0), "k": stats.poisson(2.0)}))
    assert repeated["w"] == pytest.approx(3 * kl(stats.norm(0.0, 2.0), stats.norm(1.0, 2.0)), rel=1e-12)
    assert repeated["k"] == pytest.approx(kl(stats.poisson(2.0), stats.poisson(3.0)), rel=1e-12)
    for wrong, error, message in (
        ({"w": pm.Normal.dist(np.zeros(4))}, ValueError, r"of 'w' has shape \(4,\), the variable \(3,\)"),
        ({"k": pm.Poisson.dist([1.0, 2.0])}, ValueError, r"of 'k' has shape \(2,\), the variable \(\)"),
        ({"flat": pm.Normal.dist()}, NoClosedFormError, "prior of 'flat' is improper"),
        ({"w": pm.NormalMixture.dist([0.5, 0.5], [0, 1], [1, 1])}, NoClosedFormError, "term of 'w': .*bound"),
        ({"x": pm.Normal.dist()}, ValueError, "'x' is not a free variable of the model; there are 'w', 'f'"),
        ({"w": 3.0}, TypeError, "distribution of 'w': float is not a distribution"),
    ):
        with pytest.raises(error, match=message):
            kl_terms(model, wrong)


def test_bad_input(flat, nested):
    with flat:
        approximation = pm.MeanField()
    refusals = [
        ((nested, approximation), {}, ValueError, "approximation is of another model"),
        ((approximation, flat), {}, TypeError, r"model must be a pymc.Model, .*: kl_terms\(model, approx"),
        ((flat, 3.0), {}, TypeError, "approximation must be one of PyMC's"),
        ((flat, approximation), {"var_names": ["y"]}, ValueError, "'y' is not a free variable"),
        ((flat, approximation), {"no_closed_form": "skip"}, ValueError, "'raise' or 'draw', got 'skip'"),
        ((flat, approximation), {"draws": 0}, ValueError, "draws must be a positive integer"),
    ]
    for args, settings, error, message in refusals:
        with pytest.raises(error, match=message):
            kl_terms(*args, **settings)
    with pm.Model() as model:
        pm.Normal("w", 0.0, -1.0)
        approximation = pm.MeanField()
        pm.Normal("late")
    with pytest.raises(
        ValueError, match=r"the prior of 'w': sigma \(the standard deviation\) must be positive"
    ):
        kl_terms(model, approximation, var_names="w")
    with pytest.raises(ValueError, match="'late' was added to the model after the approximation"):
        kl_terms(model, approximation, var_names="late")
    with pm.Model() as model:
        pm.Normal("w")
        empirical = pm.Empirical(size=5)
    with pytest.raises(TypeError, match="EmpiricalGroup is not a Gaussian group"):
        kl_terms(model, empirical)


@pytest.mark.slow
@pytest.mark.parametrize("family", [pm.MeanField, pm.FullRank])
def test_the_objective_has_the_gradients_of_pymcs_own_with_less_noise(family):
    """Eight schools: few data beside the priors."""
    with pm.Model():
        mu = pm.Normal("mu", 0.0, 5.0)
        tau = pm.HalfNormal("tau", 5.0)
        effect = pm.Normal("effect", mu, 1.0 + tau, shape=4)
        pm.Normal("y", effect, np.array([15.0, 10, 16, 11]), observed=[28.0, 8, -3, 7])
        approximation = disturbed(family())
    rows = []
    for operator in (KL(approximation), ClosedFormKL(approximation)):
        loss = operator()(1)
        outputs = [loss, *pytensor.grad(loss, approximation.params)]
        function = pm.compile([], outputs, random_seed=1, mode=PYTHON)
        rows.append(np.array([np.concatenate([np.ravel(x) for x in function()]) for _ in range(300)]))
    own, closed = rows
    error = np.sqrt((own.var(axis=0) + closed.var(axis=0)) / len(own))
    assert (abs(own.mean(axis=0) - closed.mean(axis=0)) < 4.5 * error).all()
    assert closed[:, 1:].var(axis=0).sum() < 0.8 * own[:, 1:].var(axis=0).sum()


class Unbatched(Op):
    """The same vector again; it knows no batches."""

    itypes = otypes = (pt.dvector,)

    def perform(self, node, inputs, outputs):
        outputs[0][0] = inputs[0].copy()


@_vectorize_node.register(Unbatched)
def _(op, node, *inputs):
    raise NotImplementedError


@pytest.mark.slow
def test_operations_that_know_no_batches():
    """Estimated row after row."""

    def log_density(w):
        return -0.5 * Unbatched()(w) ** 2 - 0.5 * np.log(2.0 * np.pi)

    with pm.Model() as model:
        pm.CustomDist("w", logp=log_density, shape=2)
        approximation = disturbed(pm.MeanField())
    terms = kl_terms(model, approximation, no_closed_form="draw", draws=400)
    mean, covariance = gaussian(approximation)
    expected = kl(stats.norm(mean, np.sqrt(np.diag(covariance))), stats.norm()).sum()
    assert values(terms)["w"] == pytest.approx(expected, abs=0.15)
