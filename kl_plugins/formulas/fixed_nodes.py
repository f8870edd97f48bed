"""Divergences of two densities of one variable as sums over fixed nodes, with the digits of a closed form.

KL = E_p[exp(−r) − 1 + r] with r = log p − log q: never negative, and of the size of r² where the two are
close. The integral is taken over u = asinh((x − m)/w) + asinh((x − n)/v), with m, n the centres of the two
and w, v their widths. x(u) is analytic up to a distance of π from the real line, and what a density does at
its own width, wherever and however small that is, takes about one unit of u: so the trapezoidal rule
converges geometrically, with all scales at once. As cosh u = cosh(a + b) for sinh a = X, sinh b = Y,

    X² + Y² + 2 cosh(u) X Y = sinh² u,   Y = (w/v) X + (m − n)/v,

is a quadratic equation for X. Beyond the features of the two, u = c sinh(t) takes longer steps.

Source for the rule: L. N. Trefethen, J. A. C. Weideman, The exponentially convergent trapezoidal rule, 2014.
"""

from __future__ import annotations

from functools import cache, partial
from typing import NamedTuple

import numpy as np

from kl_plugins.formulas.cancellation_free import exp_minus_tangent
from kl_plugins.ops.protocol import Array, ArrayOperations, Function, Operations
from kl_plugins.parameters.certainty import is_literal

COUNT = 1536
"""Of the nodes."""

NOTHING = 46.0
"""−log of what is nothing of a probability, a half of which is left out on either side."""

_PLACES = (2.0 * np.arange(COUNT) + 1.0 - COUNT) / COUNT
_STEP = 2.0 / COUNT

_FEATURES = 4.0
"""The least extent of what is taken in steps that are hardly longer than equal ones."""

_POWERS = 80.0
"""So far beyond the features densities are powers, of distances that need not be floats."""

# Gauss–Legendre on (0, 1).
GAUSS = ((0.06943184420297371, 0.17392742256872692), (0.33000947820757187, 0.32607257743127307),
          (0.66999052179242813, 0.32607257743127307), (0.93056815579702629, 0.17392742256872692))  # fmt: skip
"""Nodes and weights for what little constants differ by between neighbours."""

Parameters = tuple[Array, ...]


class Extent(NamedTuple):
    """Where a density is: the width of its peak, and log of the distance beyond which it has `NOTHING`."""

    width: Array
    log_reach: Array


class Nodes(NamedTuple):
    """The places of nodes, from the centre of p and from that of q; which lengths they stand for.

    Where distances are beyond the floats, they are what they were before, and both densities have decayed
    over a further factor of exp(beyond), as powers; the length is that in units of the distance.
    """

    from_p: Array
    from_q: Array
    length: Array
    beyond: Array


class Densities(NamedTuple):
    """Two densities of one variable, as functions of how far it is from their centres.

    Parameters
    ----------
    log_density, gradient : callable
        Functions ``(distance, beyond, *parameters, ops)`` of p, and their derivatives by all but `ops`.
    log_ratio : callable
        r with its own digits: ``(from_p, from_q, beyond, *parameters of p, *parameters of q, *rest, ops)``.
        Its derivatives are those of the two, and none by the rest.
    of_q : tuple of two callables, optional
        The same functions of q, where they are others.
    """

    log_density: Function
    gradient: Function
    log_ratio: Function
    of_q: tuple[Function, Function] | None = None


class Side(NamedTuple):
    """A density that meets those of other families: where it is, its parameters, and its functions."""

    extent: Extent
    parameters: Parameters
    log_density: Function
    gradient: Function


def unlike_divergence(p: Side, q: Side, step: Array, one_sided: Array, ops: ArrayOperations) -> Array:
    """KL of densities of two families, which are never so close that log p − log q needs its own digits."""
    densities = _unlike(p[2:], q[2:], len(p.parameters))
    return divergence_by_nodes(densities, ops, p[:2], q[:2], step, (), one_sided)


@cache
def _unlike(p: tuple[Function, Function], q: tuple[Function, Function], count: int) -> Densities:
    """One object for each, as `elementwise` keeps what it makes of it."""
    return Densities(*p, partial(_difference, p[0], q[0], count), q)


def _difference(log_p: Function, log_q: Function, count: int, *args: Array) -> Array:
    from_p, from_q, beyond, *given, ops = args
    return log_p(from_p, beyond, *given[:count], ops) - log_q(from_q, beyond, *given[count:], ops)


