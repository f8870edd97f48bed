"""Gradients of the divergence of every pair of structures, against finite differences of NumPy's values."""

from __future__ import annotations

import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest

from graphs import value
from kl_plugins import Cholesky, Dense, Diagonal, Isotropic, MultivariateNormal, Precision, kl
from kl_plugins.families.normal import Normal

pytestmark = pytest.mark.filterwarnings("error")

ROOT = np.array([[1.3, 0.0, 0.0], [0.4, 0.9, 0.0], [-0.6, 0.2, 1.6]])
COV = ROOT @ ROOT.T


def mvn(covariance):
    return lambda mean, parameter: MultivariateNormal(mean, covariance(parameter))


# Name: the distribution from its two parameters, and values for p and for q.
FAMILIES = {
    "Isotropic": (mvn(lambda x: Isotropic(x, dim=3)), 1.7, 0.6),
    "Diagonal": (mvn(Diagonal), np.array([0.4, 1.1, 2.3]), np.array([1.4, 0.9, 0.7])),
    "Dense": (mvn(Dense), COV, COV[::-1, ::-1] + 0.3 * np.eye(3)),
    "Cholesky": (mvn(Cholesky), ROOT, np.linalg.cholesky(COV[::-1, ::-1])),
    "Precision": (mvn(Precision), np.linalg.inv(COV), COV[::-1, ::-1]),
    "Normal": (Normal, np.array([0.4, 1.1, 2.3]), np.array([1.4, 0.9, 0.7])),
}
STRUCTURES = tuple(name for name in FAMILIES if name != "Normal")
PAIRS = [(p, q) for p in STRUCTURES for q in STRUCTURES] + [("Normal", "Normal")]
MEANS = np.array([0.3, -0.2, 0.5]), np.array([-0.1, 0.4, 0.8])


def directions(name, parameter):
    """Perturbations that stay in the family: symmetric ones of matrices, lower ones of factors."""
    size = np.ndim(parameter)
    if size == 0:
        return [np.float64(1.0)]
    if size == 1:
        return list(np.eye(len(parameter)))
    found = []
    for i in range(3):
        for j in range(i + 1):
            direction = np.zeros((3, 3))
            direction[i, j] = 1.0
            if name != "Cholesky":
                direction[j, i] = 1.0
            found.append(direction)
    return found


def slope(function, point, direction, step=1e-5):
    """Central difference of fourth order along a direction."""
    near = function(point + step * direction) - function(point - step * direction)
    far = function(point + 2 * step * direction) - function(point - 2 * step * direction)
    return (8.0 * near - far) / (12.0 * step)


def symbolic_pair(p, q):
    """A symbolic divergence and its four parameters."""
    (make_p, value_p, _), (make_q, _, value_q) = FAMILIES[p], FAMILIES[q]
    means = [pt.dvector("p_mean"), pt.dvector("q_mean")]
    parameters = [
        pt.tensor(name, dtype="float64", shape=(None,) * np.ndim(x))
        for name, x in (("p_parameter", value_p), ("q_parameter", value_q))
    ]
    graph = kl(make_p(means[0], parameters[0]), make_q(means[1], parameters[1])).sum()
    return graph, [means[0], parameters[0], means[1], parameters[1]]


def hessian(graph, at, size):
    """Row by row: PyTensor's own loops over the rows in a scan, which is slow to compile."""
    gradient = pytensor.grad(graph, at)
    return pt.stack([pytensor.grad(gradient[i], at) for i in range(size)])


