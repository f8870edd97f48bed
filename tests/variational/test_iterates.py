"""The iterates of a fit: what is kept, and what ArviZ and closed forms say about it."""

import arviz
import numpy as np
import pymc as pm
import pytest
from pymc.variational.opvi import Approximation, Group

from kl_plugins import jeffreys
from kl_plugins.variational import snapshot
from kl_plugins.variational.optimum.iterates import BATCHES, Iterates, Window, split_rhat
from kl_plugins.variational.target.parameters import Parameters


def autoregression(n, k, correlation, rng):
    """Stationary series with variance 1 in the columns."""
    series = rng.normal(size=(n, k))
    for i in range(1, n):
        series[i] = correlation * series[i - 1] + np.sqrt(1.0 - correlation**2) * series[i]
    return series


def identity_map(deviations, average):
    return deviations


def test_memory_is_bounded_and_the_window_is_the_last_half():
    for length in (400, 1_000, 5_110, 5_120, 5_130, 70_000):
        kept = Iterates(size=2, spacing=10)
        for i in range(1, length + 1):
            if i >= kept.due:
                kept.keep((i, -i), i)
        window = kept.window()
        assert len(window) % BATCHES == 0
        assert 16 <= len(window) <= 256
        assert set(np.diff(window[:, 0])) == {float(kept.spacing)}
        assert window[-1, 0] >= length - kept.spacing
        assert abs(window[0, 0] - 0.5 * length) <= (BATCHES + 2) * kept.spacing
        np.testing.assert_array_equal(window[:, 1], -window[:, 0])


def test_memory_of_many_parameters_is_bounded_in_numbers():
    assert Iterates(size=2**18, spacing=1)._rows.size <= 2**24


@pytest.mark.parametrize("correlation", [0.0, 0.9, 0.999])
def test_split_rhat_is_arviz_s(correlation):
    series = autoregression(256, 3, correlation, np.random.default_rng(1))
    expected = [arviz.rhat(column.reshape(2, -1), method="split") for column in series.T]
    np.testing.assert_allclose(split_rhat(series), np.ravel(expected), rtol=1e-12)


def test_split_rhat_of_what_does_not_vary_and_of_a_step():
    series = np.ones((64, 2))
    series[32:, 1] = 2.0
    assert split_rhat(series).tolist() == [1.0, np.inf]


def test_the_expected_jeffreys_is_right_on_average():
    """The mean over many windows of what is expected, against the squared distance from the known limit."""
    rng = np.random.default_rng(2)
    windows = [Window.of(autoregression(256, 5, 0.5, rng), identity_map) for _ in range(300)]
    truth = np.mean([np.sum(window.average**2) for window in windows])
    assert np.mean([window.jeffreys for window in windows]) == pytest.approx(truth, rel=0.15)
    careful = np.mean([window.careful_jeffreys() for window in windows[:60]])
    assert careful == pytest.approx(truth, rel=0.3)


def test_correlation_longer_than_a_batch_is_seen_by_arviz():
    window = Window.of(autoregression(256, 5, 0.97, np.random.default_rng(3)), identity_map)
    assert window.careful_jeffreys() > 1.5 * window.jeffreys


def test_drift_counts_what_moves_and_nothing_else():
    rng = np.random.default_rng(4)
    noise = rng.normal(size=(256, 4))
    assert Window.of(noise, identity_map).drift == 0.0
    ramp = np.linspace(0.0, 1.0, 256)
    moving = np.column_stack([noise, ramp])
    # The first and the last quarter's averages of a ramp of height 1 are 3/4 apart.
    assert Window.of(moving, identity_map).drift == pytest.approx(0.75**2, rel=0.01)


@pytest.fixture(scope="module")
def model():
    with pm.Model() as model:
        slope = pm.Normal("slope", shape=(2, 2))
        pm.HalfNormal("noise")
        pm.Normal("y", slope.sum(), 1.0, observed=[1.0, 2.0])
    return model


def several_groups(model):
    slope, noise = model.free_RVs
    with model:
        return Approximation([Group([noise], vfam="mf"), Group([slope], vfam="fr")])


FAMILIES = {
    "mean field": lambda model: pm.MeanField(model=model),
    "full rank": lambda model: pm.FullRank(model=model),
    "several groups": several_groups,
}


@pytest.fixture(params=FAMILIES)
def approximation(request, model):
    approximation = FAMILIES[request.param](model)
    rng = np.random.default_rng(5)
    for parameter in approximation.params:
        parameter.set_value(rng.normal(size=parameter.get_value().shape))
    return approximation


def test_the_parameters_of_a_row_are_the_snapshot(approximation):
    parameters = Parameters(approximation)
    (point,) = parameters.coordinates(parameters.read()[None])
    assert len(point) == parameters.size == sum(p.get_value().size for p in approximation.params)
    assert jeffreys(parameters.distribution(point), snapshot(approximation)) < 1e-28


def test_whitened_deviations_are_jeffreys_to_second_order(approximation):
    parameters = Parameters(approximation)
    (centre,) = parameters.coordinates(parameters.read()[None])
    steps = 1e-4 * np.random.default_rng(6).normal(size=(10, parameters.size))
    measured = [
        jeffreys(parameters.distribution(centre + step), parameters.distribution(centre)) for step in steps
    ]
    np.testing.assert_allclose(np.sum(parameters.whiten(steps, centre) ** 2, axis=1), measured, rtol=2e-3)


def test_what_is_written_is_what_was_read(approximation):
    before = snapshot(approximation)
    parameters = Parameters(approximation)
    for parameter in approximation.params:
        parameter.set_value(np.zeros_like(parameter.get_value()))
    parameters.write(before)
    assert jeffreys(snapshot(approximation), before) < 1e-28


def test_scales_far_below_the_smallest_softplus(model):
    approximation = pm.MeanField(model=model)
    approximation.params_dict["rho"].set_value(np.array([-800.0, -40.0, 0.0, 40.0, 800.0]))
    parameters = Parameters(approximation)
    (point,) = parameters.coordinates(parameters.read()[None])
    expected = [-800.0, -40.0, np.log(np.log(2.0)), np.log(40.0), np.log(800.0)]
    np.testing.assert_allclose(point[5:], expected, rtol=1e-15)


def test_only_a_member_of_the_family_can_be_written(model):
    full = snapshot(pm.FullRank(model=model))
    with pytest.raises(ValueError, match="a mean-field group has no correlations"):
        Parameters(pm.MeanField(model=model)).write(full)
    with pytest.raises(ValueError, match="the approximation has 2 groups"):
        Parameters(several_groups(model)).write(full)
