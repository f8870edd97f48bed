"""The generalised Pareto distribution: Lomax, exponential or beta, by the sign of its shape."""

from __future__ import annotations

import numpy as np

from kl_plugins.families.beta import Beta
from kl_plugins.families.core.continuous import Continuous
from kl_plugins.families.core.names import from_pymc, from_scipy
from kl_plugins.families.gamma import GeneralizedGamma
from kl_plugins.families.gamma_images import common_sign, of_extras, refuse_small
from kl_plugins.families.pareto import Pareto
from kl_plugins.ops.protocol import Array


@from_scipy("genpareto")
def _of_shape(c: Array, loc: Array, scale: Array) -> Continuous:
    """(U^(−c) − 1)/c of a uniform variable U; −log U where c is zero.

    https://en.wikipedia.org/wiki/Generalized_Pareto_distribution
    """
    if np.any(np.isinf(c)):
        raise ValueError("c must be finite")
    sign = common_sign(c, "genpareto with shapes c of different signs")
    if sign == 0.0:
        return GeneralizedGamma(1.0, scale, loc=loc + 0.0 * c)
    if sign < 0.0:
        return Beta(1.0, -1.0 / c, loc, -scale / c)
    refuse_small(c, "genpareto with a positive shape c this close to 0, an exponential distribution's")
    return Pareto(1.0 / c, scale / c, loc - scale / c)


from_pymc("GenParetoRV")(of_extras(_of_shape, "GenPareto"))
