"""Batches: leading dimensions broadcast, and every entry is the divergence of the unbatched pair."""

import numpy as np
import pytest
from scipy import stats

import gaussians
from gaussians import LEVELS
from kl_plugins import (
    Cholesky,
    Dense,
    Diagonal,
    Isotropic,
    MultivariateNormal,
    Precision,
    cross_entropy,
    entropy,
    explain,
    independent,
    jeffreys,
    kl,
)
from kl_plugins.covariance.axis_aligned import DiagonalScales
from kl_plugins.covariance.eigendecomposition import Eigendecomposition
from kl_plugins.errors import NoClosedFormError

DIMENSION = 3

# A structure's parameters from covariance matrices of shape (..., d, d), and its construction from them.
PARAMETERS = {
    "Isotropic": lambda c: (c[..., 0, 0],),
    "Diagonal": lambda c: (np.diagonal(c, axis1=-2, axis2=-1),),
    "DiagonalScales": lambda c: (np.sqrt(np.diagonal(c, axis1=-2, axis2=-1)),),
    "Dense": lambda c: (c,),
    "Cholesky": lambda c: (np.linalg.cholesky(c),),
    "Precision": lambda c: ((np.linalg.inv(c) + np.linalg.inv(c).swapaxes(-2, -1)) / 2,),
    "Eigendecomposition": lambda c: tuple(np.linalg.eigh(c)),
}
CONSTRUCTORS = {
    "Isotropic": lambda variance: Isotropic(variance, dim=DIMENSION),
    "Diagonal": Diagonal,
    "DiagonalScales": DiagonalScales,
    "Dense": Dense,
    "Cholesky": Cholesky,
    "Precision": Precision,
    "Eigendecomposition": Eigendecomposition,
}
STRUCTURES = tuple(PARAMETERS)

# Batch shapes of p's mean and covariance and of q's mean and covariance.
BATCHES = [
    ((4,), (4,), (4,), (4,)),
    ((4,), (), (), ()),
    ((), (4,), (), ()),
    ((), (), (4,), ()),
    ((), (), (), (4,)),
    ((2, 1), (3,), (), (2, 3)),
    ((50,), (), (), (50,)),
    ((0,), (), (), (0,)),
]


def covariances(rng, structure, batch):
    made = [gaussians.well_conditioned(rng, DIMENSION, LEVELS[structure]) for _ in np.ndindex(*batch)]
    return np.array(made).reshape(*batch, DIMENSION, DIMENSION)


def side(rng, structure, mean_batch, covariance_batch):
    """A batched distribution, and a function from an index of the result to its unbatched part."""
    mean = rng.normal(size=(*mean_batch, DIMENSION))
    parameters = PARAMETERS[structure](covariances(rng, structure, covariance_batch))
    made = MultivariateNormal(mean, CONSTRUCTORS[structure](*parameters))

    def entry(index, batch):
        whole_mean = np.broadcast_to(mean, (*batch, DIMENSION))
        own = [p.shape[len(covariance_batch) :] for p in parameters]
        whole = [np.broadcast_to(p, (*batch, *rest)) for p, rest in zip(parameters, own, strict=True)]
        covariance = CONSTRUCTORS[structure](*(parameter[index] for parameter in whole))
        return MultivariateNormal(whole_mean[index], covariance)

    return made, entry


@pytest.mark.parametrize("batches", BATCHES, ids=str)
@pytest.mark.parametrize("q_structure", STRUCTURES)
@pytest.mark.parametrize("p_structure", STRUCTURES)
def test_entries_of_a_batch_are_the_unbatched_divergences(p_structure, q_structure, batches):
    rng = np.random.default_rng(17)
    p, p_entry = side(rng, p_structure, *batches[:2])
    q, q_entry = side(rng, q_structure, *batches[2:])
    batch = np.broadcast_shapes(*batches)
    value = kl(p, q)
    assert value.shape == batch
    alone = [kl(p_entry(index, batch), q_entry(index, batch)) for index in np.ndindex(*batch)]
    np.testing.assert_allclose(value.ravel(), alone, rtol=1e-12)


