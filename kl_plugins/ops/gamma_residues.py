"""The gamma function and its derivatives without their large parts, in the operations of any backend.

Large arguments make ln Γ(a) ≈ a ln a and ψ(a) ≈ ln a, of which hardly anything is left in a divergence. What
is left is computed here by itself. For small ones it is like 1/a and 1/a², which may be beyond the floats
where divergences are not: those are made of a times the one and a² times the other, between ½ and 1 in size.

Asymptotic series serve from 10 on. Smaller arguments are raised by 10, and the ten steps are taken back as
one product or sum, whose terms i and 9 − i have one denominator, u plus a number, u = a (a + 9).
"""

from __future__ import annotations

from kl_plugins.ops.protocol import Array, Function, Operations

LARGE = 10.0
"""From here on the asymptotic series serve."""

_TINY = 1e-290
"""Of smaller arguments the logarithm is all that is left, and their products lose digits."""

HALF_LOG_2PI = 0.9189385332046727
_EXP_10 = 22026.46579480671
"""exp(10), rounded so that ln Γ(1) comes out as 0."""


def _raised(a: Array, ops: Operations) -> tuple[Array, Array, Array]:
    """Whether a is small, the argument b of the series, and a log(b/a), which is 0 if a is not small."""
    is_small = a < LARGE
    b = ops.where(is_small, a + 10.0, a)
    # Of smaller a the product is nothing; and their quotients may be beyond the floats.
    return is_small, b, a * ops.log(b / ops.maximum(a, 1e-30))


def _product(a: Array, b: Array) -> Array:
    """The product of a + i, i < 10, as a share of exp(−10) b⁹, b = a + 10: so that neither is large."""
    u = a * (a + 9.0)
    product = u * (u + 8.0) * ((u + 14.0) * (u + 18.0)) * (u + 20.0)
    square = b * b
    fourth = square * square
    return product * _EXP_10 / (fourth * fourth * b)


def log_gamma_residue_value(a: Array, ops: Operations) -> Array:
    """ln Γ(a) − (a ln a − a), whose derivatives are ψ(a) − ln a and ψ₁(a) − 1/a."""
    return ops.rarely(a < _TINY, _residue_of_tiny, _residue_of_others, a)


def _residue_of_tiny(a: Array, ops: Operations) -> Array:
    return -ops.log(a)


def _residue_of_others(a: Array, ops: Operations) -> Array:
    is_small, b, growth = _raised(a, ops)
    root = ops.sqrt(b)
    steps = ops.where(is_small, _product(a, b) / root, root)
    return HALF_LOG_2PI + (growth + _stirling(b)) - ops.log(steps)


def _log_gamma_residue_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (digamma_residue_value(a, ops),)


def _stirling(a: Array) -> Array:
    """Stirling's series, https://dlmf.nist.gov/5.11.1."""
    x = 1.0 / a
    y = x * x
    series = 1 / 12 - y * (1 / 360 - y * (1 / 1260 - y * (1 / 1680 - y * (1 / 1188 - y * (691 / 360360)))))
    return x * series


def stirling_rest_value(a: Array, ops: Operations) -> Array:
    """ln Γ(a) − (a ln a − a) − ½ ln(2π/a), which is about 1/(12 a)."""
    return ops.rarely(a < _TINY, _rest_of_tiny, _rest_of_others, a)


def _rest_of_tiny(a: Array, ops: Operations) -> Array:
    return -HALF_LOG_2PI - 0.5 * ops.log(a)


def _rest_of_others(a: Array, ops: Operations) -> Array:
    is_small, b, growth = _raised(a, ops)
    steps = ops.where(is_small, _product(a, b) / ops.sqrt(a * b), 1.0)
    return growth + _stirling(b) - ops.log(steps)


def _stirling_rest_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (-digamma_rest_value(a, ops) / a,)


