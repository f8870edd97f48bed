"""Snapshots of approximations."""

import numpy as np
import pymc as pm
import pytest
from pymc.variational.opvi import Approximation, Group

from kl_plugins import kl
from kl_plugins.variational import snapshot


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
    with pytest.raises(TypeError, match="snapshot takes what"):
        snapshot(wrong)


def test_snapshot_refuses_points(model):
    with model, pytest.raises(TypeError, match="EmpiricalGroup is not a Gaussian group"):
        snapshot(pm.Empirical(size=5))
