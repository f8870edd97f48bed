"""Powers of the normal distribution's survival function, and exponentials of such variables."""

from __future__ import annotations

import math
from typing import ClassVar

from kl_plugins.families.core.images import Image
from kl_plugins.families.core.names import from_scipy, if_positive
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.log_transformed import LogTransformed
from kl_plugins.formulas.truncated import log_integral
from kl_plugins.ops.protocol import Array

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


class PowerNormal(Image):
    """X = loc + scale·Z, where −log Φ(−Z) is an exponential variable, Φ the normal distribution function.

    P(Z > z) = Φ(−z)^c where the exponential variable has the rate c:
    https://www.itl.nist.gov/div898/handbook/eda/section3/eda366d.htm.
    """

    common: ClassVar[tuple[str, ...]] = ("loc", "scale")

    def preimage(self, z: Array) -> Array:
        return _HALF_LOG_2PI - log_integral(z, math.inf, self.ops)

    def log_slope(self, z: Array) -> Array:
        return -0.5 * z * z - log_integral(z, math.inf, self.ops)


class PowerLogNormal(LogTransformed):
    """X = loc + scale·exp(B), B a power-normal variable."""

    common: ClassVar[tuple[str, ...]] = ("loc", "scale", "s")


def _power_normal(c: Array, loc: Array, scale: Array) -> PowerNormal:
    return PowerNormal(GeneralizedGamma(1.0, 1.0 / c), scale, loc)


from_scipy("powernorm")(if_positive("c", _power_normal))
from_scipy("powerlognorm")(
    if_positive("c s", lambda c, s, loc, scale: PowerLogNormal(_power_normal(c, 0.0, s), scale, loc))
)
