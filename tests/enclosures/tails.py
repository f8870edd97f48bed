"""What lies beyond the last point of integration: the lemma, and how it is used.

**Lemma.** Let g be concave on [a, ∞) with g'(a) < 0. Then ∫_a^∞ e^g ≤ e^(g(a))/|g'(a)|, since g lies below
its tangent at a.

The integrand of a tail is e^u·r: u the log density of p, r = log p − log q. Both grow as `terms.Growth` says.

* An upper bound of u has one growing function D with a negative coefficient (or none, where tails are heavy).
  Whatever positive grows more slowly is made part of it: w/D falls, so that w ≤ D·w(a)/D(a) from a on. Other
  negative terms are left out.
* |r| is at most a sum of functions log η, (log η)², η^m, e^(mη) with positive coefficients, and log η ≤
  η^e/(e·ε) for every e > 0 (ε Euler's number).
* For each of these u + log|r| + log dx/dt is then a concave function of t = log η, or of t = η where D is an
  exponential: linear terms, −D, and logarithms of η with positive coefficients.
"""

from __future__ import annotations

from flint import arb, fmpq

from .coordinates import End, real
from .terms import FIRST, LOG, LOG_SQUARE, ONE, Function, Growth

ENOUGH = 3
"""From here on (log η)² ≤ η and log η ≤ η; so that η ≥ 3 always."""


def bound(density: Growth, ratio: Growth, end: End) -> arb | None:
    """An upper bound of the tail's ∫ p·|log p − log q|, or None if `end.least` is too small to have one."""
    if end.least < ENOUGH or not all(one.is_finite() for one in (*density.values(), *ratio.values())):
        return None
    upper = {key: value.upper() for key, value in density.items() if key != LOG}
    jacobian = 0 if end.infinite else -2
    slope = density.get(LOG, arb(0)).upper() + jacobian
    parts = [_part(upper, slope, key, end.least) for key in ratio]
    if any(part is None for part in parts):
        return None
    return sum((abs(value).upper() * part for value, part in zip(ratio.values(), parts, strict=True)), arb(0))


def _part(upper: Growth, slope: arb, weight: Function, least: arb) -> arb | None:
    """∫ e^u·w over the tail for one of the functions of `ratio`."""
    exponent = {key: value for key, value in upper.items() if key not in (ONE, LOG_SQUARE)}
    square = upper.get(LOG_SQUARE, arb(0))
    constant, power = upper.get(ONE, arb(0)), arb(0)
    kind, order = weight
    if kind == "power":
        power = real(order)
    elif kind == "exp":  # e^(mη): mη in the exponent
        exponent = _with(exponent, FIRST, real(order))
    elif order:  # log η ≤ η^e/(e·ε)
        fraction = _small(slope, square, exponent)
        if fraction is None:
            return None
        power, constant = real(order) * fraction, constant - real(order) * (1 + fraction.log())
    negative = {key: value for key, value in exponent.items() if value < 0}
    leader = max(negative, key=lambda key: (key[0] == "exp", key[1]), default=None)
    if leader is None:
        if any(value > 0 for value in exponent.values()) or not square <= 0:
            return None
        return _falling(constant, slope + 1 + power, square, None, None, least)
    rest = {key: value for key, value in exponent.items() if key != leader and not value <= 0}
    if square > 0:  # (log η)² ≤ η
        rest = _with(rest, FIRST, square)
        square = arb(0)
    strength = -exponent[leader]
    for key, value in rest.items():
        absorbed = _absorbed(key, leader, least)
        if absorbed is None:
            return None
        strength -= abs(value).upper() * absorbed
    if not strength > 0:
        return None
    if leader[0] == "power":
        return _falling(constant, slope + 1 + power, square, strength, leader[1], least)
    return _falling_fast(constant, slope + power, strength, leader[1], least)


def _with(exponent: Growth, function: Function, value: arb) -> Growth:
    """With one more term."""
    return {**exponent, function: exponent.get(function, arb(0)) + value}


def _small(slope: arb, square: arb, exponent: Growth) -> arb | None:
    """The exponent e that a heavy tail affords, a part of what it has to spare."""
    if any(value < 0 for value in exponent.values()) or square < 0:
        return arb("0.125")
    spare = -(slope + 1)
    return (spare / 8).lower() if spare > 0 else None


def _absorbed(slower: Function, leader: Function, least: arb) -> arb | None:
    """w(a)/D(a), if w/D falls from a on."""
    (kind, order), (leading, top) = slower, leader
    if kind == leading == "power" and order < top:
        return least ** real(order - top)
    if kind == leading == "exp" and order < top:
        return (real(order - top) * least).exp()
    if kind == "log" and leading == "power" and real(top) * least.log() > real(order):
        return least.log() ** real(order) * least ** real(-top)
    if kind == "power" and leading == "exp" and real(top) * least > real(order):
        return least ** real(order) * (-real(top) * least).exp()
    return None


def _falling(
    constant: arb, slope: arb, square: arb, strength: arb | None, order: fmpq | None, least: arb
) -> arb | None:
    """The lemma for g(t) = constant + slope·t + square·t² − strength·e^(order·t), t = log η, square ≤ 0."""
    t = least.log()
    value, derivative = constant + slope * t, slope
    if square < 0:
        value, derivative = value + square * t**2, derivative + 2 * square * t
    if strength is not None:
        power = least ** real(order)
        value, derivative = value - strength * power, derivative - strength * real(order) * power
    return value.exp() / -derivative if derivative < 0 else None


def _falling_fast(constant: arb, slope: arb, strength: arb, order: fmpq, least: arb) -> arb | None:
    """The lemma for g(η) = constant + slope·log η − strength·e^(order·η); log η ≥ log a if slope < 0."""
    power = (real(order) * least).exp()
    value = constant + slope * least.log() - strength * power
    derivative = slope.union(arb(0)).upper() / least - strength * real(order) * power
    return value.exp() / -derivative if derivative < 0 else None


def at(growth: Growth, eta: arb) -> arb:
    """The value of a growth at one place."""
    total = arb(0)
    for (kind, order), value in growth.items():
        power = real(order)
        if kind == "log":
            total += value * (eta.log() ** power if order else 1)
        else:
            total += value * (eta**power if kind == "power" else (power * eta).exp())
    return total


def highest(growth: Growth, least: arb) -> arb | None:
    """An upper bound of what falls from a on, by the leading function as above; None if it may rise."""
    upper = {function: value.upper() for function, value in growth.items() if function != ONE}
    falling = {function: value for function, value in upper.items() if value < 0}
    constant = growth.get(ONE, arb(0)).upper()
    if len(falling) == len(upper):
        return constant + at(falling, least)
    leader = max(falling, key=lambda key: (key[0] == "exp", key[0] == "power", key[1]), default=None)
    if leader is None or leader[0] == "log":
        return None
    strength = -falling[leader]
    for function, value in upper.items():
        if not value <= 0:
            absorbed = _absorbed(function, leader, least)
            if absorbed is None:
                return None
            strength -= value * absorbed
    return constant - strength * at({leader: arb(1)}, least) if strength > 0 else None
