"""Parameters that pandas labels: broadcast by position only where that is what their labels say."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from kl_plugins import (
    Diagonal,
    Isotropic,
    Kronecker,
    MultivariateNormal,
    cross_entropy,
    entropy,
    estimate_kl,
    explain,
    independent,
    jeffreys,
    kl,
    pairwise_kl,
)
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.normal import Normal

NUMBERS = np.array([1.0, 2.0, 3.0])
SERIES = pd.Series(NUMBERS, index=["a", "b", "c"])
NAMED = SERIES.rename_axis("group")
FRAME = pd.DataFrame(np.ones((2, 3)), columns=["a", "b", "c"])
DOORS = [kl, jeffreys, cross_entropy, explain, estimate_kl]

CONTRADICT = {
    "series": (SERIES, SERIES[::-1]),
    "frame": (FRAME, SERIES[::-1]),
    "names": (NAMED, SERIES.rename_axis("chain")),
    "lengths": (NAMED.reset_index(drop=True).rename_axis("group"), NAMED[:1]),
}
AGREE = {
    "series": (SERIES, 2.0 * SERIES),
    "frame": (FRAME, SERIES),
    "one has none": (SERIES, NUMBERS),
    "one has no name": (NAMED, SERIES),
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
    with pytest.raises(ValueError, match="mu of p and sigma of q have different labels"):
        door(2.0 * stats.Normal(mu=SERIES, sigma=1.0), stats.Normal(mu=0.0, sigma=SERIES[::-1]))


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


def test_the_variables_of_a_gaussian():
    zero = np.zeros(3)
    assert (
        kl(MultivariateNormal(SERIES, Diagonal(SERIES)), MultivariateNormal(SERIES, Diagonal(SERIES))) == 0.0
    )
    with pytest.raises(ValueError, match=r"mean and variances have different labels"):
        MultivariateNormal(SERIES[::-1], Diagonal(SERIES))
    for door in DOORS:
        with pytest.raises(ValueError, match=r"of p and \w+ of q have different labels"):
            door(MultivariateNormal(zero, Diagonal(SERIES)), MultivariateNormal(zero, Diagonal(SERIES[::-1])))
    Kronecker((Diagonal(SERIES), Diagonal(SERIES[::-1])))  # one's variables are not the other's
    with pytest.raises(ValueError, match="variance and variance have different labels"):
        Kronecker((Isotropic(SERIES, dim=2), Isotropic(SERIES[::-1], dim=2)))


def test_independent_takes_the_labels_along():
    p, q = stats.norm(FRAME, 1.0), stats.norm(0.0, SERIES)
    assert kl(independent(p), independent(q)).shape == (2,)
    for other in (stats.norm(0.0, SERIES[::-1]), stats.gamma(SERIES[::-1])):
        for mine in (p, stats.gamma(FRAME)):
            with pytest.raises(ValueError, match="different labels"):
                kl(independent(mine), independent(other))


def test_pairs_have_an_axis_for_each_side():
    expected = pairwise_kl(stats.norm(NUMBERS, 1), stats.norm(0, NUMBERS))
    np.testing.assert_array_equal(
        pairwise_kl(stats.norm(SERIES, 1), stats.norm(0, SERIES[::-1].values[::-1])), expected
    )


def test_copies_keep_their_labels():
    copy = pickle.loads(pickle.dumps(Normal(SERIES, 1.0)))
    with pytest.raises(ValueError, match="different labels"):
        kl(copy, Normal(0.0, SERIES[::-1]))


def test_graphs():
    import pytensor.tensor as pt

    with pytest.raises(ValueError, match="mean of p and scale of q"):
        kl(Normal(SERIES, pt.scalar()), Normal(0.0, SERIES[::-1]))