@pytest.mark.parametrize(("p", "q"), PAIRS)
def test_gradients(p, q):
    (make_p, value_p, _), (make_q, _, value_q) = FAMILIES[p], FAMILIES[q]
    graph, inputs = symbolic_pair(p, q)
    points = [MEANS[0], value_p, MEANS[1], value_q]
    gradients = value(pytensor.grad(graph, inputs), dict(zip(inputs, points, strict=True)))

    for which, (name, gradient) in enumerate(zip((p, p, q, q), gradients, strict=True)):

        def divergence(x, which=which):
            now = [x if i == which else point for i, point in enumerate(points)]
            return kl(make_p(*now[:2]), make_q(*now[2:])).sum()

        for direction in directions(name, points[which]):
            want = slope(divergence, points[which], direction)
            np.testing.assert_allclose(np.sum(gradient * direction), want, rtol=1e-7, atol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("name", FAMILIES)
def test_gradient_vanishes_where_the_two_are_equal(name):
    graph, inputs = symbolic_pair(name, name)
    points = [MEANS[0], FAMILIES[name][1]] * 2
    zero, *gradients = value([graph, *pytensor.grad(graph, inputs)], dict(zip(inputs, points, strict=True)))
    assert zero == 0.0
    for gradient in gradients:
        np.testing.assert_allclose(gradient, np.zeros_like(gradient), atol=1e-15)


SIGNS = np.array([-1.0, 1.0, -1.0])


def test_factor_with_negative_diagonal():
    """Whose columns have other signs, and the covariance, divergences and entropy are the same."""
    held = Cholesky(ROOT * SIGNS)
    np.testing.assert_array_equal(held.factor, ROOT)
    batch = MultivariateNormal(MEANS[0], Cholesky(np.stack([ROOT * SIGNS, -ROOT, ROOT])))
    np.testing.assert_array_equal(kl(batch, MultivariateNormal(MEANS[0], Cholesky(ROOT))), np.zeros(3))
    assert Cholesky((ROOT * SIGNS).astype(np.float32)).factor.dtype == np.float32


@pytest.mark.slow
@pytest.mark.parametrize("other", ["Cholesky", "Dense", "Diagonal", "Isotropic"])
def test_gradients_by_a_factor_with_negative_diagonal(other):
    """Those by the entries of a column change sign with it."""
    for side in (0, 1):
        pair = ("Cholesky", other) if side == 0 else (other, "Cholesky")
        graph, inputs = symbolic_pair(*pair)
        points = [MEANS[0], FAMILIES[pair[0]][1], MEANS[1], FAMILIES[pair[1]][2]]
        factor = points[1 + 2 * side]
        found = {}
        for signs in (np.ones(3), SIGNS):
            points[1 + 2 * side] = factor * signs
            graphs = [graph, *pytensor.grad(graph, inputs)]
            found[signs[0]] = value(graphs, dict(zip(inputs, points, strict=True)))
        found[-1.0][2 + 2 * side] = found[-1.0][2 + 2 * side] * SIGNS
        for usual, turned in zip(found[1.0], found[-1.0], strict=True):
            np.testing.assert_allclose(turned, usual, rtol=1e-13)


def test_hessian_of_normals_is_the_fisher_information():
    """At p = q, in (mean, scale) of either side: diag(1, 2) / scale²."""
    mean, scale = 0.3, 1.7
    for side in (0, 1):
        at = pt.dvector("at")
        sides = [Normal(mean, scale), Normal(mean, scale)]
        sides[side] = Normal(at[0], at[1])
        got = value(hessian(kl(*sides), at, 2), {at: [mean, scale]})
        np.testing.assert_allclose(got, np.diag([1.0, 2.0]) / scale**2, rtol=1e-12, atol=1e-14)


def test_hessian_away_from_equality():
    """Of a scale far from the other: the derivative of the gradient that is given in closed form."""
    scale = pt.dscalar("scale")
    for sides, want in (
        ((Normal(0.0, scale), Normal(0.0, 1.0)), lambda x: 1.0 + 1.0 / x**2),
        ((Normal(0.0, 1.0), Normal(0.0, scale)), lambda x: 3.0 / x**4 - 1.0 / x**2),
    ):
        second = pytensor.grad(pytensor.grad(kl(*sides), scale), scale)
        for point in (0.2, 1.1, 7.0):
            np.testing.assert_allclose(value(second, {scale: point}), want(point), rtol=1e-12)


@pytest.mark.slow
def test_hessian_of_a_multivariate_normal():
    """In the mean of p it is the inverse of q's covariance, whatever the structures."""
    mean = pt.dvector("mean")
    graph = kl(MultivariateNormal(mean, Cholesky(ROOT)), MultivariateNormal(MEANS[1], Dense(COV)))
    got = value(hessian(graph, mean, 3), {mean: MEANS[0]})
    np.testing.assert_allclose(got, np.linalg.inv(COV), rtol=1e-10)
