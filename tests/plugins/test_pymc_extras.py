"""Guides, trainers and results of pymc-extras as Gaussians, judged by its own draws and exact posteriors."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pymc as pm
import pymc_extras as pmx
import pytensor.tensor as pt
import pytest
import xarray as xr
from pymc_extras.inference.advi import (
    AutoDiagonalNormal,
    AutoGuideModel,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    SVIState,
    Trainer,
    adam,
    fit_advi,
)
from scipy import optimize, stats

from kl_plugins import gaussian, jeffreys, kl
from kl_plugins.errors import EstimateWarning, NoClosedFormError, NotRecognisedError
from kl_plugins.families.named import NamedMultivariateNormal
from kl_plugins.variational import diagnose, distance_to_optimum, snapshot

pytestmark = pytest.mark.filterwarnings("ignore:.*RandomType SharedVariables:UserWarning")

GUIDES = {
    "mean-field": AutoDiagonalNormal,
    "full-rank": AutoMultivariateNormal,
    "low-rank": lambda model: AutoLowRankMultivariateNormal(model, rank=2),
}
PRECISION = np.array([[2.0, 1.2], [1.2, 1.5]])
COVARIANCE = np.linalg.inv(PRECISION)


@pytest.fixture(scope="module")
def model():
    """Variables of every kind of shape, some transformed, one to fewer elements."""
    with pm.Model(coords={"site": ["north", "south"], "kind": ["a", "b", "c"]}) as model:
        pm.HalfNormal("tau")
        pm.Normal("beta", dims=("site", "kind"))
        pm.Dirichlet("share", np.ones(3))
        pm.Uniform("angle", 0.0, 2.0)
    return model


@pytest.fixture(scope="module")
def correlated():
    with pm.Model() as model:
        pm.MvNormal("x", [1.0, 2.0], tau=PRECISION)
    return model


def state_of(guide, seed=0):
    """A state as a fit might have left it."""
    rng = np.random.default_rng(seed)
    params = {
        parameter.name: 0.4 * rng.normal(size=np.shape(value))
        for parameter, value in guide.params_init_values.items()
    }
    return SVIState(params, {}, step=1, loss_history=np.zeros(1))


def trainer_of(guide, seed=0):
    trainer = Trainer(guide=guide)
    trainer.state = state_of(guide, seed)
    return trainer


@pytest.mark.parametrize("kind", GUIDES)
def test_a_guide_is_the_gaussian_of_its_draws(kind, model):
    """By the draws that the Trainer makes from the guide, taken to the unconstrained scale."""
    trainer = trainer_of(GUIDES[kind](model))
    q = snapshot(trainer, model)
    n = 20_000
    draws = trainer.sample_posterior(n, model=model, random_seed=2)
    found = gaussian(draws, model=model).reorder(q.variables)
    np.testing.assert_array_less(abs(found.mean - q.mean), 5.0 * q.std / np.sqrt(n))
    sds = np.outer(q.std, q.std)
    assert abs((found.covariance.matrix() - q.covariance.matrix()) / sds).max() < 5.0 * np.sqrt(2.0 / n)
    assert jeffreys(found, q) < 3.0 * found.sampling.divergence
    assert q.names == ("tau_log__", "beta", "share_simplex__", "angle_interval__")
    assert q.elements[1] == "beta[north, a]"


@pytest.mark.parametrize("kind", GUIDES)
def test_trainer_state_and_guide_with_parameters_are_one(kind, model):
    guide = GUIDES[kind](model)
    trainer = trainer_of(guide)
    q = snapshot(trainer, model)
    for given in (trainer.state, (guide, trainer.state), (guide, trainer.state.params)):
        with model:
            other = snapshot(given)
        assert kl(other, q) == kl(q, other) == 0.0
    single = {name: value.astype(np.float32) for name, value in trainer.state.params.items()}
    assert jeffreys(snapshot(replace(trainer.state, params=single), model), q) < 1e-12


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("mean-field", np.diag(1.0 / np.diagonal(PRECISION))), ("full-rank", COVARIANCE)],
)
def test_distance_from_the_exact_optimum(kind, expected, correlated):
    trainer = trainer_of(GUIDES[kind](correlated))
    distance = distance_to_optimum(trainer, correlated, random_seed=1)
    np.testing.assert_allclose(distance.optimum.mean, [1.0, 2.0], atol=1e-6)
    np.testing.assert_allclose(distance.optimum.covariance.matrix(), expected, atol=1e-6)
    np.testing.assert_allclose(
        distance.jeffreys, jeffreys(snapshot(trainer, correlated), distance.optimum), rtol=1e-9
    )


def test_a_fit_is_diagnosed(correlated):
    """Where no fit has been, which is far from the posterior, and after one, which is right."""
    trainer = Trainer(guide=AutoMultivariateNormal, optimizer=adam(0.05))
    with correlated:
        first = diagnose(state_of(AutoMultivariateNormal(correlated)), draws=3_000, random_seed=1)
        trainer.fit(1500, random_seed=2)
        last = diagnose(trainer, draws=3_000, tolerance=0.3, random_seed=1)
    assert first.verdict.level == "reject"
    assert last.verdict.level == "trust"
    assert last.approximation.names == ("x",)


def optimum_over_fixed_draws(draws):
    """The mean and the scales of the largest ELBO over the draws, of the Gaussian posterior."""

    def loss(parameters):
        centred = parameters[:2] + np.exp(parameters[2:]) * draws - [1.0, 2.0]
        return 0.5 * np.einsum("ni,ij,nj->n", centred, PRECISION, centred).mean() - parameters[2:].sum()

    mean, log_scales = np.split(optimize.minimize(loss, np.zeros(4), tol=1e-10).x, 2)
    return mean, np.exp(log_scales)


def test_results_of_functions(correlated):
    """Against the exact posterior, and against the optimum over the fixed draws, found by somebody else."""
    with correlated:
        laplace = pmx.fit_laplace(progressbar=False, random_seed=1, optimize_method="trust-ncg")
        deterministic = pmx.fit(method="dadvi", progressbar=False, random_seed=2, n_fixed_draws=200)
    q = snapshot(laplace, correlated)
    np.testing.assert_allclose(q.mean, [1.0, 2.0], atol=1e-5)
    np.testing.assert_allclose(q.covariance.matrix(), COVARIANCE, atol=1e-5)
    q = snapshot(deterministic, correlated)
    mean, scales = optimum_over_fixed_draws(np.random.default_rng(2).standard_normal((200, 2)))
    np.testing.assert_allclose(q.mean, mean, atol=1e-4)
    np.testing.assert_allclose(q.std, scales, rtol=1e-4)
    distance = distance_to_optimum(deterministic, correlated, random_seed=1)
    np.testing.assert_allclose(distance.optimum.std, np.diagonal(PRECISION) ** -0.5, rtol=1e-6)
    np.testing.assert_allclose(distance.jeffreys, jeffreys(q, distance.optimum), rtol=1e-9)


def test_order_and_transforms_of_deterministic_advi(model):
    """Its optimum is that of few fixed draws; its own draws say which number belongs to what."""
    with model:
        found = pmx.fit("dadvi", progressbar=False, random_seed=1, n_draws=4_000, optimizer_method="L-BFGS-B")
    q = snapshot(found, model)
    draws = gaussian(found, model=model).reorder(q.variables)
    np.testing.assert_array_less(abs(draws.mean - q.mean), 5.0 * q.std / np.sqrt(4_000))
    np.testing.assert_allclose(draws.std, q.std, rtol=5.0 / np.sqrt(8_000))


def test_draws_of_advi_are_an_estimate_and_say_so(model):
    settings = {"n_steps": 50, "random_seed": 3}
    found = fit_advi(model, draws=2_000, **settings)
    with pytest.warns(EstimateWarning, match=r"estimated from 2,000 draws, and about 0.01 nats \(Jeffreys\)"):
        q = snapshot(found, model)
    init, train, _ = (int(seed) for seed in np.random.default_rng(3).integers(2**30, size=3))
    trainer = Trainer(random_seed=init)
    trainer.fit(50, model=model, random_seed=train)
    assert 0.003 < jeffreys(q, snapshot(trainer, model)) < 0.03
    with pm.Model() as wrapped:
        pm.VonMises("phi", 0.0, 2.0)
    with pytest.raises(ValueError, match="those of angles do not tell their Gaussian"):
        snapshot(xr.DataTree.from_dict({"fit": found.fit.to_dataset()}), wrapped)


def pathfinder_result():
    """The groups that tell it, as fit_pathfinder leaves them."""
    rng = np.random.default_rng(1)
    draws = xr.Dataset({"x": (("chain", "draw", "x_dim_0"), rng.normal(size=(1, 500, 2)))})
    told = xr.Dataset({"num_paths": 4, "pareto_k": 0.3})
    return xr.DataTree.from_dict({"posterior": draws, "pathfinder": told})


@pytest.mark.slow
def test_pathfinder_has_draws_and_no_gaussian(correlated):
    """What the error says to do instead does."""
    with correlated:
        found = pmx.fit_pathfinder(progressbar=False, parallel=False, random_seed=1, jitter=0.5)
    with pytest.raises(TypeError, match="neither these nor a density"):
        snapshot(found, correlated)
    distance = distance_to_optimum(gaussian(found, model=correlated), correlated, random_seed=1)
    np.testing.assert_allclose(distance.optimum.covariance.matrix(), COVARIANCE, atol=1e-6)
    assert distance.jeffreys < 0.25  # its draws are resampled, few of them independent


def own_guide(model):
    """Somebody's guide with the names of AutoDiagonalNormal and another map to scales."""
    with pm.Model(model=None) as inner:
        loc, scale = pt.vector("x_loc", shape=(2,)), pt.vector("x_scale", shape=(2,))
        z = pm.Normal("x_z", shape=(2,))
        pm.Deterministic("x", loc + pt.softplus(scale) * z)
    return AutoGuideModel(inner, {loc: np.zeros(2), scale: np.zeros(2)})