def digamma_rest_value(a: Array, ops: Operations) -> Array:
    """a (ln a − ψ(a)) − ½, which is about 1/(12 a): ψ(a) = ψ(a + 10) − Σ 1/(a + i), i < 10."""
    is_small, b, growth = _raised(a, ops)
    rest, u = _digamma_series(b), a * (a + 9.0)
    total = 1.0 / (u + 8.0) + 1.0 / (u + 14.0) + 1.0 / (u + 18.0) + 1.0 / (u + 20.0)
    steps = (2.0 * a + 9.0) * (a * total + 1.0 / (a + 9.0))
    return ops.where(is_small, steps - 0.5 - growth + a * ((0.5 + rest) / b), rest)


def _digamma_series(a: Array) -> Array:
    """https://dlmf.nist.gov/5.11.2."""
    x = 1.0 / a
    y = x * x
    series = 1 / 12 - y * (1 / 120 - y * (1 / 252 - y * (1 / 240 - y * (1 / 132 - y * (691 / 32760)))))
    return x * series


def _digamma_rest_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (-_scaled_digamma_gradient(a, ops)[0],)


def digamma_residue_value(a: Array, ops: Operations) -> Array:
    """ψ(a) − ln a, which is negative."""
    return scaled_digamma_value(a, ops) / a


def _digamma_residue_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return (trigamma_residue_value(a, ops),)


def scaled_digamma_value(a: Array, ops: Operations) -> Array:
    """a (ψ(a) − ln a), which is between −1 and −½."""
    return -0.5 - digamma_rest_value(a, ops)


def _scaled_digamma_gradient(a: Array, ops: Operations) -> tuple[Array]:
    return ((scaled_digamma_value(a, ops) + scaled_trigamma_value(a, ops)) / a,)


def trigamma_residue_value(a: Array, ops: Operations) -> Array:
    """ψ₁(a) − 1/a, which is positive."""
    return scaled_trigamma_value(a, ops) / a / a


def scaled_trigamma_value(a: Array, ops: Operations) -> Array:
    """a² (ψ₁(a) − 1/a), which is between ½ and 1.

    By ψ₁(a) = ψ₁(a + 10) + Σ 1/(a + i)², i < 10.
    """
    is_small = a < LARGE
    b = ops.where(is_small, a + 10.0, a)
    series, x = _scaled_trigamma_series(b), 1.0 / b
    some = ops.where(is_small, a, 1.0)  # a derivative of the sum should not overflow where it is not taken
    u = some * (some + 9.0)
    u1, u2, u3, u4 = u + 8.0, u + 14.0, u + 18.0, u + 20.0
    squares = 2.0 * u + 81.0  # less twice the added number: (a + i)² + (a + 9 − i)²
    total = (squares - 16.0) / (u1 * u1) + (squares - 28.0) / (u2 * u2)
    total = total + (squares - 36.0) / (u3 * u3) + (squares - 40.0) / (u4 * u4)
    last = some + 9.0
    total = total + 1.0 / (last * last) + x + x * x * series
    return ops.where(is_small, some * some * total + (1.0 - some), series)


def _scaled_trigamma_series(a: Array) -> Array:
    """https://dlmf.nist.gov/5.15.8."""
    x = 1.0 / a
    y = x * x
    series = 1 / 6 - y * (1 / 30 - y * (1 / 42 - y * (1 / 30 - y * (5 / 66 - y * (691 / 2730)))))
    return 0.5 + x * series


def _node(value: Function, gradient: Function | None) -> Function:
    """A function by itself; as part of a larger formula it is `value`."""
    return lambda a, ops: ops.elementwise(value, gradient, a)


log_gamma_residue = _node(log_gamma_residue_value, _log_gamma_residue_gradient)
stirling_rest = _node(stirling_rest_value, _stirling_rest_gradient)
digamma_rest = _node(digamma_rest_value, _digamma_rest_gradient)
digamma_residue = _node(digamma_residue_value, _digamma_residue_gradient)
scaled_digamma = _node(scaled_digamma_value, _scaled_digamma_gradient)
scaled_trigamma = _node(scaled_trigamma_value, None)