@pytest.mark.parametrize("batches", [((4,), ()), ((), (4,)), ((2, 1), (3,)), ((), ())], ids=str)
@pytest.mark.parametrize("structure", STRUCTURES)
def test_entropy_of_a_batch(structure, batches):
    p, entry = side(np.random.default_rng(4), structure, *batches)
    batch = np.broadcast_shapes(*batches)
    alone = [entropy(entry(index, batch)) for index in np.ndindex(*batch)]
    assert entropy(p).shape == batch
    np.testing.assert_allclose(np.ravel(entropy(p)), alone, rtol=1e-13)


@pytest.mark.parametrize("structure", STRUCTURES)
def test_batch_against_itself_is_exactly_zero(structure):
    p, _ = side(np.random.default_rng(4), structure, (2, 1), (3,))
    np.testing.assert_array_equal(kl(p, p), np.zeros((2, 3)))


MEANS, SCALES = np.array([[0.0], [1.5]]), np.array([0.5, 1.0, 3.0])


def test_arrays_of_univariate_normals():
    p, q = stats.norm(MEANS, SCALES), stats.norm(1.0, 2.0)
    for function in (kl, jeffreys, cross_entropy):
        value = function(p, q)
        assert value.shape == (2, 3)
        alone = [[function(stats.norm(m, s), q) for s in SCALES] for m in MEANS[:, 0]]
        np.testing.assert_allclose(value, alone, rtol=1e-15)


def test_arrays_of_univariate_normals_against_themselves_are_exactly_zero():
    np.testing.assert_array_equal(kl(stats.norm(MEANS, SCALES), stats.norm(MEANS, SCALES)), np.zeros((2, 3)))


@pytest.mark.parametrize("ndims", [0, 1, 2])
def test_independent_sums_over_the_trailing_dimensions(ndims):
    p, q = stats.norm(MEANS, SCALES), stats.norm(np.ones((2, 3)), 2.0)
    axes = tuple(range(2 - ndims, 2))
    p_event, q_event = independent(p, ndims=ndims), independent(q, ndims=ndims)
    for function in (kl, jeffreys, cross_entropy):
        value = function(p_event, q_event)
        np.testing.assert_allclose(value, np.sum(function(p, q), axis=axes), rtol=1e-14)
    np.testing.assert_allclose(entropy(p_event), np.sum(entropy(p), axis=axes), rtol=1e-14)


def test_independent_of_a_multivariate_batch_sums_over_it():
    rng = np.random.default_rng(8)
    p, _ = side(rng, "Dense", (4,), ())
    q, _ = side(rng, "Precision", (), (4,))
    assert kl(independent(p), independent(q)) == pytest.approx(kl(p, q).sum(), rel=1e-14)
    assert entropy(independent(q)) == pytest.approx(entropy(q).sum(), rel=1e-14)


def test_products_of_normals_and_of_others():
    normals = stats.norm([0.0, 1.0], [1.0, 2.0])
    for other in (stats.laplace([2.0, 3.0]), stats.gumbel_r(0.5, [1.0, 2.0]), stats.gamma([2.0, 3.0])):
        for p, q in ((normals, other), (other, normals)):
            found = kl(independent(p), independent(q))
            assert found == pytest.approx(kl(p, q).sum(), rel=1e-14)
    assert explain(independent(normals), independent(stats.laplace([0.0, 1.0]))).cost == "O(1)"
    full = stats.multivariate_normal([0.0, 0.0], [[2.0, 1.0], [1.0, 2.0]])
    with pytest.raises(NoClosedFormError, match=r"p: Independent\(Laplace\) and q: scipy.stats.multivar"):
        kl(independent(stats.laplace([2.0, 3.0])), full)
    with pytest.raises(NoClosedFormError, match="sum of those of their parts"):
        kl(independent(stats.laplace([2.0, 3.0])), independent(stats.cauchy([0.0, 1.0])))
