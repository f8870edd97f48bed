"""The logarithm of a triangular density: its averages, and the divergence of two such densities."""

from __future__ import annotations

from functools import partial

from kl_plugins.formulas.cancellation_free import identity_minus_log, multiple_of_excess
from kl_plugins.formulas.interval_means import LOG, average, quadrature, ramp, whole
from kl_plugins.ops.protocol import Array, Operations


def log_triangular_uniform_mean(top: Array, start: Array, step: Array, rest: Array, ops: Operations) -> Array:
    """E log triangle(start + step·U), U uniform, where `rest` is what is left to 1 at U = 1; step > 0."""
    return whole(_log_triangular_uniform_mean, ops, top, start, step, rest)


def _log_triangular_uniform_mean(
    top: Array, start: Array, step: Array, rest: Array, ops: Operations
) -> Array:
    """On each side of the top the triangle is a multiple of the distance from an end."""
    left = _clipped(top - start, step, ops)
    return _side(start, left, top, step, ops) + _side(rest, step - left, 1.0 - top, step, ops)


def _clipped(length: Array, step: Array, ops: Operations) -> Array:
    return ops.minimum(ops.maximum(length, 0.0), step)


def _side(start: Array, length: Array, top: Array, step: Array, ops: Operations) -> Array:
    """length/step times the average of log(z/top) from start to start + length."""

    def some(start: Array, length: Array, top: Array, step: Array) -> Array:
        return (length / step) * average(LOG, start / top, length / top, ops)

    # Where there is nothing the other branch must be finite all the same, for the sake of its derivative.
    some_length, some_top = ops.where(length > 0.0, length, step), ops.where(length > 0.0, top, 1.0)
    return ops.select(length > 0.0, some, _nothing, start, some_length, some_top, step)


def _nothing(start: Array, *rest: Array) -> Array:
    return 0.0 * start


def log_triangular_triangular_mean(
    top: Array, mode: Array, start: Array, step: Array, rest: Array, ops: Operations
) -> Array:
    """E log triangle(start + step·T), T triangular with the given mode; `rest` and step as above."""
    return whole(_log_triangular_triangular_mean, ops, top, mode, start, step, rest)


def _log_triangular_triangular_mean(
    top: Array, mode: Array, start: Array, step: Array, rest: Array, ops: Operations
) -> Array:
    """Up to four pieces, on which T's density is linear and the triangle a multiple of z or of 1 − z."""
    left = _clipped(top - start, step, ops) / step  # so much of T's interval is left of the top
    right = 1.0 - left
    mode_rest = 1.0 - mode
    return (
        _piece(start, 0.0, ops.minimum(left, mode), mode, mode_rest, top, step, ops)
        + _piece(start, mode, left, mode, mode_rest, top, step, ops)
        + _piece(rest, 0.0, ops.minimum(right, mode_rest), mode_rest, mode, 1.0 - top, step, ops)
        + _piece(rest, mode_rest, right, mode_rest, mode, 1.0 - top, step, ops)
    )


def _piece(
    start: Array,
    low: Array,
    high: Array,
    mode: Array,
    mode_rest: Array,
    top: Array,
    step: Array,
    ops: Operations,
) -> Array:
    """∫ over low < t < high of T's density times log((start + step·t)/top), on one side of the mode."""

    def some(
        start: Array, low: Array, high: Array, mode: Array, mode_rest: Array, top: Array, step: Array
    ) -> Array:
        at_low = _half_density(low, mode, mode_rest, ops)
        at_high = _half_density(high, mode, mode_rest, ops)
        z_low, z_high = (start + step * low) / top, (start + step * high) / top
        width = step * (high - low) / top
        # A linear weight is made of two that rise from 0, one to each end.
        return (high - low) * (
            at_low * ramp(LOG, z_high, -width, ops) + at_high * ramp(LOG, z_low, width, ops)
        )

    there = high > low
    low, high = ops.where(there, low, 0.0), ops.where(there, high, 1.0)
    start, top = ops.where(there, start, 0.0), ops.where(there, top, 1.0)
    return ops.select(there, some, _nothing, start, low, high, mode, mode_rest, top, step)


def _half_density(t: Array, mode: Array, mode_rest: Array, ops: Operations) -> Array:
    """Half of T's density at t."""
    rising = ops.where(mode > 0.0, t, 1.0) / ops.where(mode > 0.0, mode, 1.0)
    falling = ops.where(mode_rest > 0.0, 1.0 - t, 1.0) / ops.where(mode_rest > 0.0, mode_rest, 1.0)
    return ops.minimum(rising, falling)


def triangular_divergence(p_mode: Array, q_mode: Array, ops: Operations) -> Array:
    """KL of triangular distributions on one interval.

    It is E[x − log(1 + x)], 1 + x = q/p, a sum of three non-negative parts: below both modes q/p is the
    ratio of the modes, above both that of what is left of them to 1, and between them it goes from one to
    the other.
    """
    return whole(_triangular_divergence, ops, p_mode, q_mode)


def _triangular_divergence(p_mode: Array, q_mode: Array, ops: Operations) -> Array:
    mirror = p_mode > q_mode
    p, q = ops.where(mirror, 1.0 - p_mode, p_mode), ops.where(mirror, 1.0 - q_mode, q_mode)
    p_rest, q_rest = ops.where(mirror, p_mode, 1.0 - p_mode), ops.where(mirror, q_mode, 1.0 - q_mode)
    gap = ops.absolute(q_mode - p_mode)
    some_gap = ops.where(gap > 0.0, gap, 1.0)
    return ops.select(gap > 0.0, partial(_ordered, ops=ops), _nothing, p, q, p_rest, q_rest, some_gap)


