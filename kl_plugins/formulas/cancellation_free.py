"""What is left of a function when its tangent is taken away, without cancellation near where they touch."""

from __future__ import annotations

from collections.abc import Callable

from kl_plugins.formulas.shared import identity_minus_log1p
from kl_plugins.ops.protocol import Array, Operations

# Gauss-Jacobi nodes and weights for ∫₀¹ (1 − t) f(t) dt: exact for polynomials of degree 7.
_NODES = (0.057104196114517725, 0.2768430136381238, 0.5835904323689168, 0.8602401356562195)
_WEIGHTS = (0.13550691343148852, 0.2034645680102711, 0.12984754760823233, 0.031180970950008085)


def taylor_remainder(second_derivative: Callable[[float], Array]) -> Array:
    """f(1) − f(0) − f'(0) = ∫₀¹ (1 − t) f''(t) dt, from f'' at four points.

    A few nodes are enough where f'' changes little between 0 and 1, as it does for neighbours.
    """
    terms = [weight * second_derivative(node) for node, weight in zip(_NODES, _WEIGHTS, strict=True)]
    return terms[0] + terms[1] + terms[2] + terms[3]


def identity_minus_log(x: Array, ops: Operations) -> Array:
    """x − log(1 + x) for x > −1, which is never negative."""
    return ops.pick(
        ops.absolute(x) <= 0.2, identity_minus_log1p, lambda x: x - ops.log1p(ops.maximum(x, -1.0)), x
    )


def log_one_less_exp(x: Array, ops: Operations) -> Array:
    """log(1 − exp(−x)) for x > 0."""
    return ops.elementwise(_log_one_less_exp, _log_one_less_exp_gradient, x)


def _log_one_less_exp(x: Array, ops: Operations) -> Array:
    return ops.select(x < 0.7, lambda x: ops.log(-ops.expm1(-x)), lambda x: ops.log1p(-ops.exp(-x)), x)


def _log_one_less_exp_gradient(x: Array, ops: Operations) -> tuple[Array]:
    return (1.0 / ops.expm1(x),)


def multiple_of_excess(size: Array, step: Array, ops: Operations) -> Array:
    """size·[x − log(1 + x)], x = step/size ≥ 0, which may be beyond the floats."""
    return ops.select(
        step <= 0.2 * size,
        lambda size, step: size * identity_minus_log1p(ops.minimum(step / size, 0.2)),
        lambda size, step: step - size * log_ratio_value(size + step, size, ops),
        size, step,
    )  # fmt: skip


def exp_minus_tangent(u: Array, ops: Operations) -> Array:
    """exp(u) − 1 − u, which is never negative."""
    return ops.choose(ops.absolute(u) <= 0.18, _exp_near, _exp_far, u)


def _exp_near(u: Array, ops: Operations) -> Array:
    return identity_minus_log1p(ops.expm1(u))


def _exp_far(u: Array, ops: Operations) -> Array:
    return ops.expm1(u) - ops.minimum(u, _HUGE)


_HUGE = 1e30
"""Beyond it exp(u) is infinite, and so is what is left of it, whatever is taken away."""


def multiple_of_exp_minus_tangent(factor: Array, u: Array, ops: Operations) -> Array:
    """factor·[exp(u) − 1 − u], finite where exp(u) is not but its product with the factor is."""
    return ops.rarely(u > 700.0, _multiple_far, _multiple, factor, u)


def _multiple(factor: Array, u: Array, ops: Operations) -> Array:
    return factor * exp_minus_tangent(u, ops)


def _multiple_far(factor: Array, u: Array, ops: Operations) -> Array:
    return ops.exp(u + ops.log(factor)) - factor * ops.minimum(u, _HUGE)


def log_ratio(p: Array, q: Array, ops: Operations) -> Array:
    """log(p / q) of positive numbers: accurate where they are nearly equal, finite where both are."""
    return ops.elementwise(log_ratio_value, _log_ratio_gradient, p, q)


def log_ratio_value(p: Array, q: Array, ops: Operations) -> Array:
    """The same as part of a larger formula."""
    above = p >= q
    excess = ops.where(above, p - q, q - p) / ops.where(above, q, p)
    return ops.rarely(ops.isinf(excess), _log_difference, _log_of_excess, p, q, excess)


def _log_of_excess(p: Array, q: Array, excess: Array, ops: Operations) -> Array:
    value = ops.log1p(excess)
    return ops.where(p >= q, value, -value)


def _log_difference(p: Array, q: Array, excess: Array, ops: Operations) -> Array:
    """Where the ratio is beyond the floats."""
    return ops.log(p) - ops.log(q)


def _log_ratio_gradient(p: Array, q: Array, ops: Operations) -> tuple[Array, Array]:
    return 1.0 / p, -1.0 / q


def size(x: Array, ops: Operations) -> Array:
    """|x|, whose derivative at 0 is that of one side in a graph.

    PyTensor takes 0 there, which makes the second derivatives wrong of what is smooth in spite of |x|.
    """
    return ops.where(x >= 0.0, x, -x) if ops.symbolic else abs(x)
