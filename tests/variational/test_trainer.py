"""Trainers of pymc-extras that are watched: what is claimed of them, against exact optima."""

from __future__ import annotations

import re

import numpy as np
import pymc as pm
import pytest
from pymc_extras.inference.advi import (
    AutoDiagonalNormal,
    AutoLowRankMultivariateNormal,
    AutoMultivariateNormal,
    Trainer,
    adam,
    sgd,
)

from kl_plugins import jeffreys
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.full import Dense
from kl_plugins.families.multivariate_normal import MultivariateNormal
from kl_plugins.variational import (
    KLConvergence,
    NotConvergedWarning,
    diagnose,
    plot_convergence,
    snapshot,
)
from kl_plugins.variational.target.coordinates import FullRankCoordinates, LowRankCoordinates

PRECISION = np.array([[2.0, 1.2], [1.2, 1.5]])
GUIDES = {
    "mean-field": AutoDiagonalNormal,
    "full-rank": AutoMultivariateNormal,
    "low-rank": lambda model: AutoLowRankMultivariateNormal(model, rank=1),  # of two variables: every one
}
OPTIMA = {
    "mean-field": MultivariateNormal([1.0, 2.0], DiagonalScales(np.diagonal(PRECISION) ** -0.5)),
    "full-rank": MultivariateNormal([1.0, 2.0], Dense(np.linalg.inv(PRECISION))),
    "low-rank": MultivariateNormal([1.0, 2.0], Dense(np.linalg.inv(PRECISION))),
}
DATA = np.random.default_rng(1).normal(2.0, 1.0, size=60)


@pytest.fixture
def correlated():
    with pm.Model() as model:
        pm.MvNormal("x", [1.0, 2.0], tau=PRECISION)
    return model


def mean_of(data):
    with pm.Model() as model:
        batch = pm.Data("batch", data)
        pm.Normal("y", pm.Normal("mu", 0.0, 10.0), 1.0, observed=batch, total_size=len(DATA))
    return model


def batches(count, size=10):
    rng = np.random.default_rng(2)
    for _ in range(count):
        yield {"batch": rng.choice(DATA, size)}


@pytest.mark.parametrize("kind", GUIDES)
def test_a_claim_of_convergence_is_true(kind, correlated, capsys):
    trainer = Trainer(guide=GUIDES[kind], optimizer=adam(0.03))
    monitor = KLConvergence(random_seed=1)
    state = monitor.train(trainer, 20_000, model=correlated, random_seed=1)
    assert monitor.status == "converged"
    assert trainer.state is state
    assert state.step == len(state.loss_history) == monitor.history[-1].iteration < 20_000
    q = snapshot(trainer, correlated)
    assert jeffreys(q, OPTIMA[kind]) <= 0.1
    np.testing.assert_allclose(jeffreys(q, OPTIMA[kind]), monitor.distance.jeffreys, rtol=1e-4)
    assert jeffreys(q, monitor.average) < 1e-12
    assert "the Trainer's state holds the average of the last half" in monitor.message
    assert capsys.readouterr().out == ""


def test_chunks_are_one_fit(correlated):
    """The same steps as in one go: neither draws nor the optimiser's memory begin anew between chunks."""
    whole, watched = Trainer(optimizer=adam(0.01)), Trainer(optimizer=adam(0.01))
    whole.fit(105, model=correlated, random_seed=7)
    with pytest.warns(NotConvergedWarning, match="not stationary after 105 iterations: too few for a look"):
        KLConvergence(check=False).train(watched, 105, model=correlated, random_seed=7)
    np.testing.assert_array_equal(whole.state.loss_history, watched.state.loss_history)
    for name, value in whole.state.params.items():
        np.testing.assert_array_equal(value, watched.state.params[name])


def test_a_fit_that_is_too_short_goes_on(correlated):
    trainer, monitor = Trainer(optimizer=adam(0.002)), KLConvergence(random_seed=1)
    with correlated:
        trainer.fit(50, random_seed=1)
        with pytest.warns(NotConvergedWarning, match=r"drift|the last iterate"):
            monitor.train(trainer, 700)
    assert monitor.status == "not stationary"
    assert trainer.step == 750
    assert monitor.history[-1].iteration == 700  # of those that were watched
    last = snapshot(trainer, correlated)
    monitor.write_back()
    assert jeffreys(snapshot(trainer, correlated), monitor.average) < 1e-12 < jeffreys(last, monitor.average)
    monitor.train(trainer, 50_000, model=correlated)
    assert monitor.status == "converged"
    assert 700 < monitor.history[-1].iteration == trainer.step - 50
    assert jeffreys(snapshot(trainer, correlated), OPTIMA["mean-field"]) <= 0.1
    plot_convergence(monitor)


def test_batches_are_taken_once_each_and_compared_with_all_the_data():
    """The stream goes on from chunk to chunk, and the optimum is that of the model on the whole."""
    taken = []
    stream = (taken.append(batch) or batch for batch in batches(30_000))
    trainer, monitor = Trainer(optimizer=adam(0.02)), KLConvergence(random_seed=1)
    model = mean_of(DATA[:10])
    monitor.train(trainer, 30_000, stream, model=model, whole=mean_of(DATA), random_seed=1)
    assert monitor.converged
    assert len(taken) == trainer.step < 30_000
    exact = MultivariateNormal([DATA.sum() / 60.01], DiagonalScales([60.01**-0.5]))
    assert jeffreys(snapshot(trainer, model), exact) <= 0.1


