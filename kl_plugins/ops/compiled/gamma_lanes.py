"""The gamma function and its derivatives without their large parts, for loops over long vectors.

As in ``gamma_formulas.py``; arguments below 10 are raised by 10, and the sums and products over the ten steps
are taken as one fraction each. For arguments between 1e-60 and 1e60.
"""

from __future__ import annotations

from typing import Any

from kl_plugins.ops.compiled.lanes import lane, log

_HALF_LOG_2PI = 0.9189385332046727
_EXP_20 = 485165195.4097903


@lane
def steps(a: Any) -> Any:
    """u(u + 8)(u + 14)(u + 18)(u + 20) and its derivative, u = a (a + 9): the product of a + i, i < 10."""
    u = a * (a + 9.0)
    product = u * (u + 8.0) * ((u + 14.0) * (u + 18.0)) * (u + 20.0)
    slope = 40320.0 + u * (24352.0 + u * (3924.0 + u * (240.0 + u * 5.0)))
    return product, slope


@lane
def stirling(x: Any) -> Any:
    """ln Γ(a) − (a ln a − a) + ½ ln(a/2π), x = 1/a."""
    y = x * x
    series = 1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y * (1 / 1188 - y * (691 / 360360)))))
    return x * series


@lane
def digamma_tail(x: Any) -> Any:
    y = x * x
    series = 1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132 - y * (691 / 32760)))))
    return -0.5 * x - y * series


@lane
def residues(a: Any) -> Any:
    """s, g and r with ln Γ(a) − (a ln a − a) = s − ½ log g and ψ(a) − ln a = r.

    The logarithms of several g are best taken together.
    """
    is_small = a < 10.0
    product, slope = steps(a)
    raised = a + 10.0
    square = raised * raised
    fourth = square * square
    sixteenth = (fourth * fourth) * (fourth * fourth)
    b = raised if is_small else a
    x = 1.0 / b
    growth = log(b / a)  # exactly 0 where nothing is raised
    # exp(20) makes up for a 10 that would be subtracted from s, and round it.
    g = (product * product) / (sixteenth * square * raised) * _EXP_20 if is_small else a
    smooth = _HALF_LOG_2PI + (a * growth + stirling(x))
    sum_of_steps = (2.0 * a + 9.0) * slope / product if is_small else 0.0
    return smooth, g, growth + digamma_tail(x) - sum_of_steps


@lane
def digamma_residue(a: Any) -> Any:
    """ψ(a) − ln a."""
    _, _, value = residues(a)
    return value


@lane
def trigamma_residue(a: Any) -> Any:
    """ψ₁(a) − 1/a."""
    is_small = a < 10.0
    b = a + 10.0 if is_small else a
    x = 1.0 / b
    y = x * x
    series = 1 / 6 - y * (1 / 30 - y * (1 / 42 - y * (1 / 30 - y * (5 / 66 - y * (691 / 2730)))))
    tail = y * (0.5 + x * series)
    u = a * (a + 9.0)
    squares = 2.0 * u + 81.0
    v1, v2, v3, v4 = 1.0 / (u + 8.0), 1.0 / (u + 14.0), 1.0 / (u + 18.0), 1.0 / (u + 20.0)
    total = (squares - 16.0) * v1 * v1 + (squares - 28.0) * v2 * v2
    total = total + (squares - 36.0) * v3 * v3 + (squares - 40.0) * v4 * v4
    last, first = 1.0 / (a + 9.0), 1.0 / a
    total = (total + last * last + x) + (first * first - first)
    return total + tail if is_small else tail
