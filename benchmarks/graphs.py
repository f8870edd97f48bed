"""Divergences as graphs of PyTensor: ours, as textbooks print them, and these with PyMC's own checks.

Single terms, and a model of twenty. The checks are those that PyMC's log densities make of the same
parameters: that a scale, a shape or a rate is positive, that a covariance has a Cholesky factor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
from pymc.distributions.dist_math import check_parameters

from kl_plugins import Cholesky, Dense, Diagonal, MultivariateNormal, kl
from kl_plugins.families.normal import Normal

Divergence = Callable[..., Any]

rng = np.random.default_rng(5)
_FACTOR = np.tril(rng.normal(size=(5, 5)), -1) + np.diag(rng.uniform(0.5, 2.0, 5))
_ROOT = rng.normal(size=(5, 10))
DATA = {
    "normal": [0.3, 1.7, 0.2, 0.7],
    "diagonal": [rng.normal(size=5), rng.uniform(size=5), rng.normal(size=5), rng.uniform(size=5)],
    "dense": [rng.normal(size=5), _FACTOR, rng.normal(size=5), _ROOT @ _ROOT.T],
}
"""Mean of p; its scale, variances or Cholesky factor; mean of q; its scale, variances or covariance."""

MODEL = {"normal": 6, "gamma": 4, "beta": 3, "exponential": 3, "diagonal": 2, "dense": 2}
"""How many terms of each kind the model has."""


def ours(kind: str, *parameters: Any) -> Any:
    """`kl` of two distributions with the parameters of p and then of q."""
    if kind in PYMC:
        middle = len(parameters) // 2
        return kl(PYMC[kind](*parameters[:middle]), PYMC[kind](*parameters[middle:]))
    mp, p, mq, q = parameters
    if kind == "normal":
        return kl(Normal(mp, p), Normal(mq, q))
    make_p, make_q = (Diagonal, Diagonal) if kind == "diagonal" else (Cholesky, Dense)
    return kl(MultivariateNormal(mp, make_p(p)), MultivariateNormal(mq, make_q(q)))


PYMC = {"gamma": pm.Gamma.dist, "beta": pm.Beta.dist, "exponential": pm.Exponential.dist}


def textbook(kind: str, *parameters: Any) -> Any:
    return FORMULAS[kind](*parameters)


def _normal(mp: Any, p: Any, mq: Any, q: Any) -> Any:
    return pt.log(q / p) + (p**2 + (mp - mq) ** 2) / (2.0 * q**2) - 0.5


def _diagonal(mp: Any, p: Any, mq: Any, q: Any) -> Any:
    return 0.5 * pt.sum(pt.log(q / p) + (p + (mp - mq) ** 2) / q - 1.0)


def _dense(mp: Any, p: Any, mq: Any, q: Any) -> Any:
    gap, matrix, inverse = mp - mq, p @ p.T, pt.linalg.inv(q)
    log_dets = pt.linalg.slogdet(q)[1] - pt.linalg.slogdet(matrix)[1]
    return 0.5 * (pt.trace(inverse @ matrix) + gap @ inverse @ gap - mp.shape[0] + log_dets)


def _gamma(a: Any, b: Any, c: Any, d: Any) -> Any:
    return (a - c) * pt.psi(a) - pt.gammaln(a) + pt.gammaln(c) + c * pt.log(b / d) + a * (d - b) / b


def _beta(a: Any, b: Any, c: Any, d: Any) -> Any:
    log_norms = [pt.gammaln(x) + pt.gammaln(y) - pt.gammaln(x + y) for x, y in ((a, b), (c, d))]
    means = (a - c) * pt.psi(a) + (b - d) * pt.psi(b) + (c - a + d - b) * pt.psi(a + b)
    return log_norms[1] - log_norms[0] + means


def _exponential(p: Any, q: Any) -> Any:
    return pt.log(p / q) + q / p - 1.0


FORMULAS: dict[str, Divergence] = {
    "normal": _normal, "diagonal": _diagonal, "dense": _dense,
    "gamma": _gamma, "beta": _beta, "exponential": _exponential,
}  # fmt: skip


def checked(kind: str, *parameters: Any) -> Any:
    """The textbook graph with PyMC's checks, one for each side."""
    value = textbook(kind, *parameters)
    if kind == "dense":
        _, factor, _, matrix = parameters
        posdef = pt.all(pt.diagonal(pt.linalg.cholesky(matrix)) > 0)
        return check_parameters(_positive(value, pt.diagonal(factor)), posdef, msg="posdef covariance")
    middle = len(parameters) // 2
    sides = parameters[:middle], parameters[middle:]
    for side in sides:
        value = _positive(value, *(side[1:] if kind in DATA else side))
    return value


def _positive(value: Any, *parameters: Any) -> Any:
    return check_parameters(value, *[x > 0 for x in parameters], msg="parameters > 0")


GRAPHS: dict[str, Divergence] = {f.__name__: f for f in (ours, textbook, checked)}


def model_of(divergence: Divergence) -> pm.Model:
    """A model whose twenty potentials are the negative divergences of pairs with free parameters."""
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 1.0, size=40)
        scale = pm.HalfNormal("scale", 1.0, size=40)
        for kind, count in MODEL.items():
            for i in range(count):
                term = divergence(kind, *_parameters(kind, mean[2 * i :], scale[2 * i :]))
                pm.Potential(f"{kind}_{i}", -term)
    return model


def _parameters(kind: str, mean: Any, scale: Any) -> list[Any]:
    """The parameters of a term, made of the first of some free variables."""
    if kind == "normal":
        return [mean[0], scale[0], mean[1], scale[1]]
    if kind == "diagonal":
        return [mean[:5], scale[:5], mean[5:10], scale[5:10]]
    if kind == "dense":
        matrix = scale[1] * DATA["dense"][3]
        return [mean[:5], scale[0] * DATA["dense"][1], mean[5:10], matrix]
    return [scale[i] for i in range(2 if kind == "exponential" else 4)]


def first_result(graph: str, kind: str) -> None:
    """Build, compile and run a term or the model, value with gradient."""
    if kind == "model":
        compiled = model_of(GRAPHS[graph]).logp_dlogp_function(ravel_inputs=True)
        compiled.set_extra_values({})
        value, _ = compiled(0.1 * np.random.default_rng(1).normal(size=80))
    else:
        numbers = [np.asarray(x) for x in DATA[kind]]
        inputs = [pt.tensor(dtype="float64", shape=(None,) * x.ndim) for x in numbers]
        term = GRAPHS[graph](kind, *inputs)
        gradient = pt.grad(term, [inputs[0], inputs[1], inputs[3]])
        function = pytensor.function(inputs, [term, *gradient])
        value, *_ = function(*numbers)
    assert np.isfinite(value)
