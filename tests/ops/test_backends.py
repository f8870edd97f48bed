"""PyTensor's C, Numba and JAX backends give the values and gradients of the graph as it was written."""

from __future__ import annotations

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
import scipy.stats as st

import oracle
from graphs import BACKENDS, value
from kl_plugins import Cholesky, Dense, LowRank, MultivariateNormal, Precision, kl

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning"),
    # PyTensor 2's own products of transposed matrices, in the derivative of a Cholesky factor
    pytest.mark.filterwarnings(r"ignore:np.dot\(\) is faster on contiguous arrays"),
]

MEAN, OTHER = np.array([0.3, -0.2, 0.5]), np.array([-0.1, 0.4, 0.8])
ROOT = np.array([[1.3, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.6, 0.2, 1.6]])
COV = ROOT @ ROOT.T


def vector(name):
    return pt.tensor(name, dtype="float64", shape=(3,))


def matrix(name):
    return pt.tensor(name, dtype="float64", shape=(3, 3))


def pairs(mean, scale, cov, factor):
    """Divergences that together use the operations of the graphs, few enough to compile quickly."""
    return [
        kl(pm.Normal.dist(mean, scale), st.norm(0.2, 1.1)).sum(),
        kl(MultivariateNormal(mean, Precision(cov)), MultivariateNormal(OTHER, Cholesky(factor))),
    ]


QUICK_WITH_JAX = [
    mode if "JAX" in mode.values else pytest.param(*mode.values, marks=pytest.mark.slow) for mode in BACKENDS
]
"""The others take half a minute to compile what follows; other tests compile smaller graphs with them."""


@pytest.mark.parametrize("mode", QUICK_WITH_JAX)
def test_values_and_gradients(mode):
    inputs = [vector("mean"), vector("scale"), matrix("cov"), matrix("factor")]
    numbers = [MEAN, np.array([0.4, 1.1, 2.3]), COV + np.eye(3), ROOT]
    graphs = pairs(*inputs)
    graphs += pytensor.grad(sum(graphs), inputs)
    want = value(graphs, dict(zip(inputs, numbers, strict=True)))
    got = pytensor.function(inputs, graphs, mode=mode)(*numbers)
    for found, expected in zip(got, want, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


@pytest.mark.parametrize("mode", QUICK_WITH_JAX)
def test_accuracy_survives_the_rewrites(mode):
    """Nearly equal, equal, and so far apart that a naive ratio of squares overflows."""
    shift, p_scale, q_scale, factor = (
        pt.dscalar("shift"),
        *pt.dscalars("p_scale", "q_scale"),
        matrix("factor"),
    )
    normals = pm.Normal.dist(shift, p_scale), pm.Normal.dist(0.0, q_scale)
    matrices = (
        MultivariateNormal(MEAN, Cholesky(factor)),
        MultivariateNormal(MEAN + shift, Cholesky(factor * q_scale)),
    )
    function = pytensor.function(
        [shift, p_scale, q_scale, factor], [kl(*normals), kl(*matrices)], mode=mode, on_unused_input="ignore"
    )
    np.testing.assert_array_equal(function(0.0, 1.0, 1.0, ROOT), [0.0, 0.0])

    near = 1.0 + 2.0**-27
    normal, multivariate = function(1e-8, 1.0, near, ROOT)
    exact = oracle.kl(oracle.from_scales([1e-8], [1.0]), oracle.from_scales([0.0], [near]))
    assert oracle.relative_error(normal, exact) < 1e-10
    exact = oracle.kl(oracle.from_factor(MEAN, ROOT), oracle.from_factor(MEAN + 1e-8, ROOT * near))
    assert oracle.relative_error(multivariate, exact) < 1e-5

    normal, _ = function(0.0, 1e-150, 1e150, ROOT)
    np.testing.assert_allclose(normal, kl(st.norm(0, 1e-150), st.norm(0, 1e150)), rtol=1e-14)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["CVM", "NUMBA", "JAX"])
def test_scales_whose_squares_underflow(mode):
    """The rewrites would put the series over the square of a scale; the value depends on the ratio alone."""
    scales = pt.dscalars("p_scale", "q_scale")
    graph = kl(pm.Normal.dist(0.0, scales[0]), pm.Normal.dist(0.0, scales[1]))
    function = pytensor.function(scales, graph, mode=mode)
    for unit in (1e-170, 1e170):
        np.testing.assert_allclose(
            function(unit, 1.1 * unit), kl(st.norm(0, 1.0), st.norm(0, 1.1)), rtol=1e-13
        )


UNKNOWN = {name: pt.dmatrix(name) for name in ("factor", "other")}
SIDES = {
    "full": (Cholesky(UNKNOWN["factor"]), Dense(UNKNOWN["other"] @ UNKNOWN["other"].T)),
    "low rank": tuple(
        LowRank(pt.diagonal(x) ** 2, pt.specify_shape(x[:, :1], (None, 1))) for x in UNKNOWN.values()
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SIDES)
def test_jax_without_known_dimensions(name):
    """JAX makes an identity only of a constant size; the number of columns of a low rank has to be known."""
    mean = pt.dvector("mean")
    sides = [MultivariateNormal(mean * i, covariance) for i, covariance in enumerate(SIDES[name])]
    inputs = [mean, *UNKNOWN.values()]
    graphs = [kl(*sides)]
    graphs += pytensor.grad(graphs[0], inputs[:1] if name == "low rank" else inputs[:2])
    numbers = [MEAN, ROOT, ROOT + 0.3 * np.eye(3)]
    want = value(graphs, dict(zip(inputs, numbers, strict=True)))
    for found, expected in zip(pytensor.function(inputs, graphs, mode="JAX")(*numbers), want, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-13)
