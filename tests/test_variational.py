"""Snapshots of approximations, and the callback that watches a fit."""

import numpy as np
import pymc as pm
import pytest
from pymc.variational.opvi import Approximation, Group

from kl_plugins import jeffreys, kl
from kl_plugins.variational import KLConvergence, snapshot


@pytest.fixture(scope="module")
def model():
    with pm.Model() as model:
        slope = pm.Normal("slope", shape=(2, 2))
        noise = pm.HalfNormal("noise")
        pm.Normal("y", slope.sum(), noise, observed=[1.0, 2.0])
    return model


def randomised(approximation, seed):
    """The approximation with its parameters set at random."""
    rng = np.random.default_rng(seed)
    for parameter in approximation.params:
        parameter.set_value(rng.normal(size=parameter.get_value().shape))
    return approximation


def several_groups(model):
    slope, noise = model.free_RVs
    return Approximation([Group([noise], vfam="mf"), Group([slope], vfam="fr")], model=model)


APPROXIMATIONS = {
    "mean field": lambda model: pm.MeanField(model=model),
    "full rank": lambda model: pm.FullRank(model=model),
    "several groups": several_groups,
}


@pytest.fixture(params=APPROXIMATIONS)
def approximation(request, model):
    with model:
        return randomised(APPROXIMATIONS[request.param](model), seed=1)


def test_snapshot_holds_the_numbers_of_the_approximation(approximation):
    frozen = snapshot(approximation)
    mean = np.concatenate([group.mean.eval() for group in approximation.groups])
    std = np.concatenate([group.std.eval() for group in approximation.groups])
    np.testing.assert_allclose(frozen.mean, mean, rtol=1e-14)
    np.testing.assert_allclose(frozen.std, std, rtol=1e-13)
    blocks = [np.atleast_2d(group.cov.eval()) for group in approximation.groups]
    start = 0
    for block in blocks:
        stop = start + len(block)
        np.testing.assert_allclose(frozen.covariance.matrix()[start:stop, start:stop], block, rtol=1e-12)
        start = stop


def test_snapshot_names_the_variables_and_their_slices(approximation):
    frozen = snapshot(approximation)
    assert dict(frozen.variables) == {"slope": (2, 2), "noise_log__": ()}
    sizes = {name: part.stop - part.start for name, part in frozen.slices.items()}
    assert sizes == {"slope": 4, "noise_log__": 1}
    noise = approximation.groups[0].ordering if len(approximation.groups) == 2 else None
    assert frozen.slices["noise_log__"] == (slice(0, 1) if noise else slice(4, 5))


def test_snapshot_does_not_follow_the_fit(approximation):
    before = snapshot(approximation)
    copy = snapshot(approximation)
    randomised(approximation, seed=2)
    assert kl(before, copy) == 0.0
    assert kl(before, snapshot(approximation)) > 0.0


def test_a_snapshot_is_the_approximation_in_numbers(approximation, model):
    with model:
        other = randomised(pm.FullRank(), seed=3)
    frozen = kl(snapshot(approximation), snapshot(other))
    mixed = kl(snapshot(approximation), other)
    np.testing.assert_allclose(mixed.eval(), frozen, rtol=1e-11)


@pytest.mark.parametrize("wrong", [3, "advi", None])
def test_snapshot_takes_an_approximation(wrong):
    with pytest.raises(TypeError, match="takes a PyMC approximation"):
        snapshot(wrong)


def test_snapshot_refuses_points(model):
    with model, pytest.raises(TypeError, match="EmpiricalGroup is not a Gaussian group"):
        snapshot(pm.Empirical(size=5))


def run(model, monitor, **options):
    with model:
        return pm.fit(
            400,
            obj_optimizer=pm.adagrad(learning_rate=0.1),
            callbacks=[monitor],
            progressbar=False,
            random_seed=1,
            **options,
        )


def test_the_monitor_records_jeffreys_between_snapshots(model):
    snapshots = {}

    def keep(approximation, losses, iteration):
        if iteration % 50 == 0:
            snapshots[iteration] = snapshot(approximation)

    monitor = KLConvergence(every=50, tolerance=1e-30)
    with model:
        pm.fit(200, callbacks=[keep, monitor], progressbar=False, random_seed=1)
    assert [change.iteration for change in monitor.history] == [100, 150, 200]
    for iteration, value in monitor.history:
        assert value == jeffreys(snapshots[iteration - 50], snapshots[iteration]) > 0.0
    assert not monitor.converged


def test_the_monitor_stops_a_fit_below_its_tolerance(model):
    watched = KLConvergence(every=50, tolerance=1e-30)
    run(model, watched)
    values = [change.jeffreys for change in watched.history]
    tolerance = sorted(values)[len(values) // 2]
    first = next(change.iteration for change in watched.history if change.jeffreys < tolerance)
    monitor = KLConvergence(every=50, tolerance=tolerance, window=2)
    approximation = run(model, monitor)
    assert monitor.converged
    assert monitor.history[-1].iteration == first
    assert len(approximation.hist) <= first < 400
    assert monitor.history == watched.history[: len(monitor.history)]


def test_the_monitor_starts_afresh_with_a_new_fit(model):
    monitor = KLConvergence(every=100, tolerance=1e-30)
    run(model, monitor)
    first = list(monitor.history)
    run(model, monitor)
    assert monitor.history == first


def test_a_diverged_fit_is_an_error(model):
    with model:
        approximation = pm.MeanField()
    approximation.params_dict["rho"].set_value(np.full(5, np.nan))
    with pytest.raises(FloatingPointError, match=r"diverged by iteration 100 .*scales must be finite"):
        KLConvergence(every=100)(approximation, None, 100)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": 0}, "every must be a positive number of iterations"),
        ({"every": 2.5}, "every must be a positive number of iterations"),
        ({"tolerance": 0.0}, "tolerance must be a positive number of nats"),
        ({"tolerance": float("nan")}, "tolerance must be a positive number of nats"),
    ],
)
def test_the_monitor_refuses_settings_without_meaning(options, message):
    with pytest.raises(ValueError, match=message):
        KLConvergence(**options)


def test_a_steady_drift_is_not_convergence(model):
    """Small steps in one direction: each below the tolerance, all of them together far above it."""
    with model:
        approximation = pm.MeanField()
    monitor = KLConvergence(every=1, tolerance=0.01, window=5)
    mean = approximation.params_dict["mu"]
    for iteration in range(1, 30):
        mean.set_value(mean.get_value() + 0.03)
        monitor(approximation, None, iteration)
    assert max(change.jeffreys for change in monitor.history) < 0.01
    assert not monitor.converged
    for iteration in range(30, 32):
        monitor(approximation, None, iteration)
    with pytest.raises(StopIteration, match="the last 5 snapshots"):
        monitor(approximation, None, 32)
    assert monitor.converged
    assert "converged" in repr(monitor)
