"""The exponentiated Weibull distribution."""

from __future__ import annotations

import math
from typing import ClassVar

from kl_plugins.families.core.images import Image
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.formulas.cancellation_free import log_one_less_exp
from kl_plugins.ops.protocol import Array
from kl_plugins.parameters.certainty import certainly_equal
from kl_plugins.parameters.declarations import POSITIVE, parameter


class ExponentiatedWeibull(Image):
    """X = loc + scale·Z, where −log(1 − exp(−Z^power)) is an exponential variable.

    https://en.wikipedia.org/wiki/Exponentiated_Weibull_distribution: a power of the Weibull distribution's
    function, with the exponential variable's rate as exponent.
    """

    power: Array = parameter(POSITIVE, default=1.0, static=True)
    ends: ClassVar[tuple[float, float]] = (0.0, math.inf)
    common: ClassVar[tuple[str, ...]] = ("loc", "scale", "power")

    def has_map_of(self, other: Image) -> bool:
        return isinstance(other, ExponentiatedWeibull) and certainly_equal(self.power, other.power, self.ops)

    def _log_below(self, z: Array) -> Array:
        """log(1 − exp(−z^power)), of a Weibull variable's probability below z."""
        return log_one_less_exp(z**self.power, self.ops)

    def preimage(self, z: Array) -> Array:
        return -self._log_below(z)

    def log_slope(self, z: Array) -> Array:
        c, ops = self.power, self.ops
        return ops.log(c) + (c - 1.0) * ops.log(z) - z**c - self._log_below(z)


from_scipy("exponweib")(
    if_positive(
        "a c",
        lambda a, c, loc, scale: ExponentiatedWeibull(GeneralizedGamma(1.0, 1.0 / a), scale, loc, power=c),
    )
)
