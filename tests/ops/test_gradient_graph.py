"""Divergences of full Gaussians as one node: exact derivatives, factored once, differentiable again."""

from __future__ import annotations

import mpmath
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from pytensor.compile.mode import Mode
from pytensor.link.vm import VMLinker

import oracle
from graphs import AS_WRITTEN, value
from kl_plugins import Cholesky, Dense, MultivariateNormal, Precision, kl

pytestmark = [
    pytest.mark.filterwarnings("error"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS installation:UserWarning"),
]

ROOT = np.array([[1.3, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.6, 0.2, 1.6]])
OTHER = np.array([[0.7, 0.0, 0.0], [-0.3, 1.2, 0.0], [0.5, 0.8, 1.1]])
MEANS = np.array([0.3, -0.2, 0.5]), np.array([-0.1, 0.4, 0.8])
REWRITTEN = Mode(VMLinker(use_cloop=False, c_thunks=False), "fast_run")
"""PyTensor's rewrites of the C backend, without compiling anything."""

STRUCTURES = {"Dense": Dense, "Cholesky": Cholesky, "Precision": Precision}


def given(name, factor):
    """The parameter of the structure whose covariance has the given Cholesky factor."""
    if name == "Cholesky":
        return factor
    return factor @ factor.T if name == "Dense" else np.linalg.inv(factor @ factor.T)


def graph_of(p, q, *ndims):
    """The divergence, and its inputs: mean and parameter of p, then of q."""
    inputs = [
        pt.tensor(f"x{i}", dtype="float64", shape=shape)
        for i, shape in enumerate(ndims or [(3,), (3, 3)] * 2)
    ]
    p_side = MultivariateNormal(inputs[0], STRUCTURES[p](inputs[1]))
    return kl(p_side, MultivariateNormal(inputs[2], STRUCTURES[q](inputs[3]))), inputs


def exact_gradient(p, q, points):
    """The textbook gradient in 60 digits, by (mean, covariance or factor) of p and of q."""
    p_given, q_given = (mpmath.matrix(oracle.matrix(points[i])) for i in (1, 3))
    p_matrix = p_given if p == "Dense" else p_given * p_given.T
    q_matrix = q_given if q == "Dense" else q_given * q_given.T
    p_inverse, q_inverse = mpmath.inverse(p_matrix), mpmath.inverse(q_matrix)
    gap = mpmath.matrix(oracle.vector(points[0])) - mpmath.matrix(oracle.vector(points[2]))
    by_mean = q_inverse * gap
    by_p = (q_inverse - p_inverse) / 2
    by_q = (q_inverse - q_inverse * (p_matrix + gap * gap.T) * q_inverse) / 2
    by_p, by_q = (
        by if name == "Dense" else 2 * by * root
        for by, name, root in ((by_p, p, p_given), (by_q, q, q_given))
    )
    exact = [by_mean, by_p, -by_mean, by_q]
    arrays = [np.array(x.tolist(), dtype=float) for x in exact]
    shaped = [x[:, 0] if x.shape[1] == 1 else x for x in arrays]
    return [np.tril(x) if name == "Cholesky" else x for x, name in zip(shaped, ["", p, "", q], strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize(("p", "q"), [("Dense", "Dense"), ("Cholesky", "Cholesky"), ("Cholesky", "Dense")])
def test_gradient_is_exact_far_and_near(p, q):
    """Relative error bounded however near the two are; the factors differ from 1 to 10⁻¹²."""
    graph, inputs = graph_of(p, q)
    gradient = pytensor.grad(graph, inputs)
    for step in (3e2, 1.0, 1e-3, 1e-6, 1e-9, 1e-12):
        near = ROOT @ (np.eye(3) + step * np.tril(OTHER))
        points = [MEANS[0], given(p, near), MEANS[0] + step * MEANS[1], given(q, ROOT)]
        got = value(gradient, dict(zip(inputs, points, strict=True)))
        # Rounding Σ to float64 before it is factored costs what it would cost any algorithm.
        tolerance = 1e-12 if (p, q) == ("Cholesky", "Cholesky") else 1e-13 + 3e-15 / min(step, 1.0)
        for found, expected in zip(got, exact_gradient(p, q, points), strict=True):
            error = np.abs(found - expected).max() / np.abs(expected).max()
            assert error < tolerance, (step, error)


@pytest.mark.parametrize("name", STRUCTURES)
def test_gradient_is_zero_where_the_two_are_equal(name):
    graph, inputs = graph_of(name, name)
    parameter = given(name, ROOT)
    points = dict(zip(inputs, [MEANS[0], parameter] * 2, strict=True))
    for number in value([graph, *pytensor.grad(graph, inputs)], points):
        np.testing.assert_array_equal(number, np.zeros_like(number))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("p", "q"), [("Dense", "Cholesky"), ("Cholesky", "Dense"), ("Precision", "Precision")]
)
def test_hessian_vector_products(p, q):
    """The derivative of the gradient along a direction, against differences of the gradient."""
    graph, inputs = graph_of(p, q)
    points = [MEANS[0], given(p, ROOT), MEANS[1], given(q, OTHER)]
    rng = np.random.default_rng(0)
    along = [rng.normal(size=np.shape(x)) for x in points]
    for i, name in ((1, p), (3, q)):
        along[i] = np.tril(along[i]) if name == "Cholesky" else along[i] + along[i].T
    gradients = pytensor.grad(graph, inputs)
    slope = sum(pt.sum(g * direction) for g, direction in zip(gradients, along, strict=True))
    products = pytensor.grad(slope, inputs)

    function = pytensor.function(inputs, gradients + products, mode=AS_WRITTEN)
    results = function(*points)[4:]
    step = 1e-3

    def moved(size):
        return function(*[x + size * step * direction for x, direction in zip(points, along, strict=True)])

    plus, minus, plus2, minus2 = (moved(size)[:4] for size in (1, -1, 2, -2))
    for i, name in enumerate(["", p, "", q]):
        want = (8 * (plus[i] - minus[i]) - (plus2[i] - minus2[i])) / (12 * step)
        got = results[i]
        if name == "Cholesky":
            got = np.tril(got)
        elif name:
            got, want = (got + got.T) / 2, (want + want.T) / 2
        np.testing.assert_allclose(got, want, rtol=1e-6, atol=1e-6 * np.abs(want).max())


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Dense", "Cholesky"])
def test_batches_sum_over_what_was_broadcast(name):
    """One p against two q, three means of p, the mean of q with a dimension of length 1."""
    parameters = [given(name, ROOT), np.stack([given(name, OTHER), given(name, ROOT + np.eye(3))])]
    points = [np.stack([MEANS[0] + i for i in range(6)]).reshape(3, 2, 3), parameters[0], MEANS[1][None]]
    points.append(parameters[1])
    graph, inputs = graph_of(name, name, (3, None, 3), (3, 3), (1, 3), (None, 3, 3))
    weights = np.arange(1.0, 7.0).reshape(3, 2)
    gradients = value(
        [graph, *pytensor.grad(pt.sum(weights * graph), inputs)], dict(zip(inputs, points, strict=True))
    )
    batch, *got = gradients
    want = [np.zeros_like(x) for x in points]
    single, single_inputs = graph_of(name, name)
    everything = [single, *pytensor.grad(single, single_inputs)]
    for i, j in np.ndindex(3, 2):
        numbers = [points[0][i, j], points[1], points[2][0], points[3][j]]
        number, *parts = value(everything, dict(zip(single_inputs, numbers, strict=True)))
        np.testing.assert_allclose(batch[i, j], number, rtol=1e-12)
        for total, index, part in zip(want, [(i, j), ..., 0, j], parts, strict=True):
            total[index] += weights[i, j] * part
    for found, expected in zip(got, want, strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-12)


def test_factored_once_for_value_and_gradient():
    """One factorisation of each covariance, those of the parameter checks included; no matrix is inverted."""
    graph, inputs = graph_of("Dense", "Dense")
    gradient = pytensor.grad(graph, inputs)
    rewritten = pytensor.function(inputs, [graph, *gradient], mode=REWRITTEN).maker.fgraph
    names = [str(node.op).partition("{")[0] for node in rewritten.apply_nodes]
    assert names.count("Cholesky") == 2
    assert "MatrixInverse" not in names
    # by the factors of p and q: M, two for each covariance; of the means: one, and one transposed
    solves = sum(name in ("SolveTriangular", "CholeskySolve") for name in names)
    assert solves <= 7
