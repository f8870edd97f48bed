"""kl_bounds: lower and upper bounds on the divergence of mixtures, as numbers and as graphs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from kl_plugins.conditions import guarded
from kl_plugins.dispatch import kl
from kl_plugins.errors import HasNames, NoClosedFormError
from kl_plugins.families.core.components import (
    Groups,
    count,
    in_table,
    of_pairs,
    pairs_of,
    rows_of,
    with_axis,
)
from kl_plugins.families.core.distribution import Distribution
from kl_plugins.families.core.overlaps import overlap, ratio_mean, references
from kl_plugins.families.mixture import (
    Mixture,
    alike,
    component_divergence,
    nothing,
    sides_of,
    zeros_of_pairs,
)
from kl_plugins.formulas.mixtures import (
    CHERNOFF,
    LINEAR,
    POWERS,
    REFERRED,
    Overlaps,
    Rows,
    along_first,
    bound_by_references,
    bounds_by_rows,
    coupling_bound,
    expected_log_from_above,
    expected_log_from_below,
    expected_log_near_one,
    own_expected_log_from_above,
)
from kl_plugins.matching import match, no_closed_form
from kl_plugins.ops.protocol import Array, ArrayOperations

_AT_ONCE = 1 << 19
"""So many numbers of pairs of components are worked on together."""
_MOST_COUPLED = 1 << 22
"""So many pairs of components are coupled at most."""


class KLBounds(NamedTuple):
    """An interval that holds a divergence (or a batch of them), in nats.

    Attributes
    ----------
    lower, upper : numpy scalar, numpy.ndarray or TensorVariable
        Of the broadcast batch shape of both sides.

    Examples
    --------
    >>> from kl_plugins import kl_bounds, mixture
    >>> from scipy import stats
    >>> p = mixture([stats.norm(0, 1), stats.norm(9, 1)], [0.5, 0.5])
    >>> found = kl_bounds(p, stats.norm(0, 1))
    >>> found.lower.round(4), found.upper.round(4)
    (np.float64(19.5569), np.float64(19.5569))
    """

    lower: Array
    upper: Array


def kl_bounds(p: object, q: object) -> KLBounds:
    """Lower and upper bounds on KL(p‖q), in nats, in closed form, where a side is a mixture.

    Parameters
    ----------
    p, q : distributions
        As in `kl`; and mixtures: ``scipy.stats.Mixture``, ``scipy.stats.gaussian_kde``, ``pm.Mixture``,
        ``pm.NormalMixture``, and those that `mixture` makes.

    Returns
    -------
    KLBounds
        A pair ``(lower, upper)`` of numbers, arrays or variables of a graph, with gradients; shapes as in
        `kl`. ``0 ≤ lower ≤ KL(p‖q) ≤ upper``, rounding included. They are equal, up to rounding, where
        components do not overlap, or each side has but one; both are 0 where p = q.

    Raises
    ------
    TypeError, ValueError
        As `kl` does.
    NoClosedFormError
        If no divergence of a component of `p` from one of `q` has a closed form.

    See Also
    --------
    estimate_kl : The divergence itself, with its error.

    Notes
    -----
    They need the divergences of components from each other, and how much they overlap, which is known of
    normals of any dimension, and within gamma, beta, Poisson, binomial and uniform families. Of other
    families the lower bound may be 0 where supports overlap. The upper bound is the least of those of Hershey
    and Olsen's coupling of components, of the chain rule, of Durrieu and others and of Kolchinsky and Tracey;
    the lower one the largest of Durrieu's, of its like with powers of the densities, and, of normals, of what
    the moments say by Donsker and Varadhan's formula. The variational
    approximation of Hershey and Olsen is not among them: it is no bound. The cost is O(k² + km) for k and m
    components.

    References
    ----------
    J. Hershey and P. Olsen, Approximating the Kullback Leibler divergence between Gaussian mixture models,
    2007. J.-L. Durrieu, J.-P. Thiran and F. Kelly, Lower and upper bounds for approximation of the
    Kullback-Leibler divergence between Gaussian mixture models, 2012. A. Kolchinsky and B. Tracey, Estimating
    mixture entropy with pairwise distances, 2017, arXiv:1706.02419.

    Examples
    --------
    >>> from kl_plugins import kl_bounds
    >>> from scipy import stats
    >>> p = stats.Mixture([stats.Normal(mu=-4.0), stats.Normal(mu=4.0)], weights=[0.3, 0.7])
    >>> q = stats.Mixture([stats.Normal(mu=-3.0), stats.Normal(mu=4.0)], weights=[0.5, 0.5])
    >>> lower, upper = kl_bounds(p, q)
    >>> print(f"{lower:.4f} {upper:.4f}")
    0.2292 0.2323
    """
    try:
        _, ours_p, ours_q = match(p, q)
    except HasNames:
        raise HasNames from None
    if not (isinstance(ours_p, Mixture) or isinstance(ours_q, Mixture)):
        value = kl(p, q)
        return KLBounds(value, value)
    ops = ours_p.ops
    try:
        if ops.symbolic:
            sides = {"p": (ours_p, p), "q": (ours_q, q)}
            found = bounds(ours_p.checked_against(ours_q), ours_q)
            return KLBounds(*(guarded("kl_bounds", value, sides) for value in found))
        both = ops.evaluate(_in_double, ours_p, ours_q)
    except NoClosedFormError as error:
        raise no_closed_form(p, q, error.why or "") from None
    return KLBounds(*_outwards(both[0], both[1]))


def _in_double(p: Distribution, q: Distribution) -> Array:
    """The bounds of numbers, computed in double precision whatever theirs is."""
    return np.stack(bounds(p.to_arrays(), q.to_arrays()))


def _outwards(lower: Any, upper: Any) -> tuple[Any, Any]:
    """The bounds, of which those in float32 may have been rounded inwards."""
    if lower.dtype != np.float32:
        return lower, upper
    below, above = np.nextafter(lower, np.float32(0.0)), np.nextafter(upper, np.float32(np.inf))
    return np.where(np.isfinite(lower), below, lower)[()], np.where(upper > 0.0, above, upper)[()]


def bounds(p: Distribution, q: Distribution) -> tuple[Array, Array]:
    """Lower and upper bounds, of two sides in one backend."""
    ops = p.ops
    if isinstance(p, Mixture) and alike(p, q):
        return nothing(p), nothing(p)
    (w, own), (v, others) = sides_of(p, q)
    rows, divergences = _all_rows(w, own, v, others, ops)
    lower, upper = bounds_by_rows(rows, w, ops)
    if (referred := _by_references(w, own, v, others, ops)) is not None:
        lower = ops.maximum(lower, referred)
    if divergences is not None:
        upper = ops.minimum(upper, coupling_bound(divergences, w, v, ops))
    upper = ops.maximum(upper, 0.0)
    return ops.minimum(ops.maximum(lower, 0.0), upper), upper


def _all_rows(
    w: Array, own: Groups, v: Array, others: Groups, ops: ArrayOperations
) -> tuple[Rows, Array | None]:
    """What is known of all components of p, of many in parts; and the divergences from those of q, of few."""
    k, m = count(own), count(others)
    numbers = 0 if ops.symbolic or k is None or m is None else (k + m) * _numbers_each(own[0])
    step = max(1, _AT_ONCE // max(numbers, 1))
    if ops.symbolic or len(own) > 1 or w.ndim > 1 or k is None or step >= k:
        return _rows(w, w, own, own, v, others, ops)
    coupled = k * (m or 1) <= _MOST_COUPLED
    parts, tables = [], []
    for start in range(0, k, step):
        part = slice(start, start + step)
        found, divergences = _rows(w[part], w, (rows_of(own[0], part),), own, v, others, ops)
        parts.append(found)
        if coupled:
            tables.append(divergences)
    joined = [None if each[0] is None else ops.concatenate(list(each)) for each in zip(*parts, strict=True)]
    return Rows(*joined), np.concatenate(tables, axis=-2) if coupled else None


def _numbers_each(group: Distribution) -> int:
    """How many numbers a pair of components takes."""
    return int(np.prod([length or 1 for length in group.event_shape], dtype=int)) ** 2


def _rows(
    some: Array, w: Array, part: Groups, own: Groups, v: Array, others: Groups, ops: ArrayOperations
) -> tuple[Rows, Array]:
    """What is known of some components of p, a `part` of its `own` with the weights `some`."""
    table = zeros_of_pairs(some, v, ops)
    known: list[bool] = []
    divergences = of_pairs(_known_divergence(known), part, others, table, ops)
    if not any(known):
        raise NoClosedFormError("no divergence of their components is known")
    if count(others) == 1:
        low = high = -divergences[..., 0]
    else:
        low = expected_log_from_below(divergences, v, ops)
        high = expected_log_from_above(_overlaps(part, others, table, ops), v, ops)
        if (means := _ratio_means(part, others, len(ops.shape(table)), ops)) is not None:
            high = ops.minimum(high, expected_log_near_one(divergences, means, v, ops))
    if count(own) == 1:
        zero = ops.zeros_like(table[..., 0])
        return Rows(zero, zero, None, low, high), divergences
    square = zeros_of_pairs(some, w, ops)
    overlaps = _overlaps(part, own, square, ops)
    return Rows(
        expected_log_from_below(of_pairs(_known_divergence([]), part, own, square, ops), w, ops),
        expected_log_from_above(overlaps, w, ops),
        own_expected_log_from_above(overlaps[0], w, ops),
        low,
        high,
    ), divergences


def _known_divergence(known: list[bool]) -> Callable[[Any, Any], Array]:
    """The divergences of a pair of groups, +∞ where there is no closed form, which bounds them, too."""

    def of(f: Distribution, g: Distribution) -> Array:
        try:
            found = component_divergence(f, g)
        except NoClosedFormError:
            known.append(False)
            return np.inf
        known.append(True)
        return found

    return of


def _by_references(w: Array, own: Groups, v: Array, others: Groups, ops: ArrayOperations) -> Array | None:
    """The lower bound by two distributions that are like p and q, where such are known."""
    if len(own) > 1 or len(others) > 1:
        return None
    found = references(own[0], w, others[0], v)
    if found is None:
        return None
    like_p, like_q = found
    powers = along_first(REFERRED, len(ops.shape(v)), ops)
    means = ratio_mean(others[0], like_p, like_q, powers)
    if means is None:
        return None
    towards, away = (component_divergence(own[0], like) for like in found)
    return bound_by_references(towards, away, means, w, v, ops)


def _ratio_means(p: Groups, q: Groups, ndim: int, ops: ArrayOperations) -> Array | None:
    """log E_fₐ[(g_c/g_b)ᵗ] of all three, where it is known, and they are not too many."""
    if len(p) > 1 or len(q) > 1:
        return None
    k, m = count(p) or 1, count(q) or 1
    if k * m * m * _numbers_each(p[0]) > _AT_ONCE:
        return None
    f, c = with_axis(with_axis(p[0], -1), -1), with_axis(with_axis(q[0], -2), -3)
    b = with_axis(with_axis(q[0], -1), -3)
    return ratio_mean(f, c, b, along_first(POWERS, ndim + 1, ops))


def _overlaps(p: Groups, q: Groups, zeros: Array, ops: ArrayOperations) -> list[Overlaps]:
    """Those of all tilts that are known of every pair: Chernoff's first, which always are bounded."""
    found, ndim = [], len(ops.shape(zeros))
    for tilts in (CHERNOFF, LINEAR):
        s, t = (along_first(exponents, ndim, ops) for exponents in (tilts.s, tilts.t))
        values = [overlap(f, g, s, t, tilts.balanced) for f, g in pairs_of(p, q)]
        if all(value is not None for value in values):
            found.append(Overlaps(tilts, in_table(values, p, q, zeros, ops)))
    return found