def diverged(guide):
    state = state_of(guide)
    name = next(iter(state.params))
    return replace(state, params=state.params | {name: np.full_like(state.params[name], np.nan)})


WRONG = {
    "an unfitted trainer": (lambda model: Trainer(), ValueError, "has not been fitted yet"),
    "a guide alone": (lambda model: AutoDiagonalNormal(model), ValueError, r"\(guide, state\)"),
    "a guide with an array": (
        lambda model: (AutoDiagonalNormal(model), np.zeros(4)),
        TypeError,
        "parameters by name, as SVIState.params has them, or the state, got ndarray",
    ),
    "a guide with parameters of another": (
        lambda model: (AutoDiagonalNormal(model), state_of(AutoMultivariateNormal(model))),
        ValueError,
        "the guide has the parameters x_loc, x_scale, given are L_packed, loc",
    ),
    "NaN": (
        lambda model: diverged(AutoDiagonalNormal(model)),
        ValueError,
        "x_loc are not finite: the fit div",
    ),
    "a guide of one's own": (
        lambda model: trainer_of(own_guide(model)),
        ValueError,
        "mean something else than those of AutoDiagonalNormal",
    ),
    "draws of pathfinder": (
        lambda model: pathfinder_result(),
        TypeError,
        r"give kl_plugins.gaussian\(draws, model=model\)",
    ),
    "a mode": (
        lambda model: pmx.find_MAP(model=model, progressbar=False),
        TypeError,
        "it is a mode, no Gaussian",
    ),
}