def divergence_by_nodes(
    densities: Densities,
    ops: ArrayOperations,
    p: tuple[Extent, Parameters],
    q: tuple[Extent, Parameters],
    step: Array,
    rest: Parameters = (),
    one_sided: Array = 0.0,
) -> Array:
    """KL of two densities with these extents and parameters, in float64.

    `step` is the centre of p less that of q. Where `one_sided` is 1 and not 0, q has its tails so far beyond
    those of p that it is E_p[r] itself, taken over p alone: q has no part in where the nodes end.
    """
    args = (*p[0], *q[0], step, one_sided, *p[1], *q[1], *rest)
    function = partial(_divergence, densities, len(p[1]), len(q[1]))
    return ops.blockwise(function, *[in_double(x, ops) for x in args])


def in_double(value: Array, ops: Operations) -> Array:
    """The value in float64, which what reaches beyond the floats of 32 bits is computed in."""
    return ops.asarray(value, "") if is_literal(value) else value + np.float64(0.0)


def _divergence(densities: Densities, count: int, q_count: int, *args: Array) -> Array:
    """`divergence_by_nodes` of arrays that broadcast; so many parameters are of p, and of q."""
    *given, ops = args
    along = [ops.expand_last(x) for x in given]
    still = [ops.stop_gradient(x) for x in along[:6]]
    at = _nodes(Extent(*still[:2]), Extent(*still[2:4]), still[4], still[5], ops)
    # Nodes stay where they are, counted from p, however the integral over x is differentiated.
    from_q = at.from_q + (along[4] - still[4]) if ops.graphs else at.from_q
    of_p, of_q = along[6 : 6 + count], along[6 + count : 6 + count + q_count]
    own = densities.log_density, densities.gradient
    others = densities.of_q or own
    by_all = _gradient_of_ratio(own[1], count, others[1], q_count)
    log_ratio = partial(_at_once, ops, densities.log_ratio, by_all)
    terms = _at_once(
        ops, _term, _term_gradient,
        _at_once(ops, *own, at.from_p, at.beyond, *of_p),
        _at_once(ops, *others, from_q, at.beyond, *of_q),
        log_ratio(at.from_p, from_q, at.beyond, *along[6:]), still[5],
    )  # fmt: skip
    return ops.sum_last(at.length * terms)


def _at_once(ops: Operations, value: Function, gradient: Function | None, *args: Array) -> Array:
    """The value at all nodes: a graph has one node for it, with these derivatives."""
    return ops.elementwise(value, gradient, *args) if ops.graphs else value(*args, ops)


@cache
def _gradient_of_ratio(gradient: Function, count: int, gradient_of_q: Function, q_count: int) -> Function:
    """One object for each, as `elementwise` keeps what it makes of it."""
    return partial(_ratio_gradient, gradient, count, gradient_of_q, q_count)


def _ratio_gradient(
    gradient: Function, count: int, gradient_of_q: Function, q_count: int, *args: Array
) -> tuple[Array, ...]:
    from_p, from_q, beyond, *given, ops = args
    of_p, of_q, rest = given[:count], given[count : count + q_count], given[count + q_count :]
    by_p, further_p, *by_parameters_of_p = gradient(from_p, beyond, *of_p, ops)
    by_q, further_q, *by_parameters_of_q = gradient_of_q(from_q, beyond, *of_q, ops)
    nothing = [ops.zeros_like(x) for x in rest]
    return (
        by_p,
        -by_q,
        further_p - further_q,
        *by_parameters_of_p,
        *[-x for x in by_parameters_of_q],
        *nothing,
    )


def _term(log_p: Array, log_q: Array, log_ratio: Array, one_sided: Array, ops: Operations) -> Array:
    """q − p + p r, without q − p where p alone counts."""
    return ops.select(
        _is_near(log_ratio, one_sided, ops),
        lambda log_p, log_q, r, one_sided: ops.exp(log_p) * exp_minus_tangent(-r, ops),
        lambda log_p, log_q, r, one_sided: _far(log_p, log_q, r, one_sided, ops),
        log_p, log_q, log_ratio, one_sided,
    )  # fmt: skip


def _is_near(log_ratio: Array, one_sided: Array, ops: Operations) -> Array:
    return ops.logical_and(ops.absolute(log_ratio) <= 1.0, one_sided < 0.5)


def _far(log_p: Array, log_q: Array, r: Array, one_sided: Array, ops: Operations) -> Array:
    p = ops.exp(log_p)
    return (1.0 - one_sided) * (ops.exp(log_q) - p) + p * ops.where(p > 0.0, r, 0.0)