def _ordered(p: Array, q: Array, p_rest: Array, q_rest: Array, gap: Array, ops: Operations) -> Array:
    """For p's mode below q's, by `gap`."""
    below = ops.select(p > 0.0, lambda p, q, gap: p * identity_minus_log(-gap / q, ops), _nothing, p, q, gap)
    share = q_rest / p_rest
    above = ops.select(
        q_rest > 0.0,
        lambda q_rest, gap, share: share * multiple_of_excess(q_rest, gap, ops),
        lambda q_rest, gap, share: 0.0 * gap,
        q_rest, gap, share,
    )  # fmt: skip

    def narrow(p: Array, q: Array, p_rest: Array, q_rest: Array, gap: Array) -> Array:
        def excess(z: Array, p: Array, q: Array, p_rest: Array, gap: Array) -> Array:
            """p's density times x − log(1 + x), at z of the way from p's mode to q's."""
            rest = p_rest - gap * z
            x = -gap * (1.0 - z) / q + gap * z / rest * ((p + gap * z) / q)
            return 2.0 * (rest / p_rest) * identity_minus_log(x, ops)

        return gap * quadrature(excess, ops, 0.0, 1.0, p, q, p_rest, gap)

    def wide(p: Array, q: Array, p_rest: Array, q_rest: Array, gap: Array) -> Array:
        rise = ramp(LOG, 1.0, -gap / q, ops) + (q_rest / p_rest) * ramp(LOG, p / q, gap / q, ops)
        fall = ramp(LOG, q_rest / p_rest, gap / p_rest, ops)
        fall = fall + (q_rest / p_rest) * ramp(LOG, 1.0, -gap / p_rest, ops)
        return gap * (gap * (1.0 / p_rest - 1.0 / q) - rise + fall)

    is_narrow = gap <= 0.1 * ops.minimum(q, p_rest)
    between = ops.select(is_narrow, narrow, wide, p, q, p_rest, q_rest, gap)
    return below + above + between


def near_triangular_divergence(
    mode: Array, rest: Array, step: Array, below: Array, above: Array, ops: Operations
) -> tuple[Array, Array]:
    """KL of triangular distributions whose modes are close to each other, and where they are close enough.

    p's has its ends at 0 and 1 and its top at `mode`, which lacks `rest` of 1; q's has its top `step`
    further up and reaches farther by `below` and `above`, neither negative. With 1 + x = q/p the divergence
    is E[x − log(1 + x)] and q's mass where p has none.
    """
    mirror = step < 0.0
    left, right = ops.where(mirror, rest, mode), ops.where(mirror, mode, rest)
    below, above = ops.where(mirror, above, below), ops.where(mirror, below, above)
    gap = ops.absolute(step)
    # A top at p's end, from which q's is farther out, has no other side.
    close = gap <= ops.where(right > 0.0, 0.1 * ops.minimum(left + gap, right), left / 9.0)
    # Elsewhere numbers that serve, for the sake of the derivatives.
    gap, below, above = (ops.where(close, value, 0.0) for value in (gap, below, above))
    return close, whole(_near_triangular_divergence, ops, left, right, gap, below, above)


def _near_triangular_divergence(
    left: Array, right: Array, gap: Array, below: Array, above: Array, ops: Operations
) -> Array:
    """For p's mode below q's by `gap`: a side to the left of both, one to the right, and what is between."""
    longer = below + above
    rise, fall = left + gap + below, right - gap + above  # of q
    some_rise, some_fall = ops.where(rise > 0.0, rise, 1.0), ops.where(fall > 0.0, fall, 1.0)
    high_rise, high_fall = (1.0 + longer) * some_rise, (1.0 + longer) * some_fall
    first = _near_side(
        left, -(gap + below + longer * rise) / high_rise, left / high_rise, below / high_rise, ops
    )
    far = right - gap
    some_far = ops.where(far > 0.0, far, 1.0)
    turn, slope = (gap - above - longer * fall) / high_fall, right / high_fall
    last = _near_side(far, turn, slope, slope * above / some_far, ops)

    def excess(z: Array, right: Array, gap: Array, rise: Array, longer: Array) -> Array:
        """p's density times x − log(1 + x), at z of the way from p's mode to q's."""
        here = right - gap * z
        x = gap * (z * rise - right * (1.0 - z)) - here * longer * rise
        return 2.0 * (here / right) * identity_minus_log(x / (here * (1.0 + longer) * rise), ops)

    some_right = ops.where(right > 0.0, right, 1.0)
    between = gap * quadrature(excess, ops, 0.0, 1.0, some_right, gap, some_rise, longer)
    falling = 2.0 * (far / some_right) * last + between + above * (above / high_fall)
    risen = ((1.0 + below) * (gap + above) + gap * above) / high_rise  # q's mass beyond p's top
    return 2.0 * first + below * (below / high_rise) + ops.where(right > 0.0, falling, risen)


def _near_side(length: Array, turn: Array, slope: Array, offset: Array, ops: Operations) -> Array:
    """length · ∫₀¹ u φ(turn + offset/u) du, φ(x) = x − log(1 + x), slope = 1 + turn.

    It is ½ φ(turn + offset) + ½ offset·turn/slope + ½ (offset/slope)² log(1 + slope/offset).
    """
    there = ops.logical_and(length > 0.0, offset > 0.0)
    step, scale = ops.where(there, offset, 1.0), ops.where(slope > 0.0, slope, 1.0)
    share = step / scale
    bent = step * turn / scale + share * share * ops.log1p(scale / step)
    value = identity_minus_log(ops.where(length > 0.0, turn + offset, 0.0), ops)
    return 0.5 * length * (value + ops.where(there, bent, 0.0))