@pytest.mark.parametrize("case", WRONG)
@pytest.mark.parametrize("call", [snapshot, distance_to_optimum, diagnose])
def test_what_is_no_fitted_gaussian_is_refused(call, case, correlated):
    make, kind, message = WRONG[case]
    with pytest.raises(kind, match=message):
        call(make(correlated), model=correlated)


def other_models():
    with pm.Model() as names:
        pm.MvNormal("y", [1.0, 2.0], tau=PRECISION)
    with pm.Model() as shapes:
        pm.Normal("x", shape=3)
    with pm.Model() as discrete:
        pm.Normal("x", shape=2)
        pm.Poisson("n", 1.0)
    return {"names": names, "shapes": shapes, "discrete": discrete}


@pytest.mark.parametrize(
    ("kind", "other", "message"),
    [
        ("mean-field", "names", r"the guide is over x, the model over y: give the model that was fitted"),
        ("mean-field", "shapes", r"x_loc has shape \(2,\), of the model's guide it has \(3,\)"),
        ("full-rank", "names", "the guide is over x, the model over y"),
        ("full-rank", "shapes", r"loc has shape \(2,\), of the model's guide it has \(3,\)"),
        ("low-rank", "shapes", r"loc has shape \(2,\)"),
        ("mean-field", "discrete", "discrete variables have no Gaussian approximation: n"),
    ],
)
def test_a_fit_of_another_model_is_refused(kind, other, message, correlated):
    trainer = trainer_of(GUIDES[kind](correlated))
    with pytest.raises(ValueError, match=message):
        distance_to_optimum(trainer, other_models()[other])
    if other == "names" and kind == "mean-field":
        with pytest.raises(ValueError, match=r"x_loc, x_scale are not those that .* variables y"):
            snapshot(trainer.state, other_models()[other])