def _term_gradient(
    log_p: Array, log_q: Array, log_ratio: Array, one_sided: Array, ops: Operations
) -> tuple[Array, Array, Array, Array]:
    near, both, p = _is_near(log_ratio, one_sided, ops), 1.0 - one_sided, ops.exp(log_p)
    some = ops.where(p > 0.0, log_ratio, 0.0)
    r = ops.where(near, log_ratio, 0.0)
    by_p = ops.where(near, exp_minus_tangent(-r, ops), some - both) * p
    by_q = ops.where(near, 0.0, both * ops.exp(log_q))
    by_ratio = ops.where(near, -ops.expm1(-r), 1.0) * p
    return by_p, by_q, by_ratio, ops.zeros_like(one_sided)


def _nodes(p: Extent, q: Extent, step: Array, one_sided: Array, ops: Operations) -> Nodes:
    places = ops.asarray(_PLACES, "")
    features = _at_once(ops, _features, None, p.width, q.width, step)
    steepness = _at_once(ops, _steepness, None, *p, *q, step, one_sided, features)
    u = _at_once(ops, _stretched, None, places, steepness, features)
    last = features + _POWERS
    inside = ops.maximum(ops.minimum(u, last), -last)
    from_p = _at_once(ops, _solution, None, inside, p.width, q.width, step)
    from_q = _at_once(ops, _solution, None, inside, q.width, p.width, -step)
    widths = from_p, p.width, from_q, q.width
    length = _at_once(ops, _length, None, places, _STEP, steepness, features, *widths)
    return Nodes(from_p, from_q, length, 0.5 * ops.absolute(u - inside))


def _features(p_width: Array, q_width: Array, step: Array, ops: Operations) -> Array:
    """u up to which p and q are more than powers of the distance."""
    ratio, apart = p_width / q_width, ops.absolute(step / q_width)
    farthest = ops.maximum(_asinh(apart + ratio, ops), _asinh((apart + 1.0) / ratio, ops))
    return ops.maximum(1.0 + farthest, _FEATURES)


def _steepness(*args: Array) -> Array:
    """The last t of u = features·sinh(t)."""
    p_width, p_reach, q_width, q_reach, step, one_sided, features, ops = args
    apart = ops.log(ops.maximum(ops.absolute(step), 1e-300))
    widths = ops.log(p_width), ops.log(q_width)
    of_p, of_q = (_end(reach, apart, widths, ops) for reach in (p_reach, q_reach))
    end = ops.maximum(of_p, ops.where(one_sided > 0.5, of_p, of_q))
    return _asinh(end / features, ops)


def _stretched(place: Array, steepness: Array, features: Array, ops: Operations) -> Array:
    return features * _sinh(steepness * place, ops)


def _length(*args: Array) -> Array:
    place, step, steepness, features, from_p, p_width, from_q, q_width, ops = args
    by_u = 1.0 / (1.0 / _hypotenuse(from_p, p_width, ops) + 1.0 / _hypotenuse(from_q, q_width, ops))
    return by_u * (features * _cosh(steepness * place, ops)) * (steepness * step)


def _hypotenuse(x: Array, y: Array, ops: Operations) -> Array:
    """√(x² + y²) of a positive y."""
    return y * ops.sqrt(1.0 + (x / y) * (x / y))


def _solution(u: Array, width: Array, other: Array, step: Array, ops: Operations) -> Array:
    """The distance width·X of the equation above, whose other solution times X is (shift² − sinh² u)/size."""
    s, c, ratio, shift = _sinh(u, ops), _cosh(u, ops), width / other, step / other
    size = 1.0 + ratio * ratio + 2.0 * c * ratio
    root = s * ops.sqrt(shift * shift + size)
    middle = (ratio + c) * shift
    cancels = shift * s > 0.0
    divisor = ops.where(cancels, middle + root, 1.0)
    return width * ops.where(cancels, (s - shift) * (s + shift) / divisor, (root - middle) / size)


def _end(log_reach: Array, log_step: Array, log_widths: tuple[Array, Array], ops: Operations) -> Array:
    """u at the end of what reaches so far from either centre."""
    larger = ops.maximum(log_reach, log_step)
    far = larger + ops.log1p(ops.exp(-ops.absolute(log_reach - log_step)))
    return _asinh_of_exp(far - log_widths[0], ops) + _asinh_of_exp(far - log_widths[1], ops)


def _asinh(x: Array, ops: Operations) -> Array:
    """Of a positive number, to the digits of 1."""
    return ops.log(x + ops.sqrt(1.0 + x * x))


def _asinh_of_exp(x: Array, ops: Operations) -> Array:
    top = ops.maximum(x, 0.0)
    rest = ops.exp(x - top)
    return top + ops.log(rest + ops.sqrt(ops.exp(-2.0 * top) + rest * rest))


def _sinh(x: Array, ops: Operations) -> Array:
    return 0.5 * (ops.exp(x) - ops.exp(-x))


def _cosh(x: Array, ops: Operations) -> Array:
    return 0.5 * (ops.exp(x) + ops.exp(-x))