def test_batches_alone_are_stationary_at_most():
    trainer, monitor = Trainer(optimizer=adam(0.02)), KLConvergence(random_seed=1)
    with pytest.warns(
        NotConvergedWarning, match="data came in batches: give whole=, a model of the same var"
    ):
        monitor.train(trainer, 30_000, batches(30_000), model=mean_of(DATA[:10]), random_seed=1)
    assert monitor.status == "stationary"
    assert monitor.distance is None


@pytest.mark.parametrize("count", [120, 125])
def test_a_stream_that_ends(count):
    """At the end of a chunk or within one."""
    trainer, monitor = Trainer(), KLConvergence(random_seed=1)
    with pytest.warns(NotConvergedWarning, match=f"not stationary after {count} iterations"):
        monitor.train(trainer, 1000, batches(count), model=mean_of(DATA[:10]), random_seed=1)
    assert trainer.step == count


def test_an_interrupt_ends_it_without_a_claim():
    def interrupted():
        yield from batches(77)
        raise KeyboardInterrupt

    trainer, monitor = Trainer(), KLConvergence()
    state = monitor.train(trainer, 1000, interrupted(), model=mean_of(DATA[:10]), random_seed=1)
    assert state.step == 77
    assert monitor.status == "stopped from outside"
    assert "after 77 iterations" in monitor.message


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # of the numbers that are no more
def test_a_fit_that_diverges(correlated):
    trainer, monitor = Trainer(optimizer=sgd(1e3)), KLConvergence()
    with pytest.raises(FloatingPointError, match=r"diverged by iteration \d+ .*smaller learning rate"):
        monitor.train(trainer, 1000, model=correlated, random_seed=1)
    assert monitor.status == "diverged"


def test_what_cannot_be_trained_is_refused(correlated):
    with pm.Model() as discrete:
        pm.Poisson("n", 1.0)
    calls = [
        ((correlated, 100), {}, TypeError, "train takes a Trainer of pymc-extras, got Model"),
        ((AutoDiagonalNormal(correlated), 100), {}, TypeError, "got AutoGuideModel"),
        ((Trainer, 100), {}, TypeError, "got the class Trainer"),
        ((Trainer(), 0), {}, ValueError, "n must be a positive integer, got 0"),
        ((Trainer(), 100), {"whole": correlated}, ValueError, "whole= goes with data="),
        (
            (Trainer(), 100),
            {"whole": correlated, "data": batches(9)},
            ValueError,
            "whole= is the model that batches are put into",
        ),
        ((Trainer(), 100), {"data": {"batch": DATA}}, TypeError, "data= is a stream of batches, each a dict"),
        (
            (Trainer(), 100),
            {"model": discrete},
            ValueError,
            "discrete variables have no Gaussian approximation",
        ),
        ((Trainer(), 100), {"model": 3}, TypeError, "model must be a pymc.Model, got int"),
    ]
    for arguments, named, kind, message in calls:
        with pytest.raises(kind, match=re.escape(message)):
            KLConvergence().train(*arguments, **({"model": correlated} | named))
    with pytest.raises(TypeError, match=re.escape("call monitor.train(trainer, n, model=model)")):
        KLConvergence().train(Trainer(), 100)
    with pytest.raises(ValueError, match="whole= has the variables x, the model that was fitted mu"):
        KLConvergence().train(Trainer(), 99, batches(99), model=mean_of(DATA[:10]), whole=correlated)


def test_a_low_rank_is_compared_with_the_best_of_its_rank():
    """Of two pairs of correlated variables a rank of one has the stronger correlation alone."""
    correlations = np.array([0.9, 0.6])
    with pm.Model() as model:
        first = pm.Normal("first", shape=2)
        pm.Normal("second", correlations * first, np.sqrt(1.0 - correlations**2), shape=2)
    trainer = Trainer(guide=GUIDES["low-rank"], optimizer=adam(0.02))
    monitor = KLConvergence(random_seed=1)
    monitor.train(trainer, 20_000, model=model, random_seed=1)
    assert monitor.status == "converged"
    # The weaker pair is as mean-field has it, with the sds of its conditional distributions.
    gain = -0.5 * np.log(1.0 - 0.6**2)
    np.testing.assert_allclose(monitor.distance.full_rank_gain, gain, rtol=1e-3)
    assert "the best Gaussian of q's rank that was found, a local optimum" in monitor.message
    told = diagnose(trainer, model=model, draws=3_000, random_seed=1)
    assert told.distance.reached
    assert told.verdict.advice.startswith(
        "Use variational.fit(model, method='fullrank_advi'): the low rank is the cause"
    )


@pytest.mark.parametrize("family", [LowRankCoordinates(4, 2), FullRankCoordinates(4)])
def test_whitened_changes_are_jeffreys_divergences(family):
    rng = np.random.default_rng(1)
    centre = rng.normal(size=family.size)
    if isinstance(family, FullRankCoordinates):
        centre[family.diagonal] = np.exp(centre[family.diagonal])
    changes = 1e-4 * rng.normal(size=(3, family.size))
    whitened = (family.whiten(changes, centre) ** 2).sum(axis=1)
    at = MultivariateNormal(*family.mean_and_covariance(centre))
    for change, expected in zip(changes, whitened, strict=True):
        moved = MultivariateNormal(*family.mean_and_covariance(centre + change))
        np.testing.assert_allclose(jeffreys(at, moved), expected, rtol=2e-3)
