"""Labelled parameters: broadcast by position only where that is what their labels say."""

import pickle

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from scipy import stats

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
    cross_entropy,
    entropy,
    estimate_kl,
    explain,
    independent,
    jeffreys,
    kl,
    pairwise_kl,
)
from kl_plugins.families.categorical import Categorical
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.normal import Normal

NUMBERS = np.array([1.0, 2.0, 3.0])


def array(*dims, **coords):
    shape = (3,) * len(dims)
    return xr.DataArray(np.broadcast_to(NUMBERS, shape).copy(), dims=dims, coords=coords)


CHAIN, GROUP = array("chain"), array("group")
BOTH = array("chain", "group")
SERIES = pd.Series(NUMBERS, index=["a", "b", "c"])
DOORS = [kl, jeffreys, cross_entropy, explain, estimate_kl]

CONTRADICT = {
    "arrays": (CHAIN, GROUP),
    "variables": (CHAIN.variable, GROUP.variable),
    "order": (BOTH, array("group", "chain")),
    "place": (BOTH, CHAIN),
    "coordinates": (array("group", group=[0, 1, 2]), array("group", group=[2, 1, 0])),
    "lengths": (CHAIN, CHAIN[:1]),
    "series": (SERIES, SERIES[::-1]),
    "frame": (pd.DataFrame(np.ones((2, 3)), columns=["a", "b", "c"]), SERIES[::-1]),
    "series and array": (SERIES, array("group", group=["a", "c", "b"])),
}
AGREE = {
    "same": (CHAIN, 2.0 * CHAIN),
    "fewer": (BOTH, GROUP),
    "no coordinates": (array("group", group=[0, 1, 2]), GROUP),
    "same coordinates": (array("group", group=[0, 1, 2]), 2.0 * array("group", group=[0, 1, 2])),
    "one has none": (CHAIN, NUMBERS),
    "scalars": (xr.DataArray(2.0), CHAIN),
    "series": (SERIES, 2.0 * SERIES),
    "frame": (pd.DataFrame(np.ones((2, 3)), columns=["a", "b", "c"]), SERIES),
    "series and array": (SERIES, array("group", group=["a", "b", "c"])),
    "broadcast": tuple(xr.broadcast(CHAIN, GROUP)),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("case", CONTRADICT)
def test_contradicting_sides_are_refused(door, case):
    one, other = CONTRADICT[case]
    for p, q in [(stats.norm(one, 1), stats.norm(0, other)), (Normal(one, 1.0), Normal(0.0, other))]:
        with pytest.raises(ValueError, match=r"of p and .* of q have different .*\.values"):
            door(p, q)


@pytest.mark.parametrize("case", CONTRADICT)
def test_contradicting_parameters_of_one_distribution_are_refused(case):
    one, other = CONTRADICT[case]
    for door in DOORS:
        with pytest.raises(ValueError, match=r"p: a and scale have different .*\.values"):
            door(stats.gamma(one, scale=other), stats.gamma(1.0))
    for door in (entropy, independent, pairwise_kl):
        with pytest.raises(ValueError, match=r"^ps?: a and scale have different"):
            door(stats.gamma(one, scale=other))
    with pytest.raises(ValueError, match="concentration and scale have different"):
        GeneralizedGamma(one, other)


@pytest.mark.parametrize("door", DOORS)
def test_new_distributions_of_scipy(door):
    """With labels on one parameter; of two, SciPy has made arrays before anybody can look."""
    with pytest.raises(ValueError, match="mu of p and sigma of q have different dimensions"):
        door(2.0 * stats.Normal(mu=CHAIN, sigma=1.0), stats.Normal(mu=0.0, sigma=GROUP))


@pytest.mark.parametrize("case", AGREE)
def test_what_agrees_goes_on_by_position(case):
    one, other = AGREE[case]
    expected = kl(stats.norm(np.asarray(one), 1), stats.norm(0, np.asarray(other)))
    np.testing.assert_array_equal(kl(stats.norm(one, 1), stats.norm(0, other)), expected)
    np.testing.assert_array_equal(kl(Normal(one, 1.0), Normal(0.0, other)), expected)
    kl(stats.norm(one, other), stats.norm(other, one))
    estimate = estimate_kl(stats.norm(one, 1), stats.norm(0, other))
    np.testing.assert_allclose(estimate.value, expected, rtol=1e-7)
    assert type(expected) is np.ndarray


def test_the_message_names_dimensions_sides_and_parameters():
    message = r"loc of p and scale of q have different dimensions, \(chain\) and \(group\)"
    with pytest.raises(ValueError, match=message):
        kl(stats.norm(CHAIN, 1), stats.norm(0, GROUP))
    with pytest.raises(ValueError, match="different labels along 'group', in value or order"):
        kl(stats.norm(array("group", group=[0, 1, 2]), 1), stats.norm(array("group", group=[1, 2, 3]), 1))


VAR = array("var", var=["x", "y", "z"])
MATRIX = xr.DataArray(np.diag(NUMBERS), dims=("var", "var2"), coords={"var": ["x", "y", "z"]})
OTHERS = array("other")


@pytest.mark.parametrize(
    "make",
    [
        Diagonal,
        lambda v: Dense(xr.DataArray(np.diag(v), dims=(*v.dims, "column"), coords=v.coords)),
        lambda v: Cholesky(xr.DataArray(np.diag(v), dims=(*v.dims, "column"), coords=v.coords)),
        lambda v: Precision(xr.DataArray(np.diag(v), dims=(*v.dims, "column"), coords=v.coords)),
        lambda v: LowRank(np.ones(3), v.expand_dims("k", axis=1)),
    ],
)
def test_the_variables_of_a_gaussian(make):
    zero = np.zeros(3)
    MultivariateNormal(VAR, make(VAR))
    assert kl(MultivariateNormal(VAR, make(VAR)), MultivariateNormal(VAR, make(VAR))) == 0.0
    with pytest.raises(ValueError, match=r"mean and \w+ have different dimensions"):
        MultivariateNormal(VAR, make(OTHERS))
    with pytest.raises(ValueError, match=r"mean and \w+ have different labels along 'var'"):
        MultivariateNormal(VAR[::-1], make(VAR))
    for door in DOORS:
        with pytest.raises(ValueError, match=r"of p and \w+ of q have different dimensions"):
            door(MultivariateNormal(zero, make(VAR)), MultivariateNormal(zero, make(OTHERS)))


def test_batches_of_gaussians():
    means = array("chain", "var")
    p = MultivariateNormal(means, Isotropic(CHAIN, dim=3))
    assert kl(p, MultivariateNormal(VAR, Isotropic(1.0, dim=3))).shape == (3,)
    message = r"mean and variance have different dimensions, \(chain, var\) and \(group\)"
    with pytest.raises(ValueError, match=message):
        MultivariateNormal(means, Isotropic(GROUP, dim=3))
    with pytest.raises(ValueError, match=r"variance of q have different dimensions"):
        kl(p, MultivariateNormal(VAR, Isotropic(GROUP, dim=3)))
    for composite in (BlockDiagonal, Kronecker):
        composite((Diagonal(VAR), Diagonal(OTHERS)))  # one's variables are not the other's
        with pytest.raises(ValueError, match="variance and variance have different dimensions"):
            composite((Isotropic(CHAIN, dim=2), Isotropic(GROUP, dim=2)))


def test_independent_takes_the_labels_along():
    p, q = stats.norm(BOTH, 1.0), stats.norm(0.0, GROUP)
    assert kl(independent(p), independent(q)).shape == (3,)
    assert kl(independent(p), MultivariateNormal(np.zeros(3), Diagonal(GROUP))).shape == (3,)
    for other in (stats.norm(0.0, CHAIN), stats.gamma(CHAIN)):
        for mine in (p, stats.gamma(BOTH)):
            with pytest.raises(ValueError, match="different dimensions"):
                kl(independent(mine), independent(other))


def test_pairs_have_an_axis_for_each_side():
    expected = pairwise_kl(stats.norm(NUMBERS, 1), stats.norm(0, NUMBERS))
    np.testing.assert_array_equal(pairwise_kl(stats.norm(CHAIN, 1), stats.norm(0, GROUP)), expected)


def test_copies_keep_their_labels():
    copy = pickle.loads(pickle.dumps(Normal(CHAIN, 1.0)))
    with pytest.raises(ValueError, match="different dimensions"):
        kl(copy, Normal(0.0, GROUP))


def test_outcomes():
    p = xr.DataArray([[0.5, 0.5]] * 3, dims=("chain", "outcome"))
    assert kl(Categorical(p), Categorical(p)).shape == (3,)
    with pytest.raises(ValueError, match="different dimensions"):
        kl(Categorical(p), Categorical(p.rename(outcome="other")))


def test_graphs():
    import pytensor.tensor as pt

    with pytest.raises(ValueError, match="mean of p and scale of q"):
        kl(Normal(CHAIN, pt.scalar()), Normal(0.0, GROUP))
