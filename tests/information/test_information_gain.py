"""Gains of conjugate models, whose posteriors are drawn from and known exactly."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

from kl_plugins import Dense, EstimateWarning, MultivariateNormal, estimate_kl, information_gain, kl
from traces import dataset

SIZE = (4, 400)
RNG = np.random.default_rng(7)
KNOWN = {
    "normal": (lambda: pm.Normal("x", 1.0, 5.0), stats.norm(2.0, 0.5), stats.norm(1.0, 5.0)),
    "beta": (lambda: pm.Beta("x", 2.0, 2.0), stats.beta(12.0, 5.0), stats.beta(2.0, 2.0)),
    "gamma": (lambda: pm.Gamma("x", 2.0, 0.5), stats.gamma(30.0, scale=0.1), stats.gamma(2.0, scale=2.0)),
    "half-normal": (lambda: pm.HalfNormal("x", 3.0), stats.gamma(9.0, scale=0.1), stats.halfnorm(scale=3.0)),
    "data": (
        lambda: pm.Normal("x", pm.Data("centre", 1.0), 5.0),
        stats.norm(2.0, 0.5),
        stats.norm(1.0, 5.0),
    ),
    "poisson": (lambda: pm.Poisson("x", 6.0), stats.poisson(3.0), stats.poisson(6.0)),
}


@pytest.mark.parametrize("case", KNOWN)
def test_gains_are_those_of_the_known_posterior(case):
    prior, posterior, closed = KNOWN[case]
    with pm.Model() as model:
        prior()
    truth = float(estimate_kl(posterior, closed).value)
    given = dataset(x=posterior.rvs(SIZE, random_state=RNG))
    gain = information_gain(given, model, joint=case == "normal", random_state=1)
    found = gain.summary().loc["x"]
    assert abs(found["gain"] - truth) < 4.0 * found["error"] < 0.4
    assert found["converged"]
    assert found["prior"] == "closed form"
    assert gain.joint is None or abs(gain.joint.value - truth) < 4.0 * gain.joint.error


def hierarchy():
    """Two groups around a mean: the model, and mean and covariance of posterior and prior."""
    y, sd = np.array([5.0, -1.0]), np.array([1.0, 2.0])
    with pm.Model(coords={"group": ["Choate", "Deerfield"]}) as model:
        mu = pm.Normal("mu", 0.0, 5.0)
        theta = pm.Normal("theta", mu, 3.0, dims="group")
        pm.Normal("y", theta, sd, observed=y)
    prior = np.array([[25.0, 25.0, 25.0], [25.0, 34.0, 25.0], [25.0, 25.0, 34.0]])
    precision = np.linalg.inv(prior) + np.diag([0.0, *sd**-2.0])
    covariance = np.linalg.inv(precision)
    return model, covariance @ [0.0, *(y / sd**2)], covariance, prior


@pytest.mark.parametrize("known", ["draws", "approximation"])
def test_hierarchical_priors_are_marginal_ones_and_the_joint_gain_is_exact(known):
    model, mean, covariance, prior = hierarchy()
    if known == "draws":
        x = RNG.multivariate_normal(mean, covariance, SIZE)
        posterior = dataset({"group": ["Choate", "Deerfield"]}, mu=x[..., 0], theta=x[..., 1:])
    else:
        posterior = mean, covariance
    gain = information_gain(posterior, model, random_state=1)
    assert gain.elements == ("mu", "theta[Choate]", "theta[Deerfield]")
    truth = [
        kl(stats.norm(m, v**0.5), stats.norm(0.0, s**0.5))
        for m, v, s in zip(mean, np.diagonal(covariance), np.diagonal(prior), strict=True)
    ]
    table = gain.summary()
    assert (abs(table["gain"] - truth) < 4.0 * table["error"]).all()
    assert (table["error"] < 0.1).all()
    jointly = kl(MultivariateNormal(mean, Dense(covariance)), MultivariateNormal(np.zeros(3), Dense(prior)))
    assert abs(gain.joint.value - jointly) < 4.0 * gain.joint.error < 0.4
    assert set(table["prior"]) == {"closed form", "average over parents"}
    found = gain.to_dataset()["theta"]
    assert found.dims == ("summary", "group")
    assert found.sel(summary="gain", group="Choate").item() == table["gain"]["theta[Choate]"]
    ax = gain.plot()
    assert {label.get_text() for label in ax.get_yticklabels()} == set(gain.elements)
    assert "theta[Choate]" in repr(gain)
    assert "theta[Choate]" in gain._repr_html_()


def test_a_vector_has_a_total():
    with pm.Model() as model:
        pm.Normal("x", 0.0, 2.0, shape=2)
    gain = information_gain(dataset(x=RNG.normal(1.0, 0.5, (*SIZE, 2))), model, joint=False, random_state=1)
    assert gain.elements == ("x[0]", "x[1]")
    one = kl(stats.norm(1.0, 0.5), stats.norm(0.0, 2.0))
    assert abs(gain.totals["x"].value - 2.0 * one) < 4.0 * gain.totals["x"].error
    assert gain.joint is None


@pytest.mark.parametrize("shares", [(4.0, 3.0), pytest.param((4.0, 3.0, 2.0), marks=pytest.mark.slow)])
def test_elements_that_are_dependent_have_one_gain(shares):
    with pm.Model() as model:
        pm.Dirichlet("w", np.ones(len(shares)))
    w = RNG.dirichlet(shares, SIZE)
    gain = information_gain(dataset(w=w), model, joint=False, random_state=1)
    found = gain.summary().loc["w"]
    truth = kl(stats.dirichlet(shares), stats.dirichlet(np.ones(len(shares))))
    assert abs(found["gain"] - truth) < 4.0 * found["error"]
    assert gain.to_dataset()["w"].dims == ("summary",)


def test_random_bounds_are_draws_against_draws():
    with pm.Model() as model:
        top = pm.Uniform("top", 1.0, 2.0)
        pm.Uniform("x", 0.0, top)
    tops = RNG.uniform(1.0, 2.0, SIZE)
    posterior = dataset(top=tops, x=RNG.uniform(0.0, 1.0, SIZE) * tops)
    found = information_gain(posterior, model, var_names="x", joint=False, random_state=1).summary().loc["x"]
    assert found["prior"] == "draws"
    assert found["gain"] < 4.0 * found["error"] < 0.4


def test_a_table_of_vectors_that_share_numbers_is_one_of_vectors():
    with pm.Model() as model:
        pm.Multinomial("k", 10, [0.2, 0.3, 0.5])
    k = RNG.multinomial(10, [0.6, 0.2, 0.2], SIZE)
    gain = information_gain(dataset(k=k), model, random_state=1)
    found = gain.summary().loc["k"]
    assert (found["gain"], found["error"]) == pytest.approx((gain.joint.value, gain.joint.error))


def many():
    pm.Binomial("x", pm.Poisson("n", 3.0), 0.5)


DOUBTFUL = {
    "a heavy tail": (lambda: pm.HalfNormal("s"), (np.zeros(1), 4.0 * np.eye(1)), "s: a few draws dominate"),
    "far from parents": (
        many,
        dataset(n=RNG.poisson(40.0, SIZE), x=RNG.poisson(20.0, SIZE)),
        "x: on average .* draws of the parents have a say",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", DOUBTFUL)
def test_a_gain_that_is_not_known_is_not_converged(case):
    prior, posterior, message = DOUBTFUL[case]
    with pm.Model() as model:
        prior()
    with pytest.warns(EstimateWarning, match=message):
        gain = information_gain(posterior, model, joint=False, random_state=1)
    assert not gain.summary()["converged"].iloc[-1]
    assert not gain.summary().isna().any(axis=None)


def test_variables_may_be_given_themselves():
    with pm.Model() as model:
        for name in "ab":
            pm.Normal(name)
    known = np.zeros(2), np.eye(2)
    for chosen in (model["a"], [model["a"]], "a", ["~b"], [model["a"], model["b"], "~b"]):
        gain = information_gain(known, model, var_names=chosen, joint=False, random_state=1)
        assert gain.elements == ("a",)


def test_what_else_the_posterior_has_is_left_aside():
    with pm.Model() as model:
        pm.Normal("x")
    found = [information_gain(one, model, random_state=1).summary() for one in (ONE, ONE.assign(z=ONE["x"]))]
    assert found[0].equals(found[1])


def flat():
    pm.Normal("x", pm.Flat("beta"), 1.0)


def ordered():
    pm.Normal("x", shape=2, transform=pm.distributions.transforms.ordered)


ONE = dataset(x=RNG.normal(size=SIZE))
BAD = {
    "improper": (flat, dataset(x=RNG.normal(size=SIZE), beta=RNG.normal(size=SIZE)), {}, "improper"),
    "restricted": (ordered, dataset(x=np.sort(RNG.normal(size=(*SIZE, 2)))), {}, "lacks a constant"),
    "unknown name": (lambda: pm.Normal("x"), ONE, {"var_names": "z"}, "'z' is not a free variable"),
    "all left out": (lambda: pm.Normal("x"), ONE, {"var_names": "~x"}, "leaves out every"),
    "missing": (lambda: pm.Normal("y"), ONE, {}, "'y' is missing"),
    "stuck": (
        lambda: pm.Normal("x"),
        ONE * 0.0,
        {},
        "x, of which p is the posterior.*all draws are the same",
    ),
    "stuck between random bounds": (
        lambda: pm.Uniform("x", 0.0, pm.Uniform("top", 1.0, 2.0)),
        dataset(top=RNG.uniform(1.0, 2.0, SIZE), x=np.full(SIZE, 0.3)),
        {"var_names": "x"},
        "x, of which p is the posterior.*all draws are the same",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_what_has_no_gain_is_refused(case):
    prior, posterior, options, message = BAD[case]
    with pm.Model() as model:
        prior()
    with pytest.raises(ValueError, match=message):
        information_gain(posterior, model, **options)


def test_a_model_is_needed_and_comes_second():
    with pytest.raises(TypeError, match="there is no model"):
        information_gain(ONE)
    with pytest.raises(TypeError, match="the posterior comes first"):
        information_gain(pm.Model(), ONE)
    for nameless in (ONE["x"], ONE["x"].values, ONE.to_dataframe()):
        with pytest.raises(TypeError, match="come with the names of its variables"):
            information_gain(nameless, pm.Model())


def test_a_joint_gain_that_is_not_known_says_why():
    model, mean, covariance, _ = hierarchy()
    gain = information_gain((mean, covariance), model, var_names="theta", random_state=1)
    assert gain.joint is None
    assert "depends on variables that were not chosen" in repr(gain)