def test_who_needs_a_model_says_so(correlated):
    trainer = trainer_of(AutoDiagonalNormal(correlated))
    with pytest.raises(
        TypeError, match=re.escape("there is no model: call snapshot(approximation, model=model)")
    ):
        snapshot(trainer)
    with pytest.raises(TypeError, match=r"does not know its model: .*snapshot\(trainer, model=model\)"):
        kl(trainer, trainer)
    with pytest.raises(TypeError) as caught:
        kl(trainer.state, NamedMultivariateNormal)
    assert not isinstance(caught.value, NotRecognisedError)


def test_a_stream_of_batches_is_not_taken_for_all_the_data():
    data = np.random.default_rng(1).normal(size=40)
    with pm.Model() as model:
        batch = pm.Data("batch", data[:10])
        mu = pm.Normal("mu")
        pm.Normal("y", mu, 1.0, observed=batch, total_size=40)
        trainer = Trainer()
        trainer.fit(4, data=({"batch": part} for part in data.reshape(4, 10)), random_seed=1)
    q = snapshot(trainer, model)
    with pytest.raises(ValueError, match=r"holds? the last of them alone.*snapshot\(trainer, model=model\)"):
        distance_to_optimum(trainer, model)
    with pm.Model() as whole:
        mu = pm.Normal("mu")
        pm.Normal("y", mu, 1.0, observed=data)
    distance = distance_to_optimum(trainer, whole, random_seed=1)
    np.testing.assert_allclose(distance.optimum.mean, data.sum() / 41.0, atol=1e-6)
    np.testing.assert_allclose(distance.jeffreys, jeffreys(q, distance.optimum), rtol=1e-9)


def test_distributions_that_are_functions_of_others():
    scale = pt.dscalar("scale")
    assert kl(pmx.Chi.dist(3.0), stats.chi(3)).eval() == pytest.approx(0.0, abs=1e-15)
    found = kl(pmx.Maxwell.dist(scale), stats.maxwell(scale=2.0))
    expected = kl(stats.maxwell(scale=1.5), stats.maxwell(scale=2.0))
    assert found.eval({scale: 1.5}) == pytest.approx(expected, rel=1e-12)


DISTRIBUTIONS = {
    "GenExtreme": (lambda: pmx.GenExtreme.dist(0.1, 2.0, 0.2), stats.genextreme(-0.2, 0.1, 2.0)),
    "GenExtreme, bounded": (lambda: pmx.GenExtreme.dist(0.1, 2.0, -0.2), stats.genextreme(0.2, 0.1, 2.0)),
    "GenPareto": (lambda: pmx.GenPareto.dist(0.1, 2.0, 0.2), stats.genpareto(0.2, 0.1, 2.0)),
    "GenPareto, bounded": (lambda: pmx.GenPareto.dist(0.1, 2.0, -0.2), stats.genpareto(-0.2, 0.1, 2.0)),
    "Chi": (lambda: pmx.Chi.dist(3.0), stats.chi(3)),
    "Maxwell": (lambda: pmx.Maxwell.dist(2.0), stats.maxwell(scale=2.0)),
}


@pytest.mark.parametrize(("make", "known"), DISTRIBUTIONS.values(), ids=DISTRIBUTIONS)
def test_distributions_are_families_of_ours(make, known):
    for pair in ((make(), known), (known, make())):
        assert kl(*pair).eval(mode="FAST_COMPILE") == pytest.approx(0.0, abs=1e-15)


def test_a_shape_that_only_the_graph_knows_is_refused():
    with pytest.raises(NoClosedFormError, match=r"^p: .*pymc_extras.GenPareto whose xi is not one number"):
        kl(pmx.GenPareto.dist(0.0, 1.0, pt.dscalar()), stats.genpareto(0.2))
