"""Images of gamma variables under names of their own: Lévy, extreme values, Pearson's third type."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from kl_plugins.errors import NoClosedFormError, no_closed_form_of_one
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.maps import Exponential, Folded, Logarithm, Raised, image_of, starts_at_zero
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.gamma import GeneralizedGamma, Weibull
from kl_plugins.families.log_gamma import LogGamma
from kl_plugins.families.normal import Normal
from kl_plugins.ops import backend_of
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_is, known_zero

_NEARLY_NORMAL = 1.6e-5
"""SciPy takes Pearson's third type of a smaller skewness for normal."""

_LEAST = 1e-3
"""Of smaller shapes the square of the reciprocal, and with it the rounding of a divergence, is too large."""


def _levy(loc: Array, scale: Array, sign: float = 1.0) -> GeneralizedGamma:
    """The reciprocal of twice a gamma variable of shape ½: https://en.wikipedia.org/wiki/L%C3%A9vy_distribution."""
    return GeneralizedGamma(0.5, 0.5 * scale, -1.0, loc, sign)


def _extreme_value(c: Array, loc: Array, scale: Array) -> Continuous:
    """(1 − E^c)/c of an exponential variable E; −log E where c is zero.

    https://en.wikipedia.org/wiki/Generalized_extreme_value_distribution, whose ξ is −c.
    """
    if np.any(np.isinf(c)):
        raise ValueError("c must be finite")
    sign = common_sign(c, "genextreme with shapes c of different signs")
    if sign == 0.0:
        return LogGamma(1.0, loc + 0.0 * c, scale, -1.0)
    refuse_small(c, "genextreme with a shape c this close to 0, a Gumbel distribution's")
    return GeneralizedGamma(1.0, scale / abs(c), 1.0 / c, loc + scale / c, -sign)


def of_extras(make: Callable[[float, Array, Array], Continuous], what: str) -> Callable[..., Continuous]:
    """What makes a family of pymc-extras' mu, sigma and xi, whose sign decides the family."""

    def made(mu: Array, sigma: Array, xi: Array) -> Continuous:
        shape, *places = (backend_of(x).literal(x) for x in (xi, mu, sigma))
        if shape is None:
            raise no_closed_form_of_one(
                f"pymc_extras.{what} whose xi is not one number that is known before a graph runs"
            )
        if None in places:
            return make(shape, mu, sigma)
        return make(shape, *places)  # as numbers places may be seen to be common

    return made


def _pearson_3(skew: Array, loc: Array, scale: Array) -> Continuous:
    """A gamma variable of shape 4/skew², with mean loc and standard deviation `scale`.

    https://en.wikipedia.org/wiki/Pearson_distribution#The_Pearson_type_III_distribution.
    """
    skew = np.where(np.abs(skew) < _NEARLY_NORMAL, 0.0, skew)[()]
    sign = common_sign(skew, "pearson3 with skewnesses of different signs")
    if sign == 0.0:
        return Normal(loc + 0.0 * skew, scale)
    refuse_small(skew, "pearson3 with a skewness this close to 0, a normal distribution's")
    with np.errstate(all="ignore"):  # what is beyond the floats is refused for what it becomes
        return GeneralizedGamma(
            4.0 / (skew * skew), 0.5 * scale * abs(skew), 1.0, loc - 2.0 * scale / skew, sign
        )


def _folded_normal(c: Array, loc: Array, scale: Array) -> GeneralizedGamma:
    if np.any(np.abs(c) > 0.0):  # NaN may be any number
        raise NoClosedFormError(
            "no closed form is known for scipy.stats.foldnorm with c other than 0, which is the half-normal "
            "distribution; kl_plugins.estimate_kl estimates divergences with their error"
        )
    return GeneralizedGamma(0.5, 1.4142135623730951 * scale, 2.0, loc + 0.0 * c)


def refuse_small(value: Array, what: str) -> None:
    """What is a difference of places 1/value apart has lost the digits of its own."""
    if np.any(np.abs(value) < _LEAST):
        raise NoClosedFormError(
            f"no closed form is known for scipy.stats.{what}, but not 0; kl_plugins.estimate_kl estimates "
            "divergences with their error"
        )


def common_sign(value: Array, what: str) -> float:
    """The sign of all of the values; families differ where signs do."""
    signs = np.unique(np.sign(np.where(np.isnan(value), 1.0, value)))
    if len(signs) != 1:
        raise NoClosedFormError(f"no closed form is known for a batch of scipy.stats.{what}; take them apart")
    return float(signs[0])


from_scipy("levy")(_levy)
from_scipy("levy_l")(lambda loc, scale: _levy(loc, scale, -1.0))
from_scipy("genextreme")(_extreme_value)
from_pymc("GenExtremeRV")(of_extras(lambda xi, loc, scale: _extreme_value(-xi, loc, scale), "GenExtreme"))
from_scipy("pearson3")(_pearson_3)
from_scipy("foldnorm")(_folded_normal)


@image_of(Normal, Folded)
def size_of_normal(p: Normal, of: Folded) -> GeneralizedGamma | None:
    """Around 0 it is half-normal."""
    return _folded_normal(0.0, 0.0, p.scale) if known_zero(p.mean, p.ops) else None


@image_of(Normal, Raised)
def square_of_normal(p: Normal, of: Raised) -> GeneralizedGamma | None:
    """A multiple of χ² of one degree of freedom, around 0."""
    if p.ops.literal(of.exponent) != 2.0 or not known_zero(p.mean, p.ops):
        return None
    return GeneralizedGamma(0.5, 2.0 * (p.scale * p.scale))


@image_of(GeneralizedGamma, Raised)
def power_of_gamma(p: GeneralizedGamma, of: Raised) -> GeneralizedGamma | None:
    if not starts_at_zero(p):
        return None
    return GeneralizedGamma(p.concentration, p.scale**of.exponent, p.power / of.exponent)


@image_of(GeneralizedGamma, Logarithm)
def log_of_gamma(p: GeneralizedGamma, of: Logarithm) -> LogGamma | None:
    """Where the sign of the power is known."""
    power = 1.0 if isinstance(p, Weibull) else p.ops.literal(p.power)
    if power is None or not starts_at_zero(p):
        return None
    sign = 1.0 if power > 0.0 else -1.0
    return LogGamma(p.concentration, p.ops.log(p.scale), sign / p.power, sign)


@image_of(LogGamma, Exponential)
def exponential_of_log_gamma(p: LogGamma, of: Exponential) -> GeneralizedGamma:
    place = p.loc if certainly_is(p.level, 0.0) else p.loc + p.sign * p.scale * p.level
    return GeneralizedGamma(p.concentration, p.ops.exp(place), p.sign / p.scale)
